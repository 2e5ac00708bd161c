"""Backups' bytes: a folder of the state folder for each, with an index and what differs from the backup before.

The index names every piece of the volume that is not zero: where it goes, its hash, and in which backup's data it lies. So
a restore reads one index, and an incremental backup adds what changed. A folder has its name once it is whole.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pileus.block_storage.drivers.base import Part, Piece, Volumes
from pileus.core.errors import EngineError

INDEX, DATA, HALF = "index.json", "data", ".part"


class Held(NamedTuple):
    """A piece of a volume, and the place in a backup's data where it lies."""

    at: int
    length: int
    sha256: str
    key: str
    offset: int


class Index(msgspec.Struct):
    size_gb: int
    pieces: list[Held]


def folder(cloud: Any) -> Path:
    found: Path = cloud.settings.folder / "backups"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    return found


def keys(cloud: Any) -> set[str]:
    """What there is, whole or not."""
    return {path.name for path in folder(cloud).iterdir()}


def save(cloud: Any, key: str, parent: str | None, host: str, part: Part, size_gb: int) -> int:
    """Read a volume into a backup, unless it is there; returns how many pieces are its own."""
    whole = folder(cloud) / key
    if not whole.exists():
        half = whole.with_name(key + HALF)
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        before = {(held.at, held.sha256): held for held in _index(cloud, parent).pieces} if parent else {}
        driver: Volumes = cloud.drivers["block_storage"]
        pieces = _write(half, key, driver.read(host, part), before)
        (half / INDEX).write_bytes(msgspec.json.encode(Index(size_gb, pieces)))
        half.rename(whole)
    return sum(held.key == key for held in _index(cloud, key).pieces)


def _write(half: Path, key: str, pieces: Iterable[Piece], before: dict[tuple[int, str], Held]) -> list[Held]:
    found = []
    with (half / DATA).open("xb") as file:
        for at, piece in pieces:
            digest = hashlib.sha256(piece).hexdigest()
            known = before.get((at, digest))
            if known is None:
                known = Held(at, len(piece), digest, key, file.tell())
                file.write(piece)
            found.append(known)
        file.flush()
        os.fsync(file.fileno())
    return found


def _index(cloud: Any, key: str) -> Index:
    try:
        return msgspec.json.decode((folder(cloud) / key / INDEX).read_bytes(), type=Index)
    except FileNotFoundError:
        raise EngineError(f"the data of backup {key} is missing") from None


def exists(cloud: Any, key: str) -> bool:
    return (folder(cloud) / key / INDEX).exists()


def restore(cloud: Any, key: str, host: str, volume_id: str, size_gb: int) -> None:
    """Make a volume with a backup's bytes, over what it has."""
    driver: Volumes = cloud.drivers["block_storage"]
    driver.write(host, volume_id, size_gb, _pieces(cloud, _index(cloud, key)))


def _pieces(cloud: Any, index: Index) -> Iterator[Piece]:
    """Each checked: a backup that has rotted is not passed on as one that has not."""
    for held in index.pieces:
        try:
            with (folder(cloud) / held.key / DATA).open("rb") as file:
                file.seek(held.offset)
                piece = file.read(held.length)
        except FileNotFoundError:
            raise EngineError(f"the data of backup {held.key} is missing") from None
        if hashlib.sha256(piece).hexdigest() != held.sha256:
            raise EngineError(f"the data of backup {held.key} is not what was written, at {held.offset}")
        yield held.at, piece


def remove(cloud: Any, key: str) -> None:
    """Gone already is fine."""
    for name in (key, key + HALF):
        shutil.rmtree(folder(cloud) / name, ignore_errors=True)
