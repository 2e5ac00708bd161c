"""Backups: the verbs of the domain (Block Storage API, "Backups")."""

from pileus.block_storage.store import Backup
from pileus.core.db import Tx
from pileus.core.errors import NotFound


def get_backup(tx: Tx, backup_id: str) -> Backup:
    found = tx.find(Backup, id=backup_id)
    if found is None:
        raise NotFound(f"Backup {backup_id[:255]} could not be found.", kind="BackupNotFound")
    return found
