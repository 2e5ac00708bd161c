"""Disks beside those in use: copies made into one file, disks put aside, disks that come from another host."""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from pileus.node.disk.disks import PART
from pileus.node.errors import NodeError
from pileus.node.protocol import Image, PutDisk, Stored
from pileus.node.run import run

ASIDE = "aside"  # the folder within a server's
COPY = ".copy"  # of a root disk, before it is made one file with what it stands on
CONVERT_SECONDS = 3600.0


def copy_sparsely(disk: Path, copy: Path) -> None:
    """As it is at this moment: whoever calls lets a guest stand still meanwhile. Costs nothing where files share blocks."""
    copy.unlink(missing_ok=True)
    run("cp", "--sparse=always", "--reflink=auto", "--", str(disk), str(copy), seconds=CONVERT_SECONDS)


def copy_aside(folder: Path, name: str) -> bool:
    """Once; the copy stands on the same base. False where nothing of that name was put aside."""
    kept, part = folder / ASIDE / name, folder / (name + PART)
    if not (folder / name).exists():
        if not kept.exists():
            return False
        with half_made(part):
            copy_sparsely(kept, part)
            part.rename(folder / name)
    return True


@contextlib.contextmanager
def half_made(part: Path) -> Iterator[Path]:
    """It goes unless it was given its own name; one of a node that died goes when the next one starts."""
    part.unlink(missing_ok=True)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def flatten(copy: Path, made: Path) -> None:
    """One qcow2 file of a copied overlay and what it stands on; it gets its name when it is whole."""
    part = made.with_name(made.name + PART)
    with half_made(part):
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
    """Write what comes, holes for zeros; it counts when it is whole. An overlay is told where its base is on this host."""
    folder.mkdir(mode=0o711, exist_ok=True)
    part = folder / (args.name + PART)
    with half_made(part):
        size = write_sparsely(part, body)
        if size != args.size:
            raise NodeError("invalid", f"disk {args.name}: {size} bytes came instead of {args.size}")
        if base is not None and base_path is not None:
            run("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", base.format, "-b", str(base_path), str(part))
        part.rename(folder / args.name)


def write_sparsely(path: Path, body: Iterable[bytes]) -> int:
    """How much came."""
    size = 0
    with path.open("xb") as file:
        path.chmod(0o600)
        for chunk in body:
            size += len(chunk)
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), 1)
            else:
                file.write(chunk)
        file.truncate(size)
    return size


def sweep(instances: Path, snapshots: Path, bases: Path) -> None:
    """What a node that was killed was in the middle of: nobody goes on with it, it is made anew."""
    half = [*instances.glob(f"*/*{PART}"), *snapshots.glob(f"*{PART}"), *snapshots.glob(f"*{COPY}")]
    for path in [*half, *bases.glob(f".*{PART}")]:
        path.unlink(missing_ok=True)
