"""Who has which role where: granting and revoking, and what it comes to for a token.

Effective roles are the direct ones, those of groups, those inherited down the project tree, and what all these imply.
"""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import Forbidden, NotFound
from pileus.core.tables import columns, shape
from pileus.identity import projects
from pileus.identity.delegation import application_credentials
from pileus.identity.store import Assignment, Group, ImpliedRole, Membership, Project, Role, User, changed

SYSTEM = "system"
_a, _m = columns(Assignment), columns(Membership)
_OF_ACTORS = sql(
    sa.select(shape(Assignment).table).where(in_list(_a.actor_id, "actors"), in_list(_a.target_id, "targets"))
)
_ROLES = sql(sa.select(shape(Role).table).where(in_list(columns(Role).id, "ids")))
_IMPLIED = sql(sa.select(shape(ImpliedRole).table))
_GROUPS = sql(
    sa.select(_m.group_id).where(
        _m.user_id == sa.bindparam("user_id"), _m.expires_at.is_(None) | (_m.expires_at > sa.bindparam("now"))
    )
)
_TARGETS = sql(sa.select(_a.target_id, _a.target_type, _a.inherited).where(in_list(_a.actor_id, "actors")).distinct())


def actors(tx: Tx, user_id: str) -> list[str]:
    """The user and the groups it is in: whose assignments count."""
    return [user_id, *(row[0] for row in tx.all(_GROUPS, user_id=user_id, now=clock.now()))]


def imply(tx: Tx, role_ids: set[str]) -> set[str]:
    """These roles and all that they imply, directly or through others."""
    if not role_ids:
        return set()
    implied: dict[str, list[str]] = {}
    for row in tx.rows(ImpliedRole, _IMPLIED):
        implied.setdefault(row.prior_id, []).append(row.implied_id)
    found, waiting = set(), list(role_ids)
    while waiting:
        role_id = waiting.pop()
        if role_id not in found:
            found.add(role_id)
            waiting.extend(implied.get(role_id, []))
    return found


def roles_on_project(tx: Tx, user_id: str, project: Project) -> list[Role]:
    """The roles a user has on a project (not on a domain), implied ones included."""
    above = [] if project.is_domain else [row.id for row in projects.above(tx, project)]
    rows = tx.rows(Assignment, _OF_ACTORS, actors=actors(tx, user_id), targets=[project.id, *above])
    return _effective(tx, {row.role_id for row in rows if (row.target_id == project.id) != bool(row.inherited)})


def roles_on_domain(tx: Tx, user_id: str, domain_id: str) -> list[Role]:
    rows = tx.rows(Assignment, _OF_ACTORS, actors=actors(tx, user_id), targets=[domain_id])
    return _effective(tx, {row.role_id for row in rows if not row.inherited})


def roles_on_system(tx: Tx, user_id: str) -> list[Role]:
    rows = tx.rows(Assignment, _OF_ACTORS, actors=actors(tx, user_id), targets=[SYSTEM])
    return _effective(tx, {row.role_id for row in rows if not row.inherited})


def targets(tx: Tx, user_id: str) -> list[tuple[str, str, bool]]:
    """Where a user has any role: (target id, its type, whether only for what lies below)."""
    return [(row[0], row[1], bool(row[2])) for row in tx.all(_TARGETS, actors=actors(tx, user_id))]


def projects_of(tx: Tx, user_id: str) -> list[Project]:
    """The projects a user has a role on, also by inheritance."""
    found = targets(tx, user_id)
    direct = {id for id, kind, below in found if kind == "project" and not below}
    rows = projects.by_ids(tx, direct) + projects.below(tx, *{id for id, _, below in found if below})
    return sorted({project.id: project for project in rows}.values(), key=lambda project: project.name)


def domains_of(tx: Tx, user_id: str) -> list[Project]:
    """The domains a user has a role on."""
    return projects.by_ids(tx, {id for id, kind, below in targets(tx, user_id) if kind == "domain" and not below})


def _effective(tx: Tx, role_ids: set[str]) -> list[Role]:
    found = tx.rows(Role, _ROLES, ids=sorted(imply(tx, role_ids)))
    return sorted((role for role in found if role.domain_id is None), key=lambda role: role.name)


# -- granting ------------------------------------------------------------------------------------------------------------


def grant(tx: Tx, actor: User | Group, target: Project | None, role: Role, inherited: bool) -> None:
    """Without a target: on the system. May be repeated. Raises Forbidden for a role of another domain than the project's."""
    if (
        role.domain_id is not None
        and target is not None
        and not target.is_domain
        and target.domain_id != role.domain_id
    ):
        raise Forbidden(f"Role {role.id} belongs to a domain and can be granted only on projects inside it.")
    row = _row(actor, target, role, inherited)
    if not tx.find(Assignment, **_key(row)):
        changed(tx)
        tx.insert(row)


def get_grant(tx: Tx, actor: User | Group, target: Project | None, role: Role, inherited: bool) -> Assignment:
    """Raises NotFound."""
    found = tx.find(Assignment, **_key(_row(actor, target, role, inherited)))
    if found is None:
        where = f"{'domain' if target.is_domain else 'project'} {target.id}" if target else "the system"
        raise NotFound(f"Could not find an assignment of role {role.id} to {actor.id} on {where}.")
    return found


def revoke(tx: Tx, actor: User | Group, target: Project | None, role: Role, inherited: bool) -> None:
    """With the application credentials of a user who loses a role on their project. Raises NotFound."""
    found = get_grant(tx, actor, target, role, inherited)
    changed(tx)
    tx.delete(Assignment, **_key(found))
    if isinstance(actor, User) and target is not None:
        application_credentials.forget(tx, actor.id, project_id=target.id)


_GRANTED = sql(
    sa.select(shape(Role).table)
    .join(_a.role_id.table, _a.role_id == columns(Role).id)
    .where(
        _a.actor_id == sa.bindparam("actor_id"),
        _a.target_id == sa.bindparam("target_id"),
        _a.inherited == sa.bindparam("inherited"),
    )
    .order_by(columns(Role).name)
)


def granted(tx: Tx, actor: User | Group, target: Project | None, inherited: bool) -> list[Role]:
    """The roles granted to just this actor on just this target."""
    target_id = target.id if target else SYSTEM
    return tx.rows(Role, _GRANTED, actor_id=actor.id, target_id=target_id, inherited=int(inherited))


def _row(actor: User | Group, target: Project | None, role: Role, inherited: bool) -> Assignment:
    actor_type = "user" if isinstance(actor, User) else "group"
    target_type = "system" if target is None else "domain" if target.is_domain else "project"
    return Assignment(actor.id, target.id if target else SYSTEM, role.id, int(inherited), actor_type, target_type)


def _key(row: Assignment) -> dict[str, Any]:
    return {
        "actor_id": row.actor_id, "target_id": row.target_id, "role_id": row.role_id, "inherited": row.inherited,
    }  # fmt: skip
