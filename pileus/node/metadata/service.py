"""Answers guests on 169.254.169.254. Guests may be hostile: heads and times are bounded, a server sees only itself.

Who asks is known from the network a socket stands in and the source address, which OVN's port security vouches for;
nothing a guest writes into a header changes it. One event loop in one thread serves all networks: slow guests cost
a coroutine each, not a thread.
"""

import asyncio
import contextlib
import http
import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from pileus.node.metadata.tree import OPENSTACK_VERSIONS, answer
from pileus.node.protocol import InstanceSpec

LOG = logging.getLogger("pileus.node.metadata")

MAX_HEAD = 8192
MAX_PASSWORD = 4096
SECONDS = 10.0
PER_GUEST = 16  # connections at once


class Asker(NamedTuple):
    """A server, as it was found by its address."""

    spec: InstanceSpec
    password: bytes


class Request(NamedTuple):
    method: str
    path: str
    length: int


class Reply(NamedTuple):
    status: int
    body: bytes = b""


Find = Callable[[str, str], Asker | None]
SetPassword = Callable[[str, bytes], None]


def parse(head: bytes) -> Request | None:
    """A request's head, None if it is not one. Only what is needed is looked at."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        return None
    length = "0"
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length":
            length = value.strip()
        if name.strip().lower() == "transfer-encoding":
            return None
    if not (length.isascii() and length.isdecimal() and len(length) < 10):
        return None
    return Request(words[0], words[1].partition("?")[0], int(length))


def reply(request: Request, asker: Asker | None, body: bytes, set_password: SetPassword) -> Reply:
    """What one request gets."""
    if asker is None:
        return Reply(404)
    parts = [part for part in request.path.split("/") if part]
    is_password = len(parts) == 3 and parts[0] == "openstack" and parts[2] == "password"
    if is_password and parts[1] in OPENSTACK_VERSIONS:
        if request.method == "POST":
            if asker.password:
                return Reply(409)
            if len(body) > MAX_PASSWORD:
                return Reply(413)
            set_password(asker.spec.server_id, body)
            return Reply(200)
        return Reply(200, asker.password) if request.method in ("GET", "HEAD") else Reply(405)
    if request.method not in ("GET", "HEAD"):
        return Reply(405)
    found = answer(asker.spec, request.path, os.urandom(512))
    return Reply(404) if found is None else Reply(200, found)


def rendered(method: str, given: Reply) -> bytes:
    phrase = http.HTTPStatus(given.status).phrase
    body = given.body if given.status == 200 else f"{given.status} {phrase}\n".encode()
    kind = "application/json" if body[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
    head = f"HTTP/1.1 {given.status} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + (b"" if method == "HEAD" else body)


class MetadataService:
    """Serves any number of networks, each given as its listening sockets."""

    def __init__(self, find: Find, set_password: SetPassword) -> None:
        self._find, self._set_password = find, set_password
        self._loop = asyncio.new_event_loop()
        self._servers: dict[str, list[asyncio.Server]] = {}
        self._busy: Counter[tuple[str, str]] = Counter()
        self._thread = threading.Thread(target=self._loop.run_forever, name="metadata", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        for network_id in list(self._servers):
            self.close(network_id)
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def open(self, network_id: str, sockets: list[socket.socket]) -> None:
        asyncio.run_coroutine_threadsafe(self._open(network_id, sockets), self._loop).result(10)

    def close(self, network_id: str) -> None:
        asyncio.run_coroutine_threadsafe(self._close(network_id), self._loop).result(10)

    async def _open(self, network_id: str, sockets: list[socket.socket]) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.CancelledError):  # the process ends; asyncio would report it as an error
                await self._serve(network_id, reader, writer)

        self._servers[network_id] = [
            await asyncio.start_server(serve, sock=listener, limit=MAX_HEAD) for listener in sockets
        ]

    async def _close(self, network_id: str) -> None:
        for server in self._servers.pop(network_id, []):
            server.close()

    async def _hang_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, network_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]).partition("%")[0] if peer else ""
        guest = (network_id, address)
        self._busy[guest] += 1
        try:
            if self._busy[guest] <= PER_GUEST:
                async with asyncio.timeout(SECONDS):
                    await self._exchange(network_id, address, reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a guest's bad manners are its own affair
        except Exception:
            LOG.exception("metadata for %s in network %s", address, network_id)
        finally:
            self._busy[guest] -= 1
            if not self._busy[guest]:
                del self._busy[guest]
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)

    async def _exchange(
        self, network_id: str, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = parse(await reader.readuntil(b"\r\n\r\n"))
        if request is None:
            writer.write(rendered("GET", Reply(400)))
        elif request.length > MAX_PASSWORD:
            writer.write(rendered("GET", Reply(413)))
        else:
            body = await reader.readexactly(request.length)
            given = reply(request, self._find(network_id, address), body, self._set_password)
            level = logging.INFO if given.status == 200 else logging.WARNING
            extra = {"network": network_id, "address": address, "status": given.status}
            LOG.log(level, "%s %s", request.method[:10], request.path[:200], extra=extra)
            writer.write(rendered(request.method, given))
        await writer.drain()
