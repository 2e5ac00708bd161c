"""A store in memory, which can be told to fail: for tests, and as the contract's second reading."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pileus.core.wire import FileBody
from pileus.image.drivers.base import StoreFull, Writer


class FakeStore:
    """Keeps data in a dictionary. `room` is how many bytes it takes before it is full."""

    kind = "fake"
    remote = False
    read_only = False
    weight = 0
    description = ""

    def __init__(self, room: int | None = None, name: str = "fake"):
        self.name = name
        self.room = room
        self.data: dict[str, bytes] = {}
        self.arriving: dict[str, bytearray] = {}
        self.open: set[str] = set()

    def url(self, key: str) -> str:
        return f"fake://{self.name}/{key}"

    def size(self, key: str) -> int:
        if key not in self.data:
            raise FileNotFoundError(key)
        return len(self.data[key])

    def create(self, key: str) -> Writer:
        self.arriving[key] = bytearray()
        self.open.add(key)
        return _FakeWriter(self, key)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> FileBody | Iterator[bytes]:
        if key not in self.data:
            raise FileNotFoundError(key)
        return iter([self.data[key][offset : None if length is None else offset + length]])

    def path(self, key: str) -> Path:
        if key not in self.data:
            raise FileNotFoundError(key)
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(self.data[key])
        return Path(file.name)

    def delete(self, key: str) -> None:
        self.data.pop(key, None)

    def keys(self) -> set[str]:
        return set(self.data) | set(self.arriving)

    def being_written(self, key: str) -> bool:
        return key in self.open

    def sweep(self, keys: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
        deleted = [key for key in keys if key in self.keys() and key not in self.open and not wanted(key)]
        for key in deleted:
            self.data.pop(key, None)
            self.arriving.pop(key, None)
        return deleted


class _FakeWriter:
    def __init__(self, store: FakeStore, key: str):
        self.store = store
        self.key = key

    def write(self, chunk: bytes | memoryview) -> None:
        arrived = self.store.arriving[self.key]
        used = sum(map(len, self.store.data.values())) + len(arrived)
        if self.store.room is not None and used + len(chunk) > self.store.room:
            raise StoreFull("No space left on device")
        arrived += chunk

    def finish(self) -> None:
        self.store.data[self.key] = bytes(self.store.arriving.pop(self.key))

    def discard(self) -> None:
        self.store.arriving.pop(self.key, None)
        self.store.data.pop(self.key, None)

    def close(self) -> None:
        self.store.open.discard(self.key)
