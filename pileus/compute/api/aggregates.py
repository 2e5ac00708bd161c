"""Aggregates (Compute API, "Host aggregates")."""

from typing import Any

from pileus.compute import aggregates
from pileus.compute.api.base import api
from pileus.compute.resources.flavors import NAME
from pileus.compute.store import Aggregate
from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Strings, Text
from pileus.core.resources import Resource
from pileus.core.wire import Request

POLICY = "os_compute_api:os-aggregates"
ACTION = "/os-aggregates/{aggregate_id}/action"

AGGREGATE = Resource(
    "aggregate",
    [
        Integer("id"),
        Text("uuid", since="2.41"),
        Text("name", create=REQUIRED, update=True, min=1, pattern=NAME),
        Text("availability_zone", create=OPTIONAL, update=True, null=True, min=1, default=None, pattern="[^:]+"),
        Strings("metadata"),
        Text("created_at", show=lambda row: clock.naive(row.created_at)),
        Text("updated_at", show=lambda row: clock.naive(row.updated_at)),
        Boolean("deleted", show=lambda row: False),
        Text("deleted_at", show=lambda row: None),
    ],
)


def aggregate(rq: Request, aggregate_id: str) -> Aggregate:
    return aggregates.get_aggregate(rq.tx, aggregate_id)


def _shown(rq: Request, row: Aggregate) -> dict[str, Any]:
    return {"aggregate": {**AGGREGATE.view(rq, row), "hosts": aggregates.hosts_of(rq.tx, row)}}


@api.get("/os-aggregates", policy=f"{POLICY}:index")
def list_aggregates(rq: Request) -> dict[str, Any]:
    """List aggregates."""
    view, members = AGGREGATE.viewer(rq), aggregates.hosts_by_aggregate(rq.tx)
    rows = rq.tx.select(Aggregate, order="id")
    return {"aggregates": [{**view(row), "hosts": members.get(row.id, [])} for row in rows]}


@api.post("/os-aggregates", policy=f"{POLICY}:create")
def create_aggregate(rq: Request) -> dict[str, Any]:
    """Create an aggregate."""
    given = AGGREGATE.parse_create(rq)
    row = aggregates.create_aggregate(rq.tx, given["name"], given["availability_zone"])
    return {"aggregate": AGGREGATE.viewer(rq, only=set(AGGREGATE.fields) - {"metadata"})(row)}


@api.get("/os-aggregates/{aggregate_id}", policy=f"{POLICY}:show", on=aggregate)
def show_aggregate(rq: Request, found: Aggregate) -> dict[str, Any]:
    """Show an aggregate."""
    return _shown(rq, found)


@api.put("/os-aggregates/{aggregate_id}", policy=f"{POLICY}:update", on=aggregate)
def update_aggregate(rq: Request, found: Aggregate) -> dict[str, Any]:
    """Change an aggregate's name or zone."""
    changes = AGGREGATE.parse_update(rq)
    if not changes:
        raise BadRequest("Invalid input for field/attribute aggregate. It must name what to change.")
    return _shown(rq, aggregates.update_aggregate(rq.tx, found, **changes))


@api.delete("/os-aggregates/{aggregate_id}", policy=f"{POLICY}:delete", on=aggregate, status=200)
def delete_aggregate(rq: Request, found: Aggregate) -> None:
    """Delete an aggregate without hosts."""
    aggregates.delete_aggregate(rq.tx, found)


def _host(rq: Request, action: str) -> str:
    given = rq.unwrap(action)
    if list(given) != ["host"] or not isinstance(given["host"], str) or not given["host"]:
        raise BadRequest(f"Invalid input for field/attribute {action}. It must have the one member 'host'.")
    host: str = given["host"]
    return host


@api.do(ACTION, "add_host", policy=f"{POLICY}:add_host", on=aggregate, status=200)
def add_host(rq: Request, found: Aggregate) -> dict[str, Any]:
    """Put a host into an aggregate."""
    aggregates.add_host(rq.tx, found, _host(rq, "add_host"))
    return _shown(rq, found)


@api.do(ACTION, "remove_host", policy=f"{POLICY}:remove_host", on=aggregate, status=200)
def remove_host(rq: Request, found: Aggregate) -> dict[str, Any]:
    """Take a host out of an aggregate."""
    aggregates.remove_host(rq.tx, found, _host(rq, "remove_host"))
    return _shown(rq, found)


@api.do(ACTION, "set_metadata", policy=f"{POLICY}:set_metadata", on=aggregate, status=200)
def set_metadata(rq: Request, found: Aggregate) -> dict[str, Any]:
    """Change an aggregate's metadata."""
    given = rq.unwrap("set_metadata").get("metadata")
    if not isinstance(given, dict):
        raise BadRequest("Invalid input for field/attribute set_metadata. It must have the one member 'metadata'.")
    checked = Strings("metadata").check({key: value for key, value in given.items() if value is not None})
    gone = {key: None for key, value in given.items() if value is None}
    return _shown(rq, aggregates.set_metadata(rq.tx, found, {**checked, **gone}))
