"""Staging and importing (Image API, "Interoperable image import"), and the records of it (Tasks)."""

from typing import Any

from pileus.core import paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request
from pileus.image import data, imports
from pileus.image.api.base import api, image
from pileus.image.api.data import announced
from pileus.image.resources import task_view
from pileus.image.store import STAGED, Image, Task


@api.put("/v2/images/{image_id}/stage", policy="upload_image", on=image, status=204, tx="", stream=True)
def stage_image(rq: Request, found: Image) -> None:
    """Stage an image's data, to be imported."""
    data.upload(rq.cloud, found, rq.upload, announced(rq), becomes=STAGED)


@api.post("/v2/images/{image_id}/import", policy="modify_image", on=image, status=202)
def import_image(rq: Request, found: Image) -> None:
    """Import an image's data."""
    method = rq.json.get("method")
    name = method.get("name") if isinstance(method, dict) else None
    if not isinstance(name, str):
        raise BadRequest("Invalid input: the body must have 'method', an object with a 'name'.")
    stores = rq.json.get("stores")
    if stores is not None and stores != [rq.cloud.drivers["image"].name]:
        raise BadRequest(f"Invalid input: 'stores' can only be {[rq.cloud.drivers['image'].name]}.")
    imports.import_image(rq.tx, rq.ctx, found, name, rq.json)


@api.get("/v2/images/{image_id}/tasks", policy="get_image", on=image)
def list_image_tasks(rq: Request, found: Image) -> dict[str, Any]:
    """List what was asked of an image."""
    return {"tasks": [task_view(row) for row in rq.tx.select(Task, order="created_at", image_id=found.id)]}


@api.get("/v2/tasks", policy="tasks_api_access")
def list_tasks(rq: Request) -> dict[str, Any]:
    """List what was asked of all images, newest first."""
    limit = rq.query.number("limit")
    found = paging.page(
        rq,
        Task,
        [],
        [paging.Sort("created_at", True)],
        limit=25 if limit is None else min(limit, 1000),
        marker=rq.query.get("marker"),
    )
    body = {"tasks": [task_view(row) for row in found.rows], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"}
    if found.more and found.rows:
        body["next"] = f"/v2/tasks?marker={found.rows[-1].id}" + (f"&limit={limit}" if limit else "")
    return body


def task(rq: Request, task_id: str) -> Task:
    found = rq.tx.find(Task, id=task_id)
    if found is None:
        raise NotFound(f"No task found with ID {task_id[:255]}")
    return found


@api.get("/v2/tasks/{task_id}", policy="tasks_api_access", on=task)
def show_task(rq: Request, found: Task) -> dict[str, Any]:
    """Show what was asked, and how it ended."""
    return task_view(found)
