"""Which endpoints a project's catalog shows: those given to it, one by one or by groups; all where none were given."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.tables import columns, shape
from pileus.identity.store import (
    CatalogService,
    Endpoint,
    EndpointGroup,
    Project,
    ProjectEndpoint,
    ProjectEndpointGroup,
    Region,
    changed,
)

# -- groups --------------------------------------------------------------------------------------------------------------


def get_group(tx: Tx, endpoint_group_id: str) -> EndpointGroup:
    """Raises NotFound."""
    found = tx.find(EndpointGroup, id=endpoint_group_id)
    if found is None:
        raise NotFound(f"Could not find endpoint group: {endpoint_group_id}.")
    return found


def _check(tx: Tx, filters: dict[str, Any]) -> None:
    if not filters:
        raise BadRequest("Invalid input for field 'filters': it must name at least one property.")
    if "service_id" in filters and tx.find(CatalogService, id=filters["service_id"]) is None:
        raise BadRequest(f"Invalid input for field 'filters': there is no service {filters['service_id']}.")
    if filters.get("region_id") and tx.find(Region, id=filters["region_id"]) is None:
        raise BadRequest(f"Invalid input for field 'filters': there is no region {filters['region_id']}.")


def _check_name(tx: Tx, name: str) -> None:
    if tx.find(EndpointGroup, name=name):
        raise Conflict(f"Conflict occurred attempting to store endpoint_group: the name {name!r} is in use.")


def create_group(tx: Tx, given: dict[str, Any]) -> EndpointGroup:
    """Raises BadRequest for filters that name what is not there, Conflict for a name in use."""
    _check(tx, given["filters"])
    _check_name(tx, given["name"])
    row = EndpointGroup(clock.new_hex_id(), given["name"], given.get("description"), given["filters"])
    tx.insert(row)
    return row


def update_group(tx: Tx, row: EndpointGroup, values: dict[str, Any]) -> EndpointGroup:
    """Raises BadRequest and Conflict as `create_group` does."""
    if "filters" in values:
        _check(tx, values["filters"])
    if values.get("name", row.name) != row.name:
        _check_name(tx, values["name"])
    tx.update(EndpointGroup, row.id, **values)
    changed(tx)
    return get_group(tx, row.id)


def delete_group(tx: Tx, row: EndpointGroup) -> None:
    tx.delete(EndpointGroup, id=row.id)
    changed(tx)


def matches(endpoint: Endpoint, filters: dict[str, Any]) -> bool:
    return all(getattr(endpoint, name) == value for name, value in filters.items())


def endpoints_in(tx: Tx, row: EndpointGroup) -> list[Endpoint]:
    return [endpoint for endpoint in tx.select(Endpoint, order="id") if matches(endpoint, row.filters)]


# -- of a project --------------------------------------------------------------------------------------------------------

_g, _pg, _e, _pe = columns(EndpointGroup), columns(ProjectEndpointGroup), columns(Endpoint), columns(ProjectEndpoint)
_p = columns(Project)
_PROJECT: Any = sa.bindparam("project_id")
_GROUPS = sql(
    sa.select(shape(EndpointGroup).table)
    .join(_pg.project_id.table, _pg.endpoint_group_id == _g.id)
    .where(_pg.project_id == _PROJECT)
    .order_by(_g.name)
)
_GIVEN = sql(sa.select(_pe.endpoint_id).where(_pe.project_id == _PROJECT))


def groups_of(tx: Tx, project_id: str) -> list[EndpointGroup]:
    return tx.rows(EndpointGroup, _GROUPS, project_id=project_id)


def select(tx: Tx, project_id: str, endpoints: list[Endpoint]) -> list[Endpoint]:
    """Those of `endpoints` that were given to the project, one by one or by a group."""
    given = {row[0] for row in tx.all(_GIVEN, project_id=project_id)}
    groups = groups_of(tx, project_id)
    return [
        endpoint
        for endpoint in endpoints
        if endpoint.id in given or any(matches(endpoint, group.filters) for group in groups)
    ]


def _projects(link: Any, column: Any) -> Any:
    return sql(
        sa.select(shape(Project).table)
        .join(link.project_id.table, link.project_id == _p.id)
        .where(column == sa.bindparam("id"))
        .order_by(_p.id)
    )


_PROJECTS_OF_ENDPOINT, _PROJECTS_OF_GROUP = _projects(_pe, _pe.endpoint_id), _projects(_pg, _pg.endpoint_group_id)


def projects_of_endpoint(tx: Tx, endpoint: Endpoint) -> list[Project]:
    return tx.rows(Project, _PROJECTS_OF_ENDPOINT, id=endpoint.id)


def projects_of_group(tx: Tx, row: EndpointGroup) -> list[Project]:
    return tx.rows(Project, _PROJECTS_OF_GROUP, id=row.id)


Link = ProjectEndpoint | ProjectEndpointGroup


def _key(link: Link) -> dict[str, str]:
    return {name: getattr(link, name) for name in shape(type(link)).primary}


def give(tx: Tx, link: Link) -> None:
    """Raises Conflict for what the project has already."""
    if tx.find(type(link), **_key(link)):
        raise Conflict(
            f"Conflict occurred attempting to store the association: project {link.project_id} has it already."
        )
    tx.insert(link)
    changed(tx)


def get(tx: Tx, link: Link) -> Link:
    """Raises NotFound for what was not given to the project."""
    found = tx.find(type(link), **_key(link))
    if found is None:
        what, id = next(iter(_key(link).items()))
        raise NotFound(
            f"Could not find an association of {what.removesuffix('_id')} {id} with project {link.project_id}."
        )
    return found


def take(tx: Tx, link: Link) -> None:
    """Raises NotFound."""
    get(tx, link)
    tx.delete(type(link), **_key(link))
    changed(tx)
