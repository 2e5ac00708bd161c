"""What users are told of failures (Block Storage API, "Messages")."""

from pileus.block_storage.store import Message
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import NotFound

KEEP = 30 * 86400.0  # seconds

# what was being done: its number in clients' eyes, and its words
ACTIONS = {
    "schedule": ("001", "schedule allocate volume"),
    "attach": ("002", "attach volume"),
    "upload": ("003", "copy volume to image"),
    "update": ("004", "update attachment"),
    "copy": ("005", "copy image to volume"),
    "unmanage": ("006", "unmanage volume"),
    "extend": ("007", "extend volume"),
    "create_from_backup": ("008", "create volume from backup"),
    "backup_create": ("009", "create backup"),
    "snapshot_create": ("010", "create snapshot"),
    "snapshot_delete": ("011", "delete snapshot"),
    "snapshot_update": ("012", "update snapshot"),
    "snapshot_metadata": ("013", "update snapshot metadata"),
    "backup_delete": ("014", "delete backup"),
    "backup_restore": ("015", "restore backup"),
    "reimage": ("016", "reimage volume"),
    "create": ("017", "create volume"),
    "delete": ("018", "delete volume"),
    "migrate": ("019", "migrate volume"),
    "revert": ("020", "revert volume to snapshot"),
    "manage": ("021", "manage volume"),
    "group": ("022", "change group"),
}
# why: its number, and its words where an error has none of its own
DETAILS = {
    "unknown": ("001", "An unknown error occurred."),
    "no_backend": ("003", "Could not find any available weighted backend."),
    "failed": ("004", ""),
}
WORDS = {"VOLUME": "VOLUME", "SNAPSHOT": "VOLUME_SNAPSHOT", "BACKUP": "VOLUME_BACKUP", "GROUP": "VOLUME_GROUP"}


def tell(
    tx: Tx, project_id: str, request_id: str, action: str, resource_type: str, resource_id: str | None, why: str,
    detail: str = "failed",
) -> None:  # fmt: skip
    """Note for a project's users why something failed."""
    number, words = ACTIONS[action]
    detail_id, default = DETAILS[detail]
    now = clock.now()
    tx.insert(
        Message(
            id=clock.new_id(), project_id=project_id, request_id=request_id, resource_type=WORDS[resource_type],
            resource_id=resource_id, event_id=f"VOLUME_{resource_type}_{number}_{detail_id}", detail_id=detail_id,
            action_id=number, text=f"{words}:{(default or why)[:500]}", level="ERROR", created_at=now,
            expires_at=clock.after(KEEP),
        )
    )  # fmt: skip


def get_message(tx: Tx, message_id: str) -> Message:
    found = tx.find(Message, id=message_id)
    if found is None or found.expires_at < clock.now():
        raise NotFound(f"Message {message_id[:255]} could not be found.")
    return found
