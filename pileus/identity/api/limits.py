"""Unified limits (Identity API v3, "Unified Limits"): their wire shape and routes."""

from typing import Any

import sqlalchemy as sa

from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Integer, Text
from pileus.core.paging import Where
from pileus.core.resources import REFUSE
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.identity import limits, projects
from pileus.identity.api.base import Target, api, creating, listing, one, updating, viewer
from pileus.identity.api.plain import plain
from pileus.identity.resources import ID, Entity
from pileus.identity.store import Limit, Project, RegisteredLimit

_MOST = 1000  # in one request


def _number(name: str) -> Integer:
    return Integer(name, create=REQUIRED, update=True, min=-1, strict=True)


def _description() -> Text:
    return Text("description", create=OPTIONAL, update=True, null=True, max=65535)


REGISTERED_LIMIT = Entity(
    "registered_limit",
    [
        Text("service_id", create=REQUIRED, update=True, max=64, pattern=ID, filter=True),
        Text("region_id", create=OPTIONAL, update=True, null=True, min=1, max=255, filter=True),
        Text("resource_name", create=REQUIRED, update=True, min=1, max=255, filter=True, sort=True),
        _number("default_limit"),
        _description(),
    ],
    extra=REFUSE,
)

LIMIT = Entity(
    "limit",
    [
        Text("service_id", create=REQUIRED, max=64, pattern=ID, filter=True),
        Text("region_id", create=OPTIONAL, null=True, min=1, max=255, filter=True),
        Text("resource_name", create=REQUIRED, min=1, max=255, filter=True, sort=True),
        _number("resource_limit"),
        _description(),
        Text("project_id", create=OPTIONAL, null=True, max=64, pattern=ID, filter=True),
        Text("domain_id", create=OPTIONAL, null=True, max=64, pattern=ID, filter=True),
    ],
    extra=REFUSE,
)

plain(
    REGISTERED_LIMIT,
    RegisteredLimit,
    get=limits.get_registered,
    update=limits.update_registered,
    delete=limits.delete_registered,
    but=["create"],
)
limit = plain(LIMIT, Limit, get=limits.get_limit, but=["list", "create", "show", "update"])


def _several(rq: Request, resource: Entity) -> list[dict[str, Any]]:
    """The bodies of a request that creates any number at once. Raises BadRequest."""
    given = rq.json.get(resource.plural)
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise BadRequest(f"Invalid input for field {resource.plural!r}: it must be a list of at least one object.")
    if len(given) > _MOST:
        raise BadRequest(f"Invalid input for field {resource.plural!r}: it may have at most {_MOST} items.")
    return [creating(rq, resource, item) for item in given]


@api.post("/v3/registered_limits", policy="identity:create_registered_limits", status=201)
def create_registered_limits(rq: Request) -> dict[str, Any]:
    """Register limits of services' resources, any number at once."""
    view = viewer(rq, REGISTERED_LIMIT)
    made = limits.register(rq.tx, _several(rq, REGISTERED_LIMIT))
    return {"registered_limits": [view(row) for row in made]}


def limit_to_see(rq: Request, limit_id: str) -> Target[Limit]:
    """For the rules with whose it is: a domain's readers see their projects' limits too."""
    row = limits.get_limit(rq.tx, limit_id)
    named: dict[str, Any] = {"project_id": row.project_id, "domain_id": row.domain_id}
    if row.project_id:
        named["project"] = {"id": row.project_id, "domain_id": projects.get_project(rq.tx, row.project_id).domain_id}
    else:
        named["domain"] = {"id": row.domain_id}
    return Target(row, limit=named)


_DOMAIN = sa.bindparam("own_domain", type_=sa.Text())
_INSIDE = sa.select(columns(Project).id).where(columns(Project).domain_id == _DOMAIN)
_OF_DOMAIN = columns(Limit).project_id.in_(_INSIDE) | (columns(Limit).domain_id == _DOMAIN)


@api.get("/v3/limits", policy="identity:list_limits")
def list_limits(rq: Request) -> dict[str, Any]:
    """List limits: all for who administers, else those of the caller's own project or domain."""
    ctx = rq.ctx
    if ctx.system or ctx.roles & {"admin", "service"}:
        return listing(rq, LIMIT, Limit)
    if ctx.domain_id:
        return listing(rq, LIMIT, Limit, clauses=[("own", _OF_DOMAIN, {"own_domain": ctx.domain_id})])
    return listing(rq, LIMIT, Limit, [Where("project_id", "eq", ctx.project_id or "")])


@api.get("/v3/limits/model", policy="identity:get_limit_model")
def show_model(rq: Request) -> dict[str, Any]:
    """Show how limits of a domain and its projects relate."""
    name = rq.cloud.settings.limit_model
    return {"model": {"name": name, "description": limits.MODELS[name]}}


@api.get("/v3/limits/{limit_id}", policy="identity:get_limit", on=limit_to_see)
def show_limit(rq: Request, found: Target[Limit]) -> dict[str, Any]:
    """Show a limit."""
    return one(rq, LIMIT, found.row)


@api.post("/v3/limits", policy="identity:create_limits", status=201)
def create_limits(rq: Request) -> dict[str, Any]:
    """Set limits of projects and domains, any number at once."""
    view = viewer(rq, LIMIT)
    made = limits.create_limits(rq.tx, _several(rq, LIMIT), rq.cloud.settings.limit_model)
    return {"limits": [view(row) for row in made]}


@api.patch("/v3/limits/{limit_id}", policy="identity:update_limit", on=limit)
def update_limit(rq: Request, found: Target[Limit]) -> dict[str, Any]:
    """Change a limit's number or description."""
    values = updating(rq, LIMIT, found.row, ())
    return one(rq, LIMIT, limits.update_limit(rq.tx, found.row, values, rq.cloud.settings.limit_model))
