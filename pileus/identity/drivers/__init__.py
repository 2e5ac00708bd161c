"""What identity works with outside the database: identity providers, and the directories of domains."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pileus.core import log
from pileus.core.db import Tx
from pileus.core.errors import Unavailable
from pileus.identity import domain_configs
from pileus.identity.delegation.credentials import Vault
from pileus.identity.drivers.base import DirectoryContract
from pileus.identity.drivers.fake import FakeDirectory
from pileus.identity.federation import settings
from pileus.identity.ldap.options import Options, read

if TYPE_CHECKING:
    from pileus.identity.federation.oidc import Provider

_log = log.logger("pileus.identity")


class Connections:
    """Made anew when what describes them changes: a file for identity providers, domains' options for directories."""

    def __init__(self, folder: Path, fakes: bool = False):
        self._folder = folder
        self._path = folder / settings.FILE
        self._fakes: dict[str, FakeDirectory] | None = {} if fakes else None
        self._directories: dict[str, tuple[Options, DirectoryContract]] = {}
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

    def directory(self, tx: Tx, domain_id: str) -> DirectoryContract | None:
        """Where a domain's users and groups are kept, when that is elsewhere. Raises Unavailable for wrong options."""
        wanted = self.options(tx, domain_id)
        if wanted is None:
            self._directories.pop(domain_id, None)
            return None
        with self._lock:
            known = self._directories.get(domain_id)
            if known is None or known[0] != wanted:  # kept, as it remembers that it does not answer
                known = self._directories[domain_id] = (wanted, self._directory(wanted))
            return known[1]

    def options(self, tx: Tx, domain_id: str) -> Options | None:
        """Raises Unavailable."""
        return read(domain_configs.effective(tx, Vault(self._folder), domain_id))

    def _directory(self, wanted: Options) -> DirectoryContract:
        if wanted.url.startswith("fake:"):
            return self.fake(wanted.url)
        from pileus.identity.drivers.ldap import LdapDirectory

        return LdapDirectory(wanted)

    def fake(self, url: str) -> FakeDirectory:
        """The directory in memory of this name; only a cloud with fakes has any."""
        if self._fakes is None:
            raise Unavailable("The directory of this domain is not well configured: only fake clouds have fake ones.")
        return self._fakes.setdefault(url, FakeDirectory())

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
    return Connections(cloud.settings.folder, fakes=bool(cloud.settings.fake_nodes))
