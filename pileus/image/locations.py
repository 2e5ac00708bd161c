"""Locations: where an image's bytes are. Clients may add addresses on the web, and take locations away."""

import contextlib
import hashlib
from typing import Any

from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.image import tasks
from pileus.image.drivers import Stores
from pileus.image.drivers.base import StoreError
from pileus.image.store import ACTIVE, IMPORTING, QUEUED, Image, Location, Task
from pileus.image.web import check_url

MAX_LOCATIONS = 10
MAX_METADATA = 4096
ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")
_FACTS = ("checksum", "os_hash_algo", "os_hash_value")
_HEX = frozenset("0123456789abcdefABCDEF")


def promised(given: dict[str, Any]) -> dict[str, str]:
    """`os_hash_algo` and `os_hash_value` (and `checksum`), if they are there and make sense. Raises BadRequest."""
    algorithm, value, checksum = (given.get(name) for name in ("os_hash_algo", "os_hash_value", "checksum"))
    found: dict[str, str] = {}
    if (algorithm is None) != (value is None):
        raise BadRequest("Invalid input: os_hash_algo and os_hash_value need one another.")
    if algorithm is not None:
        if algorithm not in ALGORITHMS:
            raise BadRequest(f"Invalid input: os_hash_algo must be one of {', '.join(ALGORITHMS)}.")
        length = 2 * hashlib.new(algorithm, usedforsecurity=False).digest_size
        if not isinstance(value, str) or len(value) != length or not set(value) <= _HEX:
            raise BadRequest(f"Invalid input: os_hash_value must be the {length} hexadecimal digits of a {algorithm}.")
        found |= {"os_hash_algo": algorithm, "os_hash_value": value.lower()}
    if checksum is not None:
        if not isinstance(checksum, str) or len(checksum) != 32 or not set(checksum) <= _HEX:
            raise BadRequest("Invalid input: checksum must be the 32 hexadecimal digits of an md5.")
        found["checksum"] = checksum.lower()
    return found


def validation_data(given: dict[str, Any]) -> dict[str, str]:
    found = given.get("validation_data") or {}
    if not isinstance(found, dict):
        raise BadRequest("Invalid input: validation_data must be an object.")
    return promised(found)


def check_address(stores: Stores, url: Any) -> str:
    """The store that reads this address. Raises BadRequest."""
    if stores.web is None:
        raise BadRequest("Invalid location: this cloud has no store for addresses on the web.")
    check_url(url, stores.options.web)
    return stores.web


def measure(stores: Stores, url: str) -> int:
    """An outside call: never in a transaction. Raises BadRequest when nothing is there."""
    try:
        return stores[stores.web or ""].size(url)
    except (StoreError, FileNotFoundError) as error:
        raise BadRequest(f"Invalid location: {error}.") from None


def parse(stores: Stores, image: Image, given: Any) -> tuple[Location, dict[str, str]]:
    """`{"url": ..., "metadata": {...}, "validation_data": {...}}`. Raises BadRequest, Conflict for another image's hash."""
    if not isinstance(given, dict) or not isinstance(given.get("url"), str):
        raise BadRequest("Invalid location: it must be an object with a 'url' and 'metadata'.")
    said = given.get("validation_data")
    if image.locations and isinstance(said, dict):
        _agree(image, {name: value for name, value in said.items() if name in _FACTS})
    return Location(check_address(stores, given["url"]), given["url"], metadata(given)), validation_data(given)


def metadata(given: dict[str, Any]) -> dict[str, Any]:
    found = given.get("metadata") or {}
    if not isinstance(found, dict) or len(str(found)) > MAX_METADATA:
        raise BadRequest(f"Invalid location: its metadata must be an object of at most {MAX_METADATA} characters.")
    return {name: value for name, value in found.items() if name != "store"}


def url(stores: Stores, location: Location) -> str:
    try:
        return stores[location.store].url(location.key)
    except StoreError:
        return f"{location.store}://{location.key}"  # a store that was taken out of the settings


def view(stores: Stores, image: Image) -> list[dict[str, Any]]:
    return [
        {"url": url(stores, location), "metadata": {**location.metadata, "store": location.store}}
        for location in image.locations
    ]


def add_location(
    tx: Tx, image: Image, location: Location, promise: dict[str, str], size: int, position: int | None = None
) -> Image:
    """A further place; a queued image becomes active with its first. Raises Conflict, BadRequest."""
    if image.status not in (ACTIVE, QUEUED):
        raise Conflict(f"It's not allowed to add locations if image status is {image.status}.")
    if any(location.key == other.key for other in image.locations):
        raise BadRequest("Invalid location: the image has it already.")
    if len(image.locations) >= MAX_LOCATIONS:
        raise BadRequest(f"Invalid location: an image has {MAX_LOCATIONS} at most.")
    if image.locations:
        _agree(image, promise)
    if image.size is not None and image.locations and image.size != size:
        raise Conflict(f"The location has {size} bytes, the image {image.size}.")
    changed = list(image.locations)
    changed.insert(len(changed) if position is None else position, location)
    values: dict[str, Any] = {} if image.locations else {**promise, "size": size}
    tx.update(Image, image.id, status=ACTIVE, locations=changed, **values, updated_at=clock.now())
    return tx.get(Image, id=image.id)


def _agree(image: Image, said: dict[str, Any]) -> None:
    """Raises Conflict."""
    for name, value in said.items():
        known = getattr(image, name)
        if known is not None and known != value:
            raise Conflict("The location's validation_data is not that of the image.")


def replace_locations(tx: Tx, stores: Stores, image: Image, given: Any) -> Image:
    """The same places with other metadata. Raises BadRequest for other places, Conflict."""
    if image.status not in (ACTIVE, QUEUED):
        raise Conflict(f"It's not allowed to replace locations if image status is {image.status}.")
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise BadRequest("Invalid locations: they must be a list of objects.")
    if [item.get("url") for item in given] != [url(stores, location) for location in image.locations]:
        raise BadRequest("Replacing locations by others is not allowed: add and remove them one by one.")
    changed = [
        Location(location.store, location.key, metadata(item))
        for location, item in zip(image.locations, given, strict=True)
    ]
    tx.update(Image, image.id, locations=changed, updated_at=clock.now())
    return tx.get(Image, id=image.id)


def remove_location(tx: Tx, stores: Stores, image: Image, position: int) -> Image:
    """Its data goes too, once that is durable. Raises Forbidden for the last, NotFound, Conflict."""
    if image.status != ACTIVE:
        raise Conflict(f"It's not allowed to remove locations if image status is {image.status}.")
    if not 0 <= position < len(image.locations):
        raise NotFound(f"Image {image.id} has no location {position}.")
    if len(image.locations) == 1:
        raise Forbidden("The last location of an image cannot be deleted.")
    location = image.locations[position]
    rest = [other for other in image.locations if other is not location]
    tx.update(Image, image.id, locations=rest, updated_at=clock.now())
    tx.after_commit(lambda: _delete(stores, location))
    return tx.get(Image, id=image.id)


def delete_from_store(tx: Tx, stores: Stores, image: Image, store: str) -> None:
    """Raises NotFound when the image is not there, Forbidden for its last place, Conflict."""
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and cannot be deleted.")
    found = next((n for n, location in enumerate(image.locations) if location.store == store), None)
    if found is None:
        raise NotFound(f"Image {image.id} is not stored in {store[:100]}.")
    remove_location(tx, stores, image, found)


def _delete(stores: Stores, location: Location) -> None:
    with contextlib.suppress(StoreError, FileNotFoundError):  # the sweep comes by later
        stores[location.store].delete(location.key)


def register_location(
    tx: Tx, ctx: Context, image: Image, location: Location, promise: dict[str, str], size: int, told: dict[str, Any]
) -> Task:
    """Where a queued image's bytes are: it becomes active, and its bytes are hashed by a saga. Raises Conflict.

    With a promised hash it becomes active only once the bytes were seen to have it.
    """
    from pileus.image.sagas import LOCATE  # which use this module

    if image.status != QUEUED or image.locations:
        raise Conflict(f"Image {image.id} is {image.status}: only a queued image without data is given a location.")
    task = tasks.create_task(tx, ctx, "location_import", image.id, image.project_id, told)
    values: dict[str, Any] = {"status": IMPORTING}
    if "os_hash_value" not in promise:
        values = {"status": ACTIVE, "os_hash_algo": "sha512", "locations": [location]}
    tx.update(Image, image.id, size=size, **values, updated_at=clock.now())
    saga.start(
        tx, LOCATE, f"image/{image.id}", ctx, task=task.id, store=location.store, key=location.key,
        metadata=location.metadata, promise=promise,
    )  # fmt: skip
    return task
