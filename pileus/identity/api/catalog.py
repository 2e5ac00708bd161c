"""Regions, services and endpoints (Identity API v3, "Regions", "Service catalog and endpoints")."""

from typing import Any

from pileus.core.errors import BadRequest, Conflict
from pileus.core.fields import Text
from pileus.core.wire import Request
from pileus.identity import catalog
from pileus.identity.api.base import Target, api, creating, listing, one, updating
from pileus.identity.resources import ENDPOINT, REGION, SERVICE
from pileus.identity.store import CatalogService, Endpoint, Region

_REGION_ID = Text("id", max=255)


def region(rq: Request, region_id: str) -> Target[Region]:
    return Target(catalog.get_region(rq.tx, region_id))


def service(rq: Request, service_id: str) -> Target[CatalogService]:
    return Target(catalog.get_service(rq.tx, service_id))


def endpoint(rq: Request, endpoint_id: str) -> Target[Endpoint]:
    return Target(catalog.get_endpoint(rq.tx, endpoint_id))


@api.get("/v3/regions", policy="identity:list_regions")
def list_regions(rq: Request) -> dict[str, Any]:
    """List regions."""
    return listing(rq, REGION, Region)


@api.post("/v3/regions", policy="identity:create_region", status=201)
def create_region(rq: Request) -> dict[str, Any]:
    """Create a region, with an id of the caller's choice or one that is made."""
    region_id = rq.unwrap("region").get("id")
    if region_id is not None:
        _REGION_ID.check(region_id)
    return one(rq, REGION, catalog.create_region(rq.tx, creating(rq, REGION), region_id))


@api.put("/v3/regions/{region_id}", policy="identity:create_region", status=201)
def put_region(rq: Request) -> dict[str, Any]:
    """Create a region with the path's id."""
    region_id = _REGION_ID.check(rq.params["region_id"])
    if rq.unwrap("region").get("id", region_id) != region_id:
        raise BadRequest("Invalid input for field 'id': it differs from the path's.")
    if rq.tx.find(Region, id=region_id):
        raise Conflict(f"Conflict occurred attempting to store region: the id {region_id!r} is in use.")
    return one(rq, REGION, catalog.create_region(rq.tx, creating(rq, REGION), region_id))


@api.get("/v3/regions/{region_id}", policy="identity:get_region", on=region)
def show_region(rq: Request, found: Target[Region]) -> dict[str, Any]:
    """Show a region."""
    return one(rq, REGION, found.row)


@api.patch("/v3/regions/{region_id}", policy="identity:update_region", on=region)
def update_region(rq: Request, found: Target[Region]) -> dict[str, Any]:
    """Change a region."""
    return one(rq, REGION, catalog.update_region(rq.tx, found.row, updating(rq, REGION, found.row, ())))


@api.delete("/v3/regions/{region_id}", policy="identity:delete_region", on=region)
def delete_region(rq: Request, found: Target[Region]) -> None:
    """Delete a region and those below it."""
    catalog.delete_region(rq.tx, found.row)


@api.get("/v3/services", policy="identity:list_services")
def list_services(rq: Request) -> dict[str, Any]:
    """List services."""
    return listing(rq, SERVICE, CatalogService)


@api.post("/v3/services", policy="identity:create_service", status=201)
def create_service(rq: Request) -> dict[str, Any]:
    """Create a service."""
    return one(rq, SERVICE, catalog.create_service(rq.tx, creating(rq, SERVICE)))


@api.get("/v3/services/{service_id}", policy="identity:get_service", on=service)
def show_service(rq: Request, found: Target[CatalogService]) -> dict[str, Any]:
    """Show a service."""
    return one(rq, SERVICE, found.row)


@api.patch("/v3/services/{service_id}", policy="identity:update_service", on=service)
def update_service(rq: Request, found: Target[CatalogService]) -> dict[str, Any]:
    """Change a service."""
    return one(rq, SERVICE, catalog.update_service(rq.tx, found.row, updating(rq, SERVICE, found.row, ())))


@api.delete("/v3/services/{service_id}", policy="identity:delete_service", on=service)
def delete_service(rq: Request, found: Target[CatalogService]) -> None:
    """Delete a service and its endpoints."""
    catalog.delete_service(rq.tx, found.row)


@api.get("/v3/endpoints", policy="identity:list_endpoints")
def list_endpoints(rq: Request) -> dict[str, Any]:
    """List endpoints."""
    return listing(rq, ENDPOINT, Endpoint)


@api.post("/v3/endpoints", policy="identity:create_endpoint", status=201)
def create_endpoint(rq: Request) -> dict[str, Any]:
    """Create an endpoint; a region that it names in the old way is made."""
    _ensure_region(rq)
    return one(rq, ENDPOINT, catalog.create_endpoint(rq.tx, creating(rq, ENDPOINT)))


def _ensure_region(rq: Request) -> None:
    body = rq.unwrap("endpoint")
    region_id = body.get("region")
    if isinstance(region_id, str) and region_id and "region_id" not in body and not rq.tx.find(Region, id=region_id):
        catalog.create_region(rq.tx, {}, _REGION_ID.check(region_id))


@api.get("/v3/endpoints/{endpoint_id}", policy="identity:get_endpoint", on=endpoint)
def show_endpoint(rq: Request, found: Target[Endpoint]) -> dict[str, Any]:
    """Show an endpoint."""
    return one(rq, ENDPOINT, found.row)


@api.patch("/v3/endpoints/{endpoint_id}", policy="identity:update_endpoint", on=endpoint)
def update_endpoint(rq: Request, found: Target[Endpoint]) -> dict[str, Any]:
    """Change an endpoint; a region that it names in the old way is made."""
    _ensure_region(rq)
    return one(rq, ENDPOINT, catalog.update_endpoint(rq.tx, found.row, updating(rq, ENDPOINT, found.row, ())))


@api.delete("/v3/endpoints/{endpoint_id}", policy="identity:delete_endpoint", on=endpoint)
def delete_endpoint(rq: Request, found: Target[Endpoint]) -> None:
    """Delete an endpoint."""
    catalog.delete_endpoint(rq.tx, found.row)
