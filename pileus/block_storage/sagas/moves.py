"""A volume goes to another backend, or becomes of another type, which may take it there."""

from typing import Any

from pileus.block_storage import scheduler, types
from pileus.block_storage.drivers.base import Part
from pileus.block_storage.sagas.delete import unless_gone
from pileus.block_storage.sagas.volume import change, driver, fail, find_volume, get_volume, host_of, read_volume
from pileus.block_storage.store import Volume, VolumeType
from pileus.core import clock
from pileus.core.errors import EngineError
from pileus.core.saga import Run, Saga, Step


def choose_target(run: Run) -> dict[str, Any]:
    """Where it goes; nowhere, when it may stay where it is."""
    with run.db.read() as tx:
        volume = get_volume(tx, run)
        kind = tx.find(VolumeType, id=run.data.get("volume_type_id") or volume.volume_type_id)
        zone = volume.availability_zone
        found = {"left": run.data.get("left") or volume.host}
        if run.data.get("target"):
            return {**found, "target": scheduler.choose(tx, volume.size, kind, zone, only=run.data["target"])}
        if scheduler.suits(tx, host_of(volume), kind):
            return {**found, "target": None}
        if not run.data.get("may_move"):
            raise EngineError("it would have to move to another backend, and that was not asked for")
        return {**found, "target": scheduler.choose(tx, volume.size, kind, zone, also_not=volume.host)}


def copy_bytes(run: Run) -> None:
    volume, target = read_volume(run), run.data["target"]
    if target is not None and volume.host != target:
        change(run, migration_status="migrating")
        pieces = driver(run).read(host_of(volume), Part(run.id))
        driver(run).write(target, run.id, volume.size, pieces)


def remove_copy(run: Run) -> None:
    volume, target = find_volume(run), run.data.get("target")
    if volume is not None and target is not None and volume.host != target:
        unless_gone(run, target, lambda: driver(run).remove(target, run.id))


def switch(run: Run) -> None:
    """From here on the copy is the volume."""
    with run.db.write() as tx:
        volume = get_volume(tx, run)
        target, kind_id = run.data["target"], run.data.get("volume_type_id")
        changes: dict[str, Any] = {}
        if target is not None and volume.host != target:
            changes = {"host": target, "migration_status": "completing"}
        if kind_id:
            kind = tx.get(VolumeType, id=kind_id)
            changes |= {"volume_type_id": kind.id, "multiattach": types.is_multiattach(kind)}
        if changes:
            tx.update(Volume, run.id, **changes, updated_at=clock.now())


def remove_original(run: Run) -> None:
    """What cannot be removed now, the reconcile task finds: the volume is well either way."""
    volume, left = find_volume(run), run.data["left"]
    if volume is not None and left is not None and volume.host != left:
        unless_gone(run, left, lambda: driver(run).remove(left, run.id))


def mark_moved(run: Run) -> None:
    status = "success" if run.data["target"] else None
    change(run, status=run.data["back_to"], previous_status=None, migration_status=status)


def mark_not_moved(run: Run, error: BaseException) -> None:
    """It is where it was, or already where it was to go."""
    status = "error" if run.row.kind == "volume-migrate" else None
    fail(run, error, "migrate", run.data["back_to"], migration_status=status)


_STEPS = [
    Step(choose_target),
    Step(copy_bytes, undo=remove_copy),
    Step(switch, undo=remove_original),  # there is no way back: what is undone is where it was
    Step(remove_original),
    Step(mark_moved),
]
MIGRATE = Saga("volume-migrate", version=1, failed=mark_not_moved, steps=_STEPS)
RETYPE = Saga("volume-retype", version=1, failed=mark_not_moved, steps=_STEPS)
