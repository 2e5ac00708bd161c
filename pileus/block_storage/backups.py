"""Backups: the verbs of the domain (Block Storage API, "Backups")."""

import base64
import binascii
import re
from typing import Any

import msgspec

from pileus.block_storage import quotas, states, types, zones
from pileus.block_storage.sagas.backups import CREATE, DELETE, RESTORE
from pileus.block_storage.store import Backup, Snapshot, Volume
from pileus.block_storage.volumes import change as change_volume
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

SERVICE = "cinder.backup.drivers.pileus"  # who understands a record
STATES = ("creating", "available", "deleting", "deleted", "restoring", "error", "error_deleting")
NOBODY = "00000000-0000-0000-0000-000000000000"  # the volume of a backup that came as a record
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def get_backup(tx: Tx, backup_id: str) -> Backup:
    found = tx.find(Backup, id=backup_id)
    if found is None:
        raise NotFound(f"Backup {backup_id[:255]} could not be found.", kind="BackupNotFound")
    return found


def change(tx: Tx, backup_id: str, **values: Any) -> None:
    tx.update(Backup, backup_id, **values, updated_at=clock.now())


# -- create ------------------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, kw_only=True):
    name: str | None = None
    description: str | None = None
    container: str | None = None
    incremental: bool = False
    force: bool = False
    snapshot: Snapshot | None = None
    metadata: dict[str, str] = {}
    availability_zone: str | None = None


def create_backup(tx: Tx, ctx: Context, volume: Volume, wanted: Wanted) -> Backup:
    """Raises BadRequest, OverQuota."""
    snapshot = wanted.snapshot
    _check(volume, snapshot, wanted.force)
    if wanted.availability_zone is not None:
        zones.check_zone(tx, wanted.availability_zone)
    project_id = ctx.project_id or volume.project_id  # who backs up another's volume keeps the backup
    quotas.spend(tx, project_id, backups=1, backup_gigabytes=volume.size)
    parent = _parent(tx, volume, snapshot, project_id) if wanted.incremental else None
    now = clock.now()
    row = Backup(
        id=clock.new_id(), project_id=project_id, user_id=ctx.user_id or "", volume_id=volume.id, name=wanted.name,
        description=wanted.description, size=snapshot.volume_size if snapshot else volume.size, status=states.CREATING,
        created_at=now, updated_at=now, snapshot_id=snapshot.id if snapshot else None,
        parent_id=parent.id if parent else None, container=wanted.container or "volumebackups",
        availability_zone=wanted.availability_zone or volume.availability_zone,
        data_timestamp=snapshot.created_at if snapshot else now, metadata=wanted.metadata,
        volume_type_id=volume.volume_type_id, volume_metadata=volume.metadata, image_metadata=volume.image_metadata,
        bootable=volume.bootable,
    )  # fmt: skip
    row.service_metadata = row.id
    tx.insert(row)
    if snapshot is not None:
        tx.update(Snapshot, snapshot.id, status=states.BACKING_UP, updated_at=now)
    else:
        change_volume(tx, volume.id, status=states.BACKING_UP, previous_status=volume.status)
    saga.start(tx, CREATE, f"backup/{row.id}", ctx, back_to=volume.status)
    return row


def _check(volume: Volume, snapshot: Snapshot | None, force: bool) -> None:
    if snapshot is not None:
        if snapshot.volume_id != volume.id:
            raise BadRequest(f"Invalid volume: snapshot {snapshot.id} is none of volume {volume.id}.")
        if snapshot.status != states.AVAILABLE:
            raise BadRequest(f"Invalid snapshot: it must be available to be backed up, but is {snapshot.status}.")
    elif volume.status not in (states.AVAILABLE, states.IN_USE):
        raise BadRequest(f"Invalid volume: it must be available or in-use to be backed up, but is {volume.status}.")
    elif volume.status == states.IN_USE and not force:
        raise BadRequest("Invalid volume: Backing up an in-use volume must use the force flag.")


def _parent(tx: Tx, volume: Volume, snapshot: Snapshot | None, project_id: str) -> Backup:
    """The newest backup that is older than what is to be backed up."""
    fit = [
        one for one in tx.select(Backup, volume_id=volume.id, project_id=project_id)
        if one.status == states.AVAILABLE and (snapshot is None or (one.data_timestamp or "") < snapshot.created_at)
    ]  # fmt: skip
    if not fit:
        raise BadRequest("Invalid backup: No backups available to do an incremental backup.")
    return max(fit, key=lambda one: one.data_timestamp or "")


# -- delete, restore ---------------------------------------------------------------------------------------------------


def has_dependents(tx: Tx, backup: Backup) -> bool:
    return tx.count(Backup, parent_id=backup.id) > 0


def delete_backup(tx: Tx, ctx: Context, backup: Backup, force: bool = False) -> None:
    """Raises BadRequest for one that is busy, or that others build upon."""
    if backup.status == states.DELETING and saga.unfinished(tx, f"backup/{backup.id}"):
        return
    if backup.status not in (states.AVAILABLE, states.ERROR, states.ERROR_DELETING) and not force:
        raise BadRequest(f"Invalid backup: Backup status must be available or error, it is {backup.status}.")
    if has_dependents(tx, backup):
        raise BadRequest("Invalid backup: Incremental backups exist for this backup.")
    if force:
        saga.cancel(tx, f"backup/{backup.id}")
    change(tx, backup.id, status=states.DELETING)
    saga.start(tx, DELETE, f"backup/{backup.id}", ctx)


def restore(tx: Tx, ctx: Context, backup: Backup, volume: Volume | None, name: str | None) -> Volume:
    """Into a volume, or a new one. Raises BadRequest, OverQuota."""
    if backup.status != states.AVAILABLE:
        raise BadRequest(f"Invalid backup: Backup status must be available, it is {backup.status}.")
    if volume is None:
        volume = _new_volume(tx, ctx, backup, name)
    elif volume.status != states.AVAILABLE:
        raise BadRequest(f"Invalid volume: Volume to be restored to must be available, it is {volume.status}.")
    elif volume.size < backup.size:
        raise BadRequest(
            f"Invalid volume: volume size {volume.size} is too small to restore backup of size {backup.size}."
        )
    else:
        change_volume(tx, volume.id, status=states.RESTORING, previous_status=volume.status)
    change(tx, backup.id, status=states.BACKUP_RESTORING, restore_volume_id=volume.id)
    saga.start(tx, RESTORE, f"volume/{volume.id}", ctx, backup_id=backup.id)
    return volume


def _new_volume(tx: Tx, ctx: Context, backup: Backup, name: str | None) -> Volume:
    kind = types.default_type(tx, ctx.project_id)
    quotas.check_size(tx, ctx.project_id or "", backup.size)
    quotas.spend(tx, ctx.project_id or "", kind, volumes=1, gigabytes=backup.size)
    row = Volume(
        id=clock.new_id(), project_id=ctx.project_id or "", user_id=ctx.user_id or "",
        name=name or f"restore_backup_{backup.id}", description="auto-created_from_restore_from_backup", size=backup.size,
        status=states.RESTORING, created_at=clock.now(), availability_zone=zones.check_zone(tx, None),
        volume_type_id=kind.id, multiattach=types.is_multiattach(kind),
    )  # fmt: skip
    tx.insert(row)
    return row


# -- records: a backup's row, for another database ---------------------------------------------------------------------

_RECORDED = (
    "id", "name", "description", "size", "object_count", "container", "availability_zone", "data_timestamp",
    "parent_id", "service_metadata", "created_at", "metadata", "volume_metadata", "image_metadata", "bootable",
)  # fmt: skip


def export_record(backup: Backup) -> dict[str, str]:
    """Raises BadRequest for one that is not available."""
    if backup.status != states.AVAILABLE:
        raise BadRequest(f"Invalid backup: Backup status must be available and not {backup.status}.")
    record = {name: getattr(backup, name) for name in _RECORDED}
    encoded = base64.b64encode(msgspec.json.encode(record)).decode()
    return {"backup_service": SERVICE, "backup_url": encoded}


class Record(msgspec.Struct):
    """What of a record has to be there, and what may be."""

    id: str
    size: int
    service_metadata: str
    name: str | None = None
    description: str | None = None
    object_count: int = 0
    container: str | None = None
    availability_zone: str | None = None
    data_timestamp: str | None = None
    parent_id: str | None = None
    metadata: dict[str, str] = {}
    volume_metadata: dict[str, str] = {}
    image_metadata: dict[str, str] = {}
    bootable: bool = False


def import_record(tx: Tx, ctx: Context, service: str, url: str) -> Backup:
    """Whether its data is there is seen when it is used. Raises BadRequest, OverQuota."""
    if service != SERVICE:
        raise BadRequest(f"Invalid backup: there is no backup service {service[:255]} here, but {SERVICE}.")
    try:
        record = msgspec.json.decode(base64.b64decode(url, validate=True), type=Record)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadRequest(f"Invalid input received: the backup record cannot be read: {error}") from None
    if not _KEY.fullmatch(record.id) or not _KEY.fullmatch(record.service_metadata) or not 0 < record.size < 2**31:
        raise BadRequest("Invalid input received: the backup record has no id, place or size that can be.")
    if tx.find(Backup, id=record.id) is not None:
        raise BadRequest("Invalid backup: Backup already exists in database.")
    if record.parent_id is not None and tx.find(Backup, id=record.parent_id) is None:
        raise BadRequest("Invalid backup: import the backup first that this one builds upon.")
    quotas.spend(tx, ctx.project_id or "", backups=1, backup_gigabytes=record.size)
    now = clock.now()
    row = Backup(
        project_id=ctx.project_id or "", user_id=ctx.user_id or "", volume_id=NOBODY, status=states.AVAILABLE,
        created_at=now, updated_at=now, **msgspec.structs.asdict(record),
    )  # fmt: skip
    tx.insert(row)
    return row
