"""The service catalog a scoped token carries, and what it is made of: regions, services, endpoints."""

import re
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.identity.catalog import endpoint_filters
from pileus.identity.store import CatalogService, Endpoint, Region, RegisteredLimit, changed

_FORM = re.compile(r"%\((\w+)\)s|\$\((\w+)\)s")


def catalog(tx: Tx, project_id: str | None, user_id: str | None) -> list[dict[str, Any]]:
    """Enabled services with at least one enabled endpoint, of those that the project was given if there are any."""
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    found = tx.select(Endpoint, order="id")
    if project_id is not None:
        found = endpoint_filters.select(tx, project_id, found) or found
    endpoints: dict[str, list[dict[str, Any]]] = {}
    for endpoint in found:
        url = fill(endpoint.url, values) if endpoint.enabled else None
        if url is None:
            continue
        endpoints.setdefault(endpoint.service_id, []).append(
            {
                "id": endpoint.id,
                "interface": endpoint.interface,
                "region": endpoint.region_id,
                "region_id": endpoint.region_id,
                "url": url,
            }
        )
    return [
        {"id": service.id, "type": service.type, "name": service.name or "", "endpoints": endpoints[service.id]}
        for service in tx.select(CatalogService, order="type", enabled=True)
        if service.id in endpoints
    ]


def fill(url: str, values: dict[str, str | None]) -> str | None:
    """The URL with `%(project_id)s` and the like replaced; None when a value is missing (an unscoped token)."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        found = values.get(match.group(1) or match.group(2))
        missing = missing or found is None
        return found or ""

    filled = _FORM.sub(value, url)
    return None if missing else filled


# -- regions -------------------------------------------------------------------------------------------------------------


def get_region(tx: Tx, region_id: str) -> Region:
    """Raises NotFound."""
    found = tx.find(Region, id=region_id)
    if found is None:
        raise NotFound(f"Could not find region: {region_id}.")
    return found


def create_region(tx: Tx, given: dict[str, Any], region_id: str | None) -> Region:
    """Raises Conflict for an id in use, NotFound for a parent that is missing."""
    region_id = region_id or clock.new_hex_id()
    if tx.find(Region, id=region_id):
        raise Conflict(f"Conflict occurred attempting to store region: the id {region_id!r} is in use.")
    parent_id = given.get("parent_region_id") or None
    if parent_id:
        get_region(tx, parent_id)
    row = Region(region_id, given.get("description") or "", parent_id, given.get("extra", {}))
    tx.insert(row)
    changed(tx)
    return row


def update_region(tx: Tx, region: Region, values: dict[str, Any]) -> Region:
    """Raises NotFound for a parent that is missing, BadRequest for one that is the region itself or below it."""
    parent_id = values.get("parent_region_id")
    while parent_id:
        if parent_id == region.id:
            raise BadRequest("Invalid input for field 'parent_region_id': a region cannot be above itself.")
        parent_id = get_region(tx, parent_id).parent_region_id
    if "description" in values:
        values["description"] = values["description"] or ""
    tx.update(Region, region.id, **values)
    changed(tx)
    return get_region(tx, region.id)


def delete_region(tx: Tx, region: Region) -> None:
    """With the regions below it. Raises Forbidden while endpoints are in them."""
    doomed = [region.id]
    for region_id in doomed:
        if tx.find(Endpoint, region_id=region_id) or tx.find(RegisteredLimit, region_id=region_id):
            raise Forbidden(f"Region {region_id} cannot be deleted: there are endpoints or registered limits in it.")
        doomed.extend(row.id for row in tx.select(Region, parent_region_id=region_id))
    for region_id in doomed:
        tx.delete(Region, id=region_id)
    changed(tx)


# -- services ------------------------------------------------------------------------------------------------------------


def get_service(tx: Tx, service_id: str) -> CatalogService:
    """Raises NotFound."""
    found = tx.find(CatalogService, id=service_id)
    if found is None:
        raise NotFound(f"Could not find service: {service_id}.")
    return found


def create_service(tx: Tx, given: dict[str, Any]) -> CatalogService:
    row = CatalogService(
        id=clock.new_hex_id(),
        type=given["type"],
        name=given.get("name"),
        description=given.get("description"),
        enabled=given.get("enabled", True),
        extra=given.get("extra", {}),
    )
    tx.insert(row)
    changed(tx)
    return row


def update_service(tx: Tx, service: CatalogService, values: dict[str, Any]) -> CatalogService:
    tx.update(CatalogService, service.id, **values)
    changed(tx)
    return get_service(tx, service.id)


def delete_service(tx: Tx, service: CatalogService) -> None:
    """With its endpoints."""
    tx.delete(CatalogService, id=service.id)
    changed(tx)


# -- endpoints -----------------------------------------------------------------------------------------------------------

_FIELDS = frozenset({"project_id", "tenant_id", "user_id"})


def get_endpoint(tx: Tx, endpoint_id: str) -> Endpoint:
    """Raises NotFound."""
    found = tx.find(Endpoint, id=endpoint_id)
    if found is None:
        raise NotFound(f"Could not find endpoint: {endpoint_id}.")
    return found


def _check_endpoint(tx: Tx, values: dict[str, Any]) -> None:
    if "service_id" in values and tx.find(CatalogService, id=values["service_id"]) is None:
        raise BadRequest(f"Invalid input for field 'service_id': there is no service {values['service_id']}.")
    if values.get("region_id") and tx.find(Region, id=values["region_id"]) is None:
        raise BadRequest(f"Invalid input for field 'region_id': there is no region {values['region_id']}.")
    url = values.get("url", "")
    named = {first or second for first, second in _FORM.findall(url)}
    if named - _FIELDS or re.search(r"[%$]\((?!\w+\)s)", url):
        raise BadRequest(f"Invalid input for field 'url': only {', '.join(sorted(_FIELDS))} can be filled in.")


def create_endpoint(tx: Tx, given: dict[str, Any]) -> Endpoint:
    """Raises BadRequest for a missing service or region, or a URL that cannot be filled in."""
    _check_endpoint(tx, given)
    row = Endpoint(
        id=clock.new_hex_id(),
        service_id=given["service_id"],
        interface=given["interface"],
        url=given["url"],
        region_id=given.get("region_id") or None,
        enabled=given.get("enabled", True),
        extra=given.get("extra", {}),
    )
    tx.insert(row)
    changed(tx)
    return row


def update_endpoint(tx: Tx, endpoint: Endpoint, values: dict[str, Any]) -> Endpoint:
    """Raises BadRequest as `create_endpoint` does."""
    _check_endpoint(tx, values)
    tx.update(Endpoint, endpoint.id, **values)
    changed(tx)
    return get_endpoint(tx, endpoint.id)


def delete_endpoint(tx: Tx, endpoint: Endpoint) -> None:
    tx.delete(Endpoint, id=endpoint.id)
    changed(tx)
