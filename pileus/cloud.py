"""What a running controller holds: database, policy, engines below. Made once, handed to requests, sagas and tasks."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pileus import block_storage, identity, network, services
from pileus.core import policy, schema
from pileus.core.context import Context
from pileus.core.db import Database
from pileus.core.reconcile import Reconciler
from pileus.core.routes import RouteTable
from pileus.core.saga import Engine
from pileus.settings import Settings


def prepare(settings: Settings) -> Database:
    """The database, brought to the newest schema, with the first identities and rules in it. Quick when all is there."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    db = Database(settings.database)
    schema.upgrade(db)
    identity.bootstrap(db, settings)
    network.bootstrap(db, settings)
    block_storage.bootstrap(db, settings)
    return db


class Drivers(dict[str, Any]):
    """By service: what its sagas and tasks work with outside the database; made when first asked for."""

    def __init__(self, cloud: "Cloud"):
        super().__init__()
        self._cloud = cloud
        self._lock = threading.RLock()

    def __missing__(self, service: str) -> Any:
        with self._lock:
            if service not in self:
                self[service] = services.driver(service, self._cloud)
            return self[service]


class Cloud:
    """`start()` begins the background work; requests alone need no more than the constructor."""

    routes: RouteTable

    def __init__(self, settings: Settings):
        self.settings = settings
        self.db = prepare(settings)
        named = Path(settings.policy_file) if settings.policy_file else None
        overrides = policy.load_overrides(named, services.SERVICES) if named else None
        self.policies = policy.by_service(services.rules(), overrides, enforce_scope=settings.enforce_scope)
        self.tokens = identity.Tokens(self.db, settings.folder, settings.token_seconds, settings.token_provider)
        self.receipts = identity.Receipts(settings.folder / "keys-receipts")
        self.failed_log_ins = identity.FailedLogIns(settings.log_in_limits)
        self.drivers = Drivers(self)
        self.sagas = Engine(self.db, self, services.sagas())
        self.tasks = Reconciler(self, services.tasks())
        self.stopping = threading.Event()

    @property
    def authenticate(self) -> Callable[[str], Context | None]:
        authenticate: Callable[[str], Context | None] = self.tokens.authenticate
        return authenticate

    def start(self) -> None:
        self.sagas.start()
        self.tasks.start()

    def stop(self) -> None:
        self.stopping.set()
        self.tasks.stop()
        self.sagas.stop()
        for driver in list(self.drivers.values()):
            if hasattr(driver, "stop"):
                driver.stop()
