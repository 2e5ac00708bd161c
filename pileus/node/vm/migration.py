"""Guests that leave this host, or come to it, while they run.

libvirt speaks to libvirt and QEMU to QEMU through unix sockets of these paths, the same on every host. On the host that
a guest leaves we listen on them, and whoever relays takes what connects; on the other one libvirt and QEMU listen.
"""

import logging
import select
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pileus.node import protocol as p
from pileus.node.disk.images import checked_id
from pileus.node.errors import NodeError, NodeFault
from pileus.node.streams import reach
from pileus.node.vm.domain import VolumeDisk
from pileus.node.vm.hypervisor import Hypervisor

LOG = logging.getLogger("pileus.node.vm")

FOLDER = Path("/run/libvirt/pileus")
WAYS: tuple[p.Way, ...] = ("libvirt", "memory", "disks")
TAKE_SECONDS = 5.0


class Leaving:
    """A guest on its way out: the sockets we listen on, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.state = p.Migration(state="running")
        self.listeners: dict[str, socket.socket] = {}
        for way in WAYS:
            listener = self.listeners[way] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(folder / way))
            # QEMU connects as a user of its own; to the other host's libvirt nobody gets but this one's, which is root
            (folder / way).chmod(0o600 if way == "libvirt" else 0o666)
            listener.listen(16)

    def close(self) -> None:
        for listener in self.listeners.values():
            listener.close()


class Migrations:
    def __init__(
        self, hypervisor: Hypervisor, over: Callable[[str, bool], None], volume_path: Callable[[str], Path]
    ) -> None:
        """`over` is told of a guest that has left, or stayed after all; every host has its volumes at the same path."""
        self._hypervisor, self._over, self._volume_path = hypervisor, over, volume_path
        self._leaving: dict[str, Leaving] = {}
        self._lock = threading.Lock()

    def expect(self, server_id: str) -> None:
        self._make_folder(server_id)

    def start(self, server_id: str, volumes: list[p.AttachedVolume]) -> None:
        with self._lock:
            known = self._leaving.get(server_id)
            if known and known.state.state == "running":
                return
            leaving = self._leaving[server_id] = Leaving(self._make_folder(server_id))
        threading.Thread(
            target=self._send, args=(server_id, leaving, volumes), name=f"move-{server_id[:8]}", daemon=True
        ).start()

    def state(self, server_id: str) -> p.Migration:
        leaving = self._leaving.get(server_id)
        if leaving is None or leaving.state.state != "running":
            return leaving.state if leaving else p.Migration(state="none")
        told = self._hypervisor.job(server_id)
        counted = {
            f"{what}_{part}": int(told.get(f"{what}_{part}", 0))
            for what in ("memory", "disk")
            for part in ("total", "processed", "remaining")
        }
        return p.Migration(state="running", **counted)  # type: ignore[arg-type]

    def end(self, server_id: str) -> None:
        leaving = self._leaving.get(server_id)
        if leaving and leaving.state.state == "running":
            self._hypervisor.abort_job(server_id)
            leaving.close()
            return
        with self._lock:
            self._leaving.pop(server_id, None)
            shutil.rmtree(FOLDER / checked_id(server_id), ignore_errors=True)

    def take(self, server_id: str, way: p.Way) -> socket.socket:
        leaving = self._leaving.get(server_id)
        if leaving is not None and leaving.state.state == "running":
            try:
                if select.select([leaving.listeners[way]], [], [], TAKE_SECONDS)[0]:
                    return leaving.listeners[way].accept()[0]
            except (OSError, ValueError):
                LOG.debug("the migration of %s is over", server_id)
        raise NodeError("not_found", f"nothing of server {server_id} leaves by {way} now")

    def give(self, server_id: str, way: p.Way) -> socket.socket:
        folder = FOLDER / checked_id(server_id)
        if not folder.is_dir():
            raise NodeError("not_found", f"server {server_id} is not expected here")
        if way == "libvirt":
            path = parse_qs(urlsplit(self._hypervisor.uri).query).get("socket", ["/run/libvirt/libvirt-sock"])[0]
        else:
            path = str(folder / way)
        return reach(path, f"the other end of {way}")

    def _make_folder(self, server_id: str) -> Path:
        folder = FOLDER / checked_id(server_id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        FOLDER.chmod(0o711)
        folder.chmod(0o733)  # QEMU, a user of its own, makes and finds its sockets here
        return folder

    def _send(self, server_id: str, leaving: Leaving, volumes: list[p.AttachedVolume]) -> None:
        folder = FOLDER / server_id
        uri = f"qemu+unix:///system?socket={folder}/libvirt"
        try:
            there = [VolumeDisk(volume, "", "", str(self._volume_path(volume.volume_id))) for volume in volumes]
            self._hypervisor.send(server_id, uri, f"unix://{folder}/memory", f"unix://{folder}/disks", there)
            end = p.Migration(state="done")
        except NodeFault as e:
            end = p.Migration(state="failed", message=str(e))
        except Exception as e:
            LOG.exception("migrating %s", server_id)
            end = p.Migration(state="failed", message=f"{type(e).__name__}: {e}")
        leaving.close()
        try:
            self._over(server_id, end.state == "done")
        finally:
            leaving.state = end
