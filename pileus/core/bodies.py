"""The HTTP server of the process that serves bodies: uvicorn, whose connections can do two things more.

A large body is lent to the thread that takes it: it reads the socket itself, straight into the memory that it writes
from. And a file is sent by the kernel (sendfile(2)). Both spare the event loop every byte, which is what it takes to move
bodies at the speed of a copy (docs/adr/0009). Heads, small bodies and websockets are uvicorn's business.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pileus.core import uploads
from pileus.core.asgi import EXTENSION
from pileus.core.uploads import CUT, ClientGone, Upload, silent

LARGE = 1 << 20  # bytes of a body that are worth a thread's own reading
CHUNK = 1 << 20
TURN = 1 << 20  # bytes of a file after which it is others' turn: a client that keeps up would have the loop for itself
HEAD_BYTES, HEAD_SECONDS = 64 << 10, 30


class Protocol(HttpToolsProtocol):
    """One client's connection. Adds limits for a request's head, and what `Connection` offers."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._skip = 0  # bytes still to come of a body that nobody wants
        self._head = 0
        self._impatience: asyncio.TimerHandle | None = None
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if self._skip:
                return
            self.begin_anew()
        if data:
            super().data_received(data)

    def begin_anew(self) -> None:
        """A request's body has not passed the parser, which therefore waits for it: the next request needs a new one."""
        self.parser = httptools.HttpRequestParser(self)

    def skip(self, count: int) -> None:
        if count:
            self._skip = count
        else:
            self.begin_anew()

    # what the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0
        self._expect_head()
        self._asked = Connection(self)
        extensions: Any = {EXTENSION: self._asked}
        self.scope["extensions"] = extensions

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_is_there()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is before:
            return  # a websocket's beginning
        self._asked.cycle = self.cycle
        self._asked.length = int(next((value for name, value in self.headers if name == b"content-length"), 0))
        if self._asked.length >= LARGE:
            self.flow.pause_reading()  # what is not read yet may be a thread's to read

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_BYTES:
            raise ValueError("the head of the request is too large")  # the parser makes it a 400

    def _expect_head(self) -> None:
        self._head_is_there()
        self._impatience = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_is_there(self) -> None:
        if self._impatience:
            self._impatience.cancel()
            self._impatience = None


class Connection:
    """What a request may ask of the connection it came by."""

    def __init__(self, protocol: Protocol):
        self._protocol = protocol
        self.cycle: Any = None
        self.length = 0

    def lend(self) -> "Lent | None":
        """The body, for a thread to read; None where it is small, of unknown length, or not alone on its connection."""
        cycle, protocol = self.cycle, self._protocol
        if self.length < LARGE or not cycle.more_body or cycle is not protocol.cycle or protocol.pipeline:
            return None
        protocol.flow.pause_reading()
        begin, lender = bytes(cycle.body), protocol.transport.get_extra_info("socket")
        return Lent(begin, self.length - len(begin), lender, asked_first=cycle.waiting_for_100_continue)

    def give_back(self, body: "Lent") -> None:
        """What is left of it is not wanted: it is read and thrown away, so that the client comes to hear the answer."""
        body.close()
        self.cycle.body = bytearray()
        self.cycle.more_body = False
        if body.gone:
            self._protocol.transport.abort()
        elif body.asked_first:
            self.cycle.keep_alive = False  # nobody told the client to go on: what it sends next may be anything
        else:
            self._protocol.skip(body.left)

    async def send_file(self, path: os.PathLike[str], offset: int, count: int) -> None:
        """As the body of an answer whose head has been sent, with its length. Raises OSError when the client goes."""
        if self.cycle.disconnected or not count:
            return
        protocol, end = self._protocol, offset + count
        with open(path, "rb", buffering=0) as file:
            while offset < end:
                sent = await protocol.loop.sendfile(protocol.transport, file, offset, min(TURN, end - offset))
                if not sent:
                    break  # the file has become shorter: uvicorn breaks off
                offset += sent
                self.cycle.expected_content_length -= sent
                await asyncio.sleep(0)


class Lent(Upload):
    """A body of known length, read from the socket by the thread that takes it."""

    def __init__(self, begin: bytes, left: int, lender: Any, asked_first: bool):
        self._begin = memoryview(begin)
        self.asked_first = asked_first  # the client waits for a word before it sends (RFC 9110, 10.1.1)
        self.left = left  # bytes that are still in the socket, or on their way
        self.gone = False
        self._socket = socket.socket(fileno=os.dup(lender.fileno()))
        self._socket.settimeout(uploads.SILENCE)

    def __next__(self) -> bytes:
        room = bytearray(min(CHUNK, len(self._begin) or self.left))
        if not room:
            raise StopIteration
        count = self.readinto(memoryview(room))
        return bytes(room[:count])

    def readinto(self, room: memoryview) -> int:
        if self._begin:
            part = self._begin[: len(room)]
            room[: len(part)] = part
            self._begin = self._begin[len(part) :]
            return len(part)
        if not self.left:
            return 0
        try:
            if self.asked_first:
                self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.asked_first = False
            count = self._socket.recv_into(room[: self.left])
        except TimeoutError:
            raise silent() from None
        except OSError:
            count = 0
        if not count:
            self.gone = True
            raise ClientGone(CUT)
        self.left -= count
        return count

    def close(self) -> None:
        self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they are the caller's


def server(application: Any, host: str, port: int) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            http=Protocol,
            ws="websockets-sansio",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=1024,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


async def serve(application: Any, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT."""
    made = server(application, host, port)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, lambda: setattr(made, "should_exit", True))
    await made.serve()
