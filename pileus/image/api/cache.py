"""The cache of image data (Image API, "Cache manage")."""

from typing import Any

from pileus.core import saga
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request
from pileus.image import cache
from pileus.image.api.base import api, image
from pileus.image.sagas import CACHE
from pileus.image.store import Image

TARGET = "x-image-cache-clear-target"


@api.get("/v2/cache", policy="cache_list")
def list_cache(rq: Request) -> dict[str, Any]:
    """List cached images, and those that wait for it."""
    cached = [entry._asdict() for entry in cache.entries(rq.cloud.drivers["image"])]
    return {"cached_images": cached, "queued_images": cache.queued(rq.tx)}


@api.post("/v2/cache/clean", policy="cache_clean", status=200)
def clean_cache(rq: Request) -> None:
    """Drop from the cache what is not the whole data of an image."""
    cache.clean(rq.tx, rq.cloud.drivers["image"])


@api.post("/v2/cache/prune", policy="cache_prune", status=200)
def prune_cache(rq: Request) -> dict[str, int]:
    """Drop what was not used for longest, as far as the cache is larger than it should be."""
    dropped = cache.prune(rq.cloud.drivers["image"])
    return {"total_files_pruned": len(dropped), "total_bytes_pruned": sum(entry.size for entry in dropped)}


@api.get("/v2/cache/nodes/{image_id}", policy="list_cached_nodes", on=image)
def list_cached_nodes(rq: Request, found: Image) -> list[str]:
    """List the addresses of this service where an image is cached: it has one cache."""
    cached = any(entry.image_id == found.id for entry in cache.entries(rq.cloud.drivers["image"]))
    return [rq.base] if cached else []


@api.put("/v2/cache/{image_id}", policy="cache_image", on=image, status=202)
def queue_image(rq: Request, found: Image) -> None:
    """Have an image cached."""
    if not cache.can_be_cached(found):
        raise BadRequest(f"Image {found.id} is {found.status}: only an active image can be cached.")
    if found.id not in cache.queued(rq.tx):
        saga.start(rq.tx, CACHE, f"{cache.KIND}/{found.id}", rq.ctx)


@api.delete("/v2/cache/{image_id}", policy="cache_delete")
def delete_cached_image(rq: Request) -> None:
    """Drop an image from the cache and from its queue."""
    image_id = rq.params["image_id"]
    queued = cache.cancel_queued(rq.tx, image_id)
    stores = rq.cloud.drivers["image"]
    known = any(entry.image_id == image_id for entry in cache.entries(stores))
    if not (queued or known):
        raise NotFound(f"Image {image_id[:255]} is not cached, nor does it wait for it.")
    cache.drop(stores, image_id)


@api.delete("/v2/cache", policy="cache_delete")
def clear_cache(rq: Request) -> None:
    """Empty the cache, its queue, or both."""
    target = rq.headers.get(TARGET, "").lower()
    if target not in ("", "cache", "queue"):
        raise BadRequest(f"The header {TARGET} must be 'cache' or 'queue', not {target[:50]!r}.")
    if target != "cache":
        cache.cancel_queued(rq.tx)
    if target != "queue":
        cache.clear(rq.cloud.drivers["image"])
