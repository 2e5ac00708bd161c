"""Images (Image API, "Images")."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from pileus.core import paging
from pileus.core.db import Tx
from pileus.core.errors import Forbidden
from pileus.core.wire import Again, Request, Response
from pileus.image import hashing, images, locations, protections
from pileus.image.api import listing, patch
from pileus.image.api.base import api, image
from pileus.image.drivers import Stores
from pileus.image.resources import IMAGE, READ_ONLY, check_property, check_settable
from pileus.image.store import COMMUNITY, PUBLIC, Image, Location


def viewer(rq: Request) -> Callable[[Image], dict[str, Any]]:
    view = IMAGE.viewer(rq)
    stores: Stores = rq.cloud.drivers["image"]
    guard = protections.guard(rq)

    def show(row: Image) -> dict[str, Any]:
        body = view(msgspec.structs.replace(row, properties=guard.readable(row.properties)) if guard else row)
        if row.locations:
            body["stores"] = ",".join(stores.ordered([location.store for location in row.locations]))
        if row.importing is not None:
            body["os_glance_import_task"] = row.importing.task
            body["os_glance_importing_to_stores"] = ",".join(row.importing.to)
            body["os_glance_failed_import"] = ",".join(row.importing.failed)
        if (stores.options.locations or stores.options.direct_url) and rq.allows("get_image_location", row):
            found = locations.view(stores, row)
            if stores.options.locations:
                body["locations"] = found
            if stores.options.direct_url and found:
                body["direct_url"] = found[0]["url"]
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
    made = create(rq, rq.json, rq.tx)
    stores: Stores = rq.cloud.drivers["image"]
    headers = {
        "location": f"{rq.base}/v2/images/{made.id}",
        "openstack-image-store-ids": ",".join(stores.ordered(list(stores.writable))),
        "openstack-image-import-methods": ",".join(stores.options.import_methods),
    }
    return Response(viewer(rq)(made), 201, headers)


def create(rq: Request, described: dict[str, Any], tx: Tx) -> Image:
    """A queued image as it is described. Raises Forbidden, BadRequest, Conflict, OverQuota."""
    for name in described:
        if name in READ_ONLY or name not in IMAGE.fields:
            check_settable(name)
    given = IMAGE.parse_create(rq, described)
    properties = {name: check_property(name, value) for name, value in given.pop("extra", {}).items()}
    guard = protections.guard(rq)
    for name in properties:
        guard.check("create", name)
    project_id = given.pop("project_id", rq.ctx.project_id)
    owner = {"project_id": project_id, "owner": project_id}
    if project_id != rq.ctx.project_id and not rq.allows("add_image", owner):
        raise Forbidden(f"You are not permitted to create images owned by '{project_id}'.")
    _authorize_visibility(rq, given["visibility"], owner)
    return images.create_image(tx, project_id, properties=properties, **given)


PATIENCE = 60.0  # seconds that a client waits for hashes at the most; then it sees an image without


@api.get("/v2/images/{image_id}", policy="get_image", on=image)
def show_image(rq: Request, found: Image) -> Response:
    """Show an image, once its hashes are there: clients compare them with their own."""
    if rq.age < PATIENCE and hashing.pending(rq.tx, found):
        return Again(0.05)
    return Response(viewer(rq)(found))


@api.patch("/v2/images/{image_id}", policy="modify_image", on=image, tx="")
def update_image(rq: Request, found: Image) -> dict[str, Any]:
    """Change an image by a JSON patch."""
    asked = patch.parse(rq)
    moves = _location_changes(rq, found, [change for change in asked if change.name == patch.LOCATIONS])
    with rq.cloud.db.write() as tx:
        found = images.get_image(tx, rq.ctx, found.id)
        changes = patch.apply(
            found, [change for change in asked if change.name != patch.LOCATIONS], protections.guard(rq)
        )
        if "visibility" in changes and changes["visibility"] != found.visibility:
            _authorize_visibility(rq, changes["visibility"], found)
        if changes.get("project_id", found.project_id) != found.project_id and "admin" not in rq.ctx.roles:
            raise Forbidden("You are not permitted to change the owner of an image.")
        if changes:
            found = images.update_image(tx, found, **changes)
        for move in moves:
            found = move(tx, found)
    return viewer(rq)(found)


def _location_changes(rq: Request, found: Image, asked: list[patch.Change]) -> list[Callable[[Tx, Image], Image]]:
    """What is to be done in the transaction; what has to be asked outside is asked here, before it. Raises Forbidden."""
    stores: Stores = rq.cloud.drivers["image"]
    moves: list[Callable[[Tx, Image], Image]] = []
    for change in asked:
        if not stores.options.locations:
            raise Forbidden("It is not allowed to change the locations of an image.")
        rq.authorize("delete_image_location" if change.operation == "remove" else "set_image_location", found)
        if change.operation == "remove":
            moves.append(partial(_remove_location, stores, int(change.place)))
        elif change.operation == "replace":
            moves.append(partial(_replace_locations, stores, change.value))
        else:
            location, promise = locations.parse(stores, found, change.value)
            size = locations.measure(stores, location.key)
            position = None if change.place == "-" else int(change.place)
            moves.append(partial(_add_location, location, promise, size, position))
    return moves


def _remove_location(stores: Stores, position: int, tx: Tx, row: Image) -> Image:
    return locations.remove_location(tx, stores, row, position)


def _replace_locations(stores: Stores, given: Any, tx: Tx, row: Image) -> Image:
    return locations.replace_locations(tx, stores, row, given)


def _add_location(
    location: Location, promise: dict[str, str], size: int, position: int | None, tx: Tx, row: Image
) -> Image:
    return locations.add_location(tx, row, location, promise, size, position)


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
