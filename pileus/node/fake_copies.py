"""What a fake node keeps of a server, and its calls about copies of disks."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import msgspec

from pileus.node import protocol as p
from pileus.node.errors import NodeError


class FakeInstance(msgspec.Struct):
    """What a real node would spread over libvirt, a folder and Open vSwitch."""

    server_id: str
    spec: p.InstanceSpec | None = None
    domain: bool = False
    power: p.PowerState = "nostate"
    disks: dict[str, p.Disk] = {}
    image_id: str = ""
    rescue_image_id: str = ""
    console: str = ""
    saved: bool = False  # its memory is on disk: suspended
    aside: dict[str, p.Disk] = {}


class FakeVolume(msgspec.Struct):
    """Or a snapshot of one."""

    size: int
    pieces: dict[int, bytes] = {}  # what was written, by where; all else is zero
    port: int = 0  # exported
    clients: set[str] = set()
    snapshot_of: str = ""

    @property
    def allocated(self) -> int:
        return sum(map(len, self.pieces.values()))

    def written(self) -> bytes:
        """Whole sectors as far as somebody wrote: a real node sends gigabytes of zeros after them."""
        end = max((at + len(piece) for at, piece in self.pieces.items()), default=0)
        content = bytearray(max(512, -(-end // 512) * 512))
        for at, piece in self.pieces.items():
            content[at : at + len(piece)] = piece
        return bytes(content)


def stands_on(instance: FakeInstance, image_id: str) -> bool:
    there = bool(instance.disks or instance.aside)
    return there and image_id in (instance.image_id, instance.rescue_image_id)


def empty_qcow2(size: int) -> bytes:
    """The head of a qcow2 file with nothing in it: what a fake's disks look like to the image service."""
    head = struct.pack(
        ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16, size, 0, 1, 65536, 131072, 1, 0, 0, 0, 0, 0, 4, 104
    )
    return head.ljust(4096, b"\0")


class FakeCopies:
    """Obeys `protocol.CopyingNode`; the rest of the fake is in `fake.py`."""

    instances: dict[str, FakeInstance]
    images: dict[str, p.Image]
    snapshots: dict[str, bytes]
    volumes: dict[str, FakeVolume]
    volume_snapshots: dict[str, FakeVolume]

    def _entered(self, call: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def make_snapshot(self, args: p.SnapshotArgs) -> p.Stored:
        with self._entered("make_snapshot"):
            instance = self.instances.get(args.server_id)
            if instance is None or "root" not in instance.disks:
                raise NodeError("not_found", f"server {args.server_id} has no root disk on this node")
            made = self.snapshots.setdefault(args.snapshot_id, empty_qcow2(instance.disks["root"].size))
            return p.Stored(name=args.snapshot_id, size=len(made), format="qcow2")

    def remove_snapshot(self, args: p.SnapshotArgs) -> p.Nothing:
        with self._entered("remove_snapshot"):
            self.snapshots.pop(args.snapshot_id, None)
            return p.NOTHING

    def put_aside(self, args: p.ServerRef) -> p.StoredList:
        with self._entered("put_aside"):
            instance = self.instances.get(args.server_id)
            if instance is None:
                return p.StoredList([])
            if instance.domain:
                raise NodeError("in_use", f"server {args.server_id} still has its domain")
            if not instance.aside:
                instance.aside, instance.disks = instance.disks, {}
            return p.StoredList([p.Stored(name=role, size=1, format=d.format) for role, d in instance.aside.items()])

    def take_back(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("take_back"):
            instance = self.instances.get(args.server_id)
            if instance and instance.aside:
                instance.disks, instance.aside = instance.aside, {}
            return p.NOTHING

    def copy_aside(self, args: p.CopyAside) -> p.Nothing:
        with self._entered("copy_aside"):
            instance = self.instances.get(args.server_id)
            for name in args.names:
                if instance is None or name not in instance.aside:
                    raise NodeError("not_found", f"server {args.server_id} has no disk {name} put aside on this node")
                instance.disks.setdefault(name, instance.aside[name])
            return p.NOTHING

    def drop_aside(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("drop_aside"):
            instance = self.instances.get(args.server_id)
            if instance:
                instance.aside = {}
                if not instance.disks and not instance.domain:
                    del self.instances[args.server_id]
            return p.NOTHING

    def read_file(self, args: p.FileRef) -> Iterator[bytes]:
        with self._entered("read_file"):
            instance = self.instances.get(args.id)
            if args.kind == "snapshot" and args.id in self.snapshots:
                found = self.snapshots[args.id]
            elif args.kind == "aside" and instance and args.name in instance.aside:
                found = b"\0"
            elif args.kind == "base" and args.id in self.images:
                found = b"\0" * self.images[args.id].size
            elif args.kind == "volume" and args.id in self.volumes:
                found = self.volumes[args.id].written()
            elif args.kind == "volume_snapshot" and args.id in self.volume_snapshots:
                found = self.volume_snapshots[args.id].written()
            else:
                raise NodeError("not_found", f"there is no {args.kind} {args.id} {args.name} on this node")
        yield found

    def put_disk(self, args: p.PutDisk, body: Iterable[bytes]) -> p.Nothing:
        received = sum(len(chunk) for chunk in body)
        with self._entered("put_disk"):
            if received != args.size:
                raise NodeError("invalid", f"disk {args.name}: {received} bytes came instead of {args.size}")
            instance = self.instances.setdefault(args.server_id, FakeInstance(args.server_id))
            instance.disks[args.name] = p.Disk(role=args.name, device="", path="fake:", format="raw", size=args.size)
            return p.NOTHING
