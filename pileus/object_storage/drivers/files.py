"""Objects' bytes as files: `incoming/KEY` until its row is committed, then `KE/KEY`; `leaving/KEY` marks what may go.

A writer holds an flock on its file until the database knows the outcome. A crash so leaves at most a file in `incoming`
without a lock, which is some row's or nobody's, or a mark in `leaving`, which is true or not: both folders are short, and
looked through often. Nothing is deleted while a request runs: who reads a file when its object goes reads on.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pileus.core import clock
from pileus.core.direct_files import DirectFile, sync_folder
from pileus.core.errors import Unavailable
from pileus.core.locked_files import born_locked, locked
from pileus.object_storage.errors import StoreFull

GRACE = 20.0  # seconds that a file outlives its last row; a request has opened what it reads by then
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FOLDERS = [f"{number:02x}" for number in range(256)]


class Files:
    def __init__(self, folder: Path):
        self.folder = folder
        self.incoming, self.leaving = folder / "incoming", folder / "leaving"
        for each in (self.incoming, self.leaving):
            each.mkdir(parents=True, exist_ok=True)

    def create(self) -> "Writer":
        key = clock.new_hex_id()
        return Writer(self, key, born_locked(self.incoming / key))

    def path(self, key: str) -> Path:
        """Where a row's bytes lie; whoever finds them still in `incoming` brings them to their place. Raises Unavailable."""
        if not self.is_there(key):
            raise Unavailable("The bytes of the object cannot be found.", detail=key)
        return self.folder / key[:2] / key

    def is_there(self, key: str) -> bool:
        path = self.folder / key[:2] / key
        if not path.exists():
            self.place(key)
        return path.exists()

    def place(self, key: str) -> None:
        """From `incoming` to where it stays, once a row names it. May be repeated, also by several at once."""
        (self.folder / key[:2]).mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.incoming / key, self.folder / key[:2] / key)

    def leave(self, key: str) -> None:
        """Note, before the commit that takes a row of it away, that this file may have none afterwards."""
        mark = self.leaving / key
        mark.touch()
        os.utime(mark)

    def left(self, grace: float = GRACE) -> list[str]:
        """The marks that are older than any request that could still count on the file."""
        limit = time.time() - grace
        found = []
        for entry in os.scandir(self.leaving):
            with contextlib.suppress(FileNotFoundError):
                if entry.stat().st_mtime < limit:
                    found.append(entry.name)
        return found

    def is_leaving(self, key: str) -> bool:
        return (self.leaving / key).exists()

    def settle(self, key: str, wanted: bool) -> None:
        """Act on a mark. Only under the lock of the key, so that nobody gives it a new row meanwhile."""
        if not wanted:
            (self.folder / key[:2] / key).unlink(missing_ok=True)
        (self.leaving / key).unlink(missing_ok=True)

    def abandoned(self) -> list[str]:
        """Files in `incoming` that nobody writes any more."""
        return [entry.name for entry in os.scandir(self.incoming) if not self._busy(Path(entry.path))]

    def take_back(self, key: str, wanted: Callable[[str], bool]) -> bool:
        """Bring an abandoned file to its place, or delete it when no row names it. True when it was deleted."""
        with locked(self.incoming / key) as state:
            if state != "free":
                return False
            if wanted(key):
                self.place(key)
                return False
            (self.incoming / key).unlink(missing_ok=True)
            return True

    def keys(self, folder: str) -> list[str]:
        """What lies in one of the FOLDERS."""
        try:
            return [entry.name for entry in os.scandir(self.folder / folder)]
        except FileNotFoundError:
            return []

    def all_keys(self) -> Iterator[str]:
        for folder in FOLDERS:
            yield from self.keys(folder)

    def being_written(self, key: str) -> bool:
        return self._busy(self.incoming / key) or self._busy(self.folder / key[:2] / key)

    def _busy(self, path: Path) -> bool:
        with locked(path) as state:
            return state == "busy"


class Writer:
    """One object's bytes on their way in: `write`, `finish`, then the row's transaction, then `place` and `close`."""

    def __init__(self, files: Files, key: str, file: int):
        self.key = key
        self._files = files
        self._file = DirectFile(file)

    def write(self, chunk: bytes | memoryview) -> None:
        with _said():
            self._file.write(chunk)

    def finish(self) -> None:
        with _said():
            self._file.sync()  # a row never names bytes that a power cut can still take away
            sync_folder(self._files.incoming)

    def place(self) -> None:
        self._files.place(self.key)

    def discard(self) -> None:
        (self._files.incoming / self.key).unlink(missing_ok=True)

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull("There is no room for more objects.", detail=str(error)) from error
        raise
