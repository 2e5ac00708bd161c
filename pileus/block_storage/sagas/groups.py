"""Groups: what their volumes and snapshots do is waited for. Those have sagas of their own, begun by the same request."""

from pileus.block_storage import messages, states
from pileus.block_storage.store import Group, GroupSnapshot, Snapshot, Volume
from pileus.core import clock
from pileus.core.errors import EngineError
from pileus.core.saga import Run, Saga, Step, Wait

LOOK_SECONDS = 0.2


def _fail(run: Run, error: BaseException, status: str) -> None:
    with run.db.write() as tx:
        group = tx.find(Group, id=run.id)
        if group is not None:
            tx.update(Group, run.id, status=status, updated_at=clock.now())
            messages.tell(tx, group.project_id, run.request_id, "group", "GROUP", run.id, str(error))


# -- create ------------------------------------------------------------------------------------------------------------


def await_volumes(run: Run) -> None:
    with run.db.read() as tx:
        volumes = tx.select(Volume, group_id=run.id)
    if any(one.status == states.CREATING for one in volumes):
        raise Wait(LOOK_SECONDS)
    if broken := [one.id for one in volumes if one.status == states.ERROR]:
        raise EngineError(f"these volumes of the group could not be made: {', '.join(broken)}")


def mark_available(run: Run) -> None:
    with run.db.write() as tx:
        tx.update(Group, run.id, status=states.AVAILABLE, updated_at=clock.now())


def mark_error(run: Run, error: BaseException) -> None:
    _fail(run, error, states.ERROR)


CREATE = Saga("volume-group-create", version=1, failed=mark_error, steps=[Step(await_volumes), Step(mark_available)])


# -- delete ------------------------------------------------------------------------------------------------------------


def await_no_volumes(run: Run) -> None:
    with run.db.read() as tx:
        volumes = tx.select(Volume, group_id=run.id)
    if any(one.status == states.DELETING for one in volumes):
        raise Wait(LOOK_SECONDS)
    if volumes:
        raise EngineError(f"these volumes of the group could not be deleted: {', '.join(one.id for one in volumes)}")


def forget_group(run: Run) -> None:
    with run.db.write() as tx:
        tx.delete(Group, id=run.id)


def mark_undeletable(run: Run, error: BaseException) -> None:
    _fail(run, error, states.ERROR_DELETING)


DELETE = Saga(
    "volume-group-delete", version=1, failed=mark_undeletable, steps=[Step(await_no_volumes), Step(forget_group)]
)


# -- snapshots ---------------------------------------------------------------------------------------------------------


def _fail_snapshot(run: Run, error: BaseException, status: str) -> None:
    with run.db.write() as tx:
        found = tx.find(GroupSnapshot, id=run.id)
        if found is not None:
            tx.update(GroupSnapshot, run.id, status=status)
            messages.tell(tx, found.project_id, run.request_id, "group", "GROUP", found.group_id, str(error))


def await_snapshots(run: Run) -> None:
    with run.db.read() as tx:
        snapshots = tx.select(Snapshot, group_snapshot_id=run.id)
    if any(one.status == states.CREATING for one in snapshots):
        raise Wait(LOOK_SECONDS)
    if broken := [one.volume_id for one in snapshots if one.status != states.AVAILABLE]:
        raise EngineError(f"of these volumes there is no snapshot: {', '.join(broken)}")


def mark_snapshot_available(run: Run) -> None:
    with run.db.write() as tx:
        tx.update(GroupSnapshot, run.id, status=states.AVAILABLE)


def mark_snapshot_error(run: Run, error: BaseException) -> None:
    _fail_snapshot(run, error, states.ERROR)


CREATE_SNAPSHOT = Saga(
    "group-snapshot-create",
    version=1,
    failed=mark_snapshot_error,
    steps=[Step(await_snapshots), Step(mark_snapshot_available)],
)


def await_no_snapshots(run: Run) -> None:
    with run.db.read() as tx:
        snapshots = tx.select(Snapshot, group_snapshot_id=run.id)
    if any(one.status == states.DELETING for one in snapshots):
        raise Wait(LOOK_SECONDS)
    if snapshots:
        raise EngineError(f"these snapshots could not be deleted: {', '.join(one.id for one in snapshots)}")


def forget_snapshot(run: Run) -> None:
    with run.db.write() as tx:
        tx.delete(GroupSnapshot, id=run.id)


def mark_snapshot_undeletable(run: Run, error: BaseException) -> None:
    _fail_snapshot(run, error, states.ERROR_DELETING)


DELETE_SNAPSHOT = Saga(
    "group-snapshot-delete",
    version=1,
    failed=mark_snapshot_undeletable,
    steps=[Step(await_no_snapshots), Step(forget_snapshot)],
)
