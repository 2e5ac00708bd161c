"""Files that their writer holds locked: what is not locked is no longer being written, whichever process asks.

The kernel gives an flock back when a process dies, so nothing has to be cleaned up for that to be true.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[str]:
    """Try to hold the file's lock: `free` (held while in the block), `busy`, or `gone`."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield "gone"
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield "busy"
            return
        yield "free"
    finally:
        os.close(file)


def born_locked(path: Path) -> int:
    """A new file that is locked before anybody can take it for a leftover."""
    while True:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            os.ftruncate(file, 0)  # what a writer of the same key left that has died
            return file
        os.close(file)  # a sweep came between birth and lock
