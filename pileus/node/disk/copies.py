"""Disks beside those in use: copies made into one file, disks put aside, disks that come from another host."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from pileus.node.disk.disks import PART
from pileus.node.errors import NodeError
from pileus.node.protocol import Image, PutDisk, Stored
from pileus.node.run import run

ASIDE = "aside"  # the folder within a server's
CONVERT_SECONDS = 3600.0


def copy_overlay(root: Path, copy: Path) -> None:
    """What the guest wrote, as it is at this moment: whoever calls lets it stand still meanwhile."""
    copy.unlink(missing_ok=True)
    run("cp", "--sparse=always", "--reflink=auto", "--", str(root), str(copy), seconds=CONVERT_SECONDS)


def flatten(copy: Path, made: Path) -> None:
    """One qcow2 file of a copied overlay and what it stands on; it gets its name when it is whole."""
    part = made.with_name(made.name + PART)
    part.unlink(missing_ok=True)
    run("qemu-img", "convert", "-q", "-O", "qcow2", str(copy), str(part), seconds=CONVERT_SECONDS)
    part.chmod(0o600)
    part.rename(made)


def put_aside(folder: Path, names: Iterable[str]) -> list[Stored]:
    """Move these disks into a folder of their own, unless some are there already: then they were moved before."""
    aside = folder / ASIDE
    found = list(names)
    if found and not (aside / "root.qcow2").exists():
        aside.mkdir(mode=0o700, exist_ok=True)
        for name in sorted(found, key=lambda name: name == "root.qcow2"):  # the root disk last: it says all are there
            (folder / name).rename(aside / name)
    return stored(folder)


def stored(folder: Path) -> list[Stored]:
    aside = folder / ASIDE
    if not aside.is_dir():
        return []
    return [
        Stored(name=path.name, size=path.stat().st_size, format=path.suffix.removeprefix("."))
        for path in sorted(aside.iterdir())
    ]


def take_back(folder: Path, names: Iterable[str]) -> None:
    aside = folder / ASIDE
    if not aside.is_dir():
        return
    kept = [path.name for path in aside.iterdir()]
    for name in set(names) - set(kept):
        if (aside / "root.qcow2").exists():  # a disk of the server as it was tried
            (folder / name).unlink(missing_ok=True)
    for name in sorted(kept, key=lambda name: name == "root.qcow2"):
        (aside / name).rename(folder / name)
    aside.rmdir()


def drop_aside(folder: Path) -> None:
    if (folder / ASIDE).is_dir():
        shutil.rmtree(folder / ASIDE)


def receive_disk(
    folder: Path, args: PutDisk, body: Iterable[bytes], base: Image | None, base_path: Path | None
) -> None:
    """Write what comes, holes for zeros. An overlay is told where its base is on this host."""
    folder.mkdir(mode=0o711, exist_ok=True)
    part, size = folder / (args.name + PART), 0
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        part.chmod(0o600)
        for chunk in body:
            size += len(chunk)
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), 1)
            else:
                file.write(chunk)
        file.truncate(size)
    if size != args.size:
        part.unlink()
        raise NodeError("invalid", f"disk {args.name}: {size} bytes came instead of {args.size}")
    if base is not None and base_path is not None:
        run("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", base.format, "-b", str(base_path), str(part))
    part.rename(folder / args.name)
