"""Bytes on their way in: hashed and written by threads of their own, in bounded memory (docs/adr/0009)."""

import hashlib
import mmap
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

Buffer = bytes | memoryview
BUFFER, BUFFERS = 2 << 20, 8


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
