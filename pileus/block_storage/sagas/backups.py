"""Backups: made, deleted, restored."""

from typing import Any

from pileus.block_storage import backup_data, messages, scheduler, states
from pileus.block_storage.drivers.base import Part
from pileus.block_storage.sagas.delete import unless_gone
from pileus.block_storage.sagas.volume import driver, fail, get_volume, host_of, read_volume
from pileus.block_storage.store import Backup, Snapshot, Volume, VolumeType
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.core.saga import Run, Saga, Step


def get_backup(tx: Tx, backup_id: str) -> Backup:
    found = tx.find(Backup, id=backup_id)
    if found is None:
        raise NotFound(f"Backup {backup_id} could not be found.")
    return found


def _read(run: Run) -> tuple[Backup, Volume]:
    with run.db.read() as tx:
        backup = get_backup(tx, run.id)
        volume = tx.find(Volume, id=backup.volume_id)
    if volume is None:
        raise NotFound(f"Volume {backup.volume_id} could not be found.")
    return backup, volume


# -- create ------------------------------------------------------------------------------------------------------------


def hold_still(run: Run) -> None:
    """What a guest writes to is copied first, in one moment; the copy is called as the backup is."""
    backup, volume = _read(run)
    if backup.snapshot_id is None and run.data["back_to"] == states.IN_USE:
        driver(run).create_snapshot(host_of(volume), volume.id, backup.id)


def let_go(run: Run) -> None:
    with run.db.read() as tx:
        backup = tx.find(Backup, id=run.id)
        volume = tx.find(Volume, id=backup.volume_id) if backup else None
    if volume is not None and volume.host is not None:
        host, volume_id = volume.host, volume.id
        unless_gone(run, host, lambda: driver(run).remove_snapshot(host, volume_id, run.id))


def save_bytes(run: Run) -> dict[str, Any]:
    backup, volume = _read(run)
    held = backup.snapshot_id or (backup.id if run.data["back_to"] == states.IN_USE else "")
    with run.db.read() as tx:
        parent = tx.find(Backup, id=backup.parent_id) if backup.parent_id else None
    count = backup_data.save(
        run.cloud, backup.service_metadata, parent.service_metadata if parent else None, host_of(volume),
        Part(volume.id, held), backup.size,
    )  # fmt: skip
    return {"object_count": count}


def drop_bytes(run: Run) -> None:
    backup_data.remove(run.cloud, run.id)


def _free_source(tx: Tx, run: Run, backup: Backup) -> None:
    """What was backed up is what it was before."""
    now = clock.now()
    if backup.snapshot_id is not None:
        where = {"id": backup.snapshot_id, "status": states.BACKING_UP}
        tx.update(Snapshot, where, status=states.AVAILABLE, updated_at=now)
    else:
        where = {"id": backup.volume_id, "status": states.BACKING_UP}
        tx.update(Volume, where, status=run.data["back_to"], previous_status=None, updated_at=now)


def mark_made(run: Run) -> None:
    with run.db.write() as tx:
        backup = get_backup(tx, run.id)
        tx.update(
            Backup, run.id, status=states.AVAILABLE, object_count=run.data["object_count"], fail_reason=None,
            updated_at=clock.now(),
        )  # fmt: skip
        _free_source(tx, run, backup)


def _fail(run: Run, error: BaseException, action: str, status: str) -> None:
    with run.db.write() as tx:
        backup = tx.find(Backup, id=run.id)
        if backup is None:
            return
        why = str(error) or type(error).__name__
        tx.update(Backup, run.id, status=status, fail_reason=why[:255], updated_at=clock.now())
        if status == states.ERROR:
            _free_source(tx, run, backup)
        messages.tell(tx, backup.project_id, run.request_id, action, "BACKUP", backup.id, why)


def mark_not_made(run: Run, error: BaseException) -> None:
    _fail(run, error, "backup_create", states.ERROR)


CREATE = Saga(
    "backup-create",
    version=1,
    failed=mark_not_made,
    steps=[Step(hold_still, undo=let_go), Step(save_bytes, undo=drop_bytes), Step(let_go), Step(mark_made)],
)


# -- delete ------------------------------------------------------------------------------------------------------------


def free_source(run: Run) -> None:
    """One that is deleted by force while it was made may have left its volume busy."""
    with run.db.write() as tx:
        backup = tx.find(Backup, id=run.id)
        volume = tx.find(Volume, id=backup.volume_id) if backup and not backup.snapshot_id else None
        if volume is not None and volume.status == states.BACKING_UP and backup is not None and not backup.object_count:
            others = [one for one in tx.select(Backup, volume_id=volume.id) if one.status == states.CREATING]
            if not others:
                status = volume.previous_status or states.AVAILABLE
                tx.update(Volume, volume.id, status=status, previous_status=None, updated_at=clock.now())


def remove_bytes(run: Run) -> None:
    """Unless another row, that came as a record, says that they are its own."""
    with run.db.read() as tx:
        backup = tx.find(Backup, id=run.id)
        shared = backup is not None and tx.count(Backup, service_metadata=backup.service_metadata) > 1
    if backup is not None and not shared:
        backup_data.remove(run.cloud, backup.service_metadata)


def forget_backup(run: Run) -> None:
    with run.db.write() as tx:
        tx.delete(Backup, id=run.id)


def mark_undeletable(run: Run, error: BaseException) -> None:
    _fail(run, error, "backup_delete", states.ERROR_DELETING)


DELETE = Saga(
    "backup-delete",
    version=1,
    failed=mark_undeletable,
    steps=[Step(let_go), Step(free_source), Step(remove_bytes), Step(forget_backup)],
)


# -- restore: it works on the volume -----------------------------------------------------------------------------------


def choose_backend(run: Run) -> None:
    """For a volume that is made for it."""
    with run.db.write() as tx:
        volume = get_volume(tx, run)
        if volume.host is None:
            kind = tx.find(VolumeType, id=volume.volume_type_id)
            host = scheduler.choose(tx, volume.size, kind, volume.availability_zone)
            tx.update(Volume, run.id, host=host, updated_at=clock.now())


def restore_bytes(run: Run) -> None:
    """From here on there is no way back: what was in the volume is gone."""
    volume = read_volume(run)
    with run.db.read() as tx:
        backup = get_backup(tx, run.data["backup_id"])
    backup_data.restore(run.cloud, backup.service_metadata, host_of(volume), run.id, volume.size)


def mark_restored(run: Run) -> None:
    now = clock.now()
    with run.db.write() as tx:
        _free_backup(tx, run)
        volume, backup = get_volume(tx, run), get_backup(tx, run.data["backup_id"])
        tx.update(
            Volume, run.id, status=states.AVAILABLE, previous_status=None, launched_at=volume.launched_at or now,
            metadata=backup.volume_metadata, image_metadata=backup.image_metadata, bootable=backup.bootable,
            updated_at=now,
        )  # fmt: skip


def _free_backup(tx: Tx, run: Run) -> None:
    where = {"id": run.data["backup_id"], "status": states.BACKUP_RESTORING}
    tx.update(Backup, where, status=states.AVAILABLE, updated_at=clock.now())


def mark_not_restored(run: Run, error: BaseException) -> None:
    with run.db.write() as tx:
        _free_backup(tx, run)
        fail(run, error, "backup_restore", states.ERROR_RESTORING)


RESTORE = Saga(
    "backup-restore",
    version=1,
    failed=mark_not_restored,
    steps=[Step(choose_backend), Step(restore_bytes), Step(mark_restored)],
)
