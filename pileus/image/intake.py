"""What every byte of an image passes on its way in: counted, hashed, its format looked at, its signature checked."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from queue import Queue
from typing import Any, NamedTuple, Protocol

from pileus.image import formats


class Written(NamedTuple):
    """What is known of bytes once all have passed."""

    size: int
    virtual_size: int | None
    checksum: str
    sha512: str


class Sink(Protocol):
    """Somebody else who wants to see all bytes: a signature's verifier, a hash that was promised."""

    def eat(self, chunk: bytes) -> None: ...

    def finish(self) -> None:
        """Raises when what has passed is not what it should be."""


def take(
    chunks: Iterable[bytes],
    write: Callable[[bytes], Any],
    *,
    disk_format: str | None,
    container_format: str | None,
    checking: bool,
    room: Callable[[int], None] = lambda size: None,
    sinks: Iterable[Sink] = (),
) -> Written:
    """Let all pass. `room` is asked before each piece, with the size so far. Raises what any of them raises."""
    inspector = formats.inspector(disk_format, container_format, checking)
    sinks = list(sinks)
    size = 0
    with Digest("md5") as md5, Digest("sha512") as sha512:
        for chunk in chunks:
            size += len(chunk)
            room(size)
            md5.eat(chunk)
            sha512.eat(chunk)
            write(chunk)
            inspector.eat(chunk)
            for sink in sinks:
                sink.eat(chunk)
        virtual_size = inspector.finish()
        for sink in sinks:
            sink.finish()
        return Written(size, virtual_size, md5.finish(), sha512.finish())


class Digest:
    """A hash in a thread of its own: the two of them are most of an upload's work, and let go of the GIL."""

    def __init__(self, name: str):
        self._hash = hashlib.new(name, usedforsecurity=False)
        self._name = name
        self._chunks: Queue[bytes] = Queue(maxsize=4)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Digest":
        return self

    def __exit__(self, *_: Any) -> None:
        self._join()

    def eat(self, chunk: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"digest-{self._name}", daemon=True)
            self._thread.start()
        self._chunks.put(chunk)

    def finish(self) -> str:
        self._join()
        return self._hash.hexdigest()

    def _join(self) -> None:
        if self._thread is not None:
            self._chunks.put(b"")
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while chunk := self._chunks.get():
            self._hash.update(chunk)


class Promised:
    """A hash that somebody promised the bytes would have."""

    def __init__(self, algorithm: str, value: str, refuse: Callable[[str], Exception]):
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._algorithm, self._value, self._refuse = algorithm, value.lower(), refuse

    def eat(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    def finish(self) -> None:
        if self._hash.hexdigest() != self._value:
            raise self._refuse(
                f"The data's {self._algorithm} is {self._hash.hexdigest()}, but {self._value} was promised."
            )
