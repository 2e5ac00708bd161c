"""Aggregates: groups of hosts. One that names an availability zone makes its hosts that zone."""

from typing import Any

import sqlalchemy as sa

from pileus.compute import hosts
from pileus.compute.store import Aggregate, AggregateHost, Host, Server
from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict, NotFound
from pileus.core.tables import columns

_NUMBER = sql(sa.select(sa.func.max(columns(Aggregate).id)))


def get_aggregate(tx: Tx, key: str) -> Aggregate:
    """Raises NotFound."""
    found = tx.find(Aggregate, id=int(key)) if key.isascii() and key.isdigit() and len(key) < 10 else None
    if found is None:
        raise NotFound(f"Aggregate {key} could not be found.", kind="AggregateNotFound")
    return found


def hosts_of(tx: Tx, aggregate: Aggregate) -> list[str]:
    return [row.host for row in tx.select(AggregateHost, order="host", aggregate_id=aggregate.id)]


def hosts_by_aggregate(tx: Tx) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in tx.select(AggregateHost, order="host"):
        found.setdefault(row.aggregate_id, []).append(row.host)
    return found


def create_aggregate(tx: Tx, name: str, zone: str | None) -> Aggregate:
    """Raises Conflict for a name in use."""
    _check_name(tx, name)
    metadata = {"availability_zone": zone} if zone else {}
    number = int(tx.scalar(_NUMBER) or 0) + 1
    row = Aggregate(number, clock.new_id(), name, zone, metadata, clock.now())
    tx.insert(row)
    return row


def _check_name(tx: Tx, name: str) -> None:
    if tx.find(Aggregate, name=name):
        raise Conflict(f"Aggregate {name} already exists.", kind="AggregateNameExists")


def update_aggregate(tx: Tx, aggregate: Aggregate, **changes: Any) -> Aggregate:
    """Raises Conflict: a name in use, or a zone that hosts with servers would leave."""
    if changes.get("name", aggregate.name) != aggregate.name:
        _check_name(tx, changes["name"])
    if "availability_zone" in changes:
        zone = changes["availability_zone"]
        kept = {key: value for key, value in aggregate.metadata.items() if key != "availability_zone"}
        changes["metadata"] = {**kept, "availability_zone": zone} if zone else kept
    return _save(tx, aggregate, **changes)


def set_metadata(tx: Tx, aggregate: Aggregate, given: dict[str, str | None]) -> Aggregate:
    """Items to add or change; null removes one. The zone is an item, too."""
    merged = {**aggregate.metadata, **given}
    metadata = {key: value for key, value in merged.items() if value is not None}
    return _save(tx, aggregate, metadata=metadata, availability_zone=metadata.get("availability_zone"))


def _save(tx: Tx, aggregate: Aggregate, **changes: Any) -> Aggregate:
    for name, value in changes.items():
        setattr(aggregate, name, value)
    aggregate.updated_at = clock.now()
    tx.update(Aggregate, {"id": aggregate.id}, **changes, updated_at=aggregate.updated_at)
    for name in hosts_of(tx, aggregate):
        _place(tx, name)
    return aggregate


def delete_aggregate(tx: Tx, aggregate: Aggregate) -> None:
    """Raises Conflict while it has hosts."""
    if hosts_of(tx, aggregate):
        raise Conflict(f"Cannot remove aggregate {aggregate.id}: it still has hosts.")
    tx.delete(Aggregate, id=aggregate.id)


def add_host(tx: Tx, aggregate: Aggregate, name: str) -> None:
    """Raises NotFound, Conflict."""
    host = hosts.find_host(tx, name)
    if host is None:
        raise NotFound(f"Compute host {name} could not be found.", kind="ComputeHostNotFound")
    if tx.find(AggregateHost, aggregate_id=aggregate.id, host=name):
        raise Conflict(f"Aggregate {aggregate.id} already has host {name}.")
    if aggregate.availability_zone and host.zone not in (hosts.DEFAULT_ZONE, aggregate.availability_zone):
        raise Conflict(f"Host {name} is in availability zone {host.zone} already.")
    tx.insert(AggregateHost(aggregate.id, name))
    _place(tx, name)


def remove_host(tx: Tx, aggregate: Aggregate, name: str) -> None:
    """Raises NotFound."""
    if not tx.delete(AggregateHost, aggregate_id=aggregate.id, host=name):
        raise NotFound(f"Host {name} is not in aggregate {aggregate.id}.", kind="AggregateHostNotFound")
    _place(tx, name)


def _place(tx: Tx, name: str) -> None:
    """Let a host be in the zone that its aggregates say. Raises Conflict while it has servers."""
    host = tx.find(Host, name=name)
    if host is None:
        return
    named = [
        aggregate.availability_zone
        for member in tx.select(AggregateHost, host=name)
        if (aggregate := tx.find(Aggregate, id=member.aggregate_id)) and aggregate.availability_zone
    ]
    zone = named[0] if named else hosts.DEFAULT_ZONE
    if zone != host.zone:
        if tx.count(Server, host=name):
            raise Conflict(f"Host {name} has servers: it cannot move to availability zone {zone}.")
        tx.update(Host, host.id, zone=zone)
