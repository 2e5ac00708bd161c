"""Images as compute once had them: an older door to the image service's, closed since 2.36 (metadata since 2.39)."""

from typing import Any

from pileus.compute import images, quotas
from pileus.compute.api.base import api
from pileus.compute.images import Image
from pileus.compute.resources.servers import METADATA
from pileus.core import clock
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request

SHOW, CHANGE = "os_compute_api:images:show", "os_compute_api:images:change"
UNTIL, METADATA_UNTIL = "2.35", "2.38"
STATUS = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "uploading": "SAVING", "deactivated": "ACTIVE"}
PROGRESS = {"ACTIVE": 100, "SAVING": 25}


def image(rq: Request, image_id: str, *_: str) -> Image:
    return images.look_up(rq.tx, rq.ctx, image_id)


def _links(rq: Request, found: Image) -> list[dict[str, str]]:
    return [
        {"rel": "self", "href": f"{rq.base}/images/{found.id}"},
        {"rel": "bookmark", "href": f"{rq.root}/compute/images/{found.id}"},
        {"rel": "alternate", "type": "application/vnd.openstack.image", "href": f"{rq.root}/image/images/{found.id}"},
    ]


def _shown(rq: Request, found: Image) -> dict[str, Any]:
    status = STATUS.get(found.status, "UNKNOWN")
    body: dict[str, Any] = {
        "id": found.id, "name": found.name, "status": status, "progress": PROGRESS.get(status, 0),
        "minDisk": found.min_disk, "minRam": found.min_ram, "metadata": found.properties,
        "created": clock.seconds(found.created_at), "updated": clock.seconds(found.updated_at),
        "links": _links(rq, found), "OS-EXT-IMG-SIZE:size": found.size or 0,
    }  # fmt: skip
    if server_id := found.properties.get("instance_uuid"):
        where = [("self", f"{rq.base}/servers/{server_id}"), ("bookmark", f"{rq.root}/compute/servers/{server_id}")]
        body["server"] = {"id": server_id, "links": [{"rel": rel, "href": href} for rel, href in where]}
    return body


def _listed(rq: Request) -> list[Image]:
    query, found = rq.query, images.list_seen(rq.tx, rq.ctx)
    if name := query.get("name"):
        found = [each for each in found if each.name == name]
    if status := query.get("status"):
        found = [each for each in found if STATUS.get(each.status) == status.upper()]
    if server := query.get("server"):
        server_id = server.rstrip("/").rpartition("/")[2]
        found = [each for each in found if each.properties.get("instance_uuid") == server_id]
    if kind := query.get("type"):
        found = [each for each in found if each.properties.get("image_type", "base") == kind]
    for parameter, column in (("minDisk", "min_disk"), ("minRam", "min_ram")):
        least = query.number(parameter)
        if least is not None:
            found = [each for each in found if getattr(each, column) >= least]
    if since := query.get("changes-since"):
        try:
            moment = clock.canonical(since)
        except (ValueError, OverflowError):
            raise BadRequest(f"Invalid changes-since: {since[:100]}. It must be a time.") from None
        found = [each for each in found if each.updated_at >= moment]
    return _page(rq, found)


def _page(rq: Request, found: list[Image]) -> list[Image]:
    if marker := rq.query.get("marker"):
        ids = [each.id for each in found]
        if marker not in ids:
            raise BadRequest(f"marker [{marker[:100]}] not found")
        found = found[ids.index(marker) + 1 :]
    limit = rq.query.number("limit")
    return found[: min(1000, limit) if limit else 1000]


@api.get("/images", policy=SHOW, until=UNTIL)
def list_images(rq: Request) -> dict[str, Any]:
    """List images."""
    return {"images": [{"id": each.id, "name": each.name, "links": _links(rq, each)} for each in _listed(rq)]}


@api.get("/images/detail", policy=SHOW, until=UNTIL)
def list_images_detail(rq: Request) -> dict[str, Any]:
    """List images with all they say."""
    return {"images": [_shown(rq, each) for each in _listed(rq)]}


@api.get("/images/{image_id}", policy=SHOW, on=image, until=UNTIL)
def show_image(rq: Request, found: Image) -> dict[str, Any]:
    """Show an image."""
    return {"image": _shown(rq, found)}


@api.delete("/images/{image_id}", policy=CHANGE, on=image, until=UNTIL)
def delete_image(rq: Request, found: Image) -> None:
    """Delete an image."""
    images.remove(rq.cloud, rq.tx, found)


# -- metadata ----------------------------------------------------------------------------------------------------------


def _save(rq: Request, found: Image, metadata: dict[str, str]) -> None:
    quotas.check_metadata(rq.tx, found.project_id or "", len(metadata))
    images.set_properties(rq.tx, found, metadata)


def _only(rq: Request, name: str) -> dict[str, str]:
    if set(rq.json) != {name}:
        raise BadRequest(f"Invalid input: the body must have the one member {name!r}.")
    checked: dict[str, str] = METADATA.check(rq.json[name])
    return checked


def _key(rq: Request, found: Image) -> str:
    key = rq.params["key"]
    if key not in found.properties:
        raise NotFound(f"Metadata item was not found: {key[:255]}")
    return key


@api.get("/images/{image_id}/metadata", policy=SHOW, on=image, until=METADATA_UNTIL)
def list_image_metadata(rq: Request, found: Image) -> dict[str, Any]:
    """List an image's properties."""
    return {"metadata": found.properties}


@api.post("/images/{image_id}/metadata", policy=CHANGE, on=image, until=METADATA_UNTIL)
def create_image_metadata(rq: Request, found: Image) -> dict[str, Any]:
    """Add to an image's properties."""
    merged = {**found.properties, **_only(rq, "metadata")}
    _save(rq, found, merged)
    return {"metadata": merged}


@api.put("/images/{image_id}/metadata", policy=CHANGE, on=image, until=METADATA_UNTIL)
def replace_image_metadata(rq: Request, found: Image) -> dict[str, Any]:
    """Replace an image's properties."""
    given = _only(rq, "metadata")
    _save(rq, found, given)
    return {"metadata": given}


@api.get("/images/{image_id}/metadata/{key}", policy=SHOW, on=image, until=METADATA_UNTIL)
def show_image_metadata_item(rq: Request, found: Image) -> dict[str, Any]:
    """Show one of an image's properties."""
    key = _key(rq, found)
    return {"meta": {key: found.properties[key]}}


@api.put("/images/{image_id}/metadata/{key}", policy=CHANGE, on=image, until=METADATA_UNTIL)
def update_image_metadata_item(rq: Request, found: Image) -> dict[str, Any]:
    """Set one of an image's properties."""
    given = _only(rq, "meta")
    if list(given) != [rq.params["key"]]:
        raise BadRequest("Invalid input: meta must have the one member that the URL names.")
    _save(rq, found, {**found.properties, **given})
    return {"meta": given}


@api.delete("/images/{image_id}/metadata/{key}", policy=CHANGE, on=image, until=METADATA_UNTIL)
def delete_image_metadata_item(rq: Request, found: Image) -> None:
    """Delete one of an image's properties."""
    key = _key(rq, found)
    _save(rq, found, {name: value for name, value in found.properties.items() if name != key})
