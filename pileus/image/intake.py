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
BUFFER, BUFFERS = 2 << 20, 4


class Written(NamedTuple):
    """What is known of bytes once all have passed."""

    size: int
    virtual_size: int | None
    checksum: str
    sha512: str


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
) -> Written:
    """Let all pass. `room` is asked before each piece, with the size so far. Raises what any of them raises."""
    inspector = formats.inspector(disk_format, container_format, checking)
    eaters: list[Any] = [inspector, *(sinks := list(sinks))]
    arriving = source(iter(chunks))
    size = 0
    with Hashes(("md5", "sha512"), write) as hashes:
        while count := arriving.readinto(free := hashes.free()):
            size += count
            room(size)
            for eater in eaters:
                eater.eat(free[:count])
            hashes.filled(count)
        virtual_size = inspector.finish()
        for sink in sinks:
            sink.finish()
        md5, sha512 = hashes.finish()
        return Written(size, virtual_size, md5, sha512)


class Hashes:
    """Each hash in a thread of its own: they are most of an upload's work, and let go of the GIL.

    What comes is put into a few large buffers that go round: the hashes read them, and `write` is lent them, which begin
    with a page as a file's direct writes want it. Few and large, because a wake-up costs what hashing 50 KiB does.
    """

    def __init__(self, names: Sequence[str], write: Callable[[memoryview], Any] | None = None):
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in names]
        self._write = write
        self._lines: list[SimpleQueue[tuple[int, memoryview] | None]] = []
        self._threads: list[threading.Thread] = []
        self._buffers: list[memoryview] = []
        self._readers: list[int] = []  # of each buffer: how many hashes still read it
        self._read: SimpleQueue[int] = SimpleQueue()  # the buffers that a hash is done with
        self._filling = -1  # the buffer that is being filled, if any
        self._filled = 0

    def __enter__(self) -> "Hashes":
        return self

    def __exit__(self, *_: Any) -> None:
        self._join()

    def eat(self, chunk: Buffer) -> None:
        """What is in memory elsewhere already. Raises what `write` raises."""
        left = memoryview(chunk)
        while left:
            free = self.free()
            part = left[: len(free)]
            free[: len(part)] = part
            self.filled(len(part))
            left = left[len(part) :]

    def free(self) -> memoryview:
        """Where the next bytes are to be put: at least one fits."""
        if self._filling < 0:
            self._filling = self._next()
        return self._buffers[self._filling][self._filled :]

    def filled(self, count: int) -> None:
        """That many have been put there. Raises what `write` raises."""
        self._filled += count
        if self._filled == BUFFER:
            self._hand_round()

    def finish(self) -> list[str]:
        """In the order of the names. Raises what `write` raises."""
        if self._filled:
            self._hand_round()
        self._join()
        return [found.hexdigest() for found in self._hashes]

    def _next(self) -> int:
        if len(self._buffers) < BUFFERS:
            self._buffers.append(memoryview(mmap.mmap(-1, BUFFER)))
            self._readers.append(0)
            return len(self._buffers) - 1
        while True:
            number = self._read.get()
            self._readers[number] -= 1
            if not self._readers[number]:
                return number

    def _hand_round(self) -> None:
        number, view = self._filling, self._buffers[self._filling][: self._filled]
        self._filling, self._filled = -1, 0
        self._readers[number] = len(self._hashes)
        if not self._threads and len(view) == BUFFER:
            self._start()
        for line in self._lines:
            line.put((number, view))
        if not self._lines:  # all there is: not worth a thread
            for found in self._hashes:
                found.update(view)
        if self._write is not None:
            self._write(view)

    def _start(self) -> None:
        for found in self._hashes:
            self._lines.append(SimpleQueue())
            work = threading.Thread(
                target=self._work, args=(found, self._lines[-1]), name=f"hash-{found.name}", daemon=True
            )
            self._threads.append(work)
            work.start()

    def _work(self, found: Any, line: "SimpleQueue[tuple[int, memoryview] | None]") -> None:
        while (item := line.get()) is not None:
            number, view = item
            found.update(view)
            self._read.put(number)

    def _join(self) -> None:
        for line, thread in zip(self._lines, self._threads, strict=True):
            line.put(None)
            thread.join()
        self._lines, self._threads = [], []


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
