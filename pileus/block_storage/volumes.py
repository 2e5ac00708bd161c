"""Volumes: the verbs of the domain (Block Storage API, "Volumes")."""

from typing import Any

import msgspec

from pileus.block_storage import images, messages, quotas, states, types
from pileus.block_storage.sagas.create import CREATE
from pileus.block_storage.sagas.delete import DELETE
from pileus.block_storage.store import Attachment, Backup, Group, Snapshot, Transfer, Volume, VolumeType
from pileus.block_storage.zones import check_zone
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound


class Wanted(msgspec.Struct, kw_only=True):
    """A volume to be made: empty, or from one of these."""

    size: int | None
    name: str | None = None
    description: str | None = None
    volume_type: VolumeType | None = None
    metadata: dict[str, str] = {}
    availability_zone: str | None = None
    snapshot: Snapshot | None = None
    source: Volume | None = None
    image: Any = None
    backup: Backup | None = None
    group: Group | None = None
    hints: dict[str, Any] = {}

    @property
    def least(self) -> int:
        """What its source needs."""
        if self.snapshot is not None:
            return self.snapshot.volume_size
        if self.source is not None:
            return self.source.size
        return self.backup.size if self.backup is not None else 0


def get_volume(tx: Tx, volume_id: str) -> Volume:
    found = tx.find(Volume, id=volume_id)
    if found is None:
        raise NotFound(f"Volume {volume_id[:255]} could not be found.", kind="VolumeNotFound")
    return found


def no_metadata(volume: Volume, key: str) -> NotFound:
    return NotFound(f"Volume {volume.id} has no metadata with key {key[:255]}.")


def attachments_of(tx: Tx, volume_id: str) -> list[Attachment]:
    return tx.select(Attachment, order="created_at", volume_id=volume_id)


def refuse(volume: Volume, verb: str, allowed: Any) -> None:
    """Raises BadRequest unless the volume is in one of the states in which this can be done."""
    if volume.status not in allowed:
        raise BadRequest(
            f"Invalid volume: Volume {volume.id} must be {' or '.join(allowed)} to {verb}, but it is {volume.status}."
        )


def change(tx: Tx, volume_id: str, **values: Any) -> None:
    tx.update(Volume, volume_id, **values, updated_at=clock.now())


# -- create ------------------------------------------------------------------------------------------------------------


def create_volume(tx: Tx, ctx: Context, wanted: Wanted) -> Volume:
    """Raises BadRequest for sources that are not ready, OverQuota."""
    size = wanted.size or wanted.least
    if not size:
        raise BadRequest(
            "Invalid input received: 'size' parameter must be between 1 and the largest volume there can be."
        )
    _check_sources(wanted, size)
    kind = _type_for(tx, ctx, wanted)
    types.check_usable(tx, kind)
    zone = _zone_for(tx, wanted)
    _check_group(wanted, kind)
    row = Volume(
        id=clock.new_id(), project_id=ctx.project_id or "", user_id=ctx.user_id or "", name=wanted.name,
        description=wanted.description, size=size, status=states.CREATING, created_at=clock.now(),
        availability_zone=zone, volume_type_id=kind.id, multiattach=types.is_multiattach(kind),
        metadata=wanted.metadata or (wanted.backup.volume_metadata if wanted.backup else {}),
        group_id=wanted.group.id if wanted.group else None, **_of_source(tx, wanted),
    )  # fmt: skip
    quotas.check_size(tx, row.project_id, size)
    quotas.spend(tx, row.project_id, kind, volumes=1, gigabytes=size)
    tx.insert(row)
    group_host = wanted.group.host if wanted.group else None
    backup_id = wanted.backup.id if wanted.backup else None
    saga.start(tx, CREATE, f"volume/{row.id}", ctx, hints=wanted.hints, backup_id=backup_id, only=group_host)
    return row


def _check_sources(wanted: Wanted, size: int) -> None:
    named = [name for name in ("snapshot", "source", "image", "backup") if getattr(wanted, name) is not None]
    if len(named) > 1:
        raise BadRequest(f"Invalid input received: a volume is made from one thing, not from {' and '.join(named)}.")
    if wanted.snapshot is not None and wanted.snapshot.status not in (states.AVAILABLE, states.BACKING_UP):
        raise BadRequest(f"Invalid snapshot: snapshot {wanted.snapshot.id} is {wanted.snapshot.status}, not available.")
    if wanted.source is not None and wanted.source.status not in (
        states.AVAILABLE,
        states.IN_USE,
        states.ERROR_DELETING,
    ):
        raise BadRequest(f"Invalid volume: source volume {wanted.source.id} is {wanted.source.status}, not available.")
    if wanted.backup is not None and wanted.backup.status != states.AVAILABLE:
        raise BadRequest(f"Invalid backup: backup {wanted.backup.id} is {wanted.backup.status}, not available.")
    if size < wanted.least:
        raise BadRequest(
            f"Invalid input received: volume size {size}GB cannot be smaller than its source's {wanted.least}GB."
        )
    if wanted.image is not None:
        images.check_fits(wanted.image, size)


def _type_for(tx: Tx, ctx: Context, wanted: Wanted) -> VolumeType:
    if wanted.volume_type is not None:
        return wanted.volume_type
    of_source = wanted.snapshot or wanted.source
    if of_source is not None and of_source.volume_type_id:
        return tx.get(VolumeType, id=of_source.volume_type_id)
    if wanted.image is not None and (name := images.volume_type_of(wanted.image)):
        return types.get_type(tx, ctx, name)
    return types.default_type(tx, ctx.project_id)


def _zone_for(tx: Tx, wanted: Wanted) -> str:
    """A volume is where its source is."""
    source = wanted.source or (get_volume(tx, wanted.snapshot.volume_id) if wanted.snapshot else None)
    if source is None:
        return check_zone(tx, wanted.availability_zone or (wanted.group.availability_zone if wanted.group else None))
    if wanted.availability_zone not in (None, source.availability_zone):
        raise BadRequest("Invalid input received: a volume is in the availability zone of what it is made from.")
    return source.availability_zone


def _check_group(wanted: Wanted, kind: VolumeType) -> None:
    if wanted.group is None:
        return
    if wanted.group.status != states.AVAILABLE:
        raise BadRequest(f"Invalid input received: group {wanted.group.id} is {wanted.group.status}, not available.")
    if kind.id not in wanted.group.volume_types:
        raise BadRequest(f"Invalid input received: volume type {kind.name} is none of the group's.")


def _of_source(tx: Tx, wanted: Wanted) -> dict[str, Any]:
    """What a new volume has of what it is made from."""
    if wanted.image is not None:
        return {
            "image_id": wanted.image.id, "bootable": True, "image_metadata": images.metadata_of(wanted.image),
        }  # fmt: skip
    found: dict[str, Any] = {}
    source = wanted.source
    if wanted.snapshot is not None:
        found["snapshot_id"] = wanted.snapshot.id
        source = get_volume(tx, wanted.snapshot.volume_id)
    elif source is not None:
        found["source_volid"] = source.id
    elif wanted.backup is not None:
        return {"bootable": wanted.backup.bootable, "image_metadata": wanted.backup.image_metadata}
    if source is not None:
        found |= {"bootable": source.bootable, "image_metadata": source.image_metadata}
    return found


# -- delete ------------------------------------------------------------------------------------------------------------


def delete_volume(
    tx: Tx, ctx: Context, volume: Volume, *, cascade: bool = False, force: bool = False, in_group: bool = False
) -> None:
    """Raises BadRequest for a volume in use, one with snapshots (unless `cascade`), or one whose state forbids it."""
    if volume.status == states.DELETING and saga.unfinished(tx, f"volume/{volume.id}"):
        return
    if not force:
        allowed = (*states.DELETABLE, states.ERROR_DELETING, states.ERROR_BACKING_UP)
        if volume.status not in allowed:
            raise BadRequest(
                f"Invalid volume: Volume status must be {' or '.join(states.DELETABLE)} and must not be migrating, "
                f"attached, belong to a group, have snapshots or await a transfer to be deleted: it is {volume.status}."
            )
    if any(one.attach_status != states.DETACHED for one in attachments_of(tx, volume.id)) and not force:
        raise BadRequest(f"Invalid volume: Volume {volume.id} is attached: detach it first.")
    if volume.group_id is not None and not force and not in_group:
        raise BadRequest(f"Invalid volume: Volume {volume.id} belongs to group {volume.group_id}: take it out first.")
    snapshots = tx.select(Snapshot, volume_id=volume.id)
    if snapshots and not cascade:
        raise BadRequest(f"Invalid volume: Volume {volume.id} has {len(snapshots)} snapshots: delete them first.")
    undeletable = [s.id for s in snapshots if s.status not in (states.AVAILABLE, states.ERROR, states.ERROR_DELETING)]
    if undeletable or any(s.group_snapshot_id for s in snapshots):
        raise BadRequest(f"Invalid volume: snapshots of volume {volume.id} are busy, or part of a group's snapshot.")
    tx.delete(Transfer, volume_id=volume.id)
    for snapshot in snapshots:
        tx.update(Snapshot, snapshot.id, status=states.DELETING, updated_at=clock.now())
    if force:
        saga.cancel(tx, f"volume/{volume.id}")
    change(tx, volume.id, status=states.DELETING, previous_status=volume.status)
    saga.start(tx, DELETE, f"volume/{volume.id}", ctx)


def update_volume(tx: Tx, volume: Volume, changes: dict[str, Any]) -> Volume:
    if volume.status == states.MAINTENANCE:
        raise BadRequest("Invalid volume: the volume cannot be updated during maintenance.")
    change(tx, volume.id, **changes)
    return get_volume(tx, volume.id)


def tell(tx: Tx, volume: Volume, request_id: str, action: str, why: str, detail: str = "failed") -> None:
    messages.tell(tx, volume.project_id, request_id, action, "VOLUME", volume.id, why, detail)
