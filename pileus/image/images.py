"""Images: who sees them, and how they are made, changed and deleted. Their bytes are in `data.py`."""

import contextlib
from typing import Any

import msgspec

from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import Conflict, Forbidden, NotFound, TooLarge
from pileus.image import cache, limits
from pileus.image.drivers.base import StoreError
from pileus.image.store import ACTIVE, COMMUNITY, DEACTIVATED, PUBLIC, QUEUED, SAVING, SHARED, Image, Member

MAX_PROPERTIES = MAX_TAGS = 128


def is_visible(tx: Tx, ctx: Context, image: Image) -> bool:
    """To its project and administrators; to all when public or community; to those it is shared with."""
    if ctx.system or ctx.domain_id is not None:
        return False  # images belong to projects, and are seen from projects
    if "admin" in ctx.roles or image.visibility in (PUBLIC, COMMUNITY) or image.project_id is None:
        return True
    if image.project_id == ctx.project_id:
        return True
    return (
        image.visibility == SHARED
        and ctx.project_id is not None
        and tx.find(Member, image_id=image.id, member_id=ctx.project_id) is not None
    )


def get_image(tx: Tx, ctx: Context, image_id: str) -> Image:
    """An image the caller may see. Raises NotFound."""
    found = tx.find(Image, id=image_id)
    if found is None or not is_visible(tx, ctx, found):
        raise no_image(image_id)
    return found


def no_image(image_id: str) -> NotFound:
    return NotFound(f"No image found with ID {image_id[:255]}", kind="ImageNotFound")


def create_image(
    tx: Tx,
    project_id: str | None,
    *,
    id: str | None = None,
    name: str | None = None,
    visibility: str = SHARED,
    os_hidden: bool = False,
    protected: bool = False,
    container_format: str | None = None,
    disk_format: str | None = None,
    min_disk: int = 0,
    min_ram: int = 0,
    tags: list[str] | None = None,
    properties: dict[str, str] | None = None,
) -> Image:
    """An image without bytes yet: `queued`. Raises Conflict for an id in use, OverQuota, TooLarge."""
    now = clock.now()
    image = Image(
        id=id or clock.new_id(),
        project_id=project_id,
        name=name,
        status=QUEUED,
        visibility=visibility,
        os_hidden=os_hidden,
        protected=protected,
        container_format=container_format,
        disk_format=disk_format,
        min_disk=min_disk,
        min_ram=min_ram,
        size=None,
        virtual_size=None,
        checksum=None,
        os_hash_algo=None,
        os_hash_value=None,
        data=None,
        tags=list(dict.fromkeys(tags or [])),
        properties=properties or {},
        created_at=now,
        updated_at=now,
        locations=[],
        importing=None,
    )
    _check(image)
    if tx.find(Image, id=image.id):
        raise Conflict(f"Image ID {image.id} already exists!", kind="Duplicate")
    limits.check_count(tx, project_id)
    tx.insert(image)
    return image


def update_image(tx: Tx, image: Image, **changes: Any) -> Image:
    """The image with these columns changed. Raises Forbidden, TooLarge."""
    changed: Image = msgspec.structs.replace(image, **changes, updated_at=clock.now())
    for name in ("container_format", "disk_format"):
        if getattr(changed, name) != getattr(image, name) and image.status != QUEUED:
            raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    changed.tags = list(dict.fromkeys(changed.tags))
    _check(changed)
    columns = {name: getattr(changed, name) for name in {*changes, "tags", "updated_at"}}
    tx.update(Image, image.id, **columns)
    return changed


def delete_image(tx: Tx, stores: Any, image: Image) -> None:
    """Row and members now, the bytes once that is durable. Raises Forbidden when it is protected."""
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and cannot be deleted.")
    saga.cancel(tx, f"image/{image.id}")
    tx.delete(Image, id=image.id)
    # data that still arrives notices by itself that its image is gone
    tx.after_commit(lambda: _drop(stores, image))


def discard_image(cloud: Any, tx: Tx, image_id: str) -> None:
    """For who made it: gone already is fine, and what somebody protects stays."""
    image = tx.find(Image, id=image_id)
    if image is not None and not image.protected:
        delete_image(tx, cloud.drivers["image"], image)


def _drop(stores: Any, image: Image) -> None:
    """Best effort: what a store does not delete now, its next sweep does."""
    with contextlib.suppress(StoreError):
        if image.data is not None and image.status != SAVING:
            stores.staging.delete(image.data)
    with contextlib.suppress(StoreError):
        cache.drop(stores, image.id)
    for location in image.locations:
        with contextlib.suppress(StoreError, FileNotFoundError):
            stores[location.store].delete(location.key)


def deactivate_image(tx: Tx, image: Image) -> None:
    """Nobody but administrators reads its bytes until it is reactivated. Raises Forbidden."""
    _switch(tx, image, ACTIVE, DEACTIVATED, "deactivate")


def reactivate_image(tx: Tx, image: Image) -> None:
    _switch(tx, image, DEACTIVATED, ACTIVE, "reactivate")


def add_tag(tx: Tx, image: Image, tag: str) -> None:
    if tag not in image.tags:
        update_image(tx, image, tags=[*image.tags, tag])


def remove_tag(tx: Tx, image: Image, tag: str) -> None:
    """Raises NotFound."""
    if tag not in image.tags:
        raise NotFound(f"Image {image.id} has no tag {tag[:255]}.")
    update_image(tx, image, tags=[other for other in image.tags if other != tag])


def _switch(tx: Tx, image: Image, before: str, after: str, verb: str) -> None:
    if image.status not in (before, after):
        raise Forbidden(f"Not allowed to {verb} image in status '{image.status}'")
    if image.status == before:
        tx.update(Image, image.id, status=after, updated_at=clock.now())


def _check(image: Image) -> None:
    if len(image.tags) > MAX_TAGS:
        raise TooLarge(f"The limit has been exceeded on the number of allowed image tags: {MAX_TAGS}.")
    if len(image.properties) > MAX_PROPERTIES:
        raise TooLarge(f"The limit has been exceeded on the number of allowed image properties: {MAX_PROPERTIES}.")
