"""The real node's calls about copies of disks: snapshots, disks put aside, disks from another host."""

import io
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from pileus.node import protocol as p
from pileus.node.disk.copies import (
    ASIDE,
    COPY,
    copy_aside,
    copy_sparsely,
    drop_aside,
    flatten,
    half_made,
    put_aside,
    receive_disk,
    take_back,
)
from pileus.node.disk.images import ImageCache, checked_id
from pileus.node.disk.volumes import VolumeFiles
from pileus.node.errors import NodeError
from pileus.node.instances import DISKS, Instances
from pileus.node.vm.hypervisor import Hypervisor


class Copies:
    """Obeys `protocol.CopyingNode`; the rest of the node is in `host.py`."""

    name: str
    _instances: Instances
    _images: ImageCache
    _images_lock: threading.Lock
    _snapshots: Path
    _hypervisor: Hypervisor
    _volumes: VolumeFiles

    def make_snapshot(self, args: p.SnapshotArgs) -> p.Stored:
        made = self._snapshot(args.snapshot_id)
        with self._instances.locked(args.snapshot_id):  # a controller that died may be followed by one that asks again
            if not made.exists():
                self._make_snapshot(args.server_id, made)
            return p.Stored(name=made.name, size=made.stat().st_size, format="qcow2")

    def _make_snapshot(self, server_id: str, made: Path) -> None:
        copy = made.with_suffix(COPY)
        with half_made(copy):
            with self._instances.locked(server_id):
                root = self._instances.path(server_id) / "root.qcow2"
                if not root.exists():
                    raise NodeError("not_found", f"server {server_id} has no root disk on {self.name}")
                with self._hypervisor.standing_still(server_id):
                    copy_sparsely(root, copy)
            flatten(copy, made)

    def remove_snapshot(self, args: p.SnapshotArgs) -> p.Nothing:
        with self._instances.locked(args.snapshot_id):
            for path in self._snapshots.glob(self._snapshot(args.snapshot_id).stem + ".*"):
                path.unlink(missing_ok=True)
        return p.NOTHING

    def _snapshot(self, snapshot_id: str) -> Path:
        return self._snapshots / f"{checked_id(snapshot_id)}.qcow2"

    def put_aside(self, args: p.ServerRef) -> p.StoredList:
        with self._instances.locked(args.server_id):
            if self._hypervisor.find(args.server_id):
                raise NodeError("in_use", f"server {args.server_id} still has its domain on {self.name}")
            folder = self._instances.path(args.server_id)
            return p.StoredList(put_aside(folder, self._instances.disks_of(args.server_id)))

    def take_back(self, args: p.ServerRef) -> p.Nothing:
        with self._instances.locked(args.server_id):
            take_back(self._instances.path(args.server_id), self._instances.disks_of(args.server_id))
        return p.NOTHING

    def copy_aside(self, args: p.CopyAside) -> p.Nothing:
        with self._instances.locked(args.server_id):
            for name in args.names:
                self._check_name(name)
                if not copy_aside(self._instances.path(args.server_id), name):
                    raise NodeError("not_found", f"server {args.server_id} has no disk {name} put aside on {self.name}")
        return p.NOTHING

    def drop_aside(self, args: p.ServerRef) -> p.Nothing:
        with self._instances.locked(args.server_id):
            drop_aside(self._instances.path(args.server_id))
        return p.NOTHING

    def open_file(self, args: p.FileRef) -> io.BufferedReader:
        """As `read_file`, for whoever sends it on."""
        if args.kind == "snapshot":
            path = self._snapshot(args.id)
        elif args.kind == "base":
            path = self._images.path(args.id)
        elif args.kind == "volume":
            path = self._volumes.path(args.id)
        elif args.kind == "volume_snapshot":
            path = self._volumes.find_snapshot(args.id) or self._volumes.path("none")
        else:
            path = self._instances.path(args.id) / ASIDE / checked_id(args.name)
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise NodeError("not_found", f"there is no {args.kind} {args.id} {args.name} on {self.name}") from None

    def read_file(self, args: p.FileRef) -> Iterator[bytes]:
        with self.open_file(args) as file:
            while chunk := file.read(1 << 20):
                yield chunk

    def _check_name(self, name: str) -> None:
        if not DISKS.fullmatch(name):
            raise NodeError("invalid", f"{name[:100]!r} is no disk's name")

    def put_disk(self, args: p.PutDisk, body: Iterable[bytes]) -> p.Nothing:
        folder = self._instances.path(args.server_id)
        self._check_name(args.name)
        base = path = None
        with self._instances.locked(args.server_id):
            if args.image_id:
                with self._images_lock:
                    base, path = self._images.find(args.image_id), self._images.path(args.image_id)
                    if base is None:
                        raise NodeError("not_found", f"image {args.image_id} is not on this node")
                    self._instances.note_bases(args.server_id, [args.image_id])
            receive_disk(folder, args, body, base, path)
        return p.NOTHING
