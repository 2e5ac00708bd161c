"""Images (Image API, "Images")."""

from collections.abc import Callable
from typing import Any

import msgspec

from pileus.core import paging
from pileus.core.errors import Forbidden
from pileus.core.wire import Request, Response
from pileus.image import images, imports, protections
from pileus.image.api import listing, patch
from pileus.image.api.base import api, image
from pileus.image.resources import IMAGE, READ_ONLY, check_property, check_settable
from pileus.image.store import ACTIVE, COMMUNITY, DEACTIVATED, PUBLIC, Image


def viewer(rq: Request) -> Callable[[Image], dict[str, Any]]:
    view = IMAGE.viewer(rq)
    store = rq.cloud.drivers["image"].name
    guard = protections.guard(rq)

    def show(row: Image) -> dict[str, Any]:
        body = view(msgspec.structs.replace(row, properties=guard.readable(row.properties)) if guard else row)
        if row.status in (ACTIVE, DEACTIVATED):
            body["stores"] = store
        return body

    return show


def _authorize_visibility(rq: Request, visibility: str | None, target: Any) -> None:
    """Raises Forbidden."""
    if visibility == PUBLIC:
        rq.authorize("publicize_image", target)
    elif visibility == COMMUNITY:
        rq.authorize("communitize_image", target)


@api.get("/v2/images", policy="get_images")
def list_images(rq: Request) -> dict[str, Any]:
    """List images: public ones, the project's own, and accepted ones of others."""
    asked = listing.parse(rq, protections.guard(rq))
    found = paging.page(
        rq, Image, asked.where, asked.sort, limit=asked.limit, marker=rq.query.get("marker"), clauses=asked.clauses
    )
    view = viewer(rq)
    body = {
        "images": [view(row) for row in found.rows],
        "first": listing.link(rq, marker=None),
        "schema": "/v2/schemas/images",
    }
    if found.more and found.rows:
        body["next"] = listing.link(rq, marker=found.rows[-1].id)
    return body


@api.post("/v2/images", policy="add_image", status=201)
def create_image(rq: Request) -> Response:
    """Create an image without data."""
    for name in rq.json:
        if name in READ_ONLY or name not in IMAGE.fields:
            check_settable(name)
    given = IMAGE.parse_create(rq, rq.json)
    properties = {name: check_property(name, value) for name, value in given.pop("extra", {}).items()}
    guard = protections.guard(rq)
    for name in properties:
        guard.check("create", name)
    project_id = given.pop("project_id", rq.ctx.project_id)
    owner = {"project_id": project_id, "owner": project_id}
    if project_id != rq.ctx.project_id and not rq.allows("add_image", owner):
        raise Forbidden(f"You are not permitted to create images owned by '{project_id}'.")
    _authorize_visibility(rq, given["visibility"], owner)
    made = images.create_image(rq.tx, project_id, properties=properties, **given)
    headers = {
        "location": f"{rq.base}/v2/images/{made.id}",
        "openstack-image-store-ids": rq.cloud.drivers["image"].name,
        "openstack-image-import-methods": ",".join(imports.METHODS),
    }
    return Response(viewer(rq)(made), 201, headers)


@api.get("/v2/images/{image_id}", policy="get_image", on=image)
def show_image(rq: Request, found: Image) -> dict[str, Any]:
    """Show an image."""
    return viewer(rq)(found)


@api.patch("/v2/images/{image_id}", policy="modify_image", on=image)
def update_image(rq: Request, found: Image) -> dict[str, Any]:
    """Change an image by a JSON patch."""
    changes = patch.apply(found, patch.parse(rq), protections.guard(rq))
    if "visibility" in changes and changes["visibility"] != found.visibility:
        _authorize_visibility(rq, changes["visibility"], found)
    if changes.get("project_id", found.project_id) != found.project_id and "admin" not in rq.ctx.roles:
        raise Forbidden("You are not permitted to change the owner of an image.")
    return viewer(rq)(images.update_image(rq.tx, found, **changes) if changes else found)


@api.delete("/v2/images/{image_id}", policy="delete_image", on=image)
def delete_image(rq: Request, found: Image) -> None:
    """Delete an image with its data."""
    images.delete_image(rq.tx, rq.cloud.drivers["image"], found)


@api.post("/v2/images/{image_id}/actions/deactivate", policy="deactivate", on=image, status=204)
def deactivate_image(rq: Request, found: Image) -> None:
    """Stop the use of an image's data."""
    images.deactivate_image(rq.tx, found)


@api.post("/v2/images/{image_id}/actions/reactivate", policy="reactivate", on=image, status=204)
def reactivate_image(rq: Request, found: Image) -> None:
    """Allow the use of an image's data again."""
    images.reactivate_image(rq.tx, found)


@api.put("/v2/images/{image_id}/tags/{tag}", policy="modify_image", on=image, status=204)
def add_tag(rq: Request, found: Image) -> None:
    """Give an image a tag."""
    images.add_tag(rq.tx, found, IMAGE.fields["tags"].check([rq.params["tag"]])[0])


@api.delete("/v2/images/{image_id}/tags/{tag}", policy="modify_image", on=image)
def remove_tag(rq: Request, found: Image) -> None:
    """Take a tag away from an image."""
    images.remove_tag(rq.tx, found, rq.params["tag"])
