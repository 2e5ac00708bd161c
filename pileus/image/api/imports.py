"""Staging and importing (Image API, "Interoperable image import"), and the records of it (Tasks)."""

from typing import Any

from pileus.core import paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request, Response
from pileus.image import data, imports
from pileus.image.api.base import api, image
from pileus.image.api.data import announced
from pileus.image.api.images import create
from pileus.image.resources import task_view
from pileus.image.store import STAGED, Image, Task
from pileus.image.web import check_url


@api.put("/v2/images/{image_id}/stage", policy="upload_image", on=image, status=204, tx="", stream=True)
def stage_image(rq: Request, found: Image) -> None:
    """Stage an image's data, to be imported."""
    data.upload(rq.cloud, found, rq.upload, announced(rq), becomes=STAGED)


@api.post("/v2/images/{image_id}/import", policy="get_image", on=image, status=202)
def import_image(rq: Request, found: Image) -> None:
    """Import an image's data."""
    stores = rq.cloud.drivers["image"]
    asked = imports.parse(stores, rq.json, rq.headers.get("x-image-meta-store"))
    rq.authorize("copy_image" if asked.method == imports.COPY else "modify_image", found)
    imports.import_image(rq.tx, stores, rq.ctx, found, asked)


@api.get("/v2/images/{image_id}/tasks", policy="get_image", on=image)
def list_image_tasks(rq: Request, found: Image) -> dict[str, Any]:
    """List what was asked of an image."""
    return {"tasks": [task_view(row) for row in rq.tx.select(Task, order="created_at", image_id=found.id)]}


@api.get("/v2/tasks", policy="tasks_api_access")
def list_tasks(rq: Request) -> dict[str, Any]:
    """List what was asked of all images, newest first."""
    rq.authorize("get_tasks")
    limit = rq.query.number("limit")
    where = [paging.Where(name, "eq", rq.query.get(name)) for name in ("type", "status") if name in rq.query]
    found = paging.page(
        rq,
        Task,
        where,
        [paging.Sort("created_at", True)],
        limit=25 if limit is None else min(limit, 1000),
        marker=rq.query.get("marker"),
    )
    body = {"tasks": [task_view(row) for row in found.rows], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"}
    if found.more and found.rows:
        body["next"] = f"/v2/tasks?marker={found.rows[-1].id}" + (f"&limit={limit}" if limit else "")
    return body


@api.post("/v2/tasks", policy="tasks_api_access", status=201)
def create_task(rq: Request) -> Response:
    """Make an image of what lies at an address."""
    rq.authorize("add_task")
    kind, given = rq.json.get("type"), rq.json.get("input")
    if kind != "import":
        raise BadRequest(f"Invalid input: there are no tasks of type {str(kind)[:50]!r}; there is 'import'.")
    if not isinstance(given, dict) or not isinstance(given.get("image_properties"), dict):
        raise BadRequest("Invalid input: 'input' must have import_from, import_from_format and image_properties.")
    stores = rq.cloud.drivers["image"]
    check_url(given.get("import_from"), stores.options.web)
    described = {"disk_format": given.get("import_from_format"), **given["image_properties"]}
    made = create(rq, described, rq.tx)
    data.check_formats(made)
    found = imports.import_url(rq.tx, stores, rq.ctx, made, given["import_from"], given)
    return Response(task_view(found), 201, {"location": f"{rq.base}/v2/tasks/{found.id}"})


def task(rq: Request, task_id: str) -> Task:
    found = rq.tx.find(Task, id=task_id)
    if found is None:
        raise NotFound(f"No task found with ID {task_id[:255]}")
    return found


@api.get("/v2/tasks/{task_id}", policy="tasks_api_access", on=task)
def show_task(rq: Request, found: Task) -> dict[str, Any]:
    """Show what was asked, and how it ended."""
    rq.authorize("get_task", found)
    return task_view(found)
