"""What stores behind a network have in common: they know no locks, so a marker file here says who writes what.

A marker holds the writer's flock as a file of a file store does: when the process dies, the kernel gives it back.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pileus.core.locked_files import born_locked, locked
from pileus.image.drivers.base import Writer
from pileus.image.options import StoreOptions


class RemoteStore:
    """A driver says how data is begun, found, read and deleted."""

    kind = "remote"
    remote = True

    def __init__(self, options: StoreOptions, markers: Path):
        self.name, self.weight, self.description = options.id, options.weight, options.description
        self.read_only = options.read_only
        self.markers = markers
        if not self.read_only:
            markers.mkdir(parents=True, exist_ok=True)

    # -- what a driver says ----------------------------------------------------------------------------------------

    def url(self, key: str) -> str:
        raise NotImplementedError

    def size(self, key: str) -> int:
        raise NotImplementedError

    def read(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        raise NotImplementedError

    def begin(self, key: str) -> "Parts":
        raise NotImplementedError

    def remove(self, key: str) -> None:
        raise NotImplementedError

    def stored(self) -> set[str]:
        raise NotImplementedError

    # -- what follows from it --------------------------------------------------------------------------------------

    def path(self, key: str) -> Path | None:
        return None

    def create(self, key: str) -> Writer:
        marker = born_locked(self.markers / key)
        try:
            return _RemoteWriter(self, key, marker, self.begin(key))
        except BaseException:
            os.close(marker)
            raise

    def delete(self, key: str) -> None:
        self.remove(key)
        self.forget(key)

    def forget(self, key: str) -> None:
        (self.markers / key).unlink(missing_ok=True)

    def keys(self) -> set[str]:
        # markers first: data that becomes whole between the two looks is seen twice, never missed
        arriving = {entry.name for entry in os.scandir(self.markers)}
        return arriving | self.stored()

    def being_written(self, key: str) -> bool:
        with locked(self.markers / key) as state:
            return state == "busy"

    def sweep(self, keys: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
        deleted = []
        for key in keys:
            with locked(self.markers / key) as state:
                if state != "busy" and not wanted(key):
                    self.delete(key)
                    deleted.append(key)
        return deleted


class Parts:
    """Data on its way to a remote store."""

    def write(self, chunk: bytes | memoryview) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


class _RemoteWriter:
    def __init__(self, store: RemoteStore, key: str, marker: int, parts: Parts):
        self.key = key
        self._store = store
        self._marker = marker
        self._parts = parts
        self._whole = False

    def write(self, chunk: bytes | memoryview) -> None:
        self._parts.write(chunk)

    def finish(self) -> None:
        self._parts.finish()
        self._whole = True

    def discard(self) -> None:
        with contextlib.suppress(Exception):  # what stays is found by the next sweep
            if not self._whole:
                self._parts.abort()
            self._store.remove(self.key)

    def close(self) -> None:
        if self._marker >= 0:
            self._store.forget(self.key)  # still under the lock
            os.close(self._marker)
            self._marker = -1
