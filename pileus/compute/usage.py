"""What projects used over a time: vCPUs, memory and disk by the hour, counted from the servers that are there.

Servers that are gone leave no row, so a bill is made from the metering service's records, not from this.
"""

from datetime import datetime
from typing import Any

from pileus.compute import states
from pileus.compute.store import Server
from pileus.core import clock
from pileus.core.db import Tx


def by_project(tx: Tx, start: datetime, stop: datetime, project_id: str | None = None) -> dict[str, list[Server]]:
    """Servers that were there at some time between."""
    rows = tx.select(Server) if project_id is None else tx.select(Server, project_id=project_id)
    found: dict[str, list[Server]] = {}
    for row in rows:
        if row.launched_at is not None and clock.parse(row.launched_at) < stop:
            found.setdefault(row.project_id, []).append(row)
    return found


def server_usage(server: Server, start: datetime, stop: datetime, now: datetime) -> dict[str, Any]:
    launched = clock.parse(server.launched_at or server.created_at)
    hours = max(0.0, (min(stop, now) - max(start, launched)).total_seconds() / 3600)
    flavor = server.flavor
    return {
        "instance_id": server.id,
        "name": server.name,
        "hours": hours,
        "flavor": flavor.name,
        "tenant_id": server.project_id,
        "memory_mb": flavor.ram,
        "local_gb": flavor.disk + flavor.ephemeral,
        "vcpus": flavor.vcpus,
        "started_at": clock.naive(server.launched_at),
        "ended_at": None,
        "state": "error" if server.vm_state == states.ERROR else server.vm_state,
        "uptime": int((now - launched).total_seconds()),
    }


def total(project_id: str, usages: list[dict[str, Any]], start: datetime, stop: datetime) -> dict[str, Any]:
    """The sum over some servers, without naming them."""
    return {
        "tenant_id": project_id,
        "start": start.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "stop": stop.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "total_hours": sum(usage["hours"] for usage in usages),
        "total_vcpus_usage": sum(usage["hours"] * usage["vcpus"] for usage in usages),
        "total_memory_mb_usage": sum(usage["hours"] * usage["memory_mb"] for usage in usages),
        "total_local_gb_usage": sum(usage["hours"] * usage["local_gb"] for usage in usages),
    }
