"""What every byte of an image passes on its way in: counted, hashed, its format looked at, its signature checked."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from pileus.core.hashes import Buffer, Hashes
from pileus.core.uploads import source
from pileus.image import formats


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
