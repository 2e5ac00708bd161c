"""The edge: ASGI in, ASGI out. Bodies stream in bounded memory both ways; a client that goes away is seen."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote

from pileus.core import file_bodies, websockets
from pileus.core.errors import BadRequest, TooLarge
from pileus.core.pool import Pool
from pileus.core.wire import FileBody, Request, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handle = Callable[[Request], Response]

MAX_BODY = 8 << 20  # JSON bodies; a server's user data and files stay well below
ENOUGH = 1 << 19  # of an upload, to wake its thread: the server's pieces reach a MiB
SILENCE = 60  # seconds without a byte after which an upload's client counts as gone


class ClientGone(BadRequest):
    """The client closed the connection before its body was complete."""


STREAM, SLOW = "stream", "slow"


class Edge:
    """The ASGI application: `handle` does all that needs a thread; `kind` says what kind of request it is.

    STREAM for one whose body is streamed, SLOW for one that may wait for somebody else, as log-ins do: these have threads of
    their own, so that no number of them keeps the others from being answered.
    """

    def __init__(
        self,
        handle: Handle,
        kind: Callable[[Request], str],
        threads: int = 6,
        stream_threads: int = 12,
        slow_threads: int = 12,
    ):
        self.handle = handle
        self.kind = kind
        self.pool = Pool(threads)
        self._sizes = {STREAM: stream_threads, SLOW: slow_threads}
        self._pools: dict[str, Pool] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] == "websocket":
            await websockets.serve(scope, receive, send, await self.pool.run(self.handle, _request(scope)))
            return
        rq = _request(scope)
        kind = self.kind(rq)
        if kind == STREAM:
            rq.upload = Upload(receive, asyncio.get_running_loop())
            response = await self.stream_pool.run(self.handle, rq)
        else:
            try:
                rq.body = await _body(receive)
            except ClientGone:
                return
            except TooLarge as error:
                rq.refused = error
            response = await (self._own(SLOW) if kind == SLOW else self.pool).run(self.handle, rq)
        whole = "http.response.pathsend" in scope.get("extensions", {})
        await self._send(response, rq, send, receive, whole)

    @property
    def stream_pool(self) -> Pool:
        return self._own(STREAM)

    def _own(self, kind: str) -> Pool:
        """Its threads, which are there from the first request of that kind."""
        if kind not in self._pools:
            self._pools[kind] = Pool(self._sizes[kind], kind)
        return self._pools[kind]

    def stop(self) -> None:
        """Let the threads end when they have done what they were given."""
        for pool in (self.pool, *self._pools.values()):
            pool.stop()

    async def _send(self, response: Response, rq: Request, send: Send, receive: Receive, whole: bool) -> None:
        headers = [(key.encode("latin-1"), str(value).encode("utf-8")) for key, value in response.headers.items()]
        body = response.body
        start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
        if isinstance(body, bytes):
            if response.status not in (204, 304) and "content-length" not in response.headers:
                headers.append((b"content-length", str(len(body)).encode()))
            await send(start)
            await send({"type": "http.response.body", "body": b"" if rq.method == "HEAD" else body})
            return
        await send(start)
        if whole and rq.method != "HEAD" and isinstance(body, FileBody) and await self.stream_pool.run(_at_once, body):
            # the server reads and sends it by itself: half the work of handing it over in chunks
            await send({"type": "http.response.pathsend", "path": str(body.path)})
            return
        if isinstance(body, socket.socket):
            raise TypeError("only a websocket is answered with a socket")
        chunks = file_bodies.chunks(body) if isinstance(body, FileBody) else iter(body)
        try:
            if rq.method != "HEAD":
                await self._send_chunks(chunks, send, receive)
        finally:
            await self.stream_pool.run(_release, body, chunks)
        await send({"type": "http.response.body", "body": b""})

    async def _send_chunks(self, chunks: Iterator[bytes], send: Send, receive: Receive) -> None:
        """Read the next chunk while one is sent; stop when the client goes, of which `send` says nothing."""
        gone = asyncio.ensure_future(_disconnected(receive))
        coming = asyncio.ensure_future(self.stream_pool.run(next, chunks, None))
        try:
            while (chunk := await coming) is not None and not gone.done():
                coming = asyncio.ensure_future(self.stream_pool.run(next, chunks, None))
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            gone.cancel()
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()  # heard of, also when nobody waits for the chunk any more


class Upload(Iterator[bytes]):
    """A request's body for a thread: the server's own pieces, of which the next few are read while the thread works."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop):
        self._receive = receive
        self._loop = loop
        self._batches: SimpleQueue[list[bytes] | ClientGone] = SimpleQueue()
        self._batch: list[bytes] = []  # what the thread has taken, the first piece last
        self._heard = 0.0
        self._over = False

    def __next__(self) -> bytes:
        """Raises StopIteration at the body's true end and ClientGone when it was cut off."""
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
        return ClientGone(f"The client has sent nothing for {SILENCE} seconds.")

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
                self._batches.put(ClientGone("The client closed the connection before the body was complete."))
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


async def _ended() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client closed the connection before the body was complete.")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise TooLarge(f"The request body is larger than {MAX_BODY} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(0.05)


def _at_once(body: FileBody) -> bool:
    return file_bodies.is_whole(body) and file_bodies.in_memory(body)


def _release(body: Any, chunks: Any) -> None:
    """What a body held is let go, also when the client left before its end."""
    if hasattr(chunks, "close"):
        with contextlib.suppress(ValueError):  # a thread is in it still; it ends with that
            chunks.close()
    if isinstance(body, FileBody) and body.after:
        body.after()


def _request(scope: Message) -> Request:
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1").lower()
        text = value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]},{text}" if name in headers else text
    raw = scope.get("raw_path")
    path = unquote(raw.decode("latin-1").partition("?")[0], errors="replace") if raw else scope["path"]
    rq = Request(scope.get("method", "WEBSOCKET"), path, scope.get("query_string", b"").decode("latin-1"), headers)
    rq.scheme = scope.get("scheme", "http")
    if scope.get("client"):
        rq.client = scope["client"][0]
    return rq


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
