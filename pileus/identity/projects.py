"""Domains and projects: one tree, whose roots are the domains. A project is enabled only where all above it are."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.core.tables import columns, shape
from pileus.identity.store import (
    DEFAULT_DOMAIN,
    Assignment,
    Credential,
    Group,
    Project,
    Role,
    User,
    changed,
)
from pileus.identity.tokens import revocations

MOST_LEVELS = 5  # projects below a domain, one below the other

_projects = shape(Project).table


def _subtree() -> Any:
    start = sa.select(_projects.c.id).where(in_list(_projects.c.parent_id, "tops"))
    below = start.cte("below", recursive=True)
    below = below.union(sa.select(_projects.c.id).where(_projects.c.parent_id == below.c.id))
    return sa.select(_projects).where(_projects.c.id.in_(sa.select(below.c.id))).order_by(_projects.c.id)


def _above() -> Any:
    start = sa.select(_projects.c.id, _projects.c.parent_id, sa.literal_column("0").label("distance"))
    above = start.where(_projects.c.id == sa.bindparam("bottom")).cte("above", recursive=True)
    further = sa.select(_projects.c.id, _projects.c.parent_id, above.c.distance + 1)
    above = above.union_all(further.where(_projects.c.id == above.c.parent_id))
    return sa.select(_projects).join(above, above.c.id == _projects.c.id).order_by(above.c.distance)


_SUBTREE, _ABOVE = sql(_subtree()), sql(_above())
_BY_IDS = sql(sa.select(_projects).where(in_list(_projects.c.id, "ids")))


def get_project(tx: Tx, project_id: str) -> Project:
    """A project, or a domain, which is one too. Raises NotFound."""
    found = tx.find(Project, id=project_id)
    if found is None:
        raise NotFound(f"Could not find project: {project_id}.")
    return found


def get_domain(tx: Tx, domain_id: str) -> Project:
    """Raises NotFound."""
    found = tx.find(Project, id=domain_id)
    if found is None or not found.is_domain:
        raise NotFound(f"Could not find domain: {domain_id}.")
    return found


def below(tx: Tx, *project_ids: str) -> list[Project]:
    """All projects in the trees under these, without them."""
    return tx.rows(Project, _SUBTREE, tops=list(project_ids))


def by_ids(tx: Tx, ids: Iterable[str]) -> list[Project]:
    """Those of them that are there."""
    return tx.rows(Project, _BY_IDS, ids=sorted(ids))


def above(tx: Tx, project: Project) -> list[Project]:
    """The projects over this one up to its domain, nearest first, without it."""
    return tx.rows(Project, _ABOVE, bottom=project.id)[1:]


def create_domain(tx: Tx, given: dict[str, Any], domain_id: str | None = None) -> Project:
    """Under this id, if one is given. Raises Conflict for a name or an id in use."""
    # first: it makes concurrent creates wait for each other, and domains' names have no index to catch them
    changed(tx)
    row = _row(given, domain_id=None, parent_id=None, is_domain=True)
    _check_name(tx, row)
    if domain_id is not None:
        if tx.find(Project, id=domain_id):
            raise Conflict(f"It is not possible to create a domain with ID {domain_id}: it is in use.")
        row.id = domain_id
    tx.insert(row)
    return row


def create_project(tx: Tx, given: dict[str, Any], domain_id: str, levels: int = MOST_LEVELS) -> Project:
    """Below `parent_id` if given, else directly below its domain. `levels` is how deep the tree below may be.

    Raises NotFound for a domain or parent that is missing, BadRequest for a parent elsewhere or disabled, Conflict.
    """
    if given.get("is_domain"):
        if given.get("parent_id"):
            raise BadRequest("Invalid input for field 'parent_id': a project that acts as a domain has no parent.")
        return create_domain(tx, given)
    parent_id = given.get("parent_id")
    parent = get_project(tx, parent_id) if parent_id else None
    domain = get_domain(tx, domain_id)
    if parent is None:
        parent = domain
    if (parent.domain_id or parent.id) != domain.id:
        raise BadRequest(f"Invalid input for field 'parent_id': the parent is not in domain {domain.id}.")
    over = [parent, *above(tx, parent)]
    for project in over:
        if not project.enabled:
            raise BadRequest(f"Invalid input for field 'parent_id': project {project.id} above it is disabled.")
    if len(over) > levels:
        raise Forbidden(f"The tree below domain {domain.id} is at most {levels} projects deep.")
    changed(tx)
    row = _row(given, domain_id=domain.id, parent_id=parent.id, is_domain=False)
    _check_name(tx, row)
    tx.insert(row)
    return row


def _row(given: dict[str, Any], *, domain_id: str | None, parent_id: str | None, is_domain: bool) -> Project:
    return Project(
        id=clock.new_hex_id(),
        name=given["name"],
        domain_id=domain_id,
        parent_id=parent_id,
        description=given.get("description") or "",
        enabled=given.get("enabled", True),
        is_domain=is_domain,
        tags=sorted(given.get("tags", [])),
        options=given.get("options", {}),
        extra=given.get("extra", {}),
    )


def _check_name(tx: Tx, row: Project) -> None:
    taken = tx.find(Project, domain_id=row.domain_id, name=row.name)
    if taken is not None and taken.id != row.id:
        what = "domain" if row.is_domain else "project"
        raise Conflict(f"Conflict occurred attempting to store {what}: the name {row.name!r} is in use.")


def immutable(row: Project | Role, values: dict[str, Any] | None) -> None:
    """Raises Forbidden for what is marked immutable, unless the change (None: deletion) takes the mark away alone."""
    if not row.options.get("immutable"):
        return
    unlocking = values is not None and set(values) == {"options"} and not values["options"].get("immutable")
    if not unlocking:
        raise Forbidden(f"{row.id} is immutable: set its option immutable to false first.")


def update_project(tx: Tx, project: Project, values: dict[str, Any]) -> Project:
    """Raises Forbidden when its place in the tree forbids enabling or disabling, Conflict for a name in use."""
    immutable(project, values)
    if project.id == DEFAULT_DOMAIN and values.get("enabled") is False:
        raise Forbidden("The default domain cannot be disabled.")
    if "description" in values:
        values["description"] = values["description"] or ""
    if "tags" in values:
        values["tags"] = sorted(values["tags"])
    enabled = values.get("enabled", project.enabled)
    if enabled and not project.enabled and not all(over.enabled for over in above(tx, project)):
        raise Forbidden(f"Project {project.id} cannot be enabled: one above it is disabled.")
    if project.enabled and not enabled:
        if not project.is_domain and any(under.enabled for under in below(tx, project.id)):
            raise Forbidden(f"Project {project.id} cannot be disabled: one below it is enabled.")
        values["valid_after"] = clock.now()
        _note(tx, project)
    changed(tx)
    if values.get("name", project.name) != project.name:
        for name, value in values.items():
            setattr(project, name, value)
        _check_name(tx, project)
    tx.update(Project, project.id, **values)
    return get_project(tx, project.id)


_AMONG = in_list(_projects.c.id, "ids")
_ENABLE = sql(sa.update(_projects).where(_AMONG).values(enabled=sa.true()))
_DISABLE = sql(sa.update(_projects).where(_AMONG).values(enabled=sa.false(), valid_after=sa.bindparam("now")))
_DELETE = sql(sa.delete(_projects).where(_AMONG))

_USERS_OF, _GROUPS_OF, _PROJECTS_OF = (
    sa.select(columns(kind).id).where(columns(kind).domain_id == sa.bindparam("domain"))
    for kind in (User, Group, Project)
)
_a, _c, _u = columns(Assignment), columns(Credential), columns(User)
_FORGET_ACTORS = sql(sa.delete(_a.actor_id.table).where(_a.actor_id.in_(_USERS_OF.union_all(_GROUPS_OF))))
_FORGET_TARGETS = sql(sa.delete(_a.actor_id.table).where(in_list(_a.target_id, "targets")))
_FORGET_CREDENTIALS = sql(sa.delete(_c.id.table).where(in_list(_c.project_id, "targets")))
_FORGET_DEFAULTS = sql(
    sa.update(_u.id.table).where(in_list(_u.default_project_id, "targets")).values(default_project_id=sa.null())
)


def delete_project(tx: Tx, project: Project) -> None:
    """With its assignments, credentials and trusts. Raises Forbidden for one that has others below it."""
    immutable(project, None)
    if project.is_domain:
        delete_domain(tx, project)
        return
    if tx.find(Project, parent_id=project.id):
        raise Forbidden(f"Project {project.id} cannot be deleted: there are projects below it.")
    _forget(tx, [project.id])
    _note(tx, project)
    tx.delete(Project, id=project.id)


def enable_tree(tx: Tx, project: Project, enabled: bool) -> Project:
    """Enable or disable a project and all below it. Raises Forbidden when one is immutable, or one above is disabled."""
    under = below(tx, project.id)
    for row in (project, *under):
        immutable(row, {"enabled": enabled})
    if enabled:
        found = update_project(tx, project, {"enabled": True})
        tx.execute(_ENABLE, ids=[row.id for row in under])
        return found
    tx.execute(_DISABLE, ids=[row.id for row in under if row.enabled], now=clock.now())
    return update_project(tx, project, {"enabled": False})


def delete_tree(tx: Tx, project: Project) -> None:
    """Delete a project and all below it. Raises Forbidden when one is immutable or enabled, BadRequest for a domain."""
    if project.is_domain:
        raise BadRequest("Invalid input for field 'project': a domain is deleted with all in it as a domain.")
    doomed = [project, *below(tx, project.id)]
    for row in doomed:
        immutable(row, None)
        if row.enabled:
            raise Forbidden(f"Project {project.id} cannot be deleted with all below it: {row.id} is enabled.")
    ids = [row.id for row in doomed]
    _forget(tx, ids)
    tx.execute(_DELETE, ids=ids)


def delete_domain(tx: Tx, domain: Project) -> None:
    """With its users, groups, projects and roles. Raises Forbidden for one that is enabled."""
    immutable(domain, None)
    if domain.enabled or domain.id == DEFAULT_DOMAIN:
        raise Forbidden(f"Domain {domain.id} cannot be deleted: it is the default one, or enabled; disable it first.")
    _note(tx, domain)
    _forget(tx, [domain.id, *(row[0] for row in tx.all(sql(_PROJECTS_OF), domain=domain.id))])
    tx.execute(_FORGET_ACTORS, domain=domain.id)
    tx.delete(Role, domain_id=domain.id)
    tx.delete(User, domain_id=domain.id)
    tx.delete(Group, domain_id=domain.id)
    tx.delete(Project, domain_id=domain.id)
    tx.delete(Project, id=domain.id)


def _note(tx: Tx, project: Project) -> None:
    revocations.note(tx, **{"domain_id" if project.is_domain else "project_id": project.id})


def _forget(tx: Tx, ids: list[str]) -> None:
    changed(tx)
    for statement in (_FORGET_TARGETS, _FORGET_CREDENTIALS, _FORGET_DEFAULTS):
        tx.execute(statement, targets=ids)
