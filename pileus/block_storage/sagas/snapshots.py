"""Snapshots: made, deleted, and gone back to. They work on their volume, one after another."""

from typing import Any

from pileus.block_storage import messages, states
from pileus.block_storage.sagas.delete import LOOK_SECONDS, is_being_copied, unless_gone
from pileus.block_storage.sagas.volume import change, driver, fail, host_of, read_volume
from pileus.block_storage.store import Snapshot, Volume
from pileus.core import clock
from pileus.core.saga import Run, Saga, Step, Wait


def snapshot_id(run: Run) -> str:
    found: str = run.data["snapshot_id"]
    return found


def _change(run: Run, **values: Any) -> None:
    with run.db.write() as tx:
        tx.update(Snapshot, snapshot_id(run), **values, updated_at=clock.now())


def _fail(run: Run, error: BaseException, action: str, status: str) -> None:
    with run.db.write() as tx:
        found = tx.find(Snapshot, id=snapshot_id(run))
        if found is None:
            return
        _change(run, status=status)
        why = str(error) or type(error).__name__
        messages.tell(tx, found.project_id, run.request_id, action, "SNAPSHOT", found.id, why)


# -- create ------------------------------------------------------------------------------------------------------------


def make_snapshot(run: Run) -> None:
    driver(run).create_snapshot(host_of(read_volume(run)), run.id, snapshot_id(run))


def remove_snapshot(run: Run) -> None:
    with run.db.read() as tx:
        volume = tx.find(Volume, id=run.id)
    if volume is not None and volume.host is not None:
        host = volume.host
        unless_gone(run, host, lambda: driver(run).remove_snapshot(host, run.id, snapshot_id(run)))


def mark_made(run: Run) -> None:
    _change(run, status=states.AVAILABLE, progress="100%")


def mark_not_made(run: Run, error: BaseException) -> None:
    _fail(run, error, "snapshot_create", states.ERROR)


CREATE = Saga(
    "snapshot-create",
    version=1,
    failed=mark_not_made,
    steps=[Step(make_snapshot, undo=remove_snapshot), Step(mark_made)],
)


# -- delete ------------------------------------------------------------------------------------------------------------


def await_copies(run: Run) -> None:
    """A volume that is being made from it needs it until it is made."""
    with run.db.read() as tx:
        if is_being_copied(tx, snapshot_id=snapshot_id(run)):
            raise Wait(LOOK_SECONDS)


def forget_snapshot(run: Run) -> None:
    with run.db.write() as tx:
        tx.delete(Snapshot, id=snapshot_id(run))


def mark_undeletable(run: Run, error: BaseException) -> None:
    _fail(run, error, "snapshot_delete", states.ERROR_DELETING)


DELETE = Saga(
    "snapshot-delete",
    version=1,
    failed=mark_undeletable,
    steps=[Step(await_copies), Step(remove_snapshot), Step(forget_snapshot)],
)


# -- revert ------------------------------------------------------------------------------------------------------------


def revert_bytes(run: Run) -> None:
    driver(run).revert(host_of(read_volume(run)), run.id, snapshot_id(run))


def mark_reverted(run: Run) -> None:
    with run.db.write():
        _change(run, status=states.AVAILABLE)
        change(run, status=states.AVAILABLE, previous_status=None)


def mark_broken(run: Run, error: BaseException) -> None:
    _change(run, status=states.AVAILABLE)
    fail(run, error, "revert", states.ERROR)


REVERT = Saga("volume-revert", version=1, failed=mark_broken, steps=[Step(revert_bytes), Step(mark_reverted)])
