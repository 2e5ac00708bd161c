"""What compute asks of the image service, all in one place."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pileus import image as front
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

FORMATS = ("raw", "qcow2", "iso")  # what a node can boot from
CHUNK = 1 << 20
# of an image's properties those that shape the servers made from it
PROPERTIES = ("hw_", "os_type", "os_distro", "os_admin_user", "img_")


class BootImage(msgspec.Struct):
    """An image as far as servers care."""

    id: str
    status: str
    min_disk: int
    min_ram: int
    size: int
    virtual_size: int | None
    sha512: str
    format: str
    properties: dict[str, Any]


def get_image(tx: Tx, ctx: Context, image_id: str) -> BootImage:
    """An image that its caller may boot from. Raises BadRequest."""
    try:
        return _boot(front.get_image(tx, ctx, image_id))
    except NotFound:
        raise BadRequest(f"Image {image_id} could not be found.", kind="ImageNotFound") from None


def stored_image(tx: Tx, image_id: str) -> BootImage:
    """One that a request was granted before. Raises NotFound when it is gone since."""
    return _boot(tx.get(front.Image, id=image_id))


def exists(tx: Tx, image_id: str) -> bool:
    return tx.find(front.Image, id=image_id) is not None


def _boot(image: front.Image) -> BootImage:
    return BootImage(
        image.id, image.status, image.min_disk, image.min_ram, image.size or 0, image.virtual_size,
        image.os_hash_value or "", image.disk_format or "",
        {name: value for name, value in image.properties.items() if name.startswith(PROPERTIES)},
    )  # fmt: skip


def read(cloud: Any, image_id: str) -> Iterator[bytes]:
    """Its bytes, a piece at a time."""
    with front.open_data(cloud, image_id).open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
