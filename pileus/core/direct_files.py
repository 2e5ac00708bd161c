"""Files written past the page cache, as large data should be.

That spares the processor a copy of all, the machine's other files their place in memory, and a virtual machine memory that
it would have to get from its host first (docs/adr/0009).
"""

import errno
import fcntl
import mmap
import os
from pathlib import Path

LARGE = 1 << 20  # bytes at once that are worth it


class DirectFile:
    """Written from beginning to end. Large pieces that begin with a page of memory, as those of `Hashes` do, go straight to
    the disk; others, the end, and all where the file system knows no other way, are written the usual way.
    """

    def __init__(self, file: int):
        self._file = file
        self._direct = False

    def write(self, piece: bytes | memoryview) -> None:
        view = memoryview(piece)
        if isinstance(view.obj, mmap.mmap) and len(view) >= LARGE:
            whole = len(view) - len(view) % mmap.PAGESIZE
            self._set_direct(True)
            self._put(view[:whole])
            view = view[whole:]
        if view:
            self._set_direct(False)
            self._put(view)

    def sync(self) -> None:
        """After this a power cut takes nothing of it away."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """May be repeated."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            try:
                done += os.write(self._file, view[done:])
            except OSError as error:
                if error.errno != errno.EINVAL or not self._direct:
                    raise
                self._set_direct(False)  # not here, or not from the middle of a block on

    def _set_direct(self, wanted: bool) -> None:
        if wanted == self._direct:
            return
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT)
            self._direct = wanted
        except OSError:
            self._direct = False


def sync_folder(folder: Path) -> None:
    """After this a power cut takes no name in it away."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
