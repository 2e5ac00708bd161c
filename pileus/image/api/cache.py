"""The cache of image data (Image API, "Cache manage")."""

from collections.abc import Callable
from typing import Any, TypeVar

from pileus.core.errors import BadRequest, NotFound, Unavailable
from pileus.core.wire import Request
from pileus.image import cache
from pileus.image.api.base import api, image
from pileus.image.drivers.base import StoreError, StoreFull
from pileus.image.store import Image

TARGET = "x-image-cache-clear-target"
Answer = TypeVar("Answer")


def _told(action: Callable[..., Answer], *arguments: Any) -> Answer:
    """Raises Unavailable for a cache whose folder does not work: downloads go on without it, its keeper wants to know."""
    try:
        return action(*arguments)
    except (StoreError, StoreFull) as error:
        raise Unavailable(f"The image cache does not work: {error}.", detail=repr(error.__cause__)) from None


@api.get("/v2/cache", policy="cache_list")
def list_cache(rq: Request) -> dict[str, Any]:
    """List cached images, and those that wait for it."""
    stores = rq.cloud.drivers["image"]
    waiting = _told(cache.queued, stores)  # first: what is cached meanwhile is seen twice, never missed
    cached = [entry._asdict() for entry in _told(cache.entries, stores)]
    return {"cached_images": cached, "queued_images": waiting}


@api.post("/v2/cache/clean", policy="cache_clean", status=200)
def clean_cache(rq: Request) -> None:
    """Drop from the cache what is not the whole data of an image."""
    _told(cache.clean, rq.tx, rq.cloud.drivers["image"])


@api.post("/v2/cache/prune", policy="cache_prune", status=200)
def prune_cache(rq: Request) -> dict[str, int]:
    """Drop what was not used for longest, as far as the cache is larger than it should be."""
    dropped = _told(cache.prune, rq.cloud.drivers["image"])
    return {"total_files_pruned": len(dropped), "total_bytes_pruned": sum(entry.size for entry in dropped)}


@api.get("/v2/cache/nodes/{image_id}", policy="list_cached_nodes", on=image)
def list_cached_nodes(rq: Request, found: Image) -> list[str]:
    """List the addresses of this service where an image is cached: it knows of its own cache."""
    cached = any(entry.image_id == found.id for entry in _told(cache.entries, rq.cloud.drivers["image"]))
    return [rq.base] if cached else []


@api.put("/v2/cache/{image_id}", policy="cache_image", on=image, status=202)
def queue_image(rq: Request, found: Image) -> None:
    """Have an image cached."""
    if not cache.can_be_cached(found):
        raise BadRequest(f"Image {found.id} is {found.status}: only an active image can be cached.")
    _told(cache.enqueue, rq.cloud.drivers["image"], found.id)
    rq.cloud.tasks.wake("image-cache")  # in another process it looks by itself


@api.delete("/v2/cache/{image_id}", policy="cache_delete")
def delete_cached_image(rq: Request) -> None:
    """Drop an image from the cache and from its queue."""
    image_id = rq.params["image_id"]
    stores = rq.cloud.drivers["image"]
    queued = _told(cache.dequeue, stores, image_id)
    known = any(entry.image_id == image_id for entry in _told(cache.entries, stores))
    if not (queued or known):
        raise NotFound(f"Image {image_id[:255]} is not cached, nor does it wait for it.")
    _told(cache.drop, stores, image_id)


@api.delete("/v2/cache", policy="cache_delete")
def clear_cache(rq: Request) -> None:
    """Empty the cache, its queue, or both."""
    target = rq.headers.get(TARGET, "").lower()
    if target not in ("", "cache", "queue"):
        raise BadRequest(f"The header {TARGET} must be 'cache' or 'queue', not {target[:50]!r}.")
    if target != "cache":
        _told(cache.dequeue, rq.cloud.drivers["image"])
    if target != "queue":
        _told(cache.clear, rq.cloud.drivers["image"])
