"""Screens and serial lines: a guest's end of each as a socket, and bytes carried between two descriptors."""

import os
import select
import socket
import threading
import tty

from pileus.node.errors import NodeError, NodeUnavailable

CHUNK = 1 << 16


def join(one: int, other: int) -> None:
    """Carry what comes from each to the other until one of them ends; a slow end slows the other."""
    across = {one: other, other: one}
    while True:
        ready, _, _ = select.select([one, other], [], [])
        for source in ready:
            chunk = os.read(source, CHUNK)
            if not chunk:
                return
            while chunk:
                chunk = chunk[os.write(across[source], chunk) :]


def screen(path: str) -> socket.socket:
    """QEMU's RFB server, on its unix socket."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(path)
    except OSError as e:
        channel.close()
        raise NodeUnavailable(f"the guest's screen does not answer: {e}") from e
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
    try:
        join(line, channel.fileno())
    except OSError:  # the guest went down, or the reader away
        pass
    finally:
        os.close(line)
        channel.close()
