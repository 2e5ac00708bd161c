"""What compute asks of the image service, all in one place."""

from typing import Any

import msgspec

from pileus import image as front
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

Image = front.Image
to_send, upload, delete_image = front.to_send, front.fill_image, front.discard_image
FORMATS = ("raw", "qcow2", "iso", "vmdk", "vdi", "vhd", "vhdx")  # what a node can boot from, some of it converted
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
    format: str
    properties: dict[str, Any]


def get_image(tx: Tx, ctx: Context, image_id: str) -> BootImage:
    """An image that its caller may boot from. Raises BadRequest."""
    try:
        return _boot(front.get_image(tx, ctx, image_id))
    except NotFound:
        raise BadRequest(f"Image {image_id} could not be found.", kind="ImageNotFound") from None


def is_stored(tx: Tx, image_id: str) -> bool:
    """Are there bytes to send of one that a request was granted before?"""
    found = tx.find(front.Image, id=image_id)
    return found is not None and found.status == front.ACTIVE


def look_up(tx: Tx, ctx: Context, image_id: str) -> front.Image:
    """As its owner and those it is shared with see it. Raises NotFound."""
    try:
        return front.get_image(tx, ctx, image_id)
    except NotFound:
        raise NotFound(f"Image {image_id[:255]} could not be found.", kind="ImageNotFound") from None


def list_seen(tx: Tx, ctx: Context) -> list[front.Image]:
    """The caller's project's and the public ones, newest first."""
    own = tx.select(front.Image, project_id=ctx.project_id)
    public = [image for image in tx.select(front.Image, visibility="public") if image.project_id != ctx.project_id]
    return sorted([*own, *public], key=lambda image: (image.created_at, image.id), reverse=True)


def set_properties(tx: Tx, image: front.Image, properties: dict[str, str]) -> None:
    front.update_image(tx, image, properties=properties)


def remove(cloud: Any, tx: Tx, image: front.Image) -> None:
    """Raises Forbidden when it is protected."""
    front.delete_image(tx, cloud.drivers["image"], image)


def exists(tx: Tx, image_id: str) -> bool:
    return tx.find(front.Image, id=image_id) is not None


def _boot(image: front.Image) -> BootImage:
    return BootImage(
        image.id, image.status, image.min_disk, image.min_ram, image.size or 0, image.virtual_size,
        image.disk_format or "",
        {
            name: value
            for name, value in image.properties.items()
            if name.startswith(PROPERTIES) and not name.startswith("img_signature")
        },
    )  # fmt: skip


# -- images made of servers --------------------------------------------------------------------------------------------


def create_image(
    tx: Tx, project_id: str, name: str, properties: dict[str, str], min_disk: int, min_ram: int, kind: str = "qcow2"
) -> str:
    """An image that waits for its bytes. Raises OverQuota, TooLarge."""
    made = front.create_image(
        tx, project_id, name=name, visibility="private", disk_format=kind, container_format="bare",
        min_disk=min_disk, min_ram=min_ram, properties=properties,
    )  # fmt: skip
    return made.id


def backups(tx: Tx, project_id: str, server_id: str, kind: str) -> list[front.Image]:
    """A server's backups of a kind, newest first."""
    found = [
        image
        for image in tx.select(front.Image, project_id=project_id)
        if image.properties.get("instance_uuid") == server_id and image.properties.get("backup_type") == kind
    ]
    return sorted(found, key=lambda image: image.created_at, reverse=True)
