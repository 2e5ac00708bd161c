"""A volume as its sagas see it: its row, who holds its bytes, and the ways in which an operation on it ends."""

from typing import Any

from pileus.block_storage import messages, states
from pileus.block_storage.drivers.base import Volumes
from pileus.block_storage.store import Volume
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import EngineError, NotFound
from pileus.core.saga import Run


def driver(run: Run) -> Volumes:
    found: Volumes = run.cloud.drivers["block_storage"]
    return found


def get_volume(tx: Tx, run: Run) -> Volume:
    found = tx.find(Volume, id=run.id)
    if found is None:
        raise NotFound(f"Volume {run.id} could not be found.")
    return found


def read_volume(run: Run) -> Volume:
    with run.db.read() as tx:
        return get_volume(tx, run)


def find_volume(run: Run, volume_id: str | None = None) -> Volume | None:
    with run.db.read() as tx:
        return tx.find(Volume, id=volume_id or run.id)


def host_of(volume: Volume) -> str:
    if volume.host is None:
        raise EngineError(f"volume {volume.id} lies nowhere")
    return volume.host


def change(run: Run, **values: Any) -> None:
    with run.db.write() as tx:
        tx.update(Volume, run.id, **values, updated_at=clock.now())


def settle(run: Run, status: str = states.AVAILABLE, **values: Any) -> None:
    """It is at rest again."""
    change(run, status=status, previous_status=None, **values)


def fail(run: Run, error: BaseException, action: str, status: str, detail: str = "failed", **values: Any) -> None:
    """It stays, in this state, and a message says why."""
    with run.db.write() as tx:
        volume = tx.find(Volume, id=run.id)
        if volume is None:
            return
        tx.update(Volume, run.id, status=status, previous_status=None, **values, updated_at=clock.now())
        why = str(error) or type(error).__name__
        messages.tell(tx, volume.project_id, run.request_id, action, "VOLUME", run.id, why, detail)
