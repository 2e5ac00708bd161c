"""The image service (OpenStack Image API v2).

The front: what other services may use. `get_image` asks what the caller may see; `image_path` is the file to send to a host.
"""

from pathlib import Path
from typing import Any

from pileus.core.errors import Conflict
from pileus.image.data import upload
from pileus.image.images import create_image, delete_image, get_image, update_image
from pileus.image.store import ACTIVE, QUEUED, Image


def image_path(cloud: Any, image: Image) -> Path:
    """The file with an active image's bytes, in its disk_format. Raises Conflict when it has none."""
    if image.data is None or image.status != ACTIVE:
        raise Conflict(f"Image {image.id} is not active: it is {image.status}.", kind="ImageNotActive")
    try:
        path: Path = cloud.drivers["image"].path(image.data)
    except FileNotFoundError:
        raise Conflict(f"The data of image {image.id} is missing.", kind="ImageNotActive") from None
    return path


def open_data(cloud: Any, image_id: str) -> Path:
    """As `image_path`, for a saga that knows the image by its id. Raises NotFound or Conflict."""
    with cloud.db.read() as tx:
        image = tx.get(Image, id=image_id)
    return image_path(cloud, image)


__all__ = [
    "ACTIVE",
    "QUEUED",
    "Image",
    "create_image",
    "delete_image",
    "get_image",
    "image_path",
    "open_data",
    "update_image",
    "upload",
]
