"""Volumes as files: sparse and raw, so that whoever opens one reads nothing in it but the guest's own bytes.

A snapshot is a whole copy (of no cost where the file system shares blocks): no chain of files, and so no order in which
volumes and snapshots have to be deleted, and no file that a crash could leave without what it stands on.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pileus.node.disk.copies import CONVERT_SECONDS, copy_sparsely, half_made, write_sparsely
from pileus.node.disk.disks import GIB, PART
from pileus.node.disk.images import SPARE, ImageCache, checked_id
from pileus.node.errors import NodeError
from pileus.node.protocol import SnapshotState, VolumeSource
from pileus.node.run import run

RAW = ".raw"


class VolumeFiles:
    """A file has its name once it is whole, and on the disk."""

    def __init__(self, folder: Path, images: ImageCache) -> None:
        self.folder, self._images = folder, images
        self._snapshots = folder / "snapshots"
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)  # QEMU, a user of its own, opens what is its own here
        self._snapshots.mkdir(mode=0o700, exist_ok=True)

    def sweep(self) -> None:
        """What a node that was killed was in the middle of."""
        for left in [*self.folder.glob(f"*{PART}"), *self._snapshots.glob(f"*{PART}")]:
            left.unlink(missing_ok=True)

    def path(self, volume_id: str) -> Path:
        return self.folder / (checked_id(volume_id) + RAW)

    def find_snapshot(self, snapshot_id: str) -> Path | None:
        """Its name says whose snapshot it is, too."""
        return next(self._snapshots.glob(f"{checked_id(snapshot_id)}@*{RAW}"), None)

    def get(self, volume_id: str) -> Path:
        path = self.path(volume_id)
        if not path.exists():
            raise NodeError("not_found", f"volume {volume_id} is not on this host")
        return path

    def get_snapshot(self, snapshot_id: str) -> Path:
        path = self.find_snapshot(snapshot_id)
        if path is None:
            raise NodeError("not_found", f"snapshot {snapshot_id} is not on this host")
        return path

    def ids(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob(f"*{RAW}"))

    def snapshots(self) -> list[SnapshotState]:
        return [self.snapshot_state(path.stem.partition("@")[0]) for path in sorted(self._snapshots.glob(f"*{RAW}"))]

    def snapshot_state(self, snapshot_id: str) -> SnapshotState:
        path = self.get_snapshot(snapshot_id)
        about, volume_id = path.stat(), path.stem.partition("@")[2]
        return SnapshotState(
            volume_id=volume_id, snapshot_id=snapshot_id, size=about.st_size, allocated=about.st_blocks * 512
        )

    def room(self) -> tuple[int, int]:
        """Bytes in all, and free."""
        usage = shutil.disk_usage(self.folder)
        return usage.total, usage.free

    def make(self, volume_id: str, size_gb: int, source: VolumeSource | None) -> None:
        """Whoever calls holds still what is copied."""
        with half_made(self.path(volume_id).with_suffix(PART)) as part:
            if source is None:
                part.touch(0o600, exist_ok=False)
            elif source.kind == "image":
                self._convert(source.id, size_gb, part)
            else:
                original = self.get(source.id) if source.kind == "volume" else self.get_snapshot(source.id)
                self._copy(original, part)
            self._finish(part, size_gb * GIB)
            part.rename(self.path(volume_id))

    def receive(self, volume_id: str, size_gb: int, size: int, body: Iterable[bytes]) -> None:
        self._room_for(size)
        with half_made(self.path(volume_id).with_suffix(PART)) as part:
            came = write_sparsely(part, body)
            if came != size:
                raise NodeError("invalid", f"volume {volume_id}: {came} bytes came instead of {size}")
            self._finish(part, size_gb * GIB)
            part.rename(self.path(volume_id))

    def copy_to_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        made = self._snapshots / f"{checked_id(snapshot_id)}@{checked_id(volume_id)}{RAW}"
        with half_made(made.with_suffix(PART)) as part:
            self._copy(self.get(volume_id), part)
            self._finish(part, 0)
            part.rename(made)

    def revert(self, volume_id: str, snapshot_id: str) -> None:
        volume = self.get(volume_id)
        with half_made(volume.with_suffix(PART)) as part:
            self._copy(self.get_snapshot(snapshot_id), part)
            self._finish(part, volume.stat().st_size)
            part.rename(volume)

    def remove(self, volume_id: str) -> None:
        self.path(volume_id).unlink(missing_ok=True)

    def remove_snapshot(self, snapshot_id: str) -> None:
        if path := self.find_snapshot(snapshot_id):
            path.unlink(missing_ok=True)

    def rename(self, old: str, new: str) -> None:
        if self.path(new).exists():
            raise NodeError("in_use", f"there is a volume {new} already")
        self.path(old).rename(self.path(new))

    def grow(self, volume_id: str, size: int) -> None:
        path = self.get(volume_id)
        now = path.stat().st_size
        if now > size:
            raise NodeError("invalid", f"volume {volume_id} has {now} bytes already: it cannot become smaller")
        if now < size:
            os.truncate(path, size)

    def _convert(self, image_id: str, size_gb: int, part: Path) -> None:
        image = self._images.find(image_id)
        if image is None:
            raise NodeError("not_found", f"image {image_id} is not on this host")
        if image.virtual_size > size_gb * GIB:
            needs = -(-image.virtual_size // GIB)
            raise NodeError("invalid", f"the image needs a volume of {needs} GiB, not {size_gb}")
        self._room_for(image.size)
        base = str(self._images.path(image_id))
        run("qemu-img", "convert", "-q", "-f", image.format, "-O", "raw", base, str(part), seconds=CONVERT_SECONDS)

    def _copy(self, original: Path, part: Path) -> None:
        self._room_for(original.stat().st_blocks * 512)
        copy_sparsely(original, part)

    def _finish(self, part: Path, size: int) -> None:
        """Never smaller than asked for, nobody's but root's until somebody has it, and on the disk."""
        if part.stat().st_size < size:
            os.truncate(part, size)
        elif size and part.stat().st_size > size:
            raise NodeError("invalid", f"{part.stat().st_size} bytes do not fit into a volume of {size}")
        os.chown(part, os.geteuid(), os.getegid())
        part.chmod(0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())

    def _room_for(self, size: int) -> None:
        if self.room()[1] < size + SPARE:
            raise NodeError("no_space", f"this host has no room for {size} more bytes")
