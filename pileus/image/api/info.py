"""What this image service can do (Image API, "Image service info")."""

from typing import Any

from pileus.core import quota
from pileus.core.wire import Request
from pileus.image import data, images, imports
from pileus.image.api.base import api
from pileus.image.store import SAVING, STAGED, Image


@api.get("/v2/info/import", policy="get_images", tx="")
def show_import(rq: Request) -> dict[str, Any]:
    """Show the ways to import an image."""
    return {
        "import-methods": {"description": "Import methods available.", "type": "array", "value": imports.METHODS},
    }


def _stores(rq: Request) -> list[dict[str, Any]]:
    return [{"id": rq.cloud.drivers["image"].name, "description": "Files of the controller.", "default": "true"}]


@api.get("/v2/info/stores", policy="get_images", tx="")
def list_stores(rq: Request) -> dict[str, Any]:
    """List the stores for image data."""
    return {"stores": _stores(rq)}


@api.get("/v2/info/stores/detail", policy="stores_info_detail", tx="")
def show_stores(rq: Request) -> dict[str, Any]:
    """List the stores with their settings."""
    return {"stores": [{**store, "type": "file", "weight": 0, "properties": {}} for store in _stores(rq)]}


@api.get("/v2/info/usage", policy="get_images")
def show_usage(rq: Request) -> dict[str, Any]:
    """Show how much of its quotas the project uses; -1 is no limit."""
    project_id = rq.ctx.project_id or ""
    limits = quota.limits(rq.tx, "image", project_id, images.LIMITS)
    used = {
        "image_size_total": -(-data.used(rq.tx, project_id) // data.MIB),
        "image_count_total": rq.tx.count(Image, project_id=project_id),
        "image_count_uploading": rq.tx.count(Image, project_id=project_id, status=SAVING),
        "image_stage_total": -(-data.used(rq.tx, project_id, STAGED) // data.MIB),
    }
    return {
        "usage": {name: {"limit": limits.get(name, quota.UNLIMITED), "usage": usage} for name, usage in used.items()}
    }
