"""Moves of servers to another host or size: their records, and what they claim meanwhile."""

from typing import Any

import sqlalchemy as sa

from pileus.compute.scheduler import Need
from pileus.compute.store import Claim, FlavorSnapshot, Migration, Server, disk_gb
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx, sql
from pileus.core.errors import NotFound
from pileus.core.tables import columns

LIVE = "live-migration"
_NUMBER = sql(sa.select(sa.func.max(columns(Migration).id)))


def begin(tx: Tx, ctx: Context, server: Server, flavor: FlavorSnapshot, kind: str) -> Migration:
    now = clock.now()
    row = Migration(
        id=int(tx.scalar(_NUMBER) or 0) + 1, uuid=clock.new_id(), server_id=server.id, project_id=server.project_id,
        user_id=ctx.user_id or "", kind=kind, status="pre-migrating", source=server.host or "",
        old_flavor=server.flavor, new_flavor=flavor, old_vm_state=server.vm_state, old_disk_config=server.disk_config,
        created_at=now, updated_at=now,
    )  # fmt: skip
    tx.insert(row)
    return row


def find_open(tx: Tx, server_id: str) -> Migration:
    """The move that waits to be confirmed or reverted. Raises NotFound."""
    found = tx.find(Migration, server_id=server_id, open=True)
    if found is None:
        raise NotFound(f"Instance {server_id} has no resize to confirm or revert.", kind="MigrationNotFound")
    return found


def going_on(tx: Tx, server_id: str) -> list[Migration]:
    """A server's live migrations that have not ended: one at most."""
    return [move for move in tx.select(Migration, server_id=server_id, open=True) if move.kind == LIVE]


def get_live(tx: Tx, server_id: str, number: str) -> Migration:
    """Raises NotFound unless it is a live migration of this server that goes on."""
    known = tx.find(Migration, id=int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
    if known is None or known.server_id != server_id:
        raise NotFound(f"Migration {number[:100]} not found for instance {server_id}", kind="MigrationNotFound")
    if known.kind != LIVE:
        raise NotFound(f"Migration {number} for server {server_id} is not live-migration.", kind="MigrationNotFound")
    if not known.open:
        raise NotFound(f"Live migration {number} for server {server_id} is not in progress.", kind="MigrationNotFound")
    return known


def set_status(tx: Tx, move: Migration, status: str, **changes: Any) -> None:
    for name, value in (changes | {"status": status, "updated_at": clock.now()}).items():
        setattr(move, name, value)
    tx.update(Migration, {"id": move.id}, **changes, status=status, updated_at=move.updated_at)


def close(tx: Tx, move: Migration, status: str) -> None:
    set_status(tx, move, status, open=False, claim_host="", claim_vcpus=0, claim_memory_mb=0, claim_disk_gb=0)


def claim_dest(tx: Tx, move: Migration, host: str, need: Need) -> None:
    set_status(
        tx, move, "migrating", dest=host, claim_host=host, claim_vcpus=need.vcpus, claim_memory_mb=need.memory_mb,
        claim_disk_gb=need.disk_gb,
    )  # fmt: skip


def switch(tx: Tx, server: Server, move: Migration, host: str, flavor: FlavorSnapshot) -> None:
    """The server is on this host with this flavor from now on; the other of its two places is the move's claim."""
    old_host, old = server.host or "", server.flavor
    tx.delete(Claim, server_id=server.id)
    tx.insert(Claim(server.id, host, flavor.vcpus, flavor.ram, disk_gb(flavor)))
    set_status(
        tx, move, "post-migrating", claim_host=old_host, claim_vcpus=old.vcpus, claim_memory_mb=old.ram,
        claim_disk_gb=disk_gb(old),
    )  # fmt: skip
    changes = {"host": host, "flavor": flavor, "flavor_id": flavor.id, "vcpus": flavor.vcpus, "ram": flavor.ram}
    for name, value in changes.items():
        setattr(server, name, value)
    tx.update(Server, server.id, **changes)
