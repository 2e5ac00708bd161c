"""Hosts: what reports in, whether it is up, what is claimed of it."""

from typing import Any

import sqlalchemy as sa

from pileus.compute.scheduler import Candidate
from pileus.compute.store import Claim, Host, Migration, Server
from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict, NotFound
from pileus.core.tables import columns
from pileus.node import protocol as p

DOWN_AFTER = 60.0  # seconds of silence
DEFAULT_ZONE = "nova"

_claim, _host, _server = columns(Claim), columns(Host), columns(Server)
_USED = sql(
    sa.select(
        _claim.host, sa.func.sum(_claim.vcpus), sa.func.sum(_claim.memory_mb), sa.func.sum(_claim.disk_gb),
        sa.func.count(),
    ).group_by(_claim.host)
)  # fmt: skip
_NUMBER = sql(sa.select(sa.func.max(_host.number)))
_ZONES = sql(sa.select(_host.zone).distinct())


def report(tx: Tx, name: str, inventory: p.Inventory | None) -> None:
    """A host spoke: note when, and what it has. A new one is registered."""
    found = tx.find(Host, name=name)
    now = clock.now()
    values: dict[str, Any] = {"seen_at": now}
    if inventory is not None:
        values |= {
            "vcpus": inventory.vcpus, "memory_mb": inventory.memory_mb, "disk_gb": inventory.disk_gb,
            "inventory": {name: getattr(inventory, name) for name in inventory.__struct_fields__},
        }  # fmt: skip
    if found is None:
        number = int(tx.scalar(_NUMBER) or 0) + 1
        tx.insert(Host(id=clock.new_id(), number=number, name=name, zone=DEFAULT_ZONE, created_at=now, **values))
    else:
        tx.update(Host, found.id, **values)


def is_up(host: Host) -> bool:
    if host.forced_down or host.seen_at is None:
        return False
    return clock.epoch(clock.now()) - clock.epoch(host.seen_at) < DOWN_AFTER


def list_hosts(tx: Tx) -> list[Host]:
    return tx.select(Host, order="name")


def find_host(tx: Tx, name: str) -> Host | None:
    return tx.find(Host, name=name)


def get_host(tx: Tx, key: str) -> Host:
    """By its id, or its number as clients below 2.53 know it. Raises NotFound."""
    found = tx.find(Host, id=key)
    if found is None and key.isascii() and key.isdigit() and len(key) < 10:
        found = tx.find(Host, number=int(key))
    if found is None:
        raise NotFound(f"Compute host {key} could not be found.", kind="ComputeHostNotFound")
    return found


def used(tx: Tx) -> dict[str, tuple[int, int, int, int]]:
    """By host: vCPUs, MiB, GiB and servers claimed; what moves claims its other place, too."""
    found = {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in tx.all(_USED)}
    for move in tx.select(Migration, open=True):
        vcpus, memory_mb, disk_gb, count = found.get(move.claim_host, (0, 0, 0, 0))
        found[move.claim_host] = (
            vcpus + move.claim_vcpus, memory_mb + move.claim_memory_mb, disk_gb + move.claim_disk_gb, count,
        )  # fmt: skip
    return found


def candidates(tx: Tx) -> list[Candidate]:
    claimed = used(tx)
    found = []
    for host in list_hosts(tx):
        vcpus, memory_mb, disk_gb, _ = claimed.get(host.name, (0, 0, 0, 0))
        found.append(
            Candidate(
                host.name, host.zone, is_up(host), host.disabled, host.vcpus, host.memory_mb, host.disk_gb, vcpus,
                memory_mb, disk_gb,
            )
        )  # fmt: skip
    return found


def zones(tx: Tx) -> list[str]:
    return sorted({row[0] for row in tx.all(_ZONES)} | {DEFAULT_ZONE})


def set_service(tx: Tx, host: Host, **changes: Any) -> Host:
    """Enable, disable or force down a host's compute service."""
    tx.update(Host, host.id, **changes)
    for name, value in changes.items():
        setattr(host, name, value)
    return host


def delete_service(tx: Tx, host: Host) -> None:
    """Forget a host. One that still reports comes back. Raises Conflict while it has servers."""
    if tx.count(Server, host=host.name):
        raise Conflict(f"Host {host.name} still has servers: migrate or delete them first.")
    tx.delete(Host, id=host.id)
