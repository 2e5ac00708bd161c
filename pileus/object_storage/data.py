"""Objects' bytes: in as a stream, hashed while they pass, a row's only when whole; out as a file, or as pieces of many."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pileus.core import file_bodies, log
from pileus.core.errors import TooLarge
from pileus.core.hashes import Hashes
from pileus.core.uploads import source
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

    def write(piece: memoryview) -> None:
        nonlocal writer
        if writer is None:  # what has no bytes has no file
            writer = files.create()
        writer.write(piece)

    arriving, size = source(iter(chunks)), 0
    try:
        with Hashes(("md5",), write) as hashes:
            while count := arriving.readinto(hashes.free()):
                size += count
                if size > most:
                    raise TooLarge("Upload exceeds quota." if size <= limits.MAX_FILE else "Your request is too large.")
                hashes.filled(count)
            (md5,) = hashes.finish()
        if writer is not None:
            writer.finish()
        yield Received(writer.key if writer else None, size, md5)
        if writer is not None:
            writer.place()
    except BaseException:
        if writer is not None:
            _give_up(cloud, writer)
        raise
    finally:
        if writer is not None:
            writer.close()


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
