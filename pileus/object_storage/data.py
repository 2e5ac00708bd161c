"""Objects' bytes: in as a stream, hashed while they pass, a row's only when whole; out as a file, or as pieces of many."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Queue
from typing import Any, NamedTuple

from pileus.core import file_bodies, log
from pileus.core.errors import TooLarge
from pileus.core.wire import FileBody
from pileus.object_storage import limits, store
from pileus.object_storage.drivers.files import Files, Writer

_log = log.logger("pileus.object_storage")


class Received(NamedTuple):
    data: str | None
    size: int
    etag: str


@contextlib.contextmanager
def received(cloud: Any, chunks: Iterable[bytes], room: int | None = None) -> Iterator[Received]:
    """All bytes, on the disk. What the block commits makes them an object's; if it raises, they are gone.

    Raises TooLarge for more than `room` or than an object may have, and what `chunks` raises.
    """
    files: Files = cloud.drivers["object_storage"]
    most = limits.MAX_FILE if room is None else min(room, limits.MAX_FILE)
    writer: Writer | None = None
    size, md5 = 0, Hash()
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise TooLarge("Upload exceeds quota." if size <= limits.MAX_FILE else "Your request is too large.")
            if writer is None:
                writer = files.create()
            md5.eat(chunk)
            writer.write(chunk)
        if writer is not None:
            writer.finish()
        yield Received(writer.key if writer else None, size, md5.finish())
        if writer is not None:
            writer.place()
    except BaseException:
        if writer is not None:
            _give_up(cloud, writer)
        raise
    finally:
        md5.end()
        if writer is not None:
            writer.close()


class Hash:
    """MD5, which takes as long as the disk: of much, in a thread of its own, beside the writing."""

    ALONE, WAITING = 1 << 20, 8  # bytes that are not worth a thread; pieces that may wait for it

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._line: Queue[bytes | None] = Queue(self.WAITING)
        self._thread: threading.Thread | None = None
        self._eaten = 0

    def eat(self, chunk: bytes) -> None:
        self._eaten += len(chunk)
        if self._thread is None:
            if self._eaten <= self.ALONE:
                self._md5.update(chunk)
                return
            self._thread = threading.Thread(target=self._work, name="object-md5", daemon=True)
            self._thread.start()
        self._line.put(chunk)

    def finish(self) -> str:
        self.end()
        return self._md5.hexdigest()

    def end(self) -> None:
        """Let the thread go. May be repeated."""
        if self._thread is not None:
            self._line.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (chunk := self._line.get()) is not None:
            self._md5.update(chunk)


def _give_up(cloud: Any, writer: Writer) -> None:
    """Not only an upload that failed leads here, also one whose success could not be told."""
    with cloud.db.read() as tx:
        settled = bool(store.known(tx, [writer.key]))
    if settled:
        writer.place()
    else:
        writer.discard()


def body(files: Files, data: str | None, offset: int, length: int) -> FileBody | bytes:
    return FileBody(files.path(data), offset, length) if data and length else b""


def read(files: Files, data: str | None, offset: int, length: int) -> Iterator[bytes]:
    found = body(files, data, offset, length)
    return iter(()) if isinstance(found, bytes) else file_bodies.chunks(found)


Read = Callable[[int, int], Iterator[bytes]]  # offset, length
