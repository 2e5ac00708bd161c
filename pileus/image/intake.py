"""What every byte of an image passes on its way in: counted, hashed, its format looked at, its signature checked."""

import hashlib
import mmap
import threading
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from pileus.core.uploads import source
from pileus.image import formats

Buffer = bytes | memoryview
BUFFER, BUFFERS = 2 << 20, 8


class Written(NamedTuple):
    """What is known of bytes once all have passed: of some that came very fast, the hashes are not."""

    size: int
    virtual_size: int | None
    checksum: str | None
    sha512: str | None


class Sink(Protocol):
    """Somebody else who wants to see all bytes: a signature's verifier, a hash that was promised."""

    def eat(self, chunk: Buffer) -> None:
        """To be looked at now: the memory is used again."""

    def finish(self) -> None:
        """Raises when what has passed is not what it should be."""


def take(
    chunks: Iterable[bytes],
    write: Callable[[memoryview], Any],
    *,
    disk_format: str | None,
    container_format: str | None,
    checking: bool,
    room: Callable[[int], None] = lambda size: None,
    sinks: Iterable[Sink] = (),
    may_lag: bool = False,
) -> Written:
    """Let all pass. `room` is asked before each piece, with the size so far. Raises what any of them raises."""
    inspector = formats.inspector(disk_format, container_format, checking)
    eaters: list[Any] = [inspector, *(sinks := list(sinks))]
    arriving = source(iter(chunks))
    size = 0
    with Hashes(("md5", "sha512"), write, may_lag=may_lag) as hashes:
        while count := arriving.readinto(free := hashes.free()):
            size += count
            room(size)
            for eater in eaters:
                eater.eat(free[:count])
            hashes.filled(count)
        virtual_size = inspector.finish()
        for sink in sinks:
            sink.finish()
        md5, sha512 = hashes.finish() or (None, None)
        return Written(size, virtual_size, md5, sha512)


class _Reader:
    """One of those who look at every buffer: a hash, or who writes them down."""

    def __init__(self, name: str, eat: Callable[[memoryview], Any]):
        self.name, self.eat = name, eat
        self.line: SimpleQueue[tuple[int, memoryview] | None] = SimpleQueue()
        self.thread: threading.Thread | None = None


class Hashes:
    """Each hash in a thread of its own, and who writes in another: they let go of the GIL.

    What comes is put into a few large buffers that go round: the hashes read them, and `write` is lent them, which begin
    with a page as a file's direct writes want it. Few and large, because a wake-up costs what hashing 50 KiB does.

    Where `may_lag` says so, bytes that come faster than they can be hashed do not wait for that: the hashes are given up,
    and have to be made of what was written.
    """

    def __init__(
        self, names: Sequence[str], write: Callable[[memoryview], Any] | None = None, *, may_lag: bool = False
    ):
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in names]
        self._readers = [_Reader(f"hash-{found.name}", found.update) for found in self._hashes]
        self._writer = _Reader("hash-write", write) if write else None
        if self._writer:
            self._readers.append(self._writer)
        self._may_lag = may_lag
        self.lagging = False
        self._failed: BaseException | None = None
        self._buffers: list[memoryview] = []
        self._waiting: list[set[_Reader]] = []  # for each buffer: who has not read it yet
        self._read: SimpleQueue[tuple[int, _Reader]] = SimpleQueue()  # which buffers who is done with
        self._filling = -1  # the buffer that is being filled, if any
        self._filled = 0

    def __enter__(self) -> "Hashes":
        return self

    def __exit__(self, *_: Any) -> None:
        self._join()

    def eat(self, chunk: Buffer) -> None:
        """What is in memory elsewhere already. Raises what `write` raised."""
        left = memoryview(chunk)
        while left:
            free = self.free()
            part = left[: len(free)]
            free[: len(part)] = part
            self.filled(len(part))
            left = left[len(part) :]

    def free(self) -> memoryview:
        """Where the next bytes are to be put: at least one fits. Raises what `write` raised."""
        if self._filling < 0:
            self._filling = self._next()
        return self._buffers[self._filling][self._filled :]

    def filled(self, count: int) -> None:
        """That many have been put there."""
        self._filled += count
        if self._filled == BUFFER:
            self._hand_round()

    def finish(self) -> list[str]:
        """In the order of the names; nothing when they were given up. Raises what `write` raised."""
        if self._filled:
            self._hand_round()
        self._join()
        self._check()
        return [] if self.lagging else [found.hexdigest() for found in self._hashes]

    def _next(self) -> int:
        self._check()
        if len(self._buffers) < BUFFERS:
            self._buffers.append(memoryview(mmap.mmap(-1, BUFFER)))
            self._waiting.append(set())
            return len(self._buffers) - 1
        while True:
            if self._may_lag and not self.lagging and self._read.empty():
                behind = sum(1 for readers in self._waiting if self._writer not in readers)
                self.lagging = behind > BUFFERS // 2
            number, reader = self._read.get()
            self._check()
            self._waiting[number].discard(reader)
            if not self._waiting[number]:
                return number

    def _check(self) -> None:
        if self._failed:
            raise self._failed

    def _hand_round(self) -> None:
        number, view = self._filling, self._buffers[self._filling][: self._filled]
        self._filling, self._filled = -1, 0
        if len(view) < BUFFER and not self._readers[0].thread:  # all there is: not worth a thread
            for reader in self._readers:
                reader.eat(view)
            return
        self._waiting[number] = set(self._readers)
        for reader in self._readers:
            reader.line.put((number, view))
            if reader.thread is None:
                reader.thread = threading.Thread(target=self._work, args=(reader,), name=reader.name, daemon=True)
                reader.thread.start()

    def _work(self, reader: _Reader) -> None:
        while (item := reader.line.get()) is not None:
            number, view = item
            if not self._failed and not (self.lagging and reader is not self._writer):
                try:
                    reader.eat(view)
                except BaseException as error:  # raised where the bytes come from
                    self._failed = error
            self._read.put((number, reader))

    def _join(self) -> None:
        for reader in self._readers:
            if reader.thread:
                reader.line.put(None)
                reader.thread.join()
                reader.thread = None


class Promised:
    """A hash that somebody promised the bytes would have."""

    def __init__(self, algorithm: str, value: str, refuse: Callable[[str], Exception]):
        self._hash = hashlib.new(algorithm, usedforsecurity=False)
        self._algorithm, self._value, self._refuse = algorithm, value.lower(), refuse

    def eat(self, chunk: Buffer) -> None:
        self._hash.update(chunk)

    def finish(self) -> None:
        if self._hash.hexdigest() != self._value:
            raise self._refuse(
                f"The data's {self._algorithm} is {self._hash.hexdigest()}, but {self._value} was promised."
            )
