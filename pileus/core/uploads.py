"""A request's body as the thread sees it that takes it: in order, in bounded memory, never whole when it was cut off."""

import asyncio
import contextlib
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from queue import Empty, SimpleQueue
from typing import Any

from pileus.core.errors import BadRequest

ENOUGH = 1 << 19  # of an upload, to wake its thread: the server's pieces reach a MiB
SILENCE = 60  # seconds without a byte after which an upload's client counts as gone
CUT = "The client closed the connection before the body was complete."


class ClientGone(BadRequest):
    """The client closed the connection before its body was complete."""


def silent() -> ClientGone:
    return ClientGone(f"The client has sent nothing for {SILENCE} seconds.")


class Upload(Iterator[bytes]):
    """Piece by piece, or into memory that the taker has ready. Both raise ClientGone for a body that was cut off."""

    @abstractmethod
    def __next__(self) -> bytes:
        """Raises StopIteration at the body's true end."""

    @abstractmethod
    def readinto(self, room: memoryview) -> int:
        """How many bytes were put there: one at least, 0 at the body's true end."""


class Pieces(Upload):
    """What comes in pieces anyway, for a taker that has memory ready."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = pieces
        self._left = memoryview(b"")

    def __next__(self) -> bytes:
        if self._left:
            left, self._left = bytes(self._left), memoryview(b"")
            return left
        return next(self._pieces)

    def readinto(self, room: memoryview) -> int:
        while not self._left:
            if (piece := next(self._pieces, None)) is None:
                return 0
            self._left = memoryview(piece)
        part = self._left[: len(room)]
        room[: len(part)] = part
        self._left = self._left[len(part) :]
        return len(part)


def source(chunks: Iterator[bytes]) -> Upload:
    return chunks if isinstance(chunks, Upload) else Pieces(chunks)


class Messages(Iterator[bytes]):
    """The server's own pieces, of which the next few are read while the thread works."""

    def __init__(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]], loop: asyncio.AbstractEventLoop):
        self._receive = receive
        self._loop = loop
        self._batches: SimpleQueue[list[bytes] | ClientGone] = SimpleQueue()
        self._batch: list[bytes] = []  # what the thread has taken, the first piece last
        self._heard = 0.0
        self._over = False

    def __next__(self) -> bytes:
        if self._batch:
            return self._batch.pop()
        if self._over:
            raise StopIteration
        if not self._heard:
            self._heard = time.monotonic()
            self._ask()
        batch = self._next_batch()
        if isinstance(batch, ClientGone):
            self._over = True
            raise batch
        if not batch:
            self._over = True
            raise StopIteration
        self._ask()
        self._batch = batch[::-1]
        return self._batch.pop()

    def _next_batch(self) -> list[bytes] | ClientGone:
        asked = time.monotonic()
        while (patience := max(asked, self._heard) + SILENCE - time.monotonic()) > 0:
            with contextlib.suppress(Empty):  # a slow client's pieces are heard before they are a batch
                return self._batches.get(timeout=patience)
        return silent()

    def _ask(self) -> None:
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._read()))

    async def _read(self) -> None:
        try:
            await self._read_batch()
        except Exception as error:  # the server's own: without an answer the thread would wait for ever
            self._batches.put(ClientGone("The request body could not be read.", detail=repr(error)))

    async def _read_batch(self) -> None:
        parts: list[bytes] = []
        size = 0
        while size < ENOUGH and len(parts) < 1000:  # a hostile client may send a byte at a time
            message = await self._receive()
            self._heard = time.monotonic()
            if message["type"] == "http.disconnect":
                self._batches.put(ClientGone(CUT))
                return
            if part := message.get("body", b""):
                parts.append(part)
                size += len(part)
            if not message.get("more_body", False):
                if parts:
                    self._batches.put(parts)
                self._batches.put([])
                self._receive = _ended
                return
        self._batches.put(parts)


async def _ended() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}
