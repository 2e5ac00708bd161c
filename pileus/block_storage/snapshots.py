"""Snapshots: the verbs of the domain (Block Storage API, "Volume snapshots")."""

from pileus.block_storage.store import Snapshot
from pileus.core.db import Tx
from pileus.core.errors import NotFound


def get_snapshot(tx: Tx, snapshot_id: str) -> Snapshot:
    found = tx.find(Snapshot, id=snapshot_id)
    if found is None:
        raise NotFound(f"Snapshot {snapshot_id[:255]} could not be found.", kind="SnapshotNotFound")
    return found
