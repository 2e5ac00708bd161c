"""Copies of remote image data on the controller's disk: verified when they are made, pruned by their last use.

`KEY` is the image's id, in a file store of its own: what is half there has another name, and a lock. A file's access
time is its last use, the size of `hits/KEY` how often that was, and `queue/KEY` says that an image shall be cached: all a
cache knows lies in its folder, so that two processes share one without a database, and two controllers each have their own.

A folder that does not work is no reason for a download to fail; who asks about the cache is told (StoreError).
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pileus.core import clock, log
from pileus.core.db import Tx
from pileus.core.hashes import Hashes
from pileus.image.drivers import Stores
from pileus.image.drivers.base import StoreError, StoreFull
from pileus.image.drivers.filesystem import said
from pileus.image.store import ACTIVE, DEACTIVATED, Image, Location

MIB = 1 << 20
_log = log.logger("pileus.image.cache")


class Entry(NamedTuple):
    image_id: str
    size: int
    last_accessed: float
    last_modified: float
    hits: int


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Whatever is wrong with the folder is a StoreError, also that it is gone."""
    try:
        with said("cache"):
            yield
    except FileNotFoundError as error:
        raise StoreError("the store cache: its folder is not there") from error


def entries(stores: Stores) -> list[Entry]:
    """What is cached, the least recently used first. Raises StoreError."""
    found = []
    with _told():
        for item in os.scandir(stores.cached.folder):
            if item.is_file():
                with contextlib.suppress(FileNotFoundError):
                    about = item.stat()
                    hits = _hits(stores, item.name)
                    count = hits.stat().st_size if hits.exists() else 0
                    found.append(Entry(item.name, about.st_size, about.st_atime, about.st_mtime, count))
    return sorted(found, key=lambda entry: entry.last_accessed)


def hit(stores: Stores, image: Image) -> Path | None:
    """The cached file, whose use is noted."""
    path = stores.cached.folder / image.id
    if not _is_cached(stores, image.id):
        return None
    with contextlib.suppress(OSError):
        os.utime(path, (clock.epoch(clock.now()), path.stat().st_mtime))
        hits = _hits(stores, image.id)
        hits.parent.mkdir(exist_ok=True)
        with hits.open("ab") as file:
            file.write(b".")
    return path


def _is_cached(stores: Stores, image_id: str) -> bool:
    try:
        return os.access(stores.cached.folder / image_id, os.R_OK) and (stores.cached.folder / image_id).is_file()
    except OSError:
        return False


def _hits(stores: Stores, image_id: str) -> Path:
    return stores.cached.folder / "hits" / image_id


def drop(stores: Stores, image_id: str) -> bool:
    """Whether there was something to drop. Raises StoreError."""
    with _told():
        there = (stores.cached.folder / image_id).is_file()
        stores.cached.delete(image_id)
        _hits(stores, image_id).unlink(missing_ok=True)
    return there


def clear(stores: Stores) -> None:
    for entry in entries(stores):
        drop(stores, entry.image_id)


# -- what shall be cached ----------------------------------------------------------------------------------------------


def _queue(stores: Stores) -> Path:
    return stores.cached.folder / "queue"


def queued(stores: Stores) -> list[str]:
    """Images that wait to be cached, the first to ask first. Raises StoreError."""
    with _told():
        found = []
        if _queue(stores).is_dir():
            for item in os.scandir(_queue(stores)):
                with contextlib.suppress(FileNotFoundError):
                    found.append((item.stat().st_mtime_ns, item.name))
    return [image_id for _, image_id in sorted(found)]


def enqueue(stores: Stores, image_id: str) -> None:
    """Have the image cached by the controller whose folder this is; asked twice, once. Raises StoreError, StoreFull."""
    with _told():
        _queue(stores).mkdir(exist_ok=True)
        (_queue(stores) / image_id).open("ab").close()  # whose place in the queue stays the first


def dequeue(stores: Stores, image_id: str | None = None) -> int:
    """Forget what waits: one image, or all. Raises StoreError."""
    waiting = [one for one in queued(stores) if image_id in (None, one)]
    with _told():
        for one in waiting:
            (_queue(stores) / one).unlink(missing_ok=True)
    return len(waiting)


def fetch(cloud: Any, image: Image, location: Location) -> Path:
    """The cached file, made if need be. Raises StoreError when the data is not what it should be."""
    stores: Stores = cloud.drivers["image"]
    found = hit(stores, image)
    if found is None:
        body = stores[location.store].read(location.key)
        for _ in filling(cloud, image, chunks_of(body), must=True):
            pass
        found = hit(stores, image)
    if found is None:
        raise StoreError(f"image {image.id} could not be cached")
    return found


def chunks_of(body: Any) -> Iterator[bytes]:
    """A file's bytes as pieces, or the pieces themselves."""
    if not hasattr(body, "path"):
        yield from body
        return
    with open(body.path, "rb", buffering=0) as file:
        while chunk := file.read(MIB):
            yield chunk


def filling(cloud: Any, image: Image, chunks: Iterable[bytes], must: bool = False) -> Iterator[bytes]:
    """The same bytes, kept on their way where they are what the image's hash says. `must`: raise StoreError if not."""
    stores: Stores = cloud.drivers["image"]
    try:
        writer = _writer(stores, image, must)
    except (StoreFull, StoreError) as error:
        if must:
            raise StoreError(f"the cache does not take it: {error}") from None
        _log.warning("the image cache does not work", extra={"why": str(error)})
        writer = None
    if writer is None:
        yield from chunks
        return
    try:
        yield from _kept(cloud, image, chunks, writer, must)
    except BaseException:
        _discard(writer)
        raise
    finally:
        writer.close()


def _writer(stores: Stores, image: Image, must: bool) -> Any:
    """None where what passes by is not to be kept: it is too large, or somebody else keeps it."""
    if not must and ((image.size or 0) > cloud_limit(stores) or stores.cached.being_written(image.id)):
        return None
    prune(stores, image.size or 0)
    return stores.cached.create(image.id)


def _discard(writer: Any) -> None:
    with contextlib.suppress(OSError):  # what stays is swept
        writer.discard()


def _kept(cloud: Any, image: Image, chunks: Iterable[bytes], writer: Any, must: bool) -> Iterator[bytes]:
    keeping = True

    def keep(action: Any, *arguments: Any) -> bool:
        """A cache that fails is no reason for a download to fail."""
        try:
            action(*arguments)
        except (StoreFull, StoreError) as error:
            if must:
                raise StoreError(f"the cache does not take it: {error}") from None
            return False
        return True

    with Hashes((image.os_hash_algo or "sha512", "md5")) as hashes:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            hashes.eat(chunk)
            keeping = keeping and keep(writer.write, chunk)
            yield chunk
        value, checksum = hashes.finish()
    wrong = (image.os_hash_value is not None and value != image.os_hash_value) or image.size not in (None, size)
    if wrong:
        _log.warning("remote data is not what it was", extra={"image": image.id})
        if must:
            raise StoreError(f"the data of image {image.id} is not what its hash says")
    if keeping and not wrong and keep(writer.finish):
        _learn(cloud, image, value, checksum)
    else:
        _discard(writer)


def _learn(cloud: Any, image: Image, value: str, checksum: str) -> None:
    """An image added by its address alone has no hash; what was seen first is what it shall stay."""
    if image.os_hash_value is None and image.os_hash_algo is None:
        with cloud.db.write() as tx:
            where = {"id": image.id, "os_hash_value": None}
            tx.update(Image, where, os_hash_algo="sha512", os_hash_value=value, checksum=checksum)


def cloud_limit(stores: Stores) -> int:
    return stores.options.cache_mib * MIB


def clean(tx: Tx, stores: Stores) -> list[str]:
    """Drop what is not, or no longer, the whole data of an image. Returns what was dropped. Raises StoreError."""
    wrong = []
    for entry in entries(stores):
        image = tx.find(Image, id=entry.image_id)
        if image is None or image.size not in (None, entry.size):
            wrong.append(entry.image_id)
            drop(stores, entry.image_id)
    # an upload into the cache that died left its half behind; one that goes on holds a lock
    with _told():
        arriving = stores.cached.incoming
        halves = {path.name for path in arriving.iterdir()} if arriving.is_dir() else set()
    whole = {entry.image_id for entry in entries(stores)}
    return wrong + stores.cached.sweep(halves - whole, lambda key: False)


def prune(stores: Stores, adding: int = 0) -> list[Entry]:
    """Make room by dropping what was not used for longest. Returns what was dropped. Raises StoreError."""
    found = entries(stores)
    total = sum(entry.size for entry in found)
    dropped = []
    for entry in found:
        if total + adding <= cloud_limit(stores):
            break
        drop(stores, entry.image_id)
        total -= entry.size
        dropped.append(entry)
    return dropped


def verify(path: Path, image: Image) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, image.os_hash_algo or "sha512").hexdigest() == image.os_hash_value


def can_be_cached(image: Image) -> bool:
    return image.status in (ACTIVE, DEACTIVATED) and bool(image.locations)
