"""What this image service can do (Image API, "Image service info")."""

from typing import Any

from pileus.core.wire import Request
from pileus.image import limits
from pileus.image.api.base import api
from pileus.image.drivers import Stores
from pileus.image.options import StoreOptions


@api.get("/v2/info/import", policy="get_images", tx="")
def show_import(rq: Request) -> dict[str, Any]:
    """Show the ways to import an image."""
    methods = rq.cloud.drivers["image"].options.import_methods
    return {
        "import-methods": {"description": "Import methods available.", "type": "array", "value": methods},
    }


def _stores(rq: Request) -> list[tuple[dict[str, Any], StoreOptions]]:
    stores: Stores = rq.cloud.drivers["image"]
    found = []
    for declared in stores.declared:
        told: dict[str, Any] = {"id": declared.id, "description": declared.description}
        if declared.id == stores.default_name:
            told["default"] = "true"
        if declared.read_only:
            told["read-only"] = "true"
        found.append(({**told, "weight": declared.weight}, declared))
    return found


@api.get("/v2/info/stores", policy="get_images", tx="")
def list_stores(rq: Request) -> dict[str, Any]:
    """List the stores for image data."""
    return {"stores": [told for told, _ in _stores(rq)]}


@api.get("/v2/info/stores/detail", policy="stores_info_detail", tx="")
def show_stores(rq: Request) -> dict[str, Any]:
    """List the stores with their settings, secrets left out."""
    return {
        "stores": [
            {**told, "type": declared.__struct_config__.tag, "properties": _properties(declared)}
            for told, declared in _stores(rq)
        ]
    }


def _properties(declared: StoreOptions) -> dict[str, Any]:
    shown = ("path", "url", "bucket", "prefix", "region", "auth_url", "container", "pool")
    return {name: getattr(declared, name) for name in shown if getattr(declared, name, "")}


@api.get("/v2/info/usage", policy="get_images")
def show_usage(rq: Request) -> dict[str, Any]:
    """Show how much of its quotas the project uses; -1 is no limit."""
    project_id = rq.ctx.project_id or ""
    allowed, used = limits.limits(rq.tx, project_id), limits.usage(rq.tx, project_id).told()
    return {"usage": {name: {"limit": allowed[name], "usage": used[name]} for name in limits.NAMES}}
