"""The rows here that stand for a directory's people and groups.

All else (tokens, assignments, lists and their pages, trusts) works with rows, so it needs no directory to answer. A
reconcile task brings them up to date, and each log-in does for whoever logs in. Who left the directory is disabled and not
deleted: a mistake in the directory's configuration must not cost anybody their assignments.
"""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import Forbidden
from pileus.core.tables import columns, shape
from pileus.identity.federation.shadow import public_id
from pileus.identity.ldap.entries import Circle, Person, plain
from pileus.identity.ldap.store import Entry
from pileus.identity.store import Group, Membership, User, changed

_m, _e = columns(Membership), columns(Entry)
_MEMBERS = sql(sa.select(shape(Membership).table).where(in_list(_m.group_id, "groups")))


def read_only(tx: Tx, row: User | Group) -> None:
    """Raises Forbidden for a user or group that a directory keeps."""
    if tx.find(Entry, public_id=row.id) is not None:
        raise Forbidden(f"{row.id} is kept by its domain's directory, where nothing can be changed from here.")


def closed(tx: Tx, domain_id: str) -> None:
    """Raises Forbidden for a domain whose users and groups a directory keeps."""
    if tx.find(Entry, domain_id=domain_id) is not None:
        raise Forbidden(f"The users and groups of domain {domain_id} are kept by its directory.")


def take_in_all(tx: Tx, domain_id: str, people: list[Person], circles: list[Circle], by_id: bool) -> None:
    """Make the rows say what the directory says. `by_id`: groups name their members by local id, not by DN."""
    known = {(row.entity_type, row.local_id): row for row in tx.select(Entry, domain_id=domain_id)}
    users = {row.id: row for row in tx.select(User, domain_id=domain_id)}
    groups = {row.id: row for row in tx.select(Group, domain_id=domain_id)}
    ids: dict[str, str] = {}
    for person in people:
        user_id = _entry(tx, domain_id, "user", person, known)
        _user(tx, domain_id, user_id, person, users)
        ids[person.local_id if by_id else plain(person.dn)] = user_id
    wanted = set()
    for circle in circles:
        group_id = _entry(tx, domain_id, "group", circle, known)
        _group(tx, domain_id, group_id, circle, groups)
        wanted |= {(group_id, ids[member]) for member in circle.members if member in ids}
    for row in known.values():  # what is left was not told of any more
        _gone(tx, row, users)
    ours = [row.public_id for row in tx.select(Entry, domain_id=domain_id, entity_type="group")]
    _members(tx, wanted, [row for row in tx.rows(Membership, _MEMBERS, groups=ours) if row.expires_at is None])


def take_in(tx: Tx, domain_id: str, person: Person, circles: list[Circle]) -> User:
    """One person who logs in, and the groups they are in."""
    user_id = public_id(domain_id, "user", person.local_id)
    known = {("user", person.local_id): tx.find(Entry, public_id=user_id)}
    users = {row.id: row for row in [tx.find(User, id=user_id)] if row is not None}
    user = _user(tx, domain_id, _entry(tx, domain_id, "user", person, known), person, users)
    wanted = set()
    for circle in circles:
        group_id = public_id(domain_id, "group", circle.local_id)
        before = {("group", circle.local_id): tx.find(Entry, public_id=group_id)}
        groups = {row.id: row for row in [tx.find(Group, id=group_id)] if row is not None}
        _group(tx, domain_id, _entry(tx, domain_id, "group", circle, before), circle, groups)
        wanted.add((group_id, user_id))
    ours = {row.public_id for row in tx.select(Entry, domain_id=domain_id, entity_type="group")}
    theirs = [row for row in tx.select(Membership, user_id=user_id) if row.expires_at is None and row.group_id in ours]
    _members(tx, wanted, theirs)
    return user


def let_go(tx: Tx, domain_id: str) -> None:
    """The domain has no directory any more: its rows are ordinary ones, and nobody in them has a password."""
    tx.delete(Entry, domain_id=domain_id)


# -- one row -------------------------------------------------------------------------------------------------------------


def _entry(tx: Tx, domain_id: str, kind: str, told: Person | Circle, known: dict[tuple[str, str], Any]) -> str:
    """The public id of an entry, which is noted; takes it out of `known`."""
    row = known.pop((kind, told.local_id), None)
    if row is None:
        row = Entry(public_id(domain_id, kind, told.local_id), domain_id, kind, told.local_id, told.dn)
        # two entries may share what is to be an id: whoever is told of first has it
        if tx.find(Entry, public_id=row.public_id) is None:
            tx.insert(row)
    elif row.dn != told.dn:
        tx.update(Entry, row.public_id, dn=told.dn)
    found: str = row.public_id
    return found


def _user(tx: Tx, domain_id: str, user_id: str, person: Person, users: dict[str, User]) -> User:
    row = users.get(user_id)
    extra = {**person.extra, **({"email": person.email} if person.email else {})}
    if row is None:
        name = _free_name(tx, User, domain_id, person.name, person.local_id)
        row = User(
            user_id, name, domain_id, person.enabled, None, person.default_project_id, person.description, clock.now(),
            extra=extra,
        )  # fmt: skip
        changed(tx)
        tx.insert(row)
        users[user_id] = row
        return row
    values: dict[str, Any] = {}
    if row.name not in (person.name, _with_id(person.name, person.local_id)):
        values["name"] = _free_name(tx, User, domain_id, person.name, person.local_id)
    told = {
        "enabled": person.enabled, "description": person.description, "default_project_id": person.default_project_id,
        "extra": extra,
    }  # fmt: skip
    values |= {name: value for name, value in told.items() if getattr(row, name) != value}
    if row.enabled and not person.enabled:
        values["valid_after"] = clock.now()
    _change(tx, row, values)
    return row


def _group(tx: Tx, domain_id: str, group_id: str, circle: Circle, groups: dict[str, Group]) -> None:
    row = groups.get(group_id)
    if row is None:
        name = _free_name(tx, Group, domain_id, circle.name, circle.local_id)
        groups[group_id] = row = Group(group_id, name, domain_id, circle.description, circle.extra)
        tx.insert(row)
        return
    values: dict[str, Any] = {}
    if row.name not in (circle.name, _with_id(circle.name, circle.local_id)):
        values["name"] = _free_name(tx, Group, domain_id, circle.name, circle.local_id)
    told = {"description": circle.description, "extra": circle.extra}
    values |= {name: value for name, value in told.items() if getattr(row, name) != value}
    _change(tx, row, values)


def _change(tx: Tx, row: User | Group, values: dict[str, Any]) -> None:
    if not values:
        return
    changed(tx)
    tx.update(type(row), row.id, **values)
    for name, value in values.items():
        setattr(row, name, value)


def _gone(tx: Tx, row: Entry, users: dict[str, User]) -> None:
    tx.delete(Entry, public_id=row.public_id)
    user = users.get(row.public_id)
    if row.entity_type == "group":
        if tx.delete(Membership, group_id=row.public_id, expires_at=None):
            changed(tx)
    elif user is not None and user.enabled:
        _change(tx, user, {"enabled": False, "valid_after": clock.now()})


def _members(tx: Tx, wanted: set[tuple[str, str]], known: list[Membership]) -> None:
    before = {(row.group_id, row.user_id) for row in known}
    for group_id, user_id in wanted - before:
        if tx.find(Membership, group_id=group_id, user_id=user_id) is None:
            tx.insert(Membership(group_id, user_id))
            changed(tx)
    for group_id, user_id in before - wanted:
        tx.delete(Membership, group_id=group_id, user_id=user_id)
        changed(tx)


def _free_name(tx: Tx, kind: type[User] | type[Group], domain_id: str, name: str, local_id: str) -> str:
    """Names are unique in a domain here, and need not be in a directory."""
    return name if tx.find(kind, domain_id=domain_id, name=name) is None else _with_id(name, local_id)


def _with_id(name: str, local_id: str) -> str:
    return f"{name} ({local_id})"
