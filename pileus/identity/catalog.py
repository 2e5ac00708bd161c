"""The service catalog a scoped token carries: services with their endpoints, their URLs filled in."""

import re
from typing import Any

from pileus.core.db import Tx
from pileus.identity.store import CatalogService, Endpoint

_FORM = re.compile(r"%\((\w+)\)s|\$\((\w+)\)s")


def catalog(tx: Tx, project_id: str | None, user_id: str | None) -> list[dict[str, Any]]:
    """Enabled services with at least one enabled endpoint."""
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    endpoints: dict[str, list[dict[str, Any]]] = {}
    for endpoint in tx.select(Endpoint, order="id", enabled=True):
        url = fill(endpoint.url, values)
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
