"""What block storage asks of the image service, all in one place."""

import json
import uuid
from typing import Any

from pileus import image as front
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.fields import Strings

Image = front.Image
upload, delete_image = front.fill_image, front.discard_image
GIB = 1 << 30
# what of an image's own fields goes with the volume made from it
FACTS = ("checksum", "container_format", "disk_format", "min_disk", "min_ram", "size")
FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso")


def find_image(tx: Tx, ctx: Context, reference: str) -> Image:
    """By id, by address or by name, as its caller sees it. Raises BadRequest, Conflict when a name is several images'."""
    wanted = reference.rpartition("/")[2]
    try:
        uuid.UUID(wanted)
        return front.get_image(tx, ctx, wanted)
    except (ValueError, NotFound):
        pass
    found = []
    for image in tx.select(front.Image, name=reference):
        try:
            found.append(front.get_image(tx, ctx, image.id))
        except NotFound:
            continue
    if len(found) > 1:
        raise Conflict(f"Multiple matches found for {reference[:255]!r}, use an ID to be more specific.")
    if not found:
        raise BadRequest("Invalid image identifier or unable to access requested image.")
    return found[0]


def check_fits(image: Image, size: int) -> None:
    """Raises BadRequest for an image that a volume of this size cannot be made from."""
    if image.status != front.ACTIVE:
        raise BadRequest(f"Invalid image: image {image.id} is not active, it is {image.status}.")
    if image.disk_format not in FORMATS:
        raise BadRequest(f"Invalid image: no volume can be made of format {image.disk_format}.")
    bytes_ = max(image.size or 0, image.virtual_size or 0)
    if -(-bytes_ // GIB) > size:
        raise BadRequest(
            f"Invalid input: size of the image ({-(-bytes_ // GIB)}GB) is larger than the volume size {size}GB."
        )
    if (image.min_disk or 0) > size:
        raise BadRequest(
            f"Invalid input: volume size {size}GB cannot be smaller than the image minDisk {image.min_disk}GB."
        )


def metadata_of(image: Image) -> dict[str, str]:
    """What a volume remembers of the image it was made from."""
    facts = {name: str(value) for name in FACTS if (value := getattr(image, name)) is not None}
    properties = {
        name: value if isinstance(value, str) else str(value)
        for name, value in image.properties.items()
        if not name.startswith("img_signature")
    }
    return {"signature_verified": "False", **properties, **facts, "image_id": image.id, "image_name": image.name or ""}


def volume_type_of(image: Image) -> str | None:
    """The type that the image's owner wants its volumes to have."""
    found = image.properties.get("cinder_img_volume_type")
    return found if isinstance(found, str) and found else None


def snapshot_of(image: Image) -> str | None:
    """The snapshot that stands for an image without bytes: that of a server which boots from a volume."""
    mapping = image.properties.get("block_device_mapping")
    if isinstance(mapping, str):
        try:
            mapping = json.loads(mapping)
        except ValueError:
            return None
    for device in mapping if isinstance(mapping, list) else []:
        if isinstance(device, dict) and device.get("source_type") == "snapshot" and device.get("boot_index") == 0:
            snapshot_id = device.get("snapshot_id")
            return snapshot_id if isinstance(snapshot_id, str) else None
    return None


def properties(name: str, **options: Any) -> Strings:
    """A field of an image's properties: their values may be long."""
    return Strings(name, max=65535, key=r"[a-zA-Z0-9\-_:. /]+", **options)


# -- images made of volumes --------------------------------------------------------------------------------------------


def create_image(tx: Tx, project_id: str, **values: Any) -> Image:
    """An image that waits for its bytes. Raises OverQuota, TooLarge, BadRequest."""
    return front.create_image(tx, project_id, **values)
