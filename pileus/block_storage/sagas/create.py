"""Volume create, after the 202: a backend, the bytes."""

from typing import Any

from pileus.block_storage import backup_data, quotas, scheduler, states
from pileus.block_storage.drivers.base import Source
from pileus.block_storage.sagas.volume import driver, fail, get_volume, host_of, read_volume, settle
from pileus.block_storage.store import Backup, Snapshot, Volume, VolumeType
from pileus.core import clock, quota
from pileus.core.saga import Run, Saga, Step

# -- steps -------------------------------------------------------------------------------------------------------------


def choose_backend(run: Run) -> dict[str, Any]:
    """The choice and the row are one transaction: the next one sees what is taken."""
    with run.db.write() as tx:
        volume = get_volume(tx, run)
        if volume.host is None:
            quota.hold(tx, quotas.SERVICE, None)
            kind = tx.find(VolumeType, id=volume.volume_type_id)
            only = run.data.get("only")
            if volume.snapshot_id or volume.source_volid:
                snapshot = tx.find(Snapshot, id=volume.snapshot_id) if volume.snapshot_id else None
                source = tx.get(Volume, id=snapshot.volume_id if snapshot else volume.source_volid)
                only = source.host
            zone = volume.availability_zone
            host = scheduler.choose(tx, volume.size, kind, zone, run.data.get("hints"), only)
            tx.update(Volume, volume.id, host=host, updated_at=clock.now())
    return {}


def forget_backend(run: Run) -> None:
    with run.db.write() as tx:
        tx.update(Volume, run.id, host=None)


def make_bytes(run: Run) -> None:
    volume = read_volume(run)
    host = host_of(volume)
    if run.data.get("backup_id"):
        with run.db.read() as tx:
            key = tx.get(Backup, id=run.data["backup_id"]).service_metadata
        backup_data.restore(run.cloud, key, host, volume.id, volume.size)
    else:
        driver(run).create(host, volume.id, volume.size, _source(run, volume))


def _source(run: Run, volume: Volume) -> Source | None:
    if volume.snapshot_id:
        with run.db.read() as tx:
            snapshot = tx.get(Snapshot, id=volume.snapshot_id)
        return Source("snapshot", snapshot.id, snapshot.volume_id)
    if volume.source_volid:
        return Source("volume", volume.source_volid)
    return Source("image", volume.image_id) if volume.image_id else None


def remove_bytes(run: Run) -> None:
    with run.db.read() as tx:
        volume = tx.find(Volume, id=run.id)
    if volume is not None and volume.host is not None:
        driver(run).remove(volume.host, run.id)


def mark_available(run: Run) -> None:
    settle(run, launched_at=clock.now())


def mark_error(run: Run, error: BaseException) -> None:
    no_room = isinstance(error, scheduler.NoBackend)
    fail(run, error, "schedule" if no_room else "create", states.ERROR, "no_backend" if no_room else "failed")


CREATE = Saga(
    "volume-create",
    version=1,
    failed=mark_error,
    steps=[
        Step(choose_backend, undo=forget_backend),
        Step(make_bytes, undo=remove_bytes),
        Step(mark_available),
    ],
)
