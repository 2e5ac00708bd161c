"""Groups of volumes: the verbs of the domain (Block Storage API, "Generic volume groups")."""

from pileus.block_storage.store import Group
from pileus.core.db import Tx
from pileus.core.errors import NotFound


def get_group(tx: Tx, group_id: str) -> Group:
    found = tx.find(Group, id=group_id)
    if found is None:
        raise NotFound(f"Group {group_id[:255]} could not be found.", kind="GroupNotFound")
    return found
