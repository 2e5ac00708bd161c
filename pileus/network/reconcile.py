"""What must stay true: the engine holds what our rows say, and our rows say which ports are up.

Woken after each commit that touched the network; also by the engine's own events, and by the
clock. However woken it does the same: apply what the outbox lists, write port states back, and
once a minute, or less often where there is much, compare everything.
"""

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pileus.core import clock, log, quota
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import EngineError
from pileus.core.reconcile import Difference, Task
from pileus.core.tables import columns, shape
from pileus.network import desired, rows
from pileus.network.drivers.base import Chassis, MissingRows, NetworkDriver
from pileus.network.drivers.desired import Key, Row
from pileus.network.drivers.translate.networks import Naming
from pileus.network.store import changes
from pileus.network.store.queries import select_in

BATCH = 500  # objects in one transaction of the engine
COMPARE_SECONDS = 60.0
COMPARE_SHARE = 50  # a comparison takes no more than one part in so many of the time, however much there is
_log = log.logger("pileus.network")


class Keeper:
    """What a process remembers between two looks: nothing that a restart would miss."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.driver: NetworkDriver = cloud.drivers["network"]
        self._lock = threading.Lock()
        self._states: dict[str, bool] = {}
        self._hosts_changed = False
        self._compared: float | None = None
        self._rest = COMPARE_SECONDS
        self.progress = threading.Condition()
        self.driver.on_change(self._ports_changed, self._chassis_changed)
        changes.listen(cloud.db, self.wake)

    def wake(self) -> None:
        self.cloud.tasks.wake("network")

    def _ports_changed(self, states: Mapping[str, bool]) -> None:
        with self._lock:
            self._states.update(states)
        self.wake()

    def _chassis_changed(self) -> None:
        self._hosts_changed = True
        self.wake()

    def look(self) -> None:
        apply_changes(self.cloud)
        with self._lock:
            states, self._states = self._states, {}
        if states:
            write_states(self.cloud, states)
        if self._hosts_changed:
            self._hosts_changed = False
            touch_gateways(self.cloud)
            apply_changes(self.cloud)
        start = clock.monotonic()
        if self._compared is None or start - self._compared >= self._rest:
            self.driver.ping()
            repair(self.cloud)
            write_states(self.cloud, self.driver.port_states())
            self._compared = clock.monotonic()
            self._rest = rest_after(self._compared - start)
        with self.progress:
            self.progress.notify_all()


def rest_after(took: float) -> float:
    """Seconds until everything is compared again. Changes of ours do not wait for it: they are in the outbox."""
    return max(COMPARE_SECONDS, took * COMPARE_SHARE)


_making = threading.Lock()


def keeper(cloud: Any) -> Keeper:
    """The one of this cloud."""
    with _making:
        found: Keeper | None = cloud.__dict__.get("network_keeper")
        if found is None:
            found = cloud.__dict__["network_keeper"] = Keeper(cloud)
        return found


def look(cloud: Any) -> None:
    keeper(cloud).look()


def apply_changes(cloud: Any) -> None:
    """Tell the engine of everything in the outbox."""
    while True:
        with cloud.db.read() as tx:
            quota.hold(tx, "network", "apply")  # several controllers: one writes to the engine at a time
            found = changes.oldest(tx, BATCH)
            if not found:
                return
            write(cloud, tx, {(change.kind, change.object_id) for change in found})
        with cloud.db.write() as tx:
            changes.settle(tx, found)


def write(cloud: Any, tx: Tx, keys: Collection[Key]) -> None:
    """Make the engine's rows of these objects what ours say."""
    driver: NetworkDriver = cloud.drivers["network"]
    chassis = driver.chassis()
    try:
        _write(cloud, tx, driver, set(keys), chassis)
    except EngineError as error:
        if len(keys) == 1:
            # The comparison of everything will find it again; what comes after it must not wait.
            _log.error("the engine refused an object", extra={"object": "/".join(next(iter(keys))), "why": str(error)})
            return
        for key in keys:
            write(cloud, tx, [key])


def _write(cloud: Any, tx: Tx, driver: NetworkDriver, keys: set[Key], chassis: list[Chassis]) -> None:
    for _ in range(4):  # each round adds what the last one pointed at: port, group, network, and once more
        wanted = _desired(cloud, tx, keys, chassis)
        try:
            driver.apply(wanted)
            return
        except MissingRows as missing:
            keys |= missing.keys
    raise EngineError(f"rows keep pointing at rows that are not there: {sorted(keys)[:5]}")


def _desired(cloud: Any, tx: Tx, keys: Iterable[Key], chassis: list[Chassis]) -> dict[Key, list[Row]]:
    settings = cloud.settings
    naming = Naming(settings.dns_domain.rstrip("."), tuple(settings.external.dns))
    return desired.desired_rows(tx, keys, chassis, naming)


def differences(cloud: Any) -> list[Difference]:
    """How the engine differs from our rows, objects still in the outbox apart: `pileus fsck` prints it."""
    driver: NetworkDriver = cloud.drivers["network"]
    with cloud.db.read() as tx:
        wanted = _desired(cloud, tx, desired.all_keys(tx), driver.chassis())
        found = driver.compare(wanted)
        waiting = {(change.kind, change.object_id) for change in changes.oldest(tx, 100_000)} if found else set()
    return [Difference("ovn", d.key[0], d.key[1], f"{d.table}: {d.problem}") for d in found if d.key not in waiting]


def repair(cloud: Any) -> None:
    """Compare everything; write what differs."""
    found = differences(cloud)
    if not found:
        return
    keys = sorted({(difference.kind, difference.id) for difference in found})
    _log.info("the engine differs from the rows", extra={"objects": len(keys), "first": "/".join(keys[0])})
    for start in range(0, len(keys), BATCH):
        with cloud.db.read() as tx:
            quota.hold(tx, "network", "apply")
            write(cloud, tx, keys[start : start + BATCH])


# -- port states -----------------------------------------------------------------------

_port = columns(rows.Port)
_STATES = {
    status: sql(
        shape(rows.Port).table.update().where(in_list(_port.id, "ids"), _port.status != status).values(status=status)
    )
    for status in ("ACTIVE", "DOWN")
}


def write_states(cloud: Any, states: Mapping[str, bool]) -> None:
    """Only ports that are plugged in somewhere are up; what has not changed is not written."""
    with cloud.db.read() as tx:
        known = select_in(tx, rows.Port, "id", states)
        wrong = {
            status: [
                port.id for port in known
                if port.status != status and _is_up(port, states[port.id]) == (status == "ACTIVE")
            ]
            for status in _STATES
        }  # fmt: skip
    if any(wrong.values()):
        with cloud.db.write() as tx:
            for status, ids in wrong.items():
                if ids:
                    tx.execute(_STATES[status], ids=ids)


def _is_up(port: rows.Port, up: bool) -> bool:
    return up and port.admin_state_up and (bool(port.host_id) or port.device_owner.startswith("network:"))


def touch_gateways(cloud: Any) -> None:
    """Hosts came or went: routers' ways out are placed anew."""
    with cloud.db.write() as tx:
        for port in tx.select(rows.Port, device_owner=rows.GATEWAY_OWNER):
            changes.touch(tx, "port", port.id)


def programmed(tx: Tx, port_id: str) -> bool:
    """Does the engine know the port as our rows have it?"""
    return not changes.waiting(tx, "port", port_id)


def wait_programmed(cloud: Any, port_ids: Collection[str], seconds: float = 30.0) -> bool:
    """Wait until it does, at most so long."""
    watched = keeper(cloud)
    end = clock.monotonic() + seconds
    while True:
        with cloud.db.read() as tx:
            if all(programmed(tx, port_id) for port_id in port_ids):
                return True
        left = end - clock.monotonic()
        if left <= 0:
            return False
        with watched.progress:
            watched.progress.wait(min(left, 0.2))


TASKS = [Task("network", look, 30.0)]
