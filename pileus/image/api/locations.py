"""Where images are (Image API, "Image locations" and "Stores")."""

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.wire import Request
from pileus.image import locations
from pileus.image.api.base import api, image
from pileus.image.store import Image, Location


@api.post("/v2/images/{image_id}/locations", policy="add_image_location", on=image, status=202, tx="")
def add_location(rq: Request, found: Image) -> None:
    """Say where the data of a queued image is; it is read and hashed there."""
    stores, body = rq.cloud.drivers["image"], rq.json
    url = body.get("url")
    store = locations.check_address(stores, url)
    promise = locations.validation_data(body)
    size = locations.measure(stores, str(url))
    with rq.cloud.db.write() as tx:
        row = tx.find(Image, id=found.id)
        if row is None:
            raise NotFound(f"No image found with ID {found.id}")
        location = Location(store, str(url), {})
        locations.register_location(tx, rq.ctx, row, location, promise, size, {"image_id": row.id, "loc_url": url})


@api.get("/v2/images/{image_id}/locations", policy="fetch_image_location", on=image)
def list_locations(rq: Request, found: Image) -> list[dict[str, Any]]:
    """List where an image's data is."""
    return locations.view(rq.cloud.drivers["image"], found)


def _image_in_store(rq: Request, store_id: str, image_id: str) -> Image:
    if store_id not in rq.cloud.drivers["image"]:
        raise NotFound(f"There is no store {store_id[:100]}.")
    return image(rq, image_id)


@api.delete("/v2/stores/{store_id}/{image_id}", policy="delete_image_location", on=_image_in_store)
def delete_from_store(rq: Request, found: Image) -> None:
    """Delete an image's data from one of its stores."""
    locations.delete_from_store(rq.tx, rq.cloud.drivers["image"], found, rq.params["store_id"])
