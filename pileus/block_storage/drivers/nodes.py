"""Volumes as files of nodes, real and fake ones alike: the bytes are where the node protocol says."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pileus.block_storage.drivers import base
from pileus.core import qemu_img
from pileus.core.errors import EngineUnavailable
from pileus.node import protocol as p
from pileus.node.errors import NodeError
from pileus.node.fake import FakeNode
from pileus.node.fake_copies import empty_qcow2

GIB = 1 << 30
ZEROS = bytes(base.PIECE)
SendImage = Callable[[Any, str], tuple[p.PutImage, Iterable[bytes]]]


class NodeVolumes:
    """Obeys `base.Volumes`."""

    def __init__(self, cloud: Any, send_image: SendImage) -> None:
        self._cloud, self._send_image = cloud, send_image

    def _node(self, host: str) -> p.Node:
        node: p.Node = self._cloud.drivers["compute"].get(base.node_of(host))
        return node

    def hosts(self) -> list[str]:
        return [base.host_of(name) for name, _ in self._cloud.drivers["compute"].items()]

    def stats(self, host: str) -> base.Stats:
        told = self._node(host).list_volumes()
        return base.Stats(told.total_bytes // GIB, told.free_bytes // GIB)

    def create(self, host: str, volume_id: str, size_gb: int, source: base.Source | None = None) -> None:
        node = self._node(host)
        wanted = None
        if source is not None:
            wanted = p.VolumeSource(kind=source.kind, id=source.id)
            if source.kind == "image" and node.has_image(p.ImageRef(source.id)).image is None:
                node.put_image(*self._send_image(self._cloud, source.id))
        made = node.ensure_volume(p.EnsureVolume(volume_id=volume_id, size_gb=size_gb, source=wanted))
        if made.size < size_gb * GIB:
            node.extend_volume(p.ExtendVolume(volume_id=volume_id, size_gb=size_gb))

    def write(self, host: str, volume_id: str, size_gb: int, pieces: Iterable[base.Piece]) -> None:
        args = p.PutVolume(volume_id=volume_id, size=size_gb * GIB, size_gb=size_gb)
        self._node(host).put_volume(args, _whole(pieces, args.size))

    def remove(self, host: str, volume_id: str) -> None:
        node = self._node(host)
        node.unexport_volume(p.ExportVolume(volume_id=volume_id, client="*"))
        node.remove_volume(p.VolumeRef(volume_id))

    def extend(self, host: str, volume_id: str, size_gb: int) -> None:
        """Hosts of servers that have it from here are told after it has grown."""
        args, own = p.ExtendVolume(volume_id=volume_id, size_gb=size_gb), base.node_of(host)
        self._node(host).extend_volume(args)
        for name, node in self._cloud.drivers["compute"].items():
            if name != own:
                try:
                    node.extend_volume(args)
                except NodeError as error:
                    if error.kind != "not_found":  # it has it not
                        raise
                except EngineUnavailable:  # its guests see it when they start again
                    continue

    def create_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        self._node(host).ensure_volume_snapshot(p.VolumeSnapshot(volume_id=volume_id, snapshot_id=snapshot_id))

    def remove_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        self._node(host).remove_volume_snapshot(p.VolumeSnapshot(volume_id=volume_id, snapshot_id=snapshot_id))

    def revert(self, host: str, volume_id: str, snapshot_id: str) -> None:
        self._node(host).revert_volume(p.VolumeSnapshot(volume_id=volume_id, snapshot_id=snapshot_id))

    def read(self, host: str, part: base.Part) -> Iterator[base.Piece]:
        return _pieces(self._stream(host, part))

    def _stream(self, host: str, part: base.Part) -> Iterator[bytes]:
        file = p.FileRef(kind="volume", id=part.volume_id)
        if part.snapshot_id:
            file = p.FileRef(kind="volume_snapshot", id=part.snapshot_id)
        return self._node(host).read_file(file)

    def read_as(self, host: str, part: base.Part, disk_format: base.Formats) -> Iterator[bytes]:
        """Converted in a file of the controller's own; a fake's is a few bytes, and looks like what was asked for."""
        if disk_format == "raw":
            return self._stream(host, part)
        if isinstance(self._node(host), FakeNode):
            return iter([_fake_file(disk_format, self._size(host, part), b"".join(self._stream(host, part)))])
        return self._converted(host, part, disk_format)

    def _converted(self, host: str, part: base.Part, disk_format: base.Formats) -> Iterator[bytes]:
        with tempfile.TemporaryDirectory(dir=self._cloud.settings.state) as folder:
            raw, made = Path(folder) / "raw", Path(folder) / "made"
            with raw.open("xb") as file:
                end = 0
                for at, piece in _pieces(self._stream(host, part)):
                    file.seek(at)
                    file.write(piece)
                    end = at + len(piece)
                file.truncate(max(end, self._size(host, part)))
            qemu_img.convert(raw, "raw", made, disk_format)
            raw.unlink()
            with made.open("rb") as file:
                while chunk := file.read(base.PIECE):
                    yield chunk

    def _size(self, host: str, part: base.Part) -> int:
        told = self._node(host).list_volumes()
        sizes = {volume.volume_id: volume.size for volume in told.volumes}
        sizes |= {snapshot.snapshot_id: snapshot.size for snapshot in told.snapshots}
        return sizes.get(part.snapshot_id or part.volume_id, 0)

    def connect(self, host: str, volume_id: str, node: str, read_only: bool = False) -> base.Connection:
        own = base.node_of(host)
        if node == own:
            return base.Connection("file", volume_id, read_only=read_only, serial=volume_id)
        export = self._node(host).export_volume(p.ExportVolume(volume_id=volume_id, client=node))
        place = f"[{export.address}]" if ":" in export.address else export.address
        address = f"nbd://{place}:{export.port}/{volume_id}"
        return base.Connection("nbd", volume_id, address=address, read_only=read_only, serial=volume_id)

    def disconnect(self, host: str, volume_id: str, node: str) -> None:
        if node != base.node_of(host):
            self._node(host).unexport_volume(p.ExportVolume(volume_id=volume_id, client=node))

    def stored(self, host: str) -> list[base.Stored]:
        told = self._node(host).list_volumes()
        snapshots: dict[str, list[str]] = {}
        for snapshot in told.snapshots:
            snapshots.setdefault(snapshot.volume_id, []).append(snapshot.snapshot_id)
        return [
            base.Stored(
                volume_id=volume.volume_id, size_gb=-(-volume.size // GIB), exported=volume.exported,
                snapshots=sorted(snapshots.get(volume.volume_id, [])),
            )
            for volume in told.volumes
        ]  # fmt: skip

    def adopt(self, host: str, name: str, volume_id: str) -> int:
        made = self._node(host).rename_volume(p.RenameVolume(old=name, new=volume_id))
        return -(-made.size // GIB)

    def release(self, host: str, volume_id: str, name: str) -> None:
        self._node(host).rename_volume(p.RenameVolume(old=volume_id, new=name))


def _pieces(stream: Iterable[bytes]) -> Iterator[base.Piece]:
    """What is not zero of a stream, in pieces that begin where others would."""
    at, buffer = 0, bytearray()
    for chunk in stream:
        buffer += chunk
        while len(buffer) >= base.PIECE:
            piece = bytes(buffer[: base.PIECE])
            del buffer[: base.PIECE]
            if piece != ZEROS:
                yield at, piece
            at += len(piece)
    if buffer.strip(b"\0"):
        yield at, bytes(buffer)


def _whole(pieces: Iterable[base.Piece], size: int) -> Iterator[bytes]:
    """All bytes of a volume."""
    done = 0
    for at, piece in pieces:
        yield from _zeros(at - done)
        yield piece[: size - at]
        done = at + len(piece)
    yield from _zeros(size - done)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield ZEROS[: min(count, base.PIECE)]
        count -= base.PIECE


def _fake_file(disk_format: str, size: int, content: bytes) -> bytes:
    if disk_format == "qcow2":
        return empty_qcow2(size)
    return content
