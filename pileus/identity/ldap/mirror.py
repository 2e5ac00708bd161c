"""The rows here that stand for a directory's people and groups.

All else (tokens, assignments, lists and their pages, trusts) works with rows, so it needs no directory to answer. A
reconcile task brings them up to date, and each log-in does for whoever logs in. Who left the directory is disabled and not
deleted: a mistake in the directory's configuration must not cost anybody their assignments.
"""

from collections.abc import Callable
from functools import partial
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

Job = Callable[[Tx], Any]
_m = columns(Membership)
_MEMBERS = sql(sa.select(shape(Membership).table).where(in_list(_m.group_id, "groups")))


def read_only(tx: Tx, row: User | Group) -> None:
    """Raises Forbidden for a user or group that a directory keeps."""
    if tx.find(Entry, public_id=row.id) is not None:
        raise Forbidden(f"{row.id} is kept by its domain's directory, where nothing can be changed from here.")


def closed(tx: Tx, domain_id: str) -> None:
    """Raises Forbidden for a domain whose users and groups a directory keeps."""
    if tx.find(Entry, domain_id=domain_id) is not None:
        raise Forbidden(f"The users and groups of domain {domain_id} are kept by its directory.")


def differences(tx: Tx, domain_id: str, people: list[Person], circles: list[Circle], by_id: bool) -> list[Job]:
    """What has to be done for the rows to say what the directory says: each a small thing, in an order that works.

    A list, and not the doing of it: a directory of thousands must not keep everybody else from writing meanwhile.
    `by_id`: groups name their members by local id, not by DN.
    """
    entries = {row.public_id: row for row in tx.select(Entry, domain_id=domain_id)}
    users = {row.id: row for row in tx.select(User, domain_id=domain_id)}
    groups = {row.id: row for row in tx.select(Group, domain_id=domain_id)}
    ids: dict[str, str] = {}
    jobs: list[Job] = []
    told = set()
    for person in people:
        user_id = public_id(domain_id, "user", person.local_id)
        if user_id in told:  # two entries may share what is to be an id: whoever is told of first has it
            continue
        told.add(user_id)
        ids[person.local_id if by_id else plain(person.dn)] = user_id
        user = users.get(user_id)
        if _entry_differs(entries.get(user_id), person) or user is None or _user_values(user, person):
            jobs.append(partial(_person, domain_id=domain_id, person=person))
    wanted = set()
    for circle in circles:
        group_id = public_id(domain_id, "group", circle.local_id)
        if group_id in told:
            continue
        told.add(group_id)
        wanted |= {(group_id, ids[member]) for member in circle.members if member in ids}
        group = groups.get(group_id)
        if _entry_differs(entries.get(group_id), circle) or group is None or _group_values(group, circle):
            jobs.append(partial(_circle, domain_id=domain_id, circle=circle))
    jobs += [partial(_gone, entry=row) for id, row in entries.items() if id not in told]
    ours = [id for id in told if id in entries and entries[id].entity_type == "group"]
    known = {
        (row.group_id, row.user_id) for row in tx.rows(Membership, _MEMBERS, groups=ours) if row.expires_at is None
    }
    jobs += [partial(_join, group_id=group_id, user_id=user_id) for group_id, user_id in sorted(wanted - known)]
    jobs += [partial(_leave, group_id=group_id, user_id=user_id) for group_id, user_id in sorted(known - wanted)]
    return jobs


def take_in(tx: Tx, domain_id: str, person: Person, circles: list[Circle]) -> User:
    """One person who logs in, and the groups they are in."""
    user = _person(tx, domain_id, person)
    wanted = {_circle(tx, domain_id, circle) for circle in circles}
    ours = {row.public_id for row in tx.select(Entry, domain_id=domain_id, entity_type="group")}
    theirs = {row.group_id for row in tx.select(Membership, user_id=user.id) if row.expires_at is None} & ours
    for group_id in wanted - theirs:
        _join(tx, group_id, user.id)
    for group_id in theirs - wanted:
        _leave(tx, group_id, user.id)
    return user


def let_go(tx: Tx, domain_id: str) -> None:
    """The domain has no directory any more: its rows are ordinary ones, and nobody in them has a password."""
    tx.delete(Entry, domain_id=domain_id)


# -- one row -------------------------------------------------------------------------------------------------------------


def _entry_differs(row: Entry | None, told: Person | Circle) -> bool:
    return row is None or row.dn != told.dn


def _entry(tx: Tx, domain_id: str, kind: str, told: Person | Circle) -> str:
    """The public id of an entry, which is noted."""
    id = public_id(domain_id, kind, told.local_id)
    row = tx.find(Entry, public_id=id)
    if row is None:
        tx.insert(Entry(id, domain_id, kind, told.local_id, told.dn))
    elif row.dn != told.dn:
        tx.update(Entry, id, dn=told.dn)
    return id


def _user_values(row: User, person: Person) -> dict[str, Any]:
    """What a row has to be told; a new name among it may not be free."""
    told = {
        "enabled": person.enabled, "description": person.description, "default_project_id": person.default_project_id,
        "extra": _extra(person),
    }  # fmt: skip
    values = {name: value for name, value in told.items() if getattr(row, name) != value}
    if row.name not in (person.name, _with_id(person.name, person.local_id)):
        values["name"] = person.name
    return values


def _extra(person: Person) -> dict[str, Any]:
    return {**person.extra, **({"email": person.email} if person.email else {})}


def _person(tx: Tx, domain_id: str, person: Person) -> User:
    user_id = _entry(tx, domain_id, "user", person)
    row = tx.find(User, id=user_id)
    if row is None:
        name = _free_name(tx, User, domain_id, person.name, person.local_id)
        row = User(
            user_id, name, domain_id, person.enabled, None, person.default_project_id, person.description, clock.now(),
            extra=_extra(person),
        )  # fmt: skip
        changed(tx)
        tx.insert(row)
        return row
    values = _user_values(row, person)
    if "name" in values:
        values["name"] = _free_name(tx, User, domain_id, person.name, person.local_id)
    if values.get("enabled") is False:
        values["valid_after"] = clock.now()
    _change(tx, row, values)
    return row


def _group_values(row: Group, circle: Circle) -> dict[str, Any]:
    told = {"description": circle.description, "extra": circle.extra}
    values = {name: value for name, value in told.items() if getattr(row, name) != value}
    if row.name not in (circle.name, _with_id(circle.name, circle.local_id)):
        values["name"] = circle.name
    return values


def _circle(tx: Tx, domain_id: str, circle: Circle) -> str:
    group_id = _entry(tx, domain_id, "group", circle)
    row = tx.find(Group, id=group_id)
    if row is None:
        name = _free_name(tx, Group, domain_id, circle.name, circle.local_id)
        tx.insert(Group(group_id, name, domain_id, circle.description, circle.extra))
        return group_id
    values = _group_values(row, circle)
    if "name" in values:
        values["name"] = _free_name(tx, Group, domain_id, circle.name, circle.local_id)
    _change(tx, row, values)
    return group_id


def _change(tx: Tx, row: User | Group, values: dict[str, Any]) -> None:
    if not values:
        return
    changed(tx)
    tx.update(type(row), row.id, **values)
    for name, value in values.items():
        setattr(row, name, value)


def _gone(tx: Tx, entry: Entry) -> None:
    tx.delete(Entry, public_id=entry.public_id)
    if entry.entity_type == "group":
        if tx.delete(Membership, group_id=entry.public_id, expires_at=None):
            changed(tx)
        return
    user = tx.find(User, id=entry.public_id)
    if user is not None and user.enabled:
        _change(tx, user, {"enabled": False, "valid_after": clock.now()})


def _join(tx: Tx, group_id: str, user_id: str) -> None:
    here = tx.find(User, id=user_id) is not None and tx.find(Group, id=group_id) is not None
    if here and tx.find(Membership, group_id=group_id, user_id=user_id) is None:
        tx.insert(Membership(group_id, user_id))
        changed(tx)


def _leave(tx: Tx, group_id: str, user_id: str) -> None:
    if tx.delete(Membership, group_id=group_id, user_id=user_id):
        changed(tx)


def _free_name(tx: Tx, kind: type[User] | type[Group], domain_id: str, name: str, local_id: str) -> str:
    """Names are unique in a domain here, and need not be in a directory."""
    return name if tx.find(kind, domain_id=domain_id, name=name) is None else _with_id(name, local_id)


def _with_id(name: str, local_id: str) -> str:
    return f"{name} ({local_id})"
