"""Endpoint groups, and which endpoints projects see (Identity API v3, "OS-EP-FILTER")."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Object, Text
from pileus.core.resources import REFUSE
from pileus.core.wire import Request
from pileus.identity import projects
from pileus.identity.api.base import Target, api, here, many, viewer
from pileus.identity.api.plain import plain
from pileus.identity.catalog import endpoint_filters, entries
from pileus.identity.resources import ENDPOINT, INTERFACES, PROJECT, Entity
from pileus.identity.store import Endpoint, EndpointGroup, Project, ProjectEndpoint, ProjectEndpointGroup

_FILTERS = [
    Text("interface", choices=INTERFACES),
    Text("service_id", max=64),
    Text("region_id", null=True),
    Boolean("enabled", strict=True),
]
ENDPOINT_GROUP = Entity(
    "endpoint_group",
    [
        Text("name", create=REQUIRED, update=True, min=1, max=255, filter=True, sort=True),
        Text("description", create=OPTIONAL, update=True, null=True, max=65535),
        Object("filters", _FILTERS, create=REQUIRED, update=True),
    ],
    path="OS-EP-FILTER/endpoint_groups",
    extra=REFUSE,
)

group = plain(
    ENDPOINT_GROUP,
    EndpointGroup,
    get=endpoint_filters.get_group,
    create=endpoint_filters.create_group,
    update=endpoint_filters.update_group,
    delete=endpoint_filters.delete_group,
)
_GROUP = "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"
_PROJECT = "/v3/OS-EP-FILTER/projects/{project_id}"


def project(rq: Request, project_id: str) -> Target[Project]:
    return Target(projects.get_project(rq.tx, project_id))


def endpoint(rq: Request, endpoint_id: str) -> Target[Endpoint]:
    return Target(entries.get_endpoint(rq.tx, endpoint_id))


def group_of_project(rq: Request, endpoint_group_id: str, project_id: str) -> Target[ProjectEndpointGroup]:
    found, owner = endpoint_filters.get_group(rq.tx, endpoint_group_id), projects.get_project(rq.tx, project_id)
    return Target(ProjectEndpointGroup(found.id, owner.id))


def endpoint_of_project(rq: Request, project_id: str, endpoint_id: str) -> Target[ProjectEndpoint]:
    owner, found = projects.get_project(rq.tx, project_id), entries.get_endpoint(rq.tx, endpoint_id)
    return Target(ProjectEndpoint(found.id, owner.id))


def _listed(rq: Request, resource: Entity, rows: list[Any]) -> dict[str, Any]:
    view = viewer(rq, resource)
    return many(rq, resource.plural, [view(row) for row in rows])


@api.get(f"{_GROUP}/endpoints", policy="identity:list_endpoints_associated_with_endpoint_group", on=group)
def list_endpoints_of_group(rq: Request, found: Target[EndpointGroup]) -> dict[str, Any]:
    """List the endpoints that an endpoint group comes to."""
    return _listed(rq, ENDPOINT, endpoint_filters.endpoints_in(rq.tx, found.row))


@api.get(f"{_GROUP}/projects", policy="identity:list_projects_associated_with_endpoint_group", on=group)
def list_projects_of_group(rq: Request, found: Target[EndpointGroup]) -> dict[str, Any]:
    """List the projects that an endpoint group was given to."""
    return _listed(rq, PROJECT, endpoint_filters.projects_of_group(rq.tx, found.row))


@api.get(f"{_GROUP}/projects/{{project_id}}", policy="identity:get_endpoint_group_in_project", on=group_of_project)
def show_group_of_project(rq: Request, found: Target[ProjectEndpointGroup]) -> dict[str, Any]:
    """Show that an endpoint group was given to a project."""
    endpoint_filters.get(rq.tx, found.row)
    group_id, project_id = found.row.endpoint_group_id, found.row.project_id
    link = f"{here(rq)}/v3/OS-EP-FILTER/endpoint_groups/{group_id}/projects/{project_id}"
    return {
        "project_endpoint_group": {"endpoint_group_id": group_id, "project_id": project_id, "links": {"self": link}}
    }


@api.put(
    f"{_GROUP}/projects/{{project_id}}",
    policy="identity:add_endpoint_group_to_project",
    on=group_of_project,
    status=204,
)
def give_group(rq: Request, found: Target[ProjectEndpointGroup]) -> None:
    """Give an endpoint group to a project: its catalog shows only what was given to it."""
    endpoint_filters.give(rq.tx, found.row)


@api.delete(
    f"{_GROUP}/projects/{{project_id}}", policy="identity:remove_endpoint_group_from_project", on=group_of_project
)
def take_group(rq: Request, found: Target[ProjectEndpointGroup]) -> None:
    """Take an endpoint group from a project."""
    endpoint_filters.take(rq.tx, found.row)


@api.get(f"{_PROJECT}/endpoint_groups", policy="identity:list_endpoint_groups_for_project", on=project)
def list_groups_of_project(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """List the endpoint groups that a project was given."""
    return _listed(rq, ENDPOINT_GROUP, endpoint_filters.groups_of(rq.tx, found.row.id))


@api.get(f"{_PROJECT}/endpoints", policy="identity:list_endpoints_for_project", on=project)
def list_endpoints_of_project(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """List the endpoints that a project was given, one by one or by groups."""
    rows = endpoint_filters.select(rq.tx, found.row.id, rq.tx.select(Endpoint, order="id"))
    return _listed(rq, ENDPOINT, rows)


@api.get("/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects", policy="identity:list_projects_for_endpoint", on=endpoint)
def list_projects_of_endpoint(rq: Request, found: Target[Endpoint]) -> dict[str, Any]:
    """List the projects that an endpoint was given to."""
    return _listed(rq, PROJECT, endpoint_filters.projects_of_endpoint(rq.tx, found.row))


_ONE = f"{_PROJECT}/endpoints/{{endpoint_id}}"


@api.get(_ONE, policy="identity:check_endpoint_in_project", on=endpoint_of_project, status=204)
def check_endpoint_of_project(rq: Request, found: Target[ProjectEndpoint]) -> None:
    """Check that an endpoint was given to a project."""
    endpoint_filters.get(rq.tx, found.row)


@api.put(_ONE, policy="identity:add_endpoint_to_project", on=endpoint_of_project, status=204)
def give_endpoint(rq: Request, found: Target[ProjectEndpoint]) -> None:
    """Give an endpoint to a project: its catalog shows only what was given to it."""
    endpoint_filters.give(rq.tx, found.row)


@api.delete(_ONE, policy="identity:remove_endpoint_from_project", on=endpoint_of_project)
def take_endpoint(rq: Request, found: Target[ProjectEndpoint]) -> None:
    """Take an endpoint from a project."""
    endpoint_filters.take(rq.tx, found.row)
