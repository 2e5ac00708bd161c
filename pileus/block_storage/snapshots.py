"""Snapshots: the verbs of the domain (Block Storage API, "Volume snapshots")."""

from typing import Any

from pileus.block_storage import quotas, states
from pileus.block_storage.sagas.snapshots import CREATE, DELETE
from pileus.block_storage.store import Snapshot, Volume, VolumeType
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound


def get_snapshot(tx: Tx, snapshot_id: str) -> Snapshot:
    found = tx.find(Snapshot, id=snapshot_id)
    if found is None:
        raise NotFound(f"Snapshot {snapshot_id[:255]} could not be found.", kind="SnapshotNotFound")
    return found


def new_row(ctx: Context, volume: Volume, **values: Any) -> Snapshot:
    row = Snapshot(
        id=clock.new_id(), volume_id=volume.id, project_id=ctx.project_id or volume.project_id,
        user_id=ctx.user_id or "", name=None, description=None,
        volume_size=volume.size, status=states.CREATING, created_at=clock.now(),
        volume_type_id=volume.volume_type_id,
    )  # fmt: skip
    for name, value in values.items():
        setattr(row, name, value)
    return row


def check_volume(volume: Volume, allowed: tuple[str, ...]) -> None:
    """Raises BadRequest unless a snapshot of it can be made."""
    if volume.host is None:
        raise BadRequest("Invalid volume: The snapshot cannot be created: the volume has not been placed on any host.")
    if volume.migration_status not in (None, "success", "error"):
        raise BadRequest("Invalid volume: Snapshot cannot be created while volume is migrating.")
    if volume.status not in allowed:
        raise BadRequest(
            f"Invalid volume: Volume {volume.id} status must be {' or '.join(allowed)}, but it is: {volume.status}."
        )


def create_snapshot(tx: Tx, ctx: Context, volume: Volume, *, in_use: bool, **values: Any) -> Snapshot:
    """Of a volume in use only where that is wanted. Raises BadRequest, OverQuota."""
    check_volume(volume, (states.AVAILABLE, states.IN_USE) if in_use else (states.AVAILABLE,))
    kind = tx.find(VolumeType, id=volume.volume_type_id)
    quotas.spend(tx, ctx.project_id or volume.project_id, kind, snapshots=1, gigabytes=volume.size)
    row = new_row(ctx, volume, **values)
    tx.insert(row)
    start_create(tx, ctx, row)
    return row


def start_create(tx: Tx, ctx: Context, row: Snapshot) -> None:
    saga.start(tx, CREATE, f"volume/{row.volume_id}", ctx, snapshot_id=row.id)


def delete_snapshot(tx: Tx, ctx: Context, snapshot: Snapshot, force: bool = False) -> None:
    """Raises BadRequest for one that is busy, Conflict for one that belongs to a group's snapshot."""
    if snapshot.status == states.DELETING and saga.unfinished(tx, f"volume/{snapshot.volume_id}"):
        return
    if snapshot.group_snapshot_id is not None:
        raise BadRequest(f"Invalid snapshot: Snapshot {snapshot.id} must not be part of a group.")
    if not force and snapshot.status not in (states.AVAILABLE, states.ERROR, states.ERROR_DELETING):
        raise BadRequest(
            f"Invalid snapshot: Snapshot {snapshot.id} status must be available or error, it is {snapshot.status}."
        )
    start_delete(tx, ctx, snapshot)


def start_delete(tx: Tx, ctx: Context, snapshot: Snapshot) -> None:
    change(tx, snapshot.id, status=states.DELETING)
    saga.start(tx, DELETE, f"volume/{snapshot.volume_id}", ctx, snapshot_id=snapshot.id)


def change(tx: Tx, snapshot_id: str, **values: Any) -> None:
    tx.update(Snapshot, snapshot_id, **values, updated_at=clock.now())


# what a driver that makes a snapshot itself may say of it
_TOLD = {
    states.CREATING: (states.CREATING, states.AVAILABLE, states.ERROR),
    states.DELETING: (states.DELETING, states.ERROR_DELETING),
}


def tell_status(tx: Tx, snapshot: Snapshot, status: str, progress: str | None) -> None:
    """Raises BadRequest for a state that does not follow from its own."""
    if snapshot.status not in _TOLD:
        raise BadRequest(f"Snapshot status {snapshot.status} not allowed for update_snapshot_status.")
    if status not in _TOLD[snapshot.status]:
        raise BadRequest(f"Provided snapshot status {status} not allowed for snapshot with status {snapshot.status}.")
    change(tx, snapshot.id, status=status, progress=progress or snapshot.progress)


def latest(tx: Tx, volume_id: str) -> Snapshot | None:
    found = tx.select(Snapshot, order="created_at", volume_id=volume_id)
    return found[-1] if found else None


def check_revert(tx: Tx, volume: Volume, snapshot_id: Any) -> Snapshot:
    """The snapshot a volume may go back to: its newest, of its size. Raises BadRequest, Conflict."""
    newest = latest(tx, volume.id)
    if newest is None:
        raise BadRequest(f"Volume {volume.id} doesn't have any snapshots.")
    if snapshot_id != newest.id:
        raise BadRequest(f"Specified snapshot {str(snapshot_id)[:255]} is not the latest one of volume {volume.id}.")
    if volume.size != newest.volume_size:
        raise BadRequest(f"Can't revert volume {volume.id}: its size is not that of its latest snapshot {newest.id}.")
    if volume.status != states.AVAILABLE:
        raise Conflict(f"Invalid volume: Volume {volume.id} must be available to revert, but it is {volume.status}.")
    if newest.status != states.AVAILABLE:
        raise Conflict(f"Invalid snapshot: Snapshot {newest.id} must be available, but it is {newest.status}.")
    return newest
