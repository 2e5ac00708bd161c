"""Block storage (OpenStack Block Storage API v3): volumes, their snapshots, backups, types and groups.

The front: what other services may use. A server's use of a volume: `reserve`, then `connection` on its host, then
`complete` once the guest has it; `begin_detaching`, then `release` once it has not. What is outside a transaction says so.
"""

from typing import Any

from pileus.block_storage import images, snapshots, types, volumes
from pileus.block_storage.attachments import (
    begin_detaching,
    complete,
    connection,
    disconnect,
    find_attachment,
    get_attachment,
    hold,
    release,
    reserve,
    roll_detaching,
)
from pileus.block_storage.drivers.base import Connection
from pileus.block_storage.snapshots import create_snapshot, delete_snapshot
from pileus.block_storage.store import Attachment, Snapshot, Volume, VolumeType
from pileus.block_storage.volume_actions import reimage
from pileus.core.context import Context
from pileus.core.db import Database, Tx
from pileus.core.errors import NotFound


def bootstrap(db: Database, settings: Any) -> None:
    """What a new cloud has from the start: a volume type."""
    with db.write() as tx:
        types.bootstrap(tx)


def get_volume(tx: Tx, ctx: Context, volume_id: str) -> Volume:
    """Raises NotFound for what the caller may not see."""
    found = volumes.get_volume(tx, volume_id)
    if found.project_id != ctx.project_id and "admin" not in ctx.roles:
        raise NotFound(f"Volume {volume_id[:255]} could not be found.", kind="VolumeNotFound")
    return found


def find_volume(tx: Tx, volume_id: str) -> Volume | None:
    """As the cloud itself sees it: for sagas."""
    return tx.find(Volume, id=volume_id)


def get_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> Snapshot:
    """Raises NotFound for what the caller may not see."""
    found = snapshots.get_snapshot(tx, snapshot_id)
    if found.project_id != ctx.project_id and "admin" not in ctx.roles:
        raise NotFound(f"Snapshot {snapshot_id[:255]} could not be found.", kind="SnapshotNotFound")
    return found


def attachments_of(tx: Tx, volume_id: str) -> list[Attachment]:
    return volumes.attachments_of(tx, volume_id)


def create_for_server(
    tx: Tx, ctx: Context, *, size: int | None, image_id: str | None = None, snapshot_id: str | None = None,
    source: str | None = None, volume_type: str | None = None, name: str | None = "", availability_zone: str | None = None,
    description: str | None = None, metadata: dict[str, str] | None = None,
) -> Volume:  # fmt: skip
    """A volume that a server boots from, or gets as it starts: look at its status until it is available or error.

    Raises BadRequest, NotFound, OverQuota.
    """
    wanted = volumes.Wanted(
        size=size, name=name, description=description, metadata=metadata or {},
        volume_type=types.get_type(tx, ctx, volume_type) if volume_type else None,
        availability_zone=availability_zone,
        image=images.find_image(tx, ctx, image_id) if image_id else None,
        snapshot=get_snapshot(tx, ctx, snapshot_id) if snapshot_id else None,
        source=get_volume(tx, ctx, source) if source else None,
    )  # fmt: skip
    return volumes.create_volume(tx, ctx, wanted)


def type_name(tx: Tx, volume: Volume) -> str | None:
    kind = tx.find(VolumeType, id=volume.volume_type_id)
    return kind.name if kind else None


def delete_for_server(tx: Tx, ctx: Context, volume_id: str) -> None:
    """With a server whose device says so, once it is released. Gone already is fine; raises BadRequest for what is busy."""
    found = tx.find(Volume, id=volume_id)
    if found is not None:
        volumes.delete_volume(tx, ctx, found)


__all__ = [
    "Attachment",
    "Connection",
    "Snapshot",
    "Volume",
    "attachments_of",
    "begin_detaching",
    "bootstrap",
    "complete",
    "connection",
    "create_for_server",
    "create_snapshot",
    "delete_for_server",
    "delete_snapshot",
    "disconnect",
    "find_attachment",
    "find_volume",
    "get_attachment",
    "get_snapshot",
    "get_volume",
    "hold",
    "reimage",
    "release",
    "reserve",
    "roll_detaching",
    "type_name",
]
