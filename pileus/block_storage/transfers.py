"""Transfers: a volume is offered to whoever has the key (Block Storage API, "Volume transfers")."""

import hashlib
import hmac
import secrets

from pileus.block_storage import quotas, states, types
from pileus.block_storage.store import Snapshot, Transfer, Volume, VolumeType
from pileus.block_storage.volumes import change, get_volume
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound


def get_transfer(tx: Tx, transfer_id: str) -> Transfer:
    found = tx.find(Transfer, id=transfer_id)
    if found is None:
        raise NotFound(f"Transfer {transfer_id[:255]} could not be found.", kind="TransferNotFound")
    return found


def _hash(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest()


def create_transfer(tx: Tx, volume: Volume, name: str | None, no_snapshots: bool) -> tuple[Transfer, str]:
    """And the key, which is told once. Raises BadRequest for a volume that is not available."""
    if volume.status != states.AVAILABLE:
        raise BadRequest(f"Invalid volume: status must be available to be transferred, it is {volume.status}.")
    if volume.group_id is not None:
        raise BadRequest(f"Invalid volume: Volume {volume.id} belongs to a group: take it out first.")
    busy = [one for one in tx.select(Snapshot, volume_id=volume.id) if one.status != states.AVAILABLE]
    if busy and not no_snapshots:
        raise BadRequest(
            f"Invalid snapshot: snapshot {busy[0].id} must be available to be transferred with its volume."
        )
    salt, key = secrets.token_hex(8), secrets.token_hex(8)
    row = Transfer(
        clock.new_id(), volume.id, name, salt, _hash(salt, key), volume.project_id, clock.now(), no_snapshots
    )
    tx.insert(row)
    change(tx, volume.id, status=states.AWAITING_TRANSFER)
    return row, key


def delete_transfer(tx: Tx, transfer: Transfer) -> None:
    volume = get_volume(tx, transfer.volume_id)
    tx.delete(Transfer, id=transfer.id)
    if volume.status == states.AWAITING_TRANSFER:
        change(tx, volume.id, status=states.AVAILABLE)


def accept_transfer(tx: Tx, ctx: Context, transfer: Transfer, key: str) -> None:
    """The volume is the caller's project's. Raises BadRequest for a wrong key, OverQuota."""
    if not hmac.compare_digest(_hash(transfer.salt, key), transfer.hash):
        raise BadRequest(f"Invalid auth key: Attempt to transfer {transfer.volume_id} with invalid auth key.")
    volume = get_volume(tx, transfer.volume_id)
    if volume.status != states.AWAITING_TRANSFER:
        raise BadRequest(f"Invalid volume: Volume {volume.id} does not await a transfer, it is {volume.status}.")
    kind = tx.find(VolumeType, id=volume.volume_type_id)
    if kind is not None and not types.may_use(tx, ctx, kind):
        raise BadRequest(f"Invalid volume type: the project may not use volumes of type {kind.name}.")
    mine = {"project_id": ctx.project_id or "", "user_id": ctx.user_id or ""}
    snapshots = [] if transfer.no_snapshots else tx.select(Snapshot, volume_id=volume.id)
    size = volume.size + sum(one.volume_size for one in snapshots)
    if volume.project_id != ctx.project_id:
        quotas.spend(tx, mine["project_id"], kind, volumes=1, gigabytes=size, snapshots=len(snapshots))
    for snapshot in snapshots:
        tx.update(Snapshot, snapshot.id, **mine, updated_at=clock.now())
    tx.delete(Transfer, id=transfer.id)
    change(tx, volume.id, status=states.AVAILABLE, **mine)
