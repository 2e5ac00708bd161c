"""Image data as files: `incoming/KEY` while it arrives, `KEY` once it is whole.

A writer holds an flock on its file from its birth until the database knows the outcome. The kernel gives the lock back
when a process dies, so a file without a lock is never an upload that still runs, whichever process asks.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pileus.core.direct_files import DirectFile, sync_folder
from pileus.core.locked_files import born_locked, locked
from pileus.core.wire import FileBody
from pileus.image.drivers.base import StoreError, StoreFull, Writer

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def said(name: str) -> Iterator[None]:
    """What the file system says, in a store's words; that a file is not there, it says itself."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(os.strerror(error.errno or 0)) from error
        raise StoreError(
            f"the store {name}: {os.strerror(error.errno or 0)}"
        ) from error  # which path is not for clients


class FileStore:
    """A folder: the state folder's `images`, or any other. `check`, and each use, tells what is wrong with it."""

    kind = "file"
    remote = False

    def __init__(
        self, folder: Path, name: str = "file", weight: int = 0, description: str = "", read_only: bool = False
    ):
        self.name, self.weight, self.description, self.read_only = name, weight, description, read_only
        self.folder = folder
        self.incoming = folder / "incoming"
        if not read_only:
            with contextlib.suppress(OSError):
                self.incoming.mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Raises StoreError when the folder is not what the store needs."""
        needed = [(self.folder, os.R_OK | os.X_OK)]
        if not self.read_only:
            needed += [(folder, os.R_OK | os.W_OK | os.X_OK) for folder in (self.folder, self.incoming)]
        for folder, access in needed:
            if not folder.is_dir():
                raise StoreError(f"the store {self.name}: there is no folder {folder}, and it cannot be made")
            if not os.access(folder, access):
                verb = "written" if access & os.W_OK else "read"
                raise StoreError(f"the store {self.name}: the folder {folder} cannot be {verb}")

    def url(self, key: str) -> str:
        return (self.folder / key).absolute().as_uri()

    def size(self, key: str) -> int:
        return self.path(key).stat().st_size

    def create(self, key: str) -> Writer:
        if self.read_only:
            raise StoreError(f"{self.name} is read-only")
        path = self.incoming / key
        with said(self.name):
            try:
                return _FileWriter(self.name, key, born_locked(path), path, self.folder / key)
            except FileNotFoundError as error:
                raise StoreError(f"the store {self.name}: its folder is not there") from error

    def take(self, key: str, source: Path) -> bool:
        """Make a whole file of the same file system this key's data without a copy; False where that cannot be."""
        try:
            if source.stat().st_nlink > 1:
                return False  # it is another store's data already: two stores never share one file
            (self.folder / key).unlink(missing_ok=True)
            os.link(source, self.folder / key)
        except OSError:
            return False
        return True

    def read(self, key: str, offset: int = 0, length: int | None = None) -> FileBody | Iterator[bytes]:
        return FileBody(self.path(key), offset, length)

    def path(self, key: str) -> Path:
        path = self.folder / key
        with said(self.name):
            if not path.is_file():
                if not (self.folder if self.read_only else self.incoming).is_dir():
                    raise StoreError(f"the store {self.name}: its folder is not there")
                raise FileNotFoundError(path)
        return path

    def delete(self, key: str) -> None:
        with said(self.name):
            (self.folder / key).unlink(missing_ok=True)

    def keys(self) -> set[str]:
        if self.read_only:
            return set()
        try:
            # incoming first: a file that moves between the two looks is seen twice, never missed
            arriving = {entry.name for entry in os.scandir(self.incoming)}
            return arriving | {entry.name for entry in os.scandir(self.folder) if entry.is_file()}
        except OSError as error:
            raise StoreError(f"the store {self.name}: {os.strerror(error.errno or 0)}") from error

    def being_written(self, key: str) -> bool:
        for path in (self.incoming / key, self.folder / key):  # in this order: it may move meanwhile
            with said(self.name), locked(path) as state:
                if state == "busy":
                    return True
        return False

    def sweep(self, keys: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
        deleted = []
        for key in keys:
            for path in (self.incoming / key, self.folder / key):
                with said(self.name), locked(path) as state:
                    # asked under the lock: whoever had it before has told the database how it ended
                    if state == "free" and not wanted(key):
                        path.unlink(missing_ok=True)
                        deleted.append(key)
        return deleted


class _FileWriter:
    def __init__(self, store: str, key: str, file: int, arriving: Path, final: Path):
        self.key = key
        self._store = store
        self._file = DirectFile(file)
        self._arriving = arriving
        self._final = final

    def write(self, chunk: bytes | memoryview) -> None:
        with said(self._store):
            self._file.write(chunk)

    def finish(self) -> None:
        with said(self._store):
            self._file.sync()  # a row never names data that a power cut can still take away
            os.rename(self._arriving, self._final)
            sync_folder(self._final.parent)

    def discard(self) -> None:
        self._arriving.unlink(missing_ok=True)
        self._final.unlink(missing_ok=True)

    def close(self) -> None:
        self._file.close()
