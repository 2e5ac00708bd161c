"""The list of role assignments: as granted, or effective (groups, inheritance and implied roles worked out).

Whatever is asked, it takes a handful of queries: the assignments, the tree and the members they concern, the names.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, in_list, sql
from pileus.core.tables import columns, shape
from pileus.identity.access import grants
from pileus.identity.projects import above, below, get_project
from pileus.identity.store import Assignment, Group, ImpliedRole, Membership, Project, Role, User


class Wanted(msgspec.Struct, kw_only=True):
    """The filters of a list. `within` is the domain that a domain's reader is limited to."""

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    inherited: bool | None = None
    effective: bool = False
    subtree: bool = False
    within: str | None = None


class Found(msgspec.Struct, frozen=True):
    """One assignment; the `via` parts say what an effective one comes from."""

    role_id: str
    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    inherited: bool = False
    via_group: str | None = None
    via_target: tuple[str, str] | None = None  # its type and id
    via_role: str | None = None


_a = columns(Assignment)
_p, _m = columns(Project), columns(Membership)
_MEMBERS = sql(sa.select(_m.group_id, _m.user_id).where(in_list(_m.group_id, "groups")))
_TREE = sql(sa.select(_p.id, _p.parent_id, _p.domain_id).where(_p.is_domain == sa.false()))
_INSIDE_DOMAINS = sql(sa.select(columns(Role).id).where(columns(Role).domain_id.is_not(None)))
_OF_DOMAIN = sql(sa.select(_p.id).where(_p.domain_id == sa.bindparam("domain")))


def list_assignments(tx: Tx, wanted: Wanted) -> list[Found]:
    """Raises NotFound for a project whose subtree is asked for and that is not there."""
    found = _effective(tx, wanted) if wanted.effective else _granted(tx, wanted)
    if wanted.within:
        inside = {wanted.within, *(row[0] for row in tx.all(_OF_DOMAIN, domain=wanted.within))}
        return [item for item in found if item.target_id in inside]
    return found


def _rows(
    tx: Tx, actors: list[str] | None, targets: list[str] | None, role_id: str | None = None,
    inherited: bool | None = None,
) -> list[Assignment]:  # fmt: skip
    """One query, built once for each set of filters that are given."""
    given: dict[str, Any] = {"actors": actors, "targets": targets, "role_id": role_id, "inherited": inherited}
    given = {name: value for name, value in given.items() if value is not None}

    def build() -> Any:
        statement = sa.select(shape(Assignment).table).order_by(_a.actor_id, _a.target_id, _a.role_id, _a.inherited)
        conditions: dict[str, Any] = {
            "actors": in_list(_a.actor_id, "actors"),
            "targets": in_list(_a.target_id, "targets"),
            "role_id": _a.role_id == sa.bindparam("role_id"),
            "inherited": _a.inherited == sa.bindparam("inherited"),
        }
        return statement.where(*(conditions[name] for name in given))

    statement = tx.db.cached(("assignments", tuple(given)), build)
    if "inherited" in given:
        given["inherited"] = int(given["inherited"])
    return tx.rows(Assignment, statement, **given)


def _scope(tx: Tx, wanted: Wanted) -> list[str] | None:
    """The targets asked for; None: any."""
    if wanted.project_id:
        under = below(tx, wanted.project_id) if wanted.subtree else []
        return [wanted.project_id, *(project.id for project in under)]
    if wanted.domain_id:
        return [wanted.domain_id]
    return [grants.SYSTEM] if wanted.system else None


def _granted(tx: Tx, wanted: Wanted) -> list[Found]:
    actor = wanted.user_id or wanted.group_id
    rows = _rows(tx, [actor] if actor else None, _scope(tx, wanted), wanted.role_id, wanted.inherited)
    return [
        Found(row.role_id, row.actor_type, row.actor_id, row.target_type, row.target_id, bool(row.inherited))
        for row in rows
    ]


# -- effective -----------------------------------------------------------------------------------------------------------


def _effective(tx: Tx, wanted: Wanted) -> list[Found]:
    scope = _scope(tx, wanted)
    targets = scope
    if scope is not None and wanted.project_id:
        over = above(tx, get_project(tx, wanted.project_id))
        targets = [*scope, *(project.id for project in over)]
    actors = grants.actors(tx, wanted.user_id) if wanted.user_id else None
    rows = _rows(tx, actors, targets)
    found = list(_down_the_tree(tx, rows, set(scope) if scope is not None else None))
    found = list(_to_members(tx, found, wanted.user_id))
    inside = {row[0] for row in tx.all(_INSIDE_DOMAINS)}  # good only for implying others
    found = [item for item in _imply(tx, found) if item.role_id not in inside]
    if wanted.inherited is not None:
        found = [item for item in found if (item.via_target is not None) == wanted.inherited]
    if wanted.role_id:
        found = [item for item in found if item.role_id == wanted.role_id]
    return list(dict.fromkeys(found))


def _down_the_tree(tx: Tx, rows: Iterable[Assignment], scope: set[str] | None) -> Iterator[Found]:
    """Direct assignments as they are; inherited ones once for every project below, as far as asked for."""
    inherited = [row for row in rows if row.inherited]
    for row in rows:
        if not row.inherited and (scope is None or row.target_id in scope):
            yield Found(row.role_id, row.actor_type, row.actor_id, row.target_type, row.target_id)
    if not inherited:
        return
    children: dict[str, list[str]] = {}
    for project_id, parent_id, domain_id in tx.all(_TREE):
        children.setdefault(parent_id or domain_id, []).append(project_id)
    for row in inherited:
        waiting = list(children.get(row.target_id, []))
        while waiting:
            project_id = waiting.pop()
            waiting.extend(children.get(project_id, []))
            if scope is None or project_id in scope:
                yield Found(
                    row.role_id, row.actor_type, row.actor_id, "project", project_id,
                    via_target=(row.target_type, row.target_id),
                )  # fmt: skip


def _to_members(tx: Tx, found: list[Found], user_id: str | None) -> Iterator[Found]:
    """What a group has, each of its users has."""
    groups = sorted({item.actor_id for item in found if item.actor_type == "group"})
    members: dict[str, list[str]] = {}
    if groups:
        for group_id, member in tx.all(_MEMBERS, groups=groups):
            if user_id is None or member == user_id:
                members.setdefault(group_id, []).append(member)
    for item in found:
        if item.actor_type == "user":
            yield item
        for member in members.get(item.actor_id, []) if item.actor_type == "group" else []:
            yield msgspec.structs.replace(item, actor_type="user", actor_id=member, via_group=item.actor_id)


def _imply(tx: Tx, found: list[Found]) -> list[Found]:
    """What a role implies, its holder has too."""
    implied: dict[str, list[str]] = {}
    for row in tx.select(ImpliedRole):
        implied.setdefault(row.prior_id, []).append(row.implied_id)
    more = []
    for item in found:
        seen = {item.role_id}
        waiting = [(item.role_id, role_id) for role_id in implied.get(item.role_id, [])]
        while waiting:
            prior_id, role_id = waiting.pop()
            if role_id not in seen:
                seen.add(role_id)
                more.append(msgspec.structs.replace(item, role_id=role_id, via_role=prior_id))
                waiting.extend((role_id, further) for further in implied.get(role_id, []))
    return found + more


# -- names ---------------------------------------------------------------------------------------------------------------


def names(tx: Tx, found: list[Found]) -> dict[str, Any]:
    """The rows that assignments name, by id: users, groups, roles, projects, and the domains of all these."""
    wanted: dict[type[msgspec.Struct], set[str]] = {
        User: {item.actor_id for item in found if item.actor_type == "user"},
        Group: {item.actor_id for item in found if item.actor_type == "group"},
        Role: {item.role_id for item in found},
        Project: {item.target_id for item in found if item.target_type != "system"},
    }
    rows: dict[str, Any] = {}
    for struct, ids in wanted.items():
        rows.update(_by_id(tx, struct, ids))
    domains = {row.domain_id for row in rows.values()} - {None, *rows}
    rows.update(_by_id(tx, Project, domains))
    return rows


def _by_id(tx: Tx, struct: type[msgspec.Struct], ids: Iterable[Any]) -> dict[str, Any]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    build = sa.select(shape(struct).table).where(in_list(columns(struct).id, "ids"))
    statement = tx.db.cached(("by id", struct), lambda: build)
    return {row.id: row for row in tx.rows(struct, statement, ids=wanted)}  # type: ignore[attr-defined]
