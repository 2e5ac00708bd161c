"""What block storage asks of those who hold the bytes of volumes: the contract of every driver.

A backend is a node's folder, named `<node>@files#files` (node, backend, pool). Every call may be repeated, removing what is
gone is success, and each says when it is made. EngineUnavailable: worth another try; EngineError: no.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

import msgspec

BACKEND, POOL = "files", "files"
PIECE = 1 << 20
Formats = Literal["raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx"]
Piece = tuple[int, bytes]  # where in the volume, and what is there; what no piece says is zeros


def host_of(node: str) -> str:
    """The name that a node's volumes have as their host."""
    return f"{node}@{BACKEND}#{POOL}"


def node_of(host: str) -> str:
    return host.partition("@")[0]


class Source(msgspec.Struct, frozen=True):
    """What a new volume has in it: an image, another volume, or a snapshot of `volume_id`, both on the same host."""

    kind: Literal["image", "volume", "snapshot"]
    id: str
    volume_id: str = ""


class Part(msgspec.Struct, frozen=True):
    """A volume as it is, or as a snapshot of it was."""

    volume_id: str
    snapshot_id: str = ""


class Stats(msgspec.Struct, frozen=True):
    total_gb: int
    free_gb: int


class Connection(msgspec.Struct, frozen=True):
    """How a guest on a certain host reaches a volume."""

    kind: Literal["file", "nbd", "rbd"]
    volume_id: str
    path: str = ""  # of a file on that host
    address: str = ""  # of an export elsewhere: nbd://address:port/name
    read_only: bool = False
    serial: str = ""
    format: str = "raw"
    limits: dict[str, int] = {}  # of its guest, in a second (`limits.py`)


class Stored(msgspec.Struct, frozen=True):
    """A volume as a host has it; `name` instead of an id for a file that nobody manages."""

    volume_id: str
    size_gb: int
    snapshots: list[str] = []
    name: str = ""
    exported: bool = False


class Volumes(Protocol):
    """`host` is always a volume's `host`, as `host_of` makes it."""

    def hosts(self) -> list[str]:
        """The backends of this cloud, whether they answer or not."""

    def stats(self, host: str) -> Stats:
        """By the reconcile task, every few seconds: what fits, and whether it is there."""

    def create(self, host: str, volume_id: str, size_gb: int, source: Source | None = None) -> None:
        """In volume create. A volume that is there is left as it is, made to grow to size_gb at most."""

    def write(self, host: str, volume_id: str, size_gb: int, pieces: Iterable[Piece]) -> None:
        """When a backup is restored or a volume arrives from another host: makes it with just these bytes, over what is."""

    def remove(self, host: str, volume_id: str) -> None:
        """In volume delete, after its snapshots; undo of create and write."""

    def extend(self, host: str, volume_id: str, size_gb: int) -> None:
        """Also while guests use it, here or on other hosts: they see it grow. As large already: left alone."""

    def create_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        """Also while a guest uses it: what is written at this moment. One that is there stays as it is."""

    def remove_snapshot(self, host: str, volume_id: str, snapshot_id: str) -> None:
        """In any order; volumes made from it do not need it."""

    def revert(self, host: str, volume_id: str, snapshot_id: str) -> None:
        """Back to the newest snapshot, whose size is the volume's."""

    def read(self, host: str, part: Part) -> Iterator[Piece]:
        """Of a backup, or of a volume that goes to another host: what is not zero, in order, pieces of at most PIECE."""

    def read_as(self, host: str, part: Part, disk_format: Formats) -> Iterator[bytes]:
        """When a volume becomes an image: the bytes of a file in that format."""

    def connect(self, host: str, volume_id: str, node: str, read_only: bool = False) -> Connection:
        """Before a guest on `node` gets it: exported, when it lies elsewhere."""

    def disconnect(self, host: str, volume_id: str, node: str) -> None:
        """When no guest on `node` has it any more; undo of connect."""

    def stored(self, host: str) -> list[Stored]:
        """By fsck, by reconcile, and for the list of what could be managed."""

    def adopt(self, host: str, name: str, volume_id: str) -> int:
        """A file that nobody manages becomes a volume's; its size in GiB. EngineError if there is none of that name."""

    def release(self, host: str, volume_id: str, name: str) -> None:
        """Undo of adopt, and unmanage: the file stays under this name, and nobody manages it."""
