"""Hosts as clients below 2.43 know them: since then they are compute services and hypervisors."""

from typing import Any

from pileus.compute import hosts
from pileus.compute.api.base import api
from pileus.compute.store import Host
from pileus.core.errors import BadRequest, NotBuilt, NotFound
from pileus.core.wire import Request

POLICY = "os_compute_api:os-hosts"
UNTIL = "2.42"


def host(rq: Request, name: str) -> Host:
    found = hosts.find_host(rq.tx, name)
    if found is None:
        raise NotFound(f"Compute host {name[:255]} could not be found.", kind="ComputeHostNotFound")
    return found


@api.get("/os-hosts", policy=f"{POLICY}:list", until=UNTIL)
def list_old_hosts(rq: Request) -> dict[str, Any]:
    """List hosts by their services."""
    zone, service = rq.query.get("zone"), rq.query.get("service")
    rows = [row for row in hosts.list_hosts(rq.tx) if zone in (None, "", row.zone)]
    shown = [{"host_name": row.name, "service": "compute", "zone": row.zone} for row in rows]
    return {"hosts": [entry for entry in shown if service in (None, "", entry["service"])]}


@api.get("/os-hosts/{host_name}", policy=f"{POLICY}:show", on=host, until=UNTIL)
def show_old_host(rq: Request, found: Host) -> dict[str, Any]:
    """Show what a host has, and what is used of it."""
    vcpus, memory_mb, disk_gb, _ = hosts.used(rq.tx).get(found.name, (0, 0, 0, 0))
    lines = [("(total)", found.vcpus, found.memory_mb, found.disk_gb), ("(used_now)", vcpus, memory_mb, disk_gb)]
    return {
        "host": [
            {"resource": {"host": found.name, "project": word, "cpu": cpu, "memory_mb": memory, "disk_gb": disk}}
            for word, cpu, memory, disk in lines
        ]
    }


@api.put("/os-hosts/{host_name}", policy=f"{POLICY}:update", on=host, until=UNTIL)
def update_old_host(rq: Request, found: Host) -> dict[str, Any]:
    """Enable or disable a host."""
    given = rq.json
    if not given or set(given) - {"status", "maintenance_mode"}:
        raise BadRequest("Invalid input: the body has status, maintenance_mode or both.")
    for name, value in given.items():
        if not isinstance(value, str) or value.lower() not in ("enable", "disable"):
            raise BadRequest(f"Invalid input for field/attribute {name}. It must be enable or disable.")
    if "maintenance_mode" in given:
        raise NotBuilt("Hosts have no maintenance mode here: disable the host's compute service.")
    disabled = given["status"].lower() == "disable"
    hosts.set_service(rq.tx, found, disabled=disabled, disabled_reason=None)
    return {"host": found.name, "status": "disabled" if disabled else "enabled"}


@api.get("/os-hosts/{host_name}/startup", policy=f"{POLICY}:start", on=host, until=UNTIL)
def start_old_host(rq: Request, found: Host) -> None:
    """Not built (501): switch a host on."""
    raise NotBuilt("Hosts are not switched on from here.")


@api.get("/os-hosts/{host_name}/shutdown", policy=f"{POLICY}:shutdown", on=host, until=UNTIL)
def shut_old_host_down(rq: Request, found: Host) -> None:
    """Not built (501): switch a host off."""
    raise NotBuilt("Hosts are not switched off from here.")


@api.get("/os-hosts/{host_name}/reboot", policy=f"{POLICY}:reboot", on=host, until=UNTIL)
def reboot_old_host(rq: Request, found: Host) -> None:
    """Not built (501): reboot a host."""
    raise NotBuilt("Hosts are not rebooted from here.")
