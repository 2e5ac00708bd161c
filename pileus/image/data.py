"""An image's bytes: in as a stream, checked and hashed while they pass; out in whole or in part."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pileus.core import clock, log
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Gone, NotFound, TooLarge, Unavailable
from pileus.core.wire import FileBody
from pileus.image import cache, hashing, limits, signatures
from pileus.image.drivers import Stores
from pileus.image.drivers.base import Store, StoreError, StoreFull, Writer
from pileus.image.intake import Written, take
from pileus.image.store import ACTIVE, QUEUED, SAVING, STAGED, Image, Location

_log = log.logger("pileus.image")


def new_key(image_id: str) -> str:
    """A key begins with its image's id: whoever finds data knows whose it is."""
    return f"{image_id}.{clock.new_hex_id()[:8]}"


def owner(key: str) -> str:
    """The image whose data has this key."""
    return key.partition(".")[0]


def writable_store(stores: Stores, name: str | None) -> Store:
    """The store a client names for new data, or the default one. Raises BadRequest, Unavailable."""
    if name is not None and name not in stores.writable:
        raise BadRequest(f"There is no store {name[:100]!r} to write to; there is {', '.join(stores.writable)}.")
    found: Store = storing(stores.__getitem__, name or stores.default_name)
    return found


def upload(
    cloud: Any, image: Image, chunks: Iterator[bytes], size: int | None = None, becomes: str = ACTIVE,
    store_name: str | None = None,
) -> None:  # fmt: skip
    """Take an image from `queued` to `active`. However it fails, the image is `queued` again and no byte stays.

    It `becomes` STAGED instead where an import is to follow.

    Raises BadRequest, Conflict when it is not queued, UnsupportedMediaType, TooLarge, Gone when it was deleted meanwhile,
    Unavailable for a store that does not work, and what `chunks` raises.
    """
    stores: Stores = cloud.drivers["image"]
    store = stores.staging if becomes == STAGED else writable_store(stores, store_name)
    key = new_key(image.id)
    sinks = signatures.verifiers(cloud, image) if becomes == ACTIVE else []
    writer = storing(store.create, key)
    try:
        # the key is in the row before the first byte arrives, so that no byte is ever nobody's
        with cloud.db.write() as tx:
            room = _begin(tx, image.id, key, size, becomes == STAGED)
        # what a file of ours has can be read again: its hashes may come after it
        may_lag = becomes == ACTIVE and not sinks and not store.remote
        written = receive(writer, chunks, image, room, cloud.settings.image_content_check, sinks, may_lag)
        if size is not None and written.size != size:
            raise BadRequest(f"The image was said to have {size} bytes, but {written.size} came.")
        storing(writer.finish)
        with cloud.db.write() as tx:
            _settle(tx, image, key, written, becomes, store.name)
            if written.sha512 is None:
                hashing.start(tx, image.id, store.name, key)
    except BaseException:
        with cloud.db.write() as tx:
            # not only an upload that failed leads here, also one whose success could not be told
            row = tx.find(Image, id=image.id)
            settled = row is not None and row.status != SAVING and key in (row.data, *_keys(row))
            if not settled:
                give_back(tx, image.id, key)
        if not settled:
            writer.discard()
        raise
    finally:
        writer.close()


def _keys(image: Image) -> list[str]:
    return [location.key for location in image.locations]


def receive(
    writer: Writer, chunks: Iterable[bytes], image: Image, room: int, checking: bool, sinks: Iterable[Any] = (),
    may_lag: bool = False,
) -> Written:  # fmt: skip
    """Into a store, within what the project may still have. Raises TooLarge, UnsupportedMediaType, Unavailable."""

    def check_room(size: int) -> None:
        if size > room:
            raise limits.too_large(size)

    return take(
        chunks,
        lambda chunk: storing(writer.write, chunk),
        disk_format=image.disk_format,
        container_format=image.container_format,
        checking=checking,
        room=check_room,
        sinks=sinks,
        may_lag=may_lag,
    )


def fill(cloud: Any, image_id: str, chunks: Iterator[bytes], size: int | None = None) -> bool:
    """Give an image its bytes, unless it has them. False while an upload that died is not given up yet.

    Raises Gone when somebody deleted it meanwhile, and what `upload` raises.
    """
    with cloud.db.read() as tx:
        image = tx.find(Image, id=image_id)
    if image is None:
        raise Gone(f"Image {image_id} was deleted while it was made.")
    if image.status == ACTIVE:
        return True
    if image.status != QUEUED:
        return False
    upload(cloud, image, chunks, size)
    return True


def give_back(tx: Tx, image_id: str, key: str) -> int:
    """End an upload that failed: the image waits for the next one. Returns how many rows that was true of."""
    where = {"id": image_id, "status": SAVING, "data": key}
    return tx.update(Image, where, status=QUEUED, data=None, size=None, updated_at=clock.now())


def _begin(tx: Tx, image_id: str, key: str, size: int | None, staging: bool) -> int:
    """Claim the image; returns how many bytes it may have."""
    image = tx.find(Image, id=image_id)
    if image is None:
        raise Gone(f"Image {image_id} was deleted.")
    if image.status != QUEUED:
        raise Conflict(f"Image status transition from {image.status} to saving is not allowed")
    check_formats(image)
    room = limits.room(tx, image, staging, size)
    limits.check_uploading(tx, image)
    tx.update(Image, image_id, status=SAVING, data=key, size=size, updated_at=clock.now())
    return room


def check_formats(image: Image) -> None:
    """Raises BadRequest."""
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        raise BadRequest(f"Properties {', '.join(missing)} must be set prior to saving data.")


def facts(written: Written) -> dict[str, Any]:
    """The columns that bytes decide."""
    return {
        "size": written.size,
        "virtual_size": written.virtual_size,
        "checksum": written.checksum,
        "os_hash_algo": hashing.ALGORITHM,
        "os_hash_value": written.sha512,
    }


def _settle(tx: Tx, image: Image, key: str, written: Written, becomes: str, store: str) -> None:
    where: dict[str, Any] = {"data": key, "locations": []}
    if becomes == ACTIVE:
        where = {"data": None, "locations": [Location(store, key)]}
    changed = tx.update(
        Image,
        {"id": image.id, "status": SAVING, "data": key},
        status=becomes,
        **facts(written),
        **where,
        updated_at=clock.now(),
    )
    if not changed:
        raise Gone(f"Image {image.id} was deleted while its data arrived.")
    limits.room(tx, image, becomes == STAGED)  # several at once, none of which said how much would come


def storing(action: Any, *arguments: Any) -> Any:
    """What a store says, in words for a client."""
    try:
        return action(*arguments)
    except StoreFull as error:
        raise TooLarge(f"The store for images is full: {error}.", detail=str(error)) from None
    except StoreError as error:
        raise Unavailable(
            f"The store for images does not work: {error}.", detail=f"{error} ({error.__cause__!r})"
        ) from None


# -- out ---------------------------------------------------------------------------------------------------------------


def read(
    cloud: Any, image: Image, offset: int = 0, length: int | None = None, preferred: Sequence[str] = ()
) -> FileBody | Iterator[bytes]:
    """The bytes from the best place there is: a file of ours, the cache, the `preferred` store or else the heaviest that
    answers.

    A whole read of remote data fills the cache on its way. Raises NotFound, Unavailable.
    """
    stores: Stores = cloud.drivers["image"]
    unreachable: list[str] = []
    for location in in_order(stores, image, preferred):
        try:
            store = stores[location.store]
            if not store.remote:
                return store.read(location.key, offset, length)
            if (found := cache.hit(stores, image)) is not None:
                return FileBody(found, offset, length)
            body = store.read(location.key, offset, length)
            if not isinstance(body, FileBody) and offset == 0 and length in (None, image.size):
                return cache.filling(cloud, image, body)
            return body
        except FileNotFoundError:
            _log.warning("image data is missing", extra={"image": image.id, "store": location.store})
        except StoreError as error:
            unreachable.append(f"{location.store}: {error}")
    if unreachable:
        raise Unavailable(f"The data of image {image.id} cannot be read at present.", detail="; ".join(unreachable))
    raise NotFound(f"The data of image {image.id} is missing in the store.")


def local_path(cloud: Any, image: Image) -> Path:
    """A whole file with the bytes; remote data is fetched into the cache for it. Raises FileNotFoundError, StoreError."""
    stores: Stores = cloud.drivers["image"]
    problem: Exception = FileNotFoundError(f"image {image.id} has no data")
    for location in in_order(stores, image):
        try:
            found = stores[location.store].path(location.key)
            return found if found is not None else cache.fetch(cloud, image, location)
        except (StoreError, FileNotFoundError) as error:
            problem = error
    raise problem


def in_order(stores: Stores, image: Image, preferred: Sequence[str] = ()) -> list[Location]:
    """The `preferred` stores' in that order, then the heaviest store's first; of one weight, as they were added."""
    wish = {name: place for place, name in reversed(list(enumerate(preferred)))}
    return sorted(
        image.locations,
        key=lambda location: (wish.get(location.store, len(preferred)), -stores.weight(location.store)),
    )
