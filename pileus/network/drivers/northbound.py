"""One transaction on the northbound database: write only what differs.

Everything here runs in the thread that owns the in-memory copy of the database, where
that copy holds still. Our rows are found through an index over their external_ids, so
the work of a change does not grow with the number of ports.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from ovs.db import data, types

from pileus.network.drivers.base import Difference, DriverRefused, MissingRows
from pileus.network.drivers.desired import ID, KIND, PART, Holder, Key, Ref, Row, Value, by_kind, holders_of

INDEX = "pileus"
# Tables of ours, owners first.
TABLES = (
    "Logical_Switch", "DHCP_Options", "Address_Set", "Meter", "Meter_Band", "Port_Group", "ACL",
    "Logical_Router", "Logical_Router_Port",
    "Gateway_Chassis", "BFD", "Logical_Router_Static_Route", "NAT",
    "Load_Balancer", "Logical_Switch_Port", "DNS", "QoS",
)  # fmt: skip
Slot = tuple[str, str]  # table, part: which of an object's rows


def key_of(row: Any) -> Key:
    ids = row.external_ids
    return (ids.get(KIND, ""), ids.get(ID, ""))


class ByKey:
    """A table's rows by the object they belong to, kept up to date by the library.

    Its own indexes lose a row whose indexed column a transaction changed; a row's object never changes, so this one
    listens only to rows coming and going.
    """

    columns = ()

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._keys: dict[UUID, Key] = {}
        self._uuids: dict[Key, set[UUID]] = {}

    def add(self, row: Any) -> None:
        if hasattr(row, "external_ids") and KIND in row.external_ids:  # a row just being inserted has no columns yet
            key = self._keys[row.uuid] = key_of(row)
            self._uuids.setdefault(key, set()).add(row.uuid)

    def remove(self, row: Any) -> None:
        key = self._keys.pop(row.uuid, None)
        if key is not None:
            self._uuids[key].discard(row.uuid)
            if not self._uuids[key]:
                del self._uuids[key]

    def find(self, key: Key) -> tuple[UUID, ...]:
        return tuple(self._uuids.get(key, ()))


def create_indexes(idl: Any) -> None:
    """Called once, before the first connection."""
    for table in TABLES:
        idl.tables[table].rows.indexes[INDEX] = ByKey()


def _in_table(idl: Any, name: str, key: Key) -> list[Any]:
    rows = idl.tables[name].rows
    return [rows[uuid] for uuid in rows.indexes[INDEX].find(key)]


def rows_of(idl: Any, key: Key) -> dict[Slot, Any]:
    """The rows of one object, as they are."""
    return {(name, row.external_ids.get(PART, "")): row for name in TABLES for row in _in_table(idl, name, key)}


def plain(row: Any, column: str) -> Any:
    """A column's committed value: scalar, None, frozenset or dict; references as UUIDs."""
    kind = row._table.columns[column].type
    values = row._data[column].values
    if kind.is_map():
        return {key.value: value.value for key, value in values.items()}
    if kind.n_max == 1:
        return next((atom.value for atom in values), None)
    return frozenset(atom.value for atom in values)


def lists(holder_row: Any, column: str, uuid: UUID) -> bool:
    """Whether a set column holds a reference, without unpacking thousands of them."""
    return data.Atom(types.UuidType, uuid) in holder_row._data[column].values


def writable(value: Value | UUID) -> Any:
    if value is None:
        return []
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, Mapping) else value


class Writer:
    """Brings the rows of some objects to what is desired, inside a transaction that is open."""

    def __init__(self, idl: Any, txn: Any, desired: Mapping[Key, Sequence[Row]]) -> None:
        self.idl = idl
        self.txn = txn
        self.desired = {key: desired[key] for key in by_kind(desired)}
        self.have = {key: rows_of(idl, key) for key in self.desired}
        self.made: dict[Ref, Any] = {}
        self.missing: set[Key] = set()
        self.begun: dict[tuple[UUID, str], list[Any]] = {}  # sets of new rows which may not be empty

    def run(self) -> None:
        self._delete_rest()
        self._insert_new()
        for key, rows in self.desired.items():
            for row in rows:
                self._fill(key, row)
        if self.missing:
            raise self._incomplete()

    def _incomplete(self) -> Exception:
        unknown = self.missing - self.desired.keys()
        if unknown:
            return MissingRows(unknown)
        return DriverRefused(f"rows point at rows which are not wanted: {sorted(self.missing)}")

    def _delete_rest(self) -> None:
        doomed = []
        for key, rows in self.desired.items():
            keep = {(row.table, row.part) for row in rows}
            doomed += [row for slot, row in self.have[key].items() if slot not in keep]
            self.have[key] = {slot: row for slot, row in self.have[key].items() if slot in keep}
        going = {row.uuid for row in doomed}
        for row in doomed:
            for holder in holders_of(row.external_ids):
                owner = self._find(holder.ref)
                if owner is not None and owner.uuid not in going and _strong(owner, holder.column):
                    owner.delvalue(holder.column, row)
        for row in doomed:
            row.delete()

    def _insert_new(self) -> None:
        for key, rows in self.desired.items():
            for row in rows:
                slot = (row.table, row.part)
                if slot not in self.have[key]:
                    new = self.txn.insert(self.idl.tables[row.table])
                    new.external_ids = row.all_external_ids(key)
                    self.made[Ref(row.table, *key, row.part)] = new

    def _fill(self, key: Key, row: Row) -> None:
        """Columns, references and who lists the row; of a row that exists only what differs."""
        existing = self.have[key].get((row.table, row.part))
        target = existing if existing is not None else self.made[Ref(row.table, *key, row.part)]
        for name, value in row.columns.items():
            wanted = self._resolve(value)
            compared = wanted.uuid if isinstance(value, Ref) and wanted is not None else wanted
            if existing is None or plain(existing, name) != compared:
                setattr(target, name, writable(wanted))
        before = holders_of(existing.external_ids) if existing is not None else frozenset()
        for holder in before - set(row.holders):
            owner = self._find(holder.ref)
            if owner is not None:
                owner.delvalue(holder.column, target)
        for holder in row.holders:
            self._hold(holder, target, existing)
        if existing is not None and existing.external_ids != (ids := row.all_external_ids(key)):
            existing.external_ids = ids

    def _hold(self, holder: Holder, target: Any, existing: Any | None) -> None:
        owner = self._find(holder.ref)
        if owner is None:
            self.missing.add(holder.ref.key)
        elif holder.ref in self.made and owner._table.columns[holder.column].type.n_min:
            # a set that may not be empty is one with nothing real in it in a new row: said whole, not added to
            members = self.begun.setdefault((owner.uuid, holder.column), [])
            members.append(target)
            setattr(owner, holder.column, members)
        elif existing is None or owner._data is None or not lists(owner, holder.column, existing.uuid):
            owner.addvalue(holder.column, target)

    def _resolve(self, value: Value) -> Any:
        if not isinstance(value, Ref):
            return value
        found = self._find(value)
        if found is None:
            self.missing.add(value.key)
        return found

    def _find(self, ref: Ref) -> Any | None:
        if ref in self.made:
            return self.made[ref]
        if ref.key in self.have:
            return self.have[ref.key].get((ref.table, ref.part))
        return rows_of_table(self.idl, ref)


def rows_of_table(idl: Any, ref: Ref) -> Any | None:
    found = _in_table(idl, ref.table, ref.key)
    return next((row for row in found if row.external_ids.get(PART, "") == ref.part), None)


def _strong(row: Any, column: str) -> bool:
    """Weak references vanish with the row they point at; strong ones would forbid its deletion."""
    return bool(row._table.columns[column].type.key.ref_type == "strong")


def compare(idl: Any, desired: Mapping[Key, Sequence[Row]]) -> list[Difference]:
    """All that differs between the database and the whole desired state."""
    have: dict[Ref, Any] = {}
    twice = []
    for table in TABLES:
        for row in idl.tables[table].rows.values():
            ids = row.external_ids
            if KIND in ids:
                ref = Ref(table, ids[KIND], ids.get(ID, ""), ids.get(PART, ""))
                if ref in have:
                    twice.append(Difference(ref.key, table, "unexpected"))
                have[ref] = row
    found = []
    for key, rows in desired.items():
        for row in rows:
            existing = have.pop(ref := Ref(row.table, *key, row.part), None)
            if existing is None:
                found.append(Difference(key, row.table, "missing"))
            elif wrong := _wrong_columns(existing, row, key, lambda ref: rows_of_table(idl, ref)):
                found.append(Difference(key, row.table, ", ".join(wrong)))
    return found + twice + [Difference(ref.key, ref.table, "unexpected") for ref in have]


def _wrong_columns(existing: Any, row: Row, key: Key, find: Callable[[Ref], Any]) -> list[str]:
    wrong = []
    for name, value in row.columns.items():
        if isinstance(value, Ref):
            target = find(value)
            value = target.uuid if target is not None else "nothing"
        if plain(existing, name) != value:
            wrong.append(name)
    if existing.external_ids != row.all_external_ids(key):
        wrong.append("external_ids")
    for holder in row.holders:
        owner = find(holder.ref)
        if owner is None or not lists(owner, holder.column, existing.uuid):
            wrong.append(f"not in {holder.ref.table}.{holder.column}")
    return wrong
