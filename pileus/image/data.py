"""An image's bytes: in as a stream, checked and hashed while they pass; out in whole or in part."""

import hashlib
import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any, NamedTuple

import sqlalchemy as sa

from pileus.core import clock, quota
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Conflict, Gone, TooLarge
from pileus.core.tables import columns
from pileus.image import formats
from pileus.image.drivers.base import Store, StoreFull, Writer
from pileus.image.images import LIMITS
from pileus.image.store import ACTIVE, QUEUED, SAVING, Image

MIB = 1 << 20
MAX_SIZE = 1 << 50  # a PiB: more than any disk a guest gets

_columns = columns(Image)
_USED = sql(
    sa.select(sa.func.coalesce(sa.func.sum(_columns.size), 0)).where(
        _columns.project_id == sa.bindparam("project_id", type_=sa.Text()),
        sa.bindparam("status", type_=sa.Text()).in_([sa.literal_column("''"), _columns.status]),
    )
)


class Written(NamedTuple):
    size: int
    virtual_size: int | None
    checksum: str
    sha512: str


def upload(cloud: Any, image: Image, chunks: Iterator[bytes], size: int | None = None, becomes: str = ACTIVE) -> None:
    """Take an image from `queued` to `active`. However it fails, the image is `queued` again and no byte stays.

    It `becomes` STAGED instead where an import is to follow.

    Raises BadRequest, Conflict when it is not queued, UnsupportedMediaType, TooLarge, Gone when it was deleted meanwhile,
    and what `chunks` raises.
    """
    store: Store = cloud.drivers["image"]
    key = f"{image.id}.{clock.new_hex_id()[:8]}"
    writer = _full_is_too_large(store.create, key)
    try:
        # the key is in the row before the first byte arrives, so that no byte is ever nobody's
        with cloud.db.write() as tx:
            room = _begin(tx, image.id, key, size)
        written = _take(writer, chunks, image, room, cloud.settings.image_content_check)
        if size is not None and written.size != size:
            raise BadRequest(f"The image was said to have {size} bytes, but {written.size} came.")
        _full_is_too_large(writer.finish)
        with cloud.db.write() as tx:
            _settle(tx, image, key, written, becomes)
    except BaseException:
        with cloud.db.write() as tx:
            # not only an upload that failed leads here, also one whose success could not be told
            row = tx.find(Image, data=key)
            settled = row is not None and row.status != SAVING
            if not settled:
                give_back(tx, image.id, key)
        if not settled:
            writer.discard()
        raise
    finally:
        writer.close()


def give_back(tx: Tx, image_id: str, key: str) -> int:
    """End an upload that failed: the image waits for the next one. Returns how many rows that was true of."""
    where = {"id": image_id, "status": SAVING, "data": key}
    return tx.update(Image, where, status=QUEUED, data=None, size=None, updated_at=clock.now())


def _begin(tx: Tx, image_id: str, key: str, size: int | None) -> int:
    """Claim the image; returns how many bytes it may have."""
    image = tx.find(Image, id=image_id)
    if image is None:
        raise Gone(f"Image {image_id} was deleted.")
    if image.status != QUEUED:
        raise Conflict(f"Image status transition from {image.status} to saving is not allowed")
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        raise BadRequest(f"Properties {', '.join(missing)} must be set prior to saving data.")
    room = _room(tx, image.project_id)
    if room <= 0 or (size is not None and size > room):
        raise _too_large()
    tx.update(Image, image_id, status=SAVING, data=key, size=size, updated_at=clock.now())
    return room


def _room(tx: Tx, project_id: str | None) -> int:
    """How many bytes a project may still store; below zero when it has too many."""
    if project_id is None:
        return MAX_SIZE
    quota.hold(tx, "image", project_id)
    allowed = quota.limit(tx, "image", project_id, "image_size_total", LIMITS["image_size_total"])
    if allowed == quota.UNLIMITED:
        return MAX_SIZE
    return min(allowed * MIB - used(tx, project_id), MAX_SIZE)


def used(tx: Tx, project_id: str, status: str = "") -> int:
    """The bytes of a project's images (of one status), those on their way in too as far as it is known."""
    return int(tx.scalar(_USED, project_id=project_id, status=status))


def _too_large() -> TooLarge:
    return TooLarge("The image is larger than what its project may still store (image_size_total).", kind="OverQuota")


def _settle(tx: Tx, image: Image, key: str, written: Written, becomes: str) -> None:
    changed = tx.update(
        Image,
        {"id": image.id, "status": SAVING, "data": key},
        status=becomes,
        size=written.size,
        virtual_size=written.virtual_size,
        checksum=written.checksum,
        os_hash_algo="sha512",
        os_hash_value=written.sha512,
        updated_at=clock.now(),
    )
    if not changed:
        raise Gone(f"Image {image.id} was deleted while its data arrived.")
    if _room(tx, image.project_id) < 0:  # several at once, none of which said how much would come
        raise _too_large()


def _take(writer: Writer, chunks: Iterator[bytes], image: Image, room: int, checking: bool) -> Written:
    inspector = formats.inspector(image.disk_format, image.container_format, checking)
    size = 0
    with _Digest("md5") as md5, _Digest("sha512") as sha512:
        for chunk in chunks:
            size += len(chunk)
            if size > room:
                raise _too_large()
            md5.eat(chunk)
            sha512.eat(chunk)
            _full_is_too_large(writer.write, chunk)
            inspector.eat(chunk)
        return Written(size, inspector.finish(), md5.finish(), sha512.finish())


class _Digest:
    """A hash in a thread of its own: the two of them are most of an upload's work, and let go of the GIL."""

    def __init__(self, name: str):
        self._hash = hashlib.new(name, usedforsecurity=False)
        self._name = name
        self._chunks: Queue[bytes] = Queue(maxsize=4)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "_Digest":
        return self

    def __exit__(self, *_: Any) -> None:
        self._join()

    def eat(self, chunk: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"digest-{self._name}", daemon=True)
            self._thread.start()
        self._chunks.put(chunk)

    def finish(self) -> str:
        self._join()
        return self._hash.hexdigest()

    def _join(self) -> None:
        if self._thread is not None:
            self._chunks.put(b"")
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while chunk := self._chunks.get():
            self._hash.update(chunk)


def _full_is_too_large(action: Any, *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except StoreFull as error:
        raise TooLarge(f"The store for images is full: {error}.", detail=str(error)) from None
