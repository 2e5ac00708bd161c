"""Files as response bodies: what is the quickest way to send one, and its bytes in order."""

import os
from collections.abc import Iterator

from pileus.core.wire import FileBody

CHUNK = 1 << 20
AHEAD = 8 << 20  # the kernel's own reading ahead, 128 KiB, leaves a quick disk idle
_PROBES = 16


def is_whole(body: FileBody) -> bool:
    """Is it all of a file, with nothing to be done afterwards?"""
    if body.offset or body.after:
        return False
    return body.length is None or body.length == os.path.getsize(body.path)


def in_memory(body: FileBody) -> bool:
    """Does the kernel have the file's pages already? Asked here and there in it, without waiting (preadv2(2))."""
    page = bytearray(1)
    with open(body.path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            for number in range(_PROBES):
                os.preadv(file.fileno(), [page], size * number // _PROBES, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError:  # a file system that cannot say
            pass
    return True


def chunks(body: FileBody) -> Iterator[bytes]:
    """The disk reads what comes next while this piece is sent."""
    left = body.length if body.length is not None else os.path.getsize(body.path) - body.offset
    with open(body.path, "rb", buffering=0) as file:
        file.seek(body.offset)
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            os.posix_fadvise(file.fileno(), file.tell(), min(AHEAD, left), os.POSIX_FADV_WILLNEED)
            yield chunk
