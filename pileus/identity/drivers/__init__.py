"""What identity works with outside the database: identity providers, by the names they have in the settings."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pileus.core import log
from pileus.identity.federation import settings

if TYPE_CHECKING:
    from pileus.identity.federation.oidc import Provider

_log = log.logger("pileus.identity")


class Connections:
    """Made anew when the file that describes them changes."""

    def __init__(self, folder: Path):
        self._path = folder / settings.FILE
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._federation = settings.Federation()
        self._providers: dict[str, Provider] = {}

    @property
    def federation(self) -> settings.Federation:
        """As the file says now; a file that cannot be read leaves things as they were."""
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._federation = settings.load(self._path)
                except ValueError as error:
                    _log.error("the settings of federation stay as they were", extra={"why": str(error)})
                    return self._federation
                self._close()
            return self._federation

    def provider(self, idp_id: str) -> "Provider | None":
        """The OpenID Connect provider that an identity provider is, if it is one."""
        found = self.federation.identity_providers.get(idp_id)
        if not isinstance(found, settings.Oidc):
            return None
        # an HTTP client is a tenth of a second of imports, which only clouds with a provider have to pay
        from pileus.identity.federation.oidc import Provider

        with self._lock:
            if idp_id not in self._providers:
                self._providers[idp_id] = Provider(found)
            return self._providers[idp_id]

    def _look(self) -> Any:
        try:
            seen = self._path.stat()
            return seen.st_ino, seen.st_mtime_ns, seen.st_size
        except OSError:
            return None

    def _close(self) -> None:
        for provider in self._providers.values():
            provider.close()
        self._providers = {}

    def stop(self) -> None:
        with self._lock:
            self._close()


def make(cloud: Any) -> Connections:
    return Connections(cloud.settings.folder)
