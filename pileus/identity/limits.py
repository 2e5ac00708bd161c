"""Unified limits: what is registered for all, what is set for one project or domain, and what that comes to.

The model says how they relate. flat: each for itself. strict_two_level: a project's is at most what the project or domain
above it has, and projects lie at most two deep.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from pileus.core import clock, quota
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.core.tables import columns, shape
from pileus.identity import projects
from pileus.identity.store import CatalogService, Limit, Project, Region, RegisteredLimit

FLAT, STRICT_TWO_LEVEL = "flat", "strict_two_level"
MODELS = {
    FLAT: "Limits are enforced for each project by itself, whatever lies above or below it.",
    STRICT_TWO_LEVEL: "Projects lie at most two deep, and none may have more than what is above it.",
}
LEVELS = {FLAT: projects.MOST_LEVELS, STRICT_TWO_LEVEL: 2}  # how deep the tree below a domain may be
_r, _l, _s = columns(RegisteredLimit), columns(Limit), columns(CatalogService)


def _hold(tx: Tx) -> None:
    """One transaction at a time looks for what is there already: a region may be null, which no index compares."""
    quota.hold(tx, "identity", "limits")


# -- what holds ----------------------------------------------------------------------------------------------------------

_OWNER = sa.or_(_l.project_id == sa.bindparam("project_id"), _l.domain_id == sa.bindparam("project_id"))
_HOLDING = sql(
    sa.select(_r.region_id, _l.resource_limit, _r.default_limit)
    .join_from(_r.id.table, _s.id.table, _s.id == _r.service_id)
    .outerjoin(_l.id.table, sa.and_(_l.registered_limit_id == _r.id, _OWNER))
    .where(
        sa.or_(_s.type == sa.bindparam("service"), _s.name == sa.bindparam("service")),
        _r.resource_name == sa.bindparam("resource"),
    )
)


def effective(tx: Tx, service: str, resource: str, project_id: str, region_id: str | None = None) -> int | None:
    """What a project (or a domain, by its id) may have of a service's resource: -1 for no end, None when nobody said.

    `service` is the service's type or name. What is registered for the region goes before what is for all regions.
    """
    found = {row[0]: row for row in tx.all(_HOLDING, service=service, resource=resource, project_id=project_id)}
    if not found:
        return None
    row = found.get(region_id) or found.get(None) or (None if region_id else next(iter(found.values())))
    if row is None:
        return None
    return int(row[2] if row[1] is None else row[1])


# -- registered ----------------------------------------------------------------------------------------------------------


def get_registered(tx: Tx, registered_limit_id: str) -> RegisteredLimit:
    """Raises NotFound."""
    found = tx.find(RegisteredLimit, id=registered_limit_id)
    if found is None:
        raise NotFound(f"Could not find registered limit: {registered_limit_id}.")
    return found


def register(tx: Tx, given: Iterable[dict[str, Any]]) -> list[RegisteredLimit]:
    """All or none. Raises BadRequest for a missing service or region, Conflict for what is registered already."""
    _hold(tx)
    made = []
    for item in given:
        row = RegisteredLimit(
            id=clock.new_hex_id(),
            service_id=item["service_id"],
            region_id=item.get("region_id"),
            resource_name=item["resource_name"],
            default_limit=item["default_limit"],
            description=item.get("description"),
        )
        _check_place(tx, row)
        _check_registered_once(tx, row)
        tx.insert(row)
        made.append(row)
    return made


def _check_place(tx: Tx, row: RegisteredLimit | Limit) -> None:
    if tx.find(CatalogService, id=row.service_id) is None:
        raise BadRequest(f"Invalid input for field 'service_id': there is no service {row.service_id}.")
    if row.region_id is not None and tx.find(Region, id=row.region_id) is None:
        raise BadRequest(f"Invalid input for field 'region_id': there is no region {row.region_id}.")


def _registered(tx: Tx, row: RegisteredLimit | Limit) -> RegisteredLimit | None:
    return tx.find(RegisteredLimit, service_id=row.service_id, region_id=row.region_id, resource_name=row.resource_name)


def _check_registered_once(tx: Tx, row: RegisteredLimit) -> None:
    other = _registered(tx, row)
    if other is not None and other.id != row.id:
        raise Conflict(
            f"Conflict occurred attempting to store registered_limit: {row.resource_name} of service {row.service_id} "
            f"in region {row.region_id} is registered already."
        )


def _check_unused(tx: Tx, row: RegisteredLimit) -> None:
    if tx.find(Limit, registered_limit_id=row.id):
        raise Forbidden(f"Registered limit {row.id} cannot be changed or deleted: there are limits that refer to it.")


def update_registered(tx: Tx, row: RegisteredLimit, values: dict[str, Any]) -> RegisteredLimit:
    """Raises Forbidden while limits refer to it, otherwise as `register` does."""
    _hold(tx)
    _check_unused(tx, row)
    for name, value in values.items():
        setattr(row, name, value)
    _check_place(tx, row)
    _check_registered_once(tx, row)
    tx.update(RegisteredLimit, row.id, **values)
    return row


def delete_registered(tx: Tx, row: RegisteredLimit) -> None:
    """Raises Forbidden while limits refer to it."""
    _check_unused(tx, row)
    tx.delete(RegisteredLimit, id=row.id)


# -- of projects and domains ---------------------------------------------------------------------------------------------


def get_limit(tx: Tx, limit_id: str) -> Limit:
    """Raises NotFound."""
    found = tx.find(Limit, id=limit_id)
    if found is None:
        raise NotFound(f"Could not find limit: {limit_id}.")
    return found


def create_limits(tx: Tx, given: Iterable[dict[str, Any]], model: str) -> list[Limit]:
    """All or none.

    Raises BadRequest for a service, region, project or domain that is missing, Forbidden for what is not registered or does
    not fit the model, Conflict for what is set already.
    """
    _hold(tx)
    made = []
    for item in given:
        row = _limit(tx, item)
        _check_place(tx, row)
        registered = _registered(tx, row)
        if registered is None:
            raise Forbidden(f"Unable to create a limit of {row.resource_name}: it has no registered limit.")
        row.registered_limit_id = registered.id
        owner = {"project_id": row.project_id} if row.project_id else {"domain_id": row.domain_id}
        if tx.find(Limit, registered_limit_id=registered.id, **owner):
            raise Conflict(
                f"Conflict occurred attempting to store limit: {row.resource_name} of {row.project_id or row.domain_id} "
                "is set already."
            )
        tx.insert(row)
        made.append(row)
    for row in made:  # looked at together: a domain's and its projects' may come in one request, in any order
        _check_model(tx, row, model)
    return made


def _limit(tx: Tx, item: dict[str, Any]) -> Limit:
    project_id, domain_id = item.get("project_id"), item.get("domain_id")
    if (project_id is None) == (domain_id is None):
        raise BadRequest("Invalid input for field 'limit': give it either a project_id or a domain_id.")
    if project_id is not None:
        project = tx.find(Project, id=project_id)
        if project is None:
            raise BadRequest(f"Invalid input for field 'project_id': there is no project {project_id}.")
        if project.is_domain:  # a limit of a project that acts as a domain is the domain's
            project_id, domain_id = None, project_id
    else:
        domain = tx.find(Project, id=domain_id)
        if domain is None or not domain.is_domain:
            raise BadRequest(f"Invalid input for field 'domain_id': there is no domain {domain_id}.")
    return Limit(
        id=clock.new_hex_id(),
        registered_limit_id="",
        service_id=item["service_id"],
        region_id=item.get("region_id"),
        resource_name=item["resource_name"],
        resource_limit=item["resource_limit"],
        description=item.get("description"),
        project_id=project_id,
        domain_id=domain_id,
    )


def update_limit(tx: Tx, row: Limit, values: dict[str, Any], model: str) -> Limit:
    """Raises Forbidden for a value that does not fit the model."""
    _hold(tx)
    tx.update(Limit, row.id, **values)
    found = get_limit(tx, row.id)
    _check_model(tx, found, model)
    return found


# -- the model -----------------------------------------------------------------------------------------------------------

_OF_PROJECTS = sql(
    sa.select(shape(Limit).table).where(
        _l.registered_limit_id == sa.bindparam("registered_limit_id"),
        sa.or_(in_list(_l.project_id, "projects"), in_list(_l.domain_id, "projects")),
    )
)


def _of(tx: Tx, row: Limit, found: Iterable[Project]) -> list[Limit]:
    """The limits of the same resource that these projects or domains have, in their order."""
    places = {project.id: place for place, project in enumerate(found)}
    rows = tx.rows(Limit, _OF_PROJECTS, registered_limit_id=row.registered_limit_id, projects=list(places))
    return sorted(rows, key=lambda limit: places[limit.project_id or limit.domain_id or ""])


def _more(one: int, other: int) -> bool:
    """Is one limit above the other? Without end is above all numbers."""
    return other != quota.UNLIMITED and (one == quota.UNLIMITED or one > other)


def _check_model(tx: Tx, row: Limit, model: str) -> None:
    if model != STRICT_TWO_LEVEL:
        return
    owner = projects.get_project(tx, row.project_id or row.domain_id or "")
    if row.project_id is not None:
        over = _of(tx, row, projects.above(tx, owner))
        most = over[0].resource_limit if over else get_registered(tx, row.registered_limit_id).default_limit
        if _more(row.resource_limit, most):
            raise _unfit(row, f"what is above it has {most}")
    for under in _of(tx, row, projects.below(tx, owner.id)):
        if _more(under.resource_limit, row.resource_limit):
            raise _unfit(row, f"project {under.project_id} below it has {under.resource_limit}")


def _unfit(row: Limit, why: str) -> Forbidden:
    return Forbidden(
        f"Invalid resource limit: {row.resource_limit} {row.resource_name} for {row.project_id or row.domain_id} does not "
        f"fit the model {STRICT_TWO_LEVEL}: {why}."
    )
