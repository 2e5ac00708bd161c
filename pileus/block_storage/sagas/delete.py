"""Volume delete: its snapshots, its bytes, its row. Only forwards: a delete has nothing to go back to."""

from collections.abc import Callable
from functools import partial

from pileus.block_storage import states
from pileus.block_storage.sagas.volume import driver, fail, find_volume
from pileus.block_storage.store import Snapshot, Volume
from pileus.core.db import Tx
from pileus.core.errors import EngineUnavailable
from pileus.core.saga import Run, Saga, Step, Wait

LOOK_SECONDS = 0.2


def await_copies(run: Run) -> None:
    """What is being made from it needs it until it is made."""
    with run.db.read() as tx:
        if is_being_copied(tx, source_volid=run.id) or any(
            is_being_copied(tx, snapshot_id=snapshot.id) for snapshot in tx.select(Snapshot, volume_id=run.id)
        ):
            raise Wait(LOOK_SECONDS)


def is_being_copied(tx: Tx, **source: str) -> bool:
    return tx.count(Volume, status=states.CREATING, **source) > 0


def remove_snapshots(run: Run) -> None:
    with run.db.read() as tx:
        volume = tx.find(Volume, id=run.id)
        snapshots = tx.select(Snapshot, volume_id=run.id)
    if volume is not None and volume.host is not None:
        for snapshot in snapshots:
            unless_gone(run, volume.host, partial(driver(run).remove_snapshot, volume.host, volume.id, snapshot.id))


def remove_bytes(run: Run) -> None:
    volume = find_volume(run)
    if volume is not None and volume.host is not None:
        unless_gone(run, volume.host, partial(driver(run).remove, volume.host, volume.id))


def unless_gone(run: Run, host: str, do: Callable[[], object]) -> None:
    """A backend that this cloud no longer has keeps nobody's volume undeletable."""
    try:
        do()
    except EngineUnavailable:
        if host in driver(run).hosts():
            raise


def forget_volume(run: Run) -> None:
    """The row last: until here the volume is there, and being deleted."""
    with run.db.write() as tx:
        tx.delete(Snapshot, volume_id=run.id)
        tx.delete(Volume, id=run.id)


def mark_undeletable(run: Run, error: BaseException) -> None:
    with run.db.write() as tx:
        tx.update(Snapshot, {"volume_id": run.id, "status": states.DELETING}, status=states.ERROR_DELETING)
    fail(run, error, "delete", states.ERROR_DELETING)


DELETE = Saga(
    "volume-delete",
    version=1,
    failed=mark_undeletable,
    steps=[Step(await_copies), Step(remove_snapshots), Step(remove_bytes), Step(forget_volume)],
)
