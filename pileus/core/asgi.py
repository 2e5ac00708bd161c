"""The edge: ASGI in, ASGI out. Bodies stream in bounded memory both ways; a client that goes away is seen."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import unquote

from pileus.core import file_bodies, websockets
from pileus.core.errors import TooLarge
from pileus.core.pool import Pool
from pileus.core.uploads import CUT, ClientGone, Messages, Pieces
from pileus.core.wire import Again, FileBody, Request, Response

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handle = Callable[[Request], Response]

MAX_BODY = 8 << 20  # JSON bodies; a server's user data and files stay well below
STREAM, SLOW, ANSWER = "stream", "slow", "answer"
EXTENSION = "pileus.connection"  # in the ASGI scope, where the server can more than ASGI (`core/bodies.py`)


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
        stream_threads: int = 24,
        slow_threads: int = 12,
    ):
        self.handle = handle
        self.kind = kind
        self.pool = Pool(threads)
        # an upload has its thread for as long as its client takes; what is sent is read a piece at a time by others, so that
        # slow uploads keep nobody from downloading
        self._sizes = {STREAM: stream_threads, SLOW: slow_threads, ANSWER: 8}
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
        connection = scope.get("extensions", {}).get(EXTENSION)
        if kind == STREAM:
            response = await self._stream(rq, receive, connection)
        else:
            try:
                rq.body = await _body(receive)
            except ClientGone:
                return
            except TooLarge as error:
                rq.refused = error
            pool = self._own(SLOW) if kind == SLOW else self.pool
            response = await pool.run(self.handle, rq)
            while isinstance(response, Again):
                await asyncio.sleep(response.seconds)
                response = await pool.run(self.handle, rq.again())
        await self._send(response, rq, send, receive, connection)

    async def _stream(self, rq: Request, receive: Receive, connection: Any) -> Response:
        lent = connection.lend() if connection else None
        rq.upload = lent or Pieces(Messages(receive, asyncio.get_running_loop()))
        try:
            response: Response = await self._own(STREAM).run(self.handle, rq)
        finally:
            if lent:
                connection.give_back(lent)
        return response

    @property
    def _answers(self) -> Pool:
        return self._own(ANSWER)

    def _own(self, kind: str) -> Pool:
        """Its threads, which are there from the first request of that kind."""
        if kind not in self._pools:
            self._pools[kind] = Pool(self._sizes[kind], kind)
        return self._pools[kind]

    def stop(self) -> None:
        """Let the threads end when they have done what they were given."""
        for pool in (self.pool, *self._pools.values()):
            pool.stop()

    async def _send(self, response: Response, rq: Request, send: Send, receive: Receive, connection: Any) -> None:
        headers = [(key.encode("latin-1"), str(value).encode("utf-8")) for key, value in response.headers.items()]
        body = response.body
        start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
        if isinstance(body, bytes):
            if response.status not in (204, 304) and "content-length" not in response.headers:
                headers.append((b"content-length", str(len(body)).encode()))
            await send(start)
            await send({"type": "http.response.body", "body": b"" if rq.method == "HEAD" else body})
            return
        if isinstance(body, FileBody) and "content-length" not in response.headers:
            headers.append((b"content-length", str(file_bodies.length(body)).encode()))
        await send(start)
        file = connection and rq.method != "HEAD" and isinstance(body, FileBody)
        if file and await self._answers.run(file_bodies.in_memory, body):
            await self._send_file(body, send, connection)  # a third of the work of handing it over in chunks
            return
        if isinstance(body, socket.socket):
            raise TypeError("only a websocket is answered with a socket")
        chunks = file_bodies.chunks(body) if isinstance(body, FileBody) else iter(body)
        try:
            if rq.method != "HEAD":
                await self._send_chunks(chunks, send, receive)
        finally:
            await self._answers.run(_release, body, chunks)
        await send({"type": "http.response.body", "body": b""})

    async def _send_file(self, body: Any, send: Send, connection: Any) -> None:
        try:
            with contextlib.suppress(OSError):  # the client has gone
                await connection.send_file(body.path, body.offset, file_bodies.length(body))
            await send({"type": "http.response.body", "body": b""})
        finally:
            if body.after:
                await self._answers.run(body.after)

    async def _send_chunks(self, chunks: Iterator[bytes], send: Send, receive: Receive) -> None:
        """Read the next chunk while one is sent; stop when the client goes, of which `send` says nothing."""
        gone = asyncio.ensure_future(_disconnected(receive))
        coming = asyncio.ensure_future(self._answers.run(next, chunks, None))
        try:
            while (chunk := await coming) is not None and not gone.done():
                coming = asyncio.ensure_future(self._answers.run(next, chunks, None))
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            gone.cancel()
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()  # heard of, also when nobody waits for the chunk any more


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone(CUT)
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
