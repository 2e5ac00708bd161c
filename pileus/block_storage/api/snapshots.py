"""Snapshots (Block Storage API, "Volume snapshots", "Snapshot actions")."""

from typing import Any

from pileus.block_storage import snapshots, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import at_least
from pileus.block_storage.resources.snapshots import (
    CHANGED_SNAPSHOT,
    FILTERS,
    NEW_SNAPSHOT,
    SORTS,
    detail,
    extended,
    renamed,
    summary,
)  # fmt: skip
from pileus.block_storage.store import Snapshot
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Object, Text
from pileus.core.wire import Request

ACTION = "/snapshots/{snapshot_id}/action"
STATES = ("creating", "available", "deleting", "error", "error_deleting")


def snapshot(rq: Request, snapshot_id: str) -> Snapshot:
    return snapshots.get_snapshot(rq.tx, snapshot_id)


@api.get("/snapshots", policy="volume:get_all_snapshots")
def list_snapshots(rq: Request) -> dict[str, Any]:
    """List snapshots."""
    found = listing(rq, Snapshot, "snapshots", FILTERS, SORTS)
    return {"snapshots": [summary(rq, row) for row in found.rows], **found.extra}


@api.get("/snapshots/detail", policy="volume:get_all_snapshots")
def list_snapshots_in_detail(rq: Request) -> dict[str, Any]:
    """List snapshots, in detail."""
    found = listing(rq, Snapshot, "snapshots", FILTERS, SORTS)
    return {"snapshots": [extended(rq, row) for row in found.rows], **found.extra}


@api.post("/snapshots", policy="volume:create_snapshot", status=202)
def create_snapshot(rq: Request) -> dict[str, Any]:
    """Create a snapshot of a volume; of one in use with `force`, since 3.66 without."""
    given = renamed(NEW_SNAPSHOT.parse_create(rq))
    force = given.pop("force", None)
    if at_least(rq, 66) and force is False:
        raise BadRequest("Since microversion 3.66 the 'force' flag is invalid for this request.")
    volume = volumes.get_volume(rq.tx, given.pop("volume_id") or "")
    if not rq.allows("volume:create_snapshot", volume):
        raise NotFound(f"Volume {volume.id} could not be found.", kind="VolumeNotFound")
    given["metadata"] = given.get("metadata") or {}
    row = snapshots.create_snapshot(rq.tx, rq.ctx, volume, in_use=bool(force) or at_least(rq, 66), **given)
    return {"snapshot": detail(rq, row)}


@api.get("/snapshots/{snapshot_id}", policy="volume:get_snapshot", on=snapshot)
def show_snapshot(rq: Request, found: Snapshot) -> dict[str, Any]:
    """Show a snapshot."""
    return {"snapshot": extended(rq, found)}


@api.put("/snapshots/{snapshot_id}", policy="volume:update_snapshot", on=snapshot)
def update_snapshot(rq: Request, found: Snapshot) -> dict[str, Any]:
    """Change a snapshot's name or description."""
    given = renamed(CHANGED_SNAPSHOT.parse_update(rq))
    if not given and at_least(rq, 53):
        raise BadRequest("Invalid input for field/attribute snapshot. There is nothing in it to change.")
    snapshots.change(rq.tx, found.id, **given)
    return {"snapshot": detail(rq, snapshots.get_snapshot(rq.tx, found.id))}


@api.delete("/snapshots/{snapshot_id}", policy="volume:delete_snapshot", on=snapshot, status=202)
def delete_snapshot(rq: Request, found: Snapshot) -> None:
    """Delete a snapshot."""
    snapshots.delete_snapshot(rq.tx, rq.ctx, found)


@api.do(ACTION, "os-reset_status", policy="volume_extension:snapshot_admin_actions:reset_status", on=snapshot)
def reset_status(rq: Request, found: Snapshot) -> None:
    """Set what a snapshot's row says of its state."""
    fields = [Text("status", create=REQUIRED)]
    status = Object("os-reset_status", fields).check(rq.json["os-reset_status"])["status"].lower()
    if status not in STATES:
        raise BadRequest(f"Invalid input for field/attribute status. Value: {status}. Use {', '.join(STATES)}.")
    snapshots.change(rq.tx, found.id, status=status)


@api.do(ACTION, "os-force_delete", policy="volume_extension:snapshot_admin_actions:force_delete", on=snapshot)
def force_delete(rq: Request, found: Snapshot) -> None:
    """Delete a snapshot whatever its state."""
    snapshots.delete_snapshot(rq.tx, rq.ctx, found, force=True)


@api.do(ACTION, "os-update_snapshot_status", policy="snapshot_extension:snapshot_actions:update_snapshot_status",
        on=snapshot)  # fmt: skip
def tell_status(rq: Request, found: Snapshot) -> None:
    """Say how far a snapshot is that another service makes."""
    fields = [Text("status", create=REQUIRED), Text("progress", create=OPTIONAL, null=True)]
    given = Object("os-update_snapshot_status", fields).check(rq.json["os-update_snapshot_status"])
    snapshots.tell_status(rq.tx, found, given["status"], given.get("progress"))
