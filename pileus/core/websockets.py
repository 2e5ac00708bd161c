"""A websocket's two ends joined: the client's, by ASGI messages, and a plain socket of this machine's."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pileus.core.wire import Response

Message = MutableMapping[str, Any]
CHUNK = 1 << 16
REFUSED, OVER = 1008, 1000  # RFC 6455, 7.4.1


async def serve(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]],
    response: Response,
) -> None:  # fmt: skip
    """Until one of the two hangs up; in bounded memory, as each waits until the other has taken what came."""
    channel = response.body
    await receive()  # that somebody wants to connect
    if not isinstance(channel, socket.socket):
        await send({"type": "websocket.close", "code": REFUSED})
        return
    channel.setblocking(False)
    # what clients offer that were written before bytes were usual
    subprotocol = "binary" if "binary" in scope.get("subprotocols", ()) else None
    try:
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        ways = [asyncio.ensure_future(_out(channel, send)), asyncio.ensure_future(_in(channel, receive))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(Exception):  # the client may be the one who left
            await send({"type": "websocket.close", "code": OVER})
    finally:
        channel.close()


async def _out(channel: socket.socket, send: Callable[[Message], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    while chunk := await loop.sock_recv(channel, CHUNK):
        await send({"type": "websocket.send", "bytes": chunk})


async def _in(channel: socket.socket, receive: Callable[[], Awaitable[Message]]) -> None:
    loop = asyncio.get_running_loop()
    while (message := await receive())["type"] == "websocket.receive":
        await loop.sock_sendall(channel, message.get("bytes") or (message.get("text") or "").encode())
