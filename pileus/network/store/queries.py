"""What several resources ask: stamps, tags, who sees what, networks' use."""

from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, in_list, sql
from pileus.core.tables import columns, shape
from pileus.network import rows

R = TypeVar("R", bound=rows.Standard)

_port, _rbac, _network = columns(rows.Port), columns(rows.RbacPolicy), columns(rows.Network)


def stamped(row: R) -> R:
    """A row about to be inserted."""
    row.created_at = row.updated_at = clock.now()
    return row


def save(tx: Tx, row: R, **changes: Any) -> R:
    """Write changed columns of a row, with the next revision; the row itself is changed too."""
    for name, value in changes.items():
        setattr(row, name, value)
    row.revision_number += 1
    row.updated_at = clock.now()
    tx.update(type(row), row.id, **changes, revision_number=row.revision_number, updated_at=row.updated_at)
    return row


def bump(tx: Tx, struct: type[R], id: str) -> None:
    """The next revision of a row: something that belongs to it has changed."""
    row = tx.find(struct, id=id)
    if row is not None:
        save(tx, row)


def by_id(tx: Tx, struct: type[R], ids: Iterable[str]) -> dict[str, R]:
    """Rows by their ids, in one query."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    if len(wanted) == 1:
        found = tx.find(struct, id=wanted[0])
        return {found.id: found} if found else {}
    table = shape(struct).table
    statement = tx.db.cached(("by_id", struct), lambda: sa.select(table).where(in_list(table.c.id, "ids")))
    return {row.id: row for row in tx.rows(struct, statement, ids=wanted)}


def select_in(tx: Tx, struct: type[Any], column: str, values: Iterable[str], **equal: Any) -> list[Any]:
    """Rows with a column among values (and others equal to something), in one query."""
    wanted = sorted(set(values))
    if not wanted:
        return []
    table = shape(struct).table

    def build() -> Any:
        more = [table.c[name] == sa.bindparam(f"is_{name}", type_=table.c[name].type) for name in equal]
        return sa.select(table).where(in_list(table.c[column], "wanted"), *more)

    statement = tx.db.cached(("select_in", struct, column, tuple(equal)), build)
    return tx.rows(struct, statement, wanted=wanted, **{f"is_{name}": value for name, value in equal.items()})


# -- tags ------------------------------------------------------------------------------


def write_tags(tx: Tx, row: rows.Standard, tags: list[str]) -> None:
    tags = list(dict.fromkeys(tags))
    tx.delete(rows.Tag, resource_id=row.id)
    tx.insert_many(rows.Tag(row.id, tag) for tag in tags)
    save(tx, row, tags=tags)


def tag_new(tx: Tx, row: rows.Standard) -> None:
    """The index of a row that was just inserted with tags."""
    tx.insert_many(rows.Tag(row.id, tag) for tag in row.tags)


SHAREABLE = (
    rows.Network,
    rows.SubnetPool,
    rows.AddressScope,
    rows.AddressGroup,
    rows.SecurityGroup,
    rows.QosPolicy,
)


def drop_row(tx: Tx, row: rows.Standard) -> None:
    """The row, its tags and what was opened to others."""
    if row.tags:
        tx.delete(rows.Tag, resource_id=row.id)
    if isinstance(row, SHAREABLE):
        tx.delete(rows.RbacPolicy, object_id=row.id)
    tx.delete(type(row), id=row.id)


# -- who sees what ---------------------------------------------------------------------


def opened_to(object_type: str, action: str = "access_as_shared") -> Any:
    """Ids of objects opened to the project `:viewer`."""
    return sa.select(_rbac.object_id).where(
        _rbac.object_type == object_type,
        _rbac.action == action,
        _rbac.target_tenant.in_([sa.bindparam("viewer", type_=sa.Text()), rows.EVERYBODY]),
    )


_OPENED = sql(
    sa.select(_rbac.action).where(
        _rbac.object_id == sa.bindparam("object_id"),
        _rbac.target_tenant.in_([sa.bindparam("viewer", type_=sa.Text()), rows.EVERYBODY]),
    )
)


def is_open_to(tx: Tx, object_id: str, project_id: str | None, action: str = "access_as_shared") -> bool:
    found = tx.all(_OPENED, object_id=object_id, viewer=project_id or "")
    return any(row[0] == action for row in found)


_NOTES = sql(sa.select(shape(rows.AgentNote).table))


def notes(tx: Tx) -> dict[str, rows.AgentNote]:
    """What operators wrote about agents, by agent."""
    return {note.id: note for note in tx.rows(rows.AgentNote, _NOTES)}


_FOREIGN = sql(
    sa.select(_port.id)
    .where(_port.network_id == sa.bindparam("network"), _port.device_owner != sa.bindparam("own"))
    .limit(1)
)


def has_foreign_ports(tx: Tx, network_id: str) -> bool:
    """Ports other than those which the network made for itself."""
    return tx.one(_FOREIGN, network=network_id, own=rows.DHCP_OWNER) is not None


def port_ids_on(tx: Tx, subnet_id: str) -> list[str]:
    """Ports with an address on a subnet."""
    return sorted({row.port_id for row in tx.select(rows.IPAllocation, subnet_id=subnet_id)})
