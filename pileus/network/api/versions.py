"""Discovery (Networking API, "API versions"), and the extensions that are really built."""

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request
from pileus.network.api.base import api, root
from pileus.network.extensions import EXTENSIONS

RESOURCES = ("networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules",
             "subnetpools", "address-scopes", "rbac-policies", "agents", "quotas", "extensions")  # fmt: skip


def _v2(rq: Request) -> dict[str, Any]:
    return {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": f"{rq.root}/network/v2.0/"}]}


@root.get("/", policy=PUBLIC, tx="")
def list_versions(rq: Request) -> dict[str, Any]:
    """List the versions of the networking API."""
    return {"versions": [_v2(rq)]}


@api.get("/", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any]:
    """Show what version 2.0 has to offer."""
    singular = {name: name.removesuffix("s").replace("-policie", "-policy") for name in RESOURCES}
    return {
        "resources": [
            {
                "name": singular[name],
                "collection": name,
                "links": [{"rel": "self", "href": f"{rq.root}/network/v2.0/{name}"}],
            }
            for name in RESOURCES
        ]
    }


@api.get("/extensions", policy="get_extension", tx="")
def list_extensions(rq: Request) -> dict[str, Any]:
    """List the extensions of this cloud."""
    return {"extensions": [_extension(alias) for alias in EXTENSIONS]}


@api.get("/extensions/{alias}", policy="get_extension", tx="")
def show_extension(rq: Request) -> dict[str, Any]:
    """Show an extension."""
    alias = rq.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension with alias {alias[:100]} does not exist", kind="HTTPNotFound")
    return {"extension": _extension(alias)}


def _extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }
