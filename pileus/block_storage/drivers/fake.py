"""Volumes in memory: same contract, same answers, no disks. It can be told to fail at a call, as the fake node can."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from pileus.block_storage.drivers import base
from pileus.core.errors import EngineError, EngineUnavailable

TOTAL_GB = 2000


class FakeVolume(msgspec.Struct):
    size_gb: int
    pieces: dict[int, bytes] = {}
    snapshots: dict[str, "FakeVolume"] = {}
    exports: set[str] = set()
    name: str = ""  # of a file that nobody manages


class FakeVolumes:
    """Obeys `base.Volumes`."""

    def __init__(self, nodes: list[str]):
        self.volumes: dict[str, dict[str, FakeVolume]] = {base.host_of(node): {} for node in nodes}
        self._faults: dict[str, list[Exception]] = {}
        self._lock = threading.RLock()

    def fail(self, call: str, times: int = 1, error: Exception | None = None) -> None:
        """Let the next calls of this name raise, before they do anything."""
        self._faults[call] = [error or EngineUnavailable(f"told to fail at {call}")] * times

    @contextmanager
    def _entered(self, call: str, host: str) -> Iterator[dict[str, FakeVolume]]:
        with self._lock:
            if faults := self._faults.get(call):
                raise faults.pop()
            if host not in self.volumes:
                raise EngineUnavailable(f"there is no backend {host}")
            yield self.volumes[host]

    def hosts(self) -> list[str]:
        return list(self.volumes)

    def stats(self, host: str) -> base.Stats:
        with self._entered("stats", host) as volumes:
            return base.Stats(TOTAL_GB, TOTAL_GB - sum(volume.size_gb for volume in volumes.values()))

    def create(self, host: str, volume_id: str, size_gb: int, source: base.Source | None = None) -> None:
        with self._entered("create", host) as volumes:
            if volume_id not in volumes:
                pieces = {} if source is None else self._content(volumes, source)
                volumes[volume_id] = FakeVolume(size_gb, pieces)
            volumes[volume_id].size_gb = max(size_gb, volumes[volume_id].size_gb)

    def _content(self, volumes: dict[str, FakeVolume], source: base.Source) -> dict[int, bytes]:
        if source.kind == "image":
            return {0: f"image {source.id}".encode()}
        part = base.Part(source.volume_id, source.id) if source.kind == "snapshot" else base.Part(source.id)
        return dict(self._part(volumes, part).pieces)

    def _part(self, volumes: dict[str, FakeVolume], part: base.Part) -> FakeVolume:
        found = volumes.get(part.volume_id)
        if found is not None and part.snapshot_id:
            found = found.snapshots.get(part.snapshot_id)
        if found is None:
            raise EngineError(f"there is no volume {part.volume_id} {part.snapshot_id} on this host")
        return found

    def write(self, host: str, volume_id: str, size_gb: int, pieces: Iterable[base.Piece]) -> None:
        written = dict(pieces)
        with self._entered("write", host) as volumes:
            there = volumes.setdefault(volume_id, FakeVolume(size_gb))
            there.size_gb, there.pieces = max(size_gb, there.size_gb), written

    def remove(self, host: str, volume_id: str) -> None:
        with self._entered("remove", host) as volumes:
            volumes.pop(volume_id, None)

    def extend(self, host: str, volume_id: str, size_gb: int) -> None:
        with self._entered("extend", host) as volumes:
            volume = self._part(volumes, base.Part(volume_id))
            volume.size_gb = max(size_gb, volume.size_gb)

    def create_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        with self._entered("create_snapshot", host) as volumes:
            volume = self._part(volumes, base.Part(volume_id))
            volume.snapshots.setdefault(snapshot_id, FakeVolume(volume.size_gb, dict(volume.pieces)))

    def remove_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        with self._entered("remove_snapshot", host) as volumes:
            if volume_id in volumes:
                volumes[volume_id].snapshots.pop(snapshot_id, None)

    def revert(self, host: str, volume_id: str, snapshot_id: str) -> None:
        with self._entered("revert", host) as volumes:
            then = self._part(volumes, base.Part(volume_id, snapshot_id))
            volumes[volume_id].pieces = dict(then.pieces)

    def read(self, host: str, part: base.Part) -> Iterator[base.Piece]:
        with self._entered("read", host) as volumes:
            return iter(sorted(self._part(volumes, part).pieces.items()))

    def read_as(self, host: str, part: base.Part, disk_format: base.Formats) -> Iterator[bytes]:
        with self._entered("read_as", host) as volumes:
            found = self._part(volumes, part)
            return iter([_file(disk_format, found.size_gb, b"".join(found.pieces.values()))])

    def connect(self, host: str, volume_id: str, node: str, read_only: bool = False) -> base.Connection:
        with self._entered("connect", host) as volumes:
            volume = self._part(volumes, base.Part(volume_id))
            if base.node_of(host) == node:
                return base.Connection(
                    "file", volume_id, path=f"fake:{volume_id}", read_only=read_only, serial=volume_id
                )
            volume.exports.add(node)
            address = f"nbd://{base.node_of(host)}/{volume_id}"
            return base.Connection("nbd", volume_id, address=address, read_only=read_only, serial=volume_id)

    def disconnect(self, host: str, volume_id: str, node: str) -> None:
        with self._entered("disconnect", host) as volumes:
            if volume_id in volumes:
                volumes[volume_id].exports.discard(node)

    def stored(self, host: str) -> list[base.Stored]:
        with self._entered("stored", host) as volumes:
            return [
                base.Stored("" if v.name else key, v.size_gb, sorted(v.snapshots), v.name, bool(v.exports))
                for key, v in volumes.items()
            ]

    def adopt(self, host: str, name: str, volume_id: str) -> int:
        with self._entered("adopt", host) as volumes:
            if volume_id not in volumes:
                if name not in volumes or not volumes[name].name:
                    raise EngineError(f"there is no file {name} on this host")
                volumes[volume_id] = volumes.pop(name)
                volumes[volume_id].name = ""
            return volumes[volume_id].size_gb

    def release(self, host: str, volume_id: str, name: str) -> None:
        with self._entered("release", host) as volumes:
            if volume_id in volumes:
                volumes[name] = volumes.pop(volume_id)
                volumes[name].name = name


def _file(disk_format: str, size_gb: int, content: bytes) -> bytes:
    """What looks like a file of that format to the image service."""
    if disk_format == "qcow2":
        return b"QFI\xfb\x00\x00\x00\x03" + bytes(16) + (size_gb << 30).to_bytes(8, "big") + bytes(72)
    return (content or b"\0").ljust(512, b"\0")
