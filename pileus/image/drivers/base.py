"""What a store of image data must do. Keys name data; data never changes once it is whole."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from pileus.core.wire import FileBody


class StoreFull(Exception):
    """There is no room for more data."""


class StoreError(Exception):
    """The store does not do what was asked: it cannot be reached, or refuses."""


class Writer(Protocol):
    """Data on its way in. While it is open, `Store.sweep` and `Store.being_written` know it to be alive."""

    key: str

    def write(self, chunk: bytes | memoryview) -> None:
        """Called for each piece in order, which is only lent: its bytes change later. Raises StoreFull."""

    def finish(self) -> None:
        """Called when all is written: from now on `read` finds it. Raises StoreFull."""

    def discard(self) -> None:
        """Called when the upload failed: no byte remains. May be called twice, and after `finish`."""

    def close(self) -> None:
        """Called last, once the database says what has become of it."""


class Store(Protocol):
    """A read-only one takes nothing: `create` raises StoreError, and `keys` is empty."""

    name: str  # what clients see it called
    kind: str
    remote: bool  # its data is worth a copy in the cache
    read_only: bool
    weight: int
    description: str

    def url(self, key: str) -> str:
        """Called to show where data is."""

    def size(self, key: str) -> int:
        """Called for data that came by another way than ours. Raises FileNotFoundError or StoreError."""

    def create(self, key: str) -> Writer:
        """Called before the database hears of the key. Raises StoreFull."""

    def read(self, key: str, offset: int = 0, length: int | None = None) -> FileBody | Iterator[bytes]:
        """Called for downloads. Raises FileNotFoundError."""

    def path(self, key: str) -> Path | None:
        """Called to send the data to a host: a file to read, None where there is no such file. Raises FileNotFoundError."""

    def delete(self, key: str) -> None:
        """Called after the image's row is gone; what is gone already is fine."""

    def keys(self) -> set[str]:
        """All data there is, also what is half written. Called by the reconcile task and `fsck`."""

    def being_written(self, key: str) -> bool:
        """Is a writer of this key open, in whichever process?"""

    def sweep(self, keys: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
        """Delete those that nobody writes and that are not `wanted`, which is asked last; returns what was deleted."""
