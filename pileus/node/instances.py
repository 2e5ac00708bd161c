"""What this node was told to keep: one folder a server, its spec on disk, and in memory the index that finds it."""

import logging
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pileus.node.disk.images import checked_id, write_atomically
from pileus.node.metadata.tree import link_local
from pileus.node.protocol import InstanceSpec

LOG = logging.getLogger("pileus.node")

SPEC = "spec.json"
BASE = "base"  # names the images under the root disk and a rescue disk, from before the spec is written
DISKS = re.compile(r"(root\.qcow2|rescue\.qcow2|ephemeral\d+\.raw|swap\.raw|config\.iso)")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A server's `spec.json`."""

    spec: InstanceSpec
    rebooting: bool = False  # between the button and the start: off is then no wish of the guest
    leaving: bool = False  # on its way to another host: gone from here is then not gone
    password: bytes = b""  # what the guest posted, encrypted by itself


class Instances:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._kept: dict[str, Kept] = {}
        self._addresses: dict[tuple[str, str], str] = {}
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.RLock, int]] = {}
        for path in folder.glob(f"*/{SPEC}"):
            try:
                self._index(msgspec.json.decode(path.read_bytes(), type=Kept))
            except (msgspec.MsgspecError, ValueError) as e:  # one broken file must not keep all others down
                LOG.error("server %s is not brought back, its spec cannot be read: %s", path.parent.name, e)

    @contextmanager
    def locked(self, server_id: str) -> Iterator[None]:
        """One at a time works on a server. Locks exist while somebody wants them."""
        with self._guard:
            lock, users = self._locks.get(server_id, (threading.RLock(), 0))
            self._locks[server_id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[server_id]
                if users == 1:
                    del self._locks[server_id]
                else:
                    self._locks[server_id] = (lock, users - 1)

    def path(self, server_id: str) -> Path:
        return self.folder / checked_id(server_id)

    def find(self, server_id: str) -> Kept | None:
        return self._kept.get(server_id)

    def all(self) -> list[Kept]:
        return list(self._kept.values())

    def by_address(self, network_id: str, address: str) -> Kept | None:
        server_id = self._addresses.get((network_id, address))
        return self._kept.get(server_id) if server_id else None

    def keep(self, kept: Kept) -> None:
        folder = self.path(kept.spec.server_id)
        folder.mkdir(mode=0o711, exist_ok=True)
        write_atomically(folder / SPEC, msgspec.json.encode(kept))
        self._index(kept)

    def forget(self, server_id: str) -> None:
        (self.path(server_id) / SPEC).unlink(missing_ok=True)
        with self._guard:
            self._kept.pop(server_id, None)
            self._addresses = {key: owner for key, owner in self._addresses.items() if owner != server_id}

    def note_bases(self, server_id: str, image_ids: list[str]) -> None:
        folder = self.path(server_id)
        folder.mkdir(mode=0o711, exist_ok=True)
        (folder / BASE).write_text("\n".join(image_ids))

    def bases_of(self, server_id: str) -> list[str]:
        try:
            return (self.path(server_id) / BASE).read_text().split()
        except FileNotFoundError:
            return []

    def on_disk(self) -> list[str]:
        return sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir())

    def disks_of(self, server_id: str) -> list[str]:
        """File names; an unfinished disk is none."""
        folder = self.path(server_id)
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if DISKS.fullmatch(path.name))

    def remove_folder(self, server_id: str) -> None:
        folder = self.path(server_id)
        if folder.exists():
            shutil.rmtree(folder)

    def _index(self, kept: Kept) -> None:
        server_id = kept.spec.server_id
        with self._guard:
            self._kept[server_id] = kept
            mine = {(nic.network_id, link_local(nic.mac)): server_id for nic in kept.spec.nics}
            for nic in kept.spec.nics:
                mine |= {(nic.network_id, fixed.address): server_id for fixed in nic.fixed_ips}
            others = {key: owner for key, owner in self._addresses.items() if owner != server_id}
            self._addresses = others | mine
