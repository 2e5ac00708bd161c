"""Streams of bytes: sockets joined, and what a guest can be looked at by as a socket."""

import contextlib
import os
import select
import socket
import threading
import tty

from pileus.node.errors import NodeError, NodeUnavailable

CHUNK = 1 << 16


def join(one: socket.socket, other: socket.socket) -> None:
    """Carry what comes from each to the other until both have ended; a slow end slows the other."""
    across = {one: other, other: one}
    while across:
        ready, _, _ = select.select(list(across), [], [])
        for source in ready:
            if chunk := source.recv(CHUNK):
                across[source].sendall(chunk)
            else:
                with contextlib.suppress(OSError):  # it has hung up altogether
                    across[source].shutdown(socket.SHUT_WR)
                del across[source]


def reach(path: str, what: str) -> socket.socket:
    """A unix socket of this host's."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(path)
    except OSError as e:
        channel.close()
        raise NodeUnavailable(f"{what} does not answer: {e}") from e
    return channel


def serial_line(path: str) -> socket.socket:
    """The guest's serial line, a terminal of the host's; what is typed reaches the guest as it is."""
    try:
        line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    except OSError as e:
        raise NodeError("not_found", f"the guest's serial line cannot be opened: {e}") from e
    tty.setraw(line)
    ours, theirs = socket.socketpair()
    threading.Thread(target=_carry, args=(line, ours), name="serial", daemon=True).start()
    return theirs


def _carry(line: int, channel: socket.socket) -> None:
    """Until the reader goes away or the guest down."""
    with channel, contextlib.suppress(OSError):
        while True:
            ready, _, _ = select.select([line, channel.fileno()], [], [])
            if line in ready:
                channel.sendall(os.read(line, CHUNK))
            if channel.fileno() in ready:
                typed = channel.recv(CHUNK)
                if not typed:
                    break
                while typed:
                    typed = typed[os.write(line, typed) :]
    os.close(line)
