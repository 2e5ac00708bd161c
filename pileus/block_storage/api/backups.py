"""Backups (Block Storage API, "Backups")."""

from typing import Any

from pileus.block_storage import backups, snapshots, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.api.volumes import mine
from pileus.block_storage.resources.backups import CHANGED_BACKUP, FILTERS, NEW_BACKUP, SORTS, detail, summary
from pileus.block_storage.resources.base import by_ids, words
from pileus.block_storage.store import Backup
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Object, Text, Uuid
from pileus.core.wire import Request

ONE = "/backups/{backup_id}"
ADMIN = "volume_extension:backup_admin_actions"
RECORD = Object(
    "backup-record", [Text("backup_service", create=REQUIRED), Text("backup_url", create=REQUIRED, max=None)]
)
RESTORE = Object("restore", [words("name", create=OPTIONAL), Uuid("volume_id", create=OPTIONAL, null=True)])


def backup(rq: Request, backup_id: str) -> Backup:
    return backups.get_backup(rq.tx, backup_id)


@api.get("/backups", policy="backup:get_all")
def list_backups(rq: Request) -> dict[str, Any]:
    """List backups, by name."""
    found = listing(rq, Backup, "backups", FILTERS, SORTS)
    return {"backups": [summary(rq, row) for row in found.rows], **found.extra}


@api.get("/backups/detail", policy="backup:get_all")
def list_backups_in_detail(rq: Request) -> dict[str, Any]:
    """List backups, in detail."""
    found = listing(rq, Backup, "backups", FILTERS, SORTS)
    parents = {row.parent_id for row in by_ids(rq, Backup, "parent_id", (row.id for row in found.rows))}
    return {"backups": [detail(rq, row, row.id in parents) for row in found.rows], **found.extra}


@api.post("/backups", policy="backup:create", status=202)
def create_backup(rq: Request) -> dict[str, Any]:
    """Create a backup of a volume or of a snapshot, whole or of what changed."""
    given = NEW_BACKUP.parse_create(rq)
    volume = mine(rq, "backup:create", volumes.get_volume(rq.tx, given.pop("volume_id")))
    snapshot_id = given.pop("snapshot_id", None)
    snapshot = mine(rq, "volume:get_snapshot", snapshots.get_snapshot(rq.tx, snapshot_id)) if snapshot_id else None
    given["metadata"] = given.get("metadata") or {}
    return {
        "backup": summary(rq, backups.create_backup(rq.tx, rq.ctx, volume, backups.Wanted(snapshot=snapshot, **given)))
    }


@api.get(ONE, policy="backup:get", on=backup)
def show_backup(rq: Request, found: Backup) -> dict[str, Any]:
    """Show a backup."""
    return {"backup": detail(rq, found, backups.has_dependents(rq.tx, found))}


@api.put(ONE, policy="backup:update", on=backup, since="3.9")
def update_backup(rq: Request, found: Backup) -> dict[str, Any]:
    """Change a backup's name, description or metadata."""
    given = CHANGED_BACKUP.parse_update(rq)
    if not given:
        raise BadRequest("Invalid input for field/attribute backup. There is nothing in it to change.")
    backups.change(rq.tx, found.id, **given)
    return {"backup": summary(rq, backups.get_backup(rq.tx, found.id))}


@api.delete(ONE, policy="backup:delete", on=backup, status=202)
def delete_backup(rq: Request, found: Backup) -> None:
    """Delete a backup that no other builds upon."""
    backups.delete_backup(rq.tx, rq.ctx, found)


@api.post(f"{ONE}/restore", policy="backup:restore", on=backup, status=202)
def restore_backup(rq: Request, found: Backup) -> dict[str, Any]:
    """Put a backup's bytes into a volume, or into a new one."""
    given = RESTORE.check(rq.json.get("restore") or {}) if "restore" in rq.json else rq.unwrap("restore")
    volume = None
    if given.get("volume_id"):
        volume = mine(rq, "volume:get", volumes.get_volume(rq.tx, given["volume_id"]))
    volume = backups.restore(rq.tx, rq.ctx, found, volume, given.get("name"))
    return {"restore": {"backup_id": found.id, "volume_id": volume.id, "volume_name": volume.name}}


@api.get(f"{ONE}/export_record", policy="backup:export-import", on=backup)
def export_record(rq: Request, found: Backup) -> dict[str, Any]:
    """Show what another database has to know of a backup."""
    return {"backup-record": backups.export_record(found)}


@api.post("/backups/import_record", policy="backup:backup-import", status=201)
def import_record(rq: Request) -> dict[str, Any]:
    """Take a backup in that another database knew."""
    given = RECORD.check(rq.unwrap("backup-record"))
    return {"backup": summary(rq, backups.import_record(rq.tx, rq.ctx, given["backup_service"], given["backup_url"]))}


@api.do(f"{ONE}/action", "os-reset_status", policy=f"{ADMIN}:reset_status", on=backup)
def reset_status(rq: Request, found: Backup) -> None:
    """Set what a backup's row says of its state."""
    status = Object("os-reset_status", [Text("status", create=REQUIRED)]).check(rq.json["os-reset_status"])["status"]
    if status.lower() not in ("available", "error"):
        raise BadRequest(f"Invalid input for field/attribute status. Value: {status}. Use available or error.")
    backups.change(rq.tx, found.id, status=status.lower())


@api.do(f"{ONE}/action", "os-force_delete", policy=f"{ADMIN}:force_delete", on=backup)
def force_delete(rq: Request, found: Backup) -> None:
    """Delete a backup whatever its state."""
    backups.delete_backup(rq.tx, rq.ctx, found, force=True)
