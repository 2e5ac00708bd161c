"""`pileus node`: the process that a controller drives a host with. Guests outlive it."""

import os
import signal
import socket
import threading
from pathlib import Path

import click

from pileus.core import log

LATEST_END = 15.0  # seconds


@click.command("node", short_help="A host's process (`up` starts it).")
@click.option("--dir", "folder", type=click.Path(path_type=Path), required=True, help="Disks, specs and base images.")
@click.option("--name", required=True, help="The host's name, as the cloud shows it.")
@click.option("--socket", "socket_path", required=True, help="Unix socket to answer on (mode 0660).")
@click.option("--group", help="Group of the socket: who may drive this host.")
@click.option("--libvirt", "libvirt_uri", default="qemu:///system", show_default=True)
@click.option("--ovsdb", default="unix:/run/openvswitch/db.sock", show_default=True, help="Open vSwitch's database.")
@click.option("--accel", type=click.Choice(["tcg", "kvm"]), default="tcg", show_default=True)
@click.option("--log-level", default="info", show_default=True)
def command(
    folder: Path,
    name: str,
    socket_path: str,
    group: str | None,
    libvirt_uri: str,
    ovsdb: str,
    accel: str,
    log_level: str,
) -> None:
    """Run the node of this host. Stop it with SIGTERM: the guests go on."""
    if os.geteuid() != 0:
        raise click.ClickException("a node makes interfaces and namespaces: run it as root")
    try:
        from pileus.node.host import HostNode
    except ImportError as e:
        raise click.ClickException(f"{e}: a host needs libvirt's Python binding (pip install 'pileus[node]')") from e
    from pileus.node.errors import NodeFault
    from pileus.node.server import NodeServer

    log.start(log_level)
    os.umask(0o022)
    folder.mkdir(parents=True, exist_ok=True)
    told = _told_to_end()
    try:
        node = HostNode(folder.resolve(), name, libvirt_uri, ovsdb, accel)
        server = NodeServer(socket_path, node, group)
    except (NodeFault, OSError) as e:
        raise click.ClickException(str(e)) from e
    node.start()
    serving = threading.Thread(target=server.serve_forever, name="server")
    serving.start()
    log.logger("pileus.node").info("node %s answers on %s", name, socket_path)
    told.recv(1)
    # threads may be inside libvirt, and neither they nor the interpreter's tidying up may keep the node from ending
    late = threading.Timer(LATEST_END, os._exit, (0,))
    late.daemon = True
    late.start()
    node.stop()
    server.stop()
    serving.join(5)
    os._exit(0)


def _told_to_end() -> socket.socket:
    """To be read once SIGTERM or SIGINT has come; an Event that a handler sets can hold up the very thread it wakes."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer.detach())
    return reader
