"""Regions, services and endpoints (Identity API v3, "Regions", "Service catalog and endpoints")."""

from typing import Any

from pileus.core.errors import BadRequest, Conflict
from pileus.core.fields import Text
from pileus.core.wire import Request
from pileus.identity.api.base import Target, api, creating, one, updating
from pileus.identity.api.plain import plain
from pileus.identity.catalog import entries
from pileus.identity.resources import ENDPOINT, REGION, SERVICE
from pileus.identity.store import CatalogService, Endpoint, Region

_REGION_ID = Text("id", max=255)


plain(
    REGION, Region, get=entries.get_region, update=entries.update_region, delete=entries.delete_region, but=["create"]
)
plain(
    SERVICE,
    CatalogService,
    get=entries.get_service,
    create=entries.create_service,
    update=entries.update_service,
    delete=entries.delete_service,
)
endpoint = plain(ENDPOINT, Endpoint, get=entries.get_endpoint, delete=entries.delete_endpoint, but=["create", "update"])


@api.post("/v3/regions", policy="identity:create_region", status=201)
def create_region(rq: Request) -> dict[str, Any]:
    """Create a region, with an id of the caller's choice or one that is made."""
    region_id = rq.unwrap("region").get("id")
    if region_id is not None:
        _REGION_ID.check(region_id)
    return one(rq, REGION, entries.create_region(rq.tx, creating(rq, REGION), region_id))


@api.put("/v3/regions/{region_id}", policy="identity:create_region", status=201)
def put_region(rq: Request) -> dict[str, Any]:
    """Create a region with the path's id."""
    region_id = _REGION_ID.check(rq.params["region_id"])
    if rq.unwrap("region").get("id", region_id) != region_id:
        raise BadRequest("Invalid input for field 'id': it differs from the path's.")
    if rq.tx.find(Region, id=region_id):
        raise Conflict(f"Conflict occurred attempting to store region: the id {region_id!r} is in use.")
    return one(rq, REGION, entries.create_region(rq.tx, creating(rq, REGION), region_id))


@api.post("/v3/endpoints", policy="identity:create_endpoint", status=201)
def create_endpoint(rq: Request) -> dict[str, Any]:
    """Create an endpoint; a region that it names in the old way is made."""
    _ensure_region(rq)
    return one(rq, ENDPOINT, entries.create_endpoint(rq.tx, creating(rq, ENDPOINT)))


def _ensure_region(rq: Request) -> None:
    body = rq.unwrap("endpoint")
    region_id = body.get("region")
    if isinstance(region_id, str) and region_id and "region_id" not in body and not rq.tx.find(Region, id=region_id):
        entries.create_region(rq.tx, {}, _REGION_ID.check(region_id))


@api.patch("/v3/endpoints/{endpoint_id}", policy="identity:update_endpoint", on=endpoint)
def update_endpoint(rq: Request, found: Target[Endpoint]) -> dict[str, Any]:
    """Change an endpoint; a region that it names in the old way is made."""
    _ensure_region(rq)
    return one(rq, ENDPOINT, entries.update_endpoint(rq.tx, found.row, updating(rq, ENDPOINT, found.row, ())))
