"""What travels about volumes: block devices that outlive servers, files on the host which has them."""

from typing import Literal

from msgspec import Struct


class AttachedVolume(Struct, frozen=True, kw_only=True):
    """A volume as one server has it: a file of its own host, or another host's over the network."""

    volume_id: str
    device: str  # vda ...: the order in which the guest finds its disks
    kind: Literal["file", "nbd"] = "file"
    address: str = ""  # of the host that exports it
    port: int = 0
    read_only: bool = False
    shared: bool = False  # other servers may have it at the same time
    bus: str = ""  # as the server's other disks, unless said
    tag: str | None = None
    limits: dict[str, int] = {}  # by libvirt's names (`iotune`)


class VolumeRef(Struct, frozen=True):
    volume_id: str


class VolumeSource(Struct, frozen=True, kw_only=True):
    """What a new volume begins with: a base image, a volume or a snapshot of this host's."""

    kind: Literal["image", "volume", "snapshot"]
    id: str


class EnsureVolume(Struct, frozen=True, kw_only=True):
    volume_id: str
    size_gb: int
    source: VolumeSource | None = None


class PutVolume(Struct, frozen=True, kw_only=True):
    """A volume's bytes from elsewhere; the volume is as large as `size_gb` even when fewer come."""

    volume_id: str
    size: int
    size_gb: int


class ExtendVolume(Struct, frozen=True, kw_only=True):
    volume_id: str
    size_gb: int


class VolumeSnapshot(Struct, frozen=True, kw_only=True):
    volume_id: str
    snapshot_id: str


class AttachVolume(Struct, frozen=True, kw_only=True):
    server_id: str
    volume: AttachedVolume


class DetachVolume(Struct, frozen=True, kw_only=True):
    server_id: str
    volume_id: str


class ExportVolume(Struct, frozen=True, kw_only=True):
    """To another host, by its name: an export ends with the last of them."""

    volume_id: str
    client: str


class Export(Struct, frozen=True, kw_only=True):
    """Where other hosts reach a volume."""

    volume_id: str
    address: str
    port: int


class VolumeState(Struct, frozen=True, kw_only=True):
    volume_id: str
    size: int  # bytes the guest sees
    allocated: int = 0  # bytes the host has given to it
    exported: bool = False
    server_ids: list[str] = []  # which have it on this host


class RenameVolume(Struct, frozen=True, kw_only=True):
    """Names of files: a volume's id, or whatever an operator called a file that he put among the volumes."""

    old: str
    new: str


class SnapshotState(Struct, frozen=True, kw_only=True):
    volume_id: str
    snapshot_id: str
    size: int
    allocated: int = 0


class VolumeList(Struct, frozen=True, kw_only=True):
    """Every volume a host has, and how much room is left for more."""

    volumes: list[VolumeState] = []
    snapshots: list[SnapshotState] = []
    total_bytes: int = 0
    free_bytes: int = 0
