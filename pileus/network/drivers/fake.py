"""The network without a network: keeps the desired rows in memory, and can be told to fail.

A port is up as soon as it is bound to a host (or is a router's), as if every guest were
plugged in at once.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from pileus.network.drivers.base import Chassis, Difference, DriverRefused, DriverUnavailable, MissingRows, PortStates
from pileus.network.drivers.desired import Key, Ref, Row

DEFAULT_HOSTS = (Chassis(name="fake-1", hostname="fake-1", physnets=("public",), encap_ip="192.0.2.1"),)


class FakeDriver:
    def __init__(self, hosts: Sequence[Chassis] = DEFAULT_HOSTS) -> None:
        self.hosts = list(hosts)
        self.rows: dict[Key, dict[tuple[str, str], Row]] = {}
        self.failures: dict[str, Exception] = {}
        self.applied = 0
        self._lock = threading.Lock()
        self._ports_changed: Callable[[PortStates], None] = lambda states: None
        self._chassis_changed: Callable[[], None] = lambda: None

    def fail(self, call: str, error: Exception | None = None) -> None:
        """From now on `call` raises, until `heal`."""
        self.failures[call] = error or DriverUnavailable(f"{call}: told to fail")

    def heal(self) -> None:
        self.failures.clear()

    def lose(self, key: Key) -> None:
        """What a careless hand in the database would do."""
        with self._lock:
            self.rows.pop(key, None)

    def _may_fail(self, call: str) -> None:
        if error := self.failures.get(call):
            raise error

    def apply(self, desired: Mapping[Key, Sequence[Row]]) -> None:
        self._may_fail("apply")
        with self._lock:
            self._check_references(desired)
            before = self._up(desired)
            for key, rows in desired.items():
                self.rows[key] = {(row.table, row.part): row for row in rows}
                if not rows:
                    del self.rows[key]
            self.applied += 1
            changed = {id_: up for id_, up in self._up(desired).items() if before.get(id_) != up}
        if changed:
            self._ports_changed(changed)

    def _check_references(self, desired: Mapping[Key, Sequence[Row]]) -> None:
        refs = {ref for rows in desired.values() for row in rows for ref in _refs(row)}
        missing = {ref.key for ref in refs if not self._exists(ref, desired)}
        if missing - desired.keys():
            raise MissingRows(missing - desired.keys())
        if missing:
            raise DriverRefused(f"rows point at rows which are not wanted: {sorted(missing)}")

    def _exists(self, ref: Ref, desired: Mapping[Key, Sequence[Row]]) -> bool:
        if ref.key in desired:
            return any((row.table, row.part) == (ref.table, ref.part) for row in desired[ref.key])
        return (ref.table, ref.part) in self.rows.get(ref.key, {})

    def _up(self, keys: Collection[Key]) -> dict[str, bool]:
        """One transaction's worth of port states."""
        states = {}
        for kind, id_ in keys:
            row = self.rows.get((kind, id_), {}).get(("Logical_Switch_Port", "")) if kind == "port" else None
            if row is not None:
                options = row.columns.get("options")
                bound = isinstance(options, Mapping) and "requested-chassis" in options
                states[id_] = bound or row.columns.get("type") == "router"
        return states

    def compare(self, desired: Mapping[Key, Sequence[Row]]) -> list[Difference]:
        self._may_fail("compare")
        found = []
        with self._lock:
            for key, rows in desired.items():
                have = self.rows.get(key, {})
                for row in rows:
                    existing = have.get((row.table, row.part))
                    if existing is None:
                        found.append(Difference(key, row.table, "missing"))
                    elif existing != row:
                        wrong = [name for name in row.columns if existing.columns.get(name) != row.columns[name]]
                        found.append(Difference(key, row.table, ", ".join(wrong) or "external_ids"))
            for key, slots in self.rows.items():
                wanted = {(row.table, row.part) for row in desired.get(key, ())}
                found += [Difference(key, slot[0], "unexpected") for slot in slots if slot not in wanted]
        return found

    def port_states(self, ids: Collection[str] | None = None) -> dict[str, bool]:
        self._may_fail("port_states")
        with self._lock:
            keys = list(self.rows) if ids is None else [("port", id_) for id_ in ids]
            return self._up(keys)

    def chassis(self) -> list[Chassis]:
        self._may_fail("chassis")
        return list(self.hosts)

    def set_hosts(self, hosts: Sequence[Chassis]) -> None:
        """Hosts joined or left."""
        self.hosts = list(hosts)
        self._chassis_changed()

    def forget_chassis(self, name: str) -> None:
        self._may_fail("forget_chassis")
        self.set_hosts([host for host in self.hosts if host.name != name])

    def ping(self) -> None:
        self._may_fail("ping")

    def on_change(self, ports_changed: Callable[[PortStates], None], chassis_changed: Callable[[], None]) -> None:
        self._ports_changed, self._chassis_changed = ports_changed, chassis_changed

    def stop(self) -> None:
        """Nothing is held."""


def _refs(row: Row) -> list[Ref]:
    return [*(value for value in row.columns.values() if isinstance(value, Ref)), *(h.ref for h in row.holders)]
