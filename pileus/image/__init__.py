"""The image service (OpenStack Image API v2).

The front: what other services may use. `get_image` asks what the caller may see; `image_path` is the file to send to a host.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pileus.core.errors import Conflict, EngineUnavailable
from pileus.core.saga import Wait
from pileus.core.signatures import BadSignature, Signed
from pileus.image import hashing
from pileus.image.data import fill as fill_image
from pileus.image.data import local_path
from pileus.image.drivers import check as check_stores
from pileus.image.drivers.base import StoreError
from pileus.image.images import create_image, delete_image, discard_image, get_image, update_image
from pileus.image.signatures import signed
from pileus.image.store import ACTIVE, QUEUED, Image
from pileus.node import protocol as p


def image_path(cloud: Any, image: Image) -> Path:
    """A file with an active image's bytes, in its disk_format; what lies elsewhere is fetched for it.

    Raises Conflict when it has none, EngineUnavailable when they cannot be had at present.
    """
    if not image.locations or image.status != ACTIVE:
        raise Conflict(f"Image {image.id} is not active: it is {image.status}.", kind="ImageNotActive")
    try:
        return local_path(cloud, image)
    except FileNotFoundError:
        raise Conflict(f"The data of image {image.id} is missing.", kind="ImageNotActive") from None
    except StoreError as error:
        raise EngineUnavailable(f"the data of image {image.id} cannot be read: {error}") from None


def open_data(cloud: Any, image_id: str) -> Path:
    """As `image_path`, for a saga that knows the image by its id. Raises NotFound or Conflict."""
    with cloud.db.read() as tx:
        image = tx.get(Image, id=image_id)
    return image_path(cloud, image)


def is_hashing(cloud: Any, image_id: str) -> bool:
    """Are its hashes still being made? They will be there soon, and nobody should use its bytes before."""
    with cloud.db.read() as tx:
        return hashing.pending(tx, tx.get(Image, id=image_id))


def signature(cloud: Any, image_id: str) -> Signed | None:
    """What a node shall check the image's bytes with. Raises Conflict where one is wanted and there is none."""
    with cloud.db.read() as tx:
        image = tx.get(Image, id=image_id)
    try:
        found = signed(cloud, image)
    except BadSignature as error:
        raise Conflict(f"Image {image_id} cannot be used: {error}.") from None
    if found is None and cloud.drivers["image"].options.signatures_required:
        raise Conflict(f"Image {image_id} is not signed, and this cloud boots signed images only.")
    return found


def to_send(cloud: Any, image_id: str) -> tuple[p.PutImage, Iterator[bytes]]:
    """What a node is sent: fetched first where it lies elsewhere, because only then everything is known of it.

    Raises Wait while its hashes are being made: the node checks what it gets.
    """
    if is_hashing(cloud, image_id):
        raise Wait(0.1)
    path = open_data(cloud, image_id)
    with cloud.db.read() as tx:
        image = tx.get(Image, id=image_id)
    args = p.PutImage(
        image_id=image.id, size=image.size or 0, sha512=image.os_hash_value or "", format=image.disk_format or "",
        algorithm=image.os_hash_algo or "sha512", signature=signature(cloud, image_id),
    )  # fmt: skip
    return args, _pieces(path)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


CHUNK = 1 << 20

__all__ = [
    "ACTIVE",
    "QUEUED",
    "Image",
    "check_stores",
    "create_image",
    "delete_image",
    "discard_image",
    "fill_image",
    "get_image",
    "image_path",
    "is_hashing",
    "open_data",
    "signature",
    "to_send",
    "update_image",
]
