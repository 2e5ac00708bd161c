"""An image's bytes (Image API, "Image data")."""

from pileus.core import partial
from pileus.core.errors import BadRequest, Forbidden, UnsupportedMediaType
from pileus.core.wire import Request, Response
from pileus.image import data
from pileus.image.api.base import api, image
from pileus.image.store import ACTIVE, DEACTIVATED, Image

BYTES = "application/octet-stream"


@api.put("/v2/images/{image_id}/file", policy="upload_image", on=image, status=204, tx="", stream=True)
def upload_image(rq: Request, found: Image) -> None:
    """Upload an image's data."""
    store = rq.headers.get("x-image-meta-store")
    data.upload(rq.cloud, found, rq.upload, announced(rq), store_name=store)


@api.get("/v2/images/{image_id}/file", policy="download_image", on=image, tx="")
def download_image(rq: Request, found: Image) -> Response:
    """Download an image's data, or a range of it."""
    preferred = _preferred(rq, found)
    if found.status == DEACTIVATED and "admin" not in rq.ctx.roles:
        raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
    if found.status not in (ACTIVE, DEACTIVATED) or not found.locations:
        return Response(None, 204)
    size, etag = found.size or 0, f'"{found.checksum or found.id}"'
    asked = partial.asked(rq, size, etag)
    if isinstance(asked, Response):
        return asked
    body = data.read(rq.cloud, found, *(asked or (0, size)), preferred=preferred)
    sums = {"content-md5": found.checksum} if found.checksum else {}
    return partial.respond(body, asked, size, {"content-type": BYTES, "etag": etag, **sums})


def _preferred(rq: Request, found: Image) -> list[str]:
    """The stores a client would rather have the data from (`?prefer=near,far`). Raises Forbidden, BadRequest."""
    names = [name.strip() for name in (rq.query.get("prefer") or "").split(",") if name.strip()]
    if names:
        rq.authorize("download_from_store", found)
    for name in names:
        if name not in rq.cloud.drivers["image"]:
            raise BadRequest(f"Invalid value for prefer: there is no store {name[:100]!r}.")
    return names


def announced(rq: Request) -> int | None:
    """How many bytes the client says it will send, if it does. Raises UnsupportedMediaType or BadRequest."""
    media = rq.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != BYTES:
        raise UnsupportedMediaType(f"An image's data is sent as {BYTES}, not as {media[:100]!r}.")
    sizes = {
        rq.headers[name]
        for name in ("content-length", "x-openstack-image-size")
        if name in rq.headers and not (name == "content-length" and "transfer-encoding" in rq.headers)
    }
    if len(sizes) > 1 or any(not (text.isascii() and text.isdigit() and len(text) <= 18) for text in sizes):
        raise BadRequest("The size of the image is not a number, or its headers contradict one another.")
    return int(sizes.pop()) if sizes else None
