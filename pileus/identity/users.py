"""Users and groups. Passwords come here hashed: hashing takes long, and must not happen inside a transaction."""

from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict, NotFound
from pileus.core.tables import columns, shape
from pileus.identity.delegation import application_credentials
from pileus.identity.ldap import mirror
from pileus.identity.projects import get_domain
from pileus.identity.store import Assignment, Group, Membership, User, changed
from pileus.identity.tokens import revocations


def get_user(tx: Tx, user_id: str) -> User:
    """Raises NotFound."""
    found = tx.find(User, id=user_id)
    if found is None:
        raise NotFound(f"Could not find user: {user_id}.")
    return found


def create_user(tx: Tx, given: dict[str, Any], domain_id: str, password: dict[str, Any] | None = None) -> User:
    """`password` are the columns that `compliance.new_password` makes. Raises NotFound for a missing domain, Conflict for
    a name in use."""
    domain = get_domain(tx, domain_id)
    mirror.closed(tx, domain.id)
    changed(tx)
    _check_name(tx, User, domain.id, given["name"])
    row = User(
        id=clock.new_hex_id(),
        name=given["name"],
        domain_id=domain.id,
        enabled=given.get("enabled", True),
        password_hash=None,
        default_project_id=given.get("default_project_id"),
        description=given.get("description"),
        created_at=clock.now(),
        options={name: value for name, value in given.get("options", {}).items() if value is not None},
        extra=given.get("extra", {}),
    )
    tx.insert(msgspec.structs.replace(row, **(password or {})))
    return get_user(tx, row.id)


def update_user(tx: Tx, user: User, values: dict[str, Any]) -> User:
    """A new password, or being disabled, voids the user's tokens. Raises Conflict for a name in use."""
    mirror.read_only(tx, user)
    changed(tx)
    if values.get("name", user.name) != user.name:
        _check_name(tx, User, user.domain_id, values["name"])
    if "password_hash" in values or (user.enabled and values.get("enabled") is False):
        values["valid_after"] = clock.now()
        revocations.note(tx, user_id=user.id)
    if user.enabled and values.get("enabled") is False:
        application_credentials.forget(tx, user.id)
    tx.update(User, user.id, **values)
    return get_user(tx, user.id)


def delete_user(tx: Tx, user: User) -> None:
    """With its assignments; what else hangs on it goes by the tables' own references."""
    mirror.read_only(tx, user)
    changed(tx)
    revocations.note(tx, user_id=user.id)
    tx.delete(Assignment, actor_id=user.id)
    tx.delete(User, id=user.id)


def _check_name(tx: Tx, kind: type[User] | type[Group], domain_id: str, name: str) -> None:
    if tx.find(kind, domain_id=domain_id, name=name):
        what = kind.__name__.lower()
        raise Conflict(f"Conflict occurred attempting to store {what}: the name {name!r} is in use in its domain.")


# -- groups --------------------------------------------------------------------------------------------------------------


def get_group(tx: Tx, group_id: str) -> Group:
    """Raises NotFound."""
    found = tx.find(Group, id=group_id)
    if found is None:
        raise NotFound(f"Could not find group: {group_id}.")
    return found


def create_group(tx: Tx, given: dict[str, Any], domain_id: str) -> Group:
    """Raises NotFound for a missing domain, Conflict for a name in use."""
    domain = get_domain(tx, domain_id)
    mirror.closed(tx, domain.id)
    _check_name(tx, Group, domain.id, given["name"])
    row = Group(clock.new_hex_id(), given["name"], domain.id, given.get("description") or "", given.get("extra", {}))
    tx.insert(row)
    return row


def update_group(tx: Tx, group: Group, values: dict[str, Any]) -> Group:
    """Raises Conflict for a name in use."""
    mirror.read_only(tx, group)
    if values.get("name", group.name) != group.name:
        _check_name(tx, Group, group.domain_id, values["name"])
    if "description" in values:
        values["description"] = values["description"] or ""
    tx.update(Group, group.id, **values)
    return get_group(tx, group.id)


def delete_group(tx: Tx, group: Group) -> None:
    mirror.read_only(tx, group)
    changed(tx)
    tx.delete(Assignment, actor_id=group.id)
    tx.delete(Group, id=group.id)


_groups, _m = shape(Group).table, columns(Membership)
_GROUPS_OF = sql(
    sa.select(_groups)
    .join(_m.group_id.table, _m.group_id == _groups.c.id)
    .where(_m.user_id == sa.bindparam("user_id"))
    .order_by(_groups.c.name)
)


def groups_of(tx: Tx, user_id: str) -> list[Group]:
    return tx.rows(Group, _GROUPS_OF, user_id=user_id)


def add_member(tx: Tx, group: Group, user: User) -> None:
    """May be repeated."""
    mirror.read_only(tx, group)
    known = tx.find(Membership, group_id=group.id, user_id=user.id)
    if known is None:
        tx.insert(Membership(group.id, user.id))
        changed(tx)
    elif known.expires_at is not None:  # an identity provider gave it for a while: now it stays
        tx.update(Membership, {"group_id": group.id, "user_id": user.id}, expires_at=None, idp_id=None)


def get_member(tx: Tx, group: Group, user: User) -> Membership:
    """Raises NotFound."""
    found = tx.find(Membership, group_id=group.id, user_id=user.id)
    if found is None:
        raise NotFound(f"Could not find user {user.id} in group {group.id}.")
    return found


def remove_member(tx: Tx, group: Group, user: User) -> None:
    """Raises NotFound. The user's tokens lose what the group gave."""
    mirror.read_only(tx, group)
    get_member(tx, group, user)
    tx.delete(Membership, group_id=group.id, user_id=user.id)
    changed(tx)
