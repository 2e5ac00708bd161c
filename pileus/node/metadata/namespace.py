"""A network's metadata namespace: one foot on br-int, one address 169.254.169.254, sockets that outlive nothing.

The namespace has no name: it lives as long as this process holds it open, so no crash can leave one behind. Network
namespaces belong to threads; a worker thread enters, works and ends, and the rest of the process never leaves home.
"""

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from pileus.node.errors import NodeError, NodeUnavailable
from pileus.node.protocol import MetadataArgs
from pileus.node.run import run, tried
from pileus.node.vif.ovs import OpenVSwitch

CLONE_NEWNET = 0x40000000
ADDRESS = "169.254.169.254"
ADDRESS_V6 = "fe80::a9fe:a9fe"
INNER = "eth0"

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class Namespace:
    """Open from its making until `close`."""

    def __init__(self, args: MetadataArgs, ovs: OpenVSwitch) -> None:
        self.args = args
        self.device = outer_name(args.network_id)
        self.sockets: list[socket.socket] = []
        self._ovs = ovs
        self._fd = in_thread(_make)
        try:
            self._connect()
            self.sockets = self._enter(_listen)
            ovs.ensure_port(self.device, args.port_id)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        remove_foot(self.device, self._ovs)

    def _connect(self) -> None:
        # A dead process's foot goes first, and in a transaction of its own: a port removed and added in one is to
        # Open vSwitch the same port, and it would go on holding the dead device.
        remove_foot(self.device, self._ovs)
        home, quiet = str(os.getpid()), self._ovs.userspace

        def inside() -> None:
            batch = [
                "link set lo up",
                f"link add {self.device} mtu {self.args.mtu} type veth peer name {INNER}",
                f"link set {INNER} address {self.args.mac} mtu {self.args.mtu}",
                f"link set {self.device} netns {home}",
                *(f"addr add {cidr} dev {INNER} nodad" for cidr in self.args.cidrs),
                f"addr add {ADDRESS}/32 dev {INNER}",
                f"link set {INNER} up",
            ]
            run("ip", "-batch", "-", stdin="\n".join(batch) + "\n")
            tried("ip", "addr", "add", f"{ADDRESS_V6}/64", "dev", INNER, "nodad")  # a host may have no IPv6 at all
            if quiet:
                run("ethtool", "-K", INNER, "tx", "off")

        self._enter(inside)
        run("ip", "link", "set", self.device, "up")
        if quiet:
            run("ethtool", "-K", self.device, "tx", "off")

    def _enter(self, work: Callable[[], T]) -> T:
        def inside() -> T:
            if _libc.setns(self._fd, CLONE_NEWNET):
                raise NodeError("engine", f"entering a namespace: {os.strerror(ctypes.get_errno())}")
            return work()

        return in_thread(inside)


def outer_name(network_id: str) -> str:
    return "pmd" + network_id[:11]


def remove_foot(device: str, ovs: OpenVSwitch) -> None:
    """Take away what the host sees of a namespace, of this process or of a dead one."""
    with contextlib.suppress(NodeUnavailable):  # without its database there is no switch either; the sweep comes back
        ovs.remove_port(device)
    tried("ip", "link", "delete", device)


def in_thread(work: Callable[[], T]) -> T:
    """Run in a thread of its own and wait: what it does to its namespace ends with it."""
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(work())
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=target, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _make() -> int:
    if _libc.unshare(CLONE_NEWNET):
        raise NodeError("engine", f"making a network namespace: {os.strerror(ctypes.get_errno())}")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _listen() -> list[socket.socket]:
    sockets = [_listener(socket.AF_INET, (ADDRESS, 80))]
    with contextlib.suppress(OSError):  # no IPv6 on this host
        sockets.append(_listener(socket.AF_INET6, (ADDRESS_V6, 80, 0, socket.if_nametoindex(INNER))))
    return sockets


def _listener(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
