"""A server's disks: planned by a pure function, made when missing, never touched when there."""

import os
import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple

from pileus.node.disk.drive import config_drive
from pileus.node.disk.images import ImageCache
from pileus.node.errors import NodeError
from pileus.node.metadata.tree import config_drive_tree
from pileus.node.protocol import Disk, DiskSpec, Image, InstanceSpec
from pileus.node.run import run

GIB = 1 << 30
PART = ".part"
PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd"}


class Planned(NamedTuple):
    """A disk as it should be; `file` is its name in the server's folder."""

    role: str
    file: str
    format: str
    size: int
    filesystem: str = ""
    base: Image | None = None


def plan(spec: DiskSpec, find: Callable[[str], Image | None]) -> list[Planned]:
    """The disks a server should have, in the order in which the guest sees them."""
    planned = []
    for role, disk in (("rescue", spec.rescue), ("root", spec.root)):
        if disk is None:
            continue
        base = find(disk.image_id)
        if base is None:
            raise NodeError("not_found", f"image {disk.image_id} is not on this node")
        size = disk.size_gb * GIB or base.virtual_size
        if size < base.virtual_size:
            needs = -(-base.virtual_size // GIB)
            raise NodeError("invalid", f"the image needs a root disk of {needs} GiB, not {disk.size_gb}")
        planned.append(Planned(role, f"{role}.qcow2", "qcow2", size, base=base))
    for n, extra in enumerate(spec.ephemerals):
        planned.append(Planned(f"ephemeral{n}", f"ephemeral{n}.raw", "raw", extra.size_gb * GIB, extra.format))
    if spec.swap_mb:
        planned.append(Planned("swap", "swap.raw", "raw", spec.swap_mb << 20, "swap"))
    if spec.config_drive:
        planned.append(Planned("config", "config.iso", "raw", 0))
    return planned


def ensure_disks(spec: InstanceSpec, folder: Path, cache: ImageCache) -> list[Disk]:
    """Make what is missing. A disk gets its name when it is whole, so a crash leaves nothing that looks like one."""
    planned = plan(spec.disks, cache.find)
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)  # QEMU's own user passes through, and lists nothing
    for disk in planned:
        path = folder / disk.file
        if path.exists():
            grow(path, disk)
            continue
        part = folder / (disk.file + PART)
        part.unlink(missing_ok=True)
        if disk.base:
            make_overlay(part, cache.path(disk.base.image_id), disk.base.format, disk.size)
        elif disk.role == "config":
            part.write_bytes(config_drive(config_drive_tree(spec, os.urandom(512))))
            part.chmod(0o400)
        else:
            make_blank(part, disk)
        part.rename(path)
    if spec.disks.rescue is None:
        (folder / "rescue.qcow2").unlink(missing_ok=True)
    return list_disks(planned, folder, cache, spec)


def device_names(count: int, spec: InstanceSpec) -> tuple[list[str], dict[str, str]]:
    """Of so many disks of the server's own, and of its volumes.

    Volumes have the names that they were given, and the others what is left; but a server that is rescued finds its own
    disks first, behind the one that it boots from.
    """
    prefix = PREFIX.get(spec.disk_bus, "vd")
    given = {volume.volume_id: volume.device for volume in spec.volumes}
    names = [prefix + letters for letters in [*ascii_lowercase, *map("".join, product(ascii_lowercase, repeat=2))]]
    taken = set() if spec.disks.rescue else set(given.values())
    own = [name for name in names if name not in taken][:count]
    free = iter([name for name in names if name not in {*own, *given.values()}])
    return own, {volume_id: next(free) if name in own else name for volume_id, name in given.items()}


def list_disks(planned: list[Planned], folder: Path, cache: ImageCache, spec: InstanceSpec) -> list[Disk]:
    """The planned disks as a guest will see them; NodeError not_found if one is missing."""
    disks = []
    names, _ = device_names(len(planned), spec)
    for disk, device in zip(planned, names, strict=True):
        path = folder / disk.file
        if not path.exists():
            raise NodeError("not_found", f"disk {disk.role} does not exist in {folder}")
        size = disk.size or path.stat().st_size
        base, base_format = ("", "") if not disk.base else (str(cache.path(disk.base.image_id)), disk.base.format)
        disks.append(
            Disk(
                role=disk.role,
                device=device,
                path=str(path),
                format=disk.format,
                size=size,
                base=base,
                base_format=base_format,
            )
        )
    return disks


def grow(path: Path, disk: Planned) -> None:
    """A disk from before a resize becomes larger; none ever becomes smaller."""
    if disk.role == "root" and virtual_size(path) < disk.size:
        run("qemu-img", "resize", "-q", "-f", "qcow2", str(path), str(disk.size))
    elif disk.role.startswith("ephemeral") and path.stat().st_size < disk.size:
        os.truncate(path, disk.size)


def virtual_size(overlay: Path) -> int:
    """What the guest sees of a qcow2 file, from its header."""
    with overlay.open("rb") as file:
        head = file.read(32)
    (size,) = struct.unpack_from(">Q", head, 24)
    return int(size)


def make_overlay(path: Path, base: Path, base_format: str, size: int) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", base_format, "-b", str(base), str(path), str(size))
    path.chmod(0o600)


def make_blank(path: Path, disk: Planned) -> None:
    """A sparse file with a filesystem of the label that guests look for."""
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(disk.size)
    label = disk.role
    if disk.filesystem == "swap":
        run("mkswap", "-q", "-L", label, str(path))
    elif disk.filesystem == "vfat":
        run("mkfs.vfat", "-n", label[:11].upper(), str(path), seconds=60)
    else:
        run("mkfs.ext4", "-q", "-F", "-L", label, "-E", "lazy_itable_init=1,nodiscard", str(path), seconds=60)
