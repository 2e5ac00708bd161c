"""A file that nobody manages becomes a volume, and a volume such a file again."""

from typing import Any

from pileus.block_storage import quotas, states
from pileus.block_storage.sagas.volume import (
    change,
    driver,
    fail,
    find_volume,
    get_volume,
    host_of,
    read_volume,
    settle,
)
from pileus.block_storage.store import Snapshot, Volume, VolumeType
from pileus.core import clock
from pileus.core.saga import Run, Saga, Step

# -- manage ------------------------------------------------------------------------------------------------------------


def adopt_file(run: Run) -> dict[str, Any]:
    size = driver(run).adopt(host_of(read_volume(run)), run.data["file"], run.id)
    return {"size": size}


def release_file(run: Run) -> None:
    volume = find_volume(run)
    if volume is not None and volume.host is not None:
        host = volume.host
        if any(one.volume_id == run.id for one in driver(run).stored(host)):
            driver(run).release(host, run.id, run.data["file"])


def take_quota(run: Run) -> None:
    """Its size is known only now."""
    with run.db.write() as tx:
        volume = get_volume(tx, run)
        if volume.size == 0:
            quotas.spend(
                tx, volume.project_id, tx.find(VolumeType, id=volume.volume_type_id), gigabytes=run.data["size"]
            )
            tx.update(Volume, run.id, size=run.data["size"], updated_at=clock.now())


def mark_managed(run: Run) -> None:
    settle(run, launched_at=clock.now())


def mark_not_managed(run: Run, error: BaseException) -> None:
    """A volume without bytes: deleting it deletes its row."""
    fail(run, error, "manage", states.ERROR_MANAGING)


MANAGE = Saga(
    "volume-manage",
    version=1,
    failed=mark_not_managed,
    steps=[Step(adopt_file, undo=release_file), Step(take_quota), Step(mark_managed)],
)


# -- unmanage ----------------------------------------------------------------------------------------------------------


def let_go(run: Run) -> None:
    volume = find_volume(run)
    if volume is not None and volume.host is not None:
        driver(run).release(volume.host, run.id, f"volume-{run.id}")


def forget_volume(run: Run) -> None:
    with run.db.write() as tx:
        tx.delete(Snapshot, volume_id=run.id)
        tx.delete(Volume, id=run.id)


def mark_kept(run: Run, error: BaseException) -> None:
    fail(run, error, "unmanage", states.ERROR_UNMANAGING)
    change(run, previous_status=None)


UNMANAGE = Saga("volume-unmanage", version=1, failed=mark_kept, steps=[Step(let_go), Step(forget_volume)])
