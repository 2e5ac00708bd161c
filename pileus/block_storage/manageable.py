"""Files that nobody manages, and how they become volumes and snapshots (Block Storage API, "Volume manage")."""

import uuid
from typing import Any

from pileus.block_storage import hosts, quotas, snapshots, states, types
from pileus.block_storage.drivers.base import BACKEND, Stored
from pileus.block_storage.sagas.manage import MANAGE, UNMANAGE
from pileus.block_storage.store import Snapshot, Volume, VolumeType
from pileus.block_storage.volumes import change, refuse
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Fault

BY_NAME = ("source-name", "source-id")


def backend_host(tx: Tx, name: str, otherwise: type[Fault] = BadRequest) -> str:
    """The host, with its pool, that a client names with or without. Raises what the caller wants."""
    return f"{hosts.get_backend(tx, name, otherwise).host}#{BACKEND}"


def referred(reference: Any) -> str:
    """The file that a reference names. Raises BadRequest."""
    if isinstance(reference, dict):
        named = [reference[key] for key in BY_NAME if isinstance(reference.get(key), str)]
        reference = named[0] if len(named) == 1 else None
    if not isinstance(reference, str) or not reference:
        raise BadRequest("Invalid input for field/attribute ref. It must name a file as source-name or source-id.")
    return reference


def manage_volume(
    tx: Tx, ctx: Context, host: str, reference: str, kind: VolumeType | None, values: dict[str, Any]
) -> Volume:
    """Raises BadRequest for a file that is a volume's already, OverQuota."""
    if tx.find(Volume, id=reference):
        raise BadRequest(f"Unable to manage existing volume: {reference[:255]} is managed already.")
    kind = kind or types.default_type(tx, ctx.project_id)
    row = Volume(
        id=clock.new_id(), project_id=ctx.project_id or "", user_id=ctx.user_id or "", size=0, status=states.MANAGING,
        created_at=clock.now(), host=host, volume_type_id=kind.id, multiattach=types.is_multiattach(kind), **values,
    )  # fmt: skip
    quotas.spend(tx, row.project_id, kind, volumes=1)
    tx.insert(row)
    saga.start(tx, MANAGE, f"volume/{row.id}", ctx, file=reference)
    return row


def unmanage_volume(tx: Tx, ctx: Context, volume: Volume) -> None:
    """Raises BadRequest for one in use, or with snapshots."""
    refuse(volume, "unmanage", (states.AVAILABLE, states.ERROR, states.ERROR_UNMANAGING))
    if tx.count(Snapshot, volume_id=volume.id):
        raise BadRequest(f"Invalid volume: Volume {volume.id} has snapshots: unmanage or delete them first.")
    change(tx, volume.id, status=states.UNMANAGING, previous_status=volume.status)
    saga.start(tx, UNMANAGE, f"volume/{volume.id}", ctx)


def file_of_snapshot(reference: str) -> str:
    """`_snapshot-<id>`, as other backends name them, is `<id>`, as ours do. Raises BadRequest."""
    name = reference.removeprefix("_").removeprefix("snapshot-")
    try:
        return str(uuid.UUID(name))
    except ValueError:
        raise BadRequest(f"Failed to manage existing snapshot: there is no snapshot {reference[:255]}.") from None


def manage_snapshot(
    tx: Tx, ctx: Context, volume: Volume, file: str, stored: list[Stored], values: dict[str, Any]
) -> Snapshot:
    """Its id is what its file is called. Raises BadRequest for one that is not there or managed already, OverQuota."""
    if not any(one.volume_id == volume.id and file in one.snapshots for one in stored):
        raise BadRequest(f"Failed to manage existing snapshot: volume {volume.id} has no snapshot {file}.")
    if tx.find(Snapshot, id=file):
        raise BadRequest(f"Failed to manage existing snapshot: {file} is managed already.")
    kind = tx.find(VolumeType, id=volume.volume_type_id)
    quotas.spend(tx, volume.project_id, kind, snapshots=1, gigabytes=volume.size)
    row = snapshots.new_row(ctx, volume, id=file, status=states.AVAILABLE, progress="100%", **values)
    tx.insert(row)
    return row


def unmanage_snapshot(tx: Tx, snapshot: Snapshot) -> None:
    """The row goes, the file stays. Raises BadRequest for one that is busy or a group's."""
    if snapshot.status not in (states.AVAILABLE, states.ERROR) or snapshot.group_snapshot_id:
        raise BadRequest(f"Invalid snapshot: Snapshot {snapshot.id} must be available and not part of a group.")
    tx.delete(Snapshot, id=snapshot.id)


def manageable_volumes(tx: Tx, stored: list[Stored]) -> list[dict[str, Any]]:
    """All files of a host, and whether each can be managed."""
    known = {one.volume_id: tx.find(Volume, id=one.volume_id) for one in stored}
    return [
        {
            "reference": {"source-name": one.volume_id}, "size": one.size_gb,
            "safe_to_manage": known[one.volume_id] is None and not one.exported,
            "reason_not_safe": _why(known[one.volume_id] is not None, one.exported),
            "cinder_id": one.volume_id if known[one.volume_id] else None, "extra_info": None,
        }
        for one in stored
    ]  # fmt: skip


def manageable_snapshots(tx: Tx, stored: list[Stored]) -> list[dict[str, Any]]:
    """All files of snapshots of a host, and whether each can be managed."""
    found = []
    for one in stored:
        for snapshot_id in one.snapshots:
            managed = tx.find(Snapshot, id=snapshot_id) is not None
            found.append({
                "reference": {"source-name": snapshot_id}, "size": one.size_gb, "safe_to_manage": not managed,
                "reason_not_safe": _why(managed, False), "cinder_id": snapshot_id if managed else None,
                "extra_info": None, "source_reference": {"source-name": one.volume_id},
            })  # fmt: skip
    return found


def _why(managed: bool, in_use: bool) -> str | None:
    return "already managed" if managed else "in use" if in_use else None
