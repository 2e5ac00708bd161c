"""Zones, compute services and hypervisors (Compute API, "Availability zones", "Compute services", "Hypervisors")."""

from typing import Any

from pileus.compute import hosts
from pileus.compute.api.base import api
from pileus.compute.resources.hosts import BRIEF, HYPERVISOR, SERVICE, Seen, uptime
from pileus.compute.store import Host, Server
from pileus.core import clock
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import Boolean, Text, Uuid
from pileus.core.microversions import Version
from pileus.core.wire import Request

SERVICES = "os_compute_api:os-services"
HYPERVISORS = "os_compute_api:os-hypervisors"
PAGED = ("limit", "marker", "hypervisor_hostname_pattern", "with_servers")
_REASON = Text("disabled_reason", min=1, strip=True)
_FORCED = Boolean("forced_down")


def host(rq: Request, key: str, *_: str) -> Host:
    if rq.version >= Version(2, 53):
        Uuid("id").check(key)
    return hosts.get_host(rq.tx, key)


def _seen(rq: Request, *rows: Host) -> list[Seen]:
    used = hosts.used(rq.tx)
    return [Seen(row, *used.get(row.name, (0, 0, 0, 0))) for row in rows]


# -- zones -------------------------------------------------------------------------------------------------------------


@api.get("/os-availability-zone", policy="os_compute_api:os-availability-zone:list")
def list_zones(rq: Request) -> dict[str, Any]:
    """List availability zones."""
    return {"availabilityZoneInfo": [_zone(name, rows, None) for name, rows in _by_zone(rq).items()]}


@api.get("/os-availability-zone/detail", policy="os_compute_api:os-availability-zone:detail")
def list_zones_detail(rq: Request) -> dict[str, Any]:
    """List availability zones with their hosts."""
    shown = []
    for name, rows in _by_zone(rq).items():
        services = {
            row.name: {
                "nova-compute": {
                    "active": not row.disabled,
                    "available": hosts.is_up(row),
                    "updated_at": clock.naive(row.seen_at),
                }
            }
            for row in rows
        }
        shown.append(_zone(name, rows, services))
    return {"availabilityZoneInfo": shown}


def _by_zone(rq: Request) -> dict[str, list[Host]]:
    found: dict[str, list[Host]] = {name: [] for name in hosts.zones(rq.tx)}
    for row in hosts.list_hosts(rq.tx):
        found[row.zone].append(row)
    return found


def _zone(name: str, rows: list[Host], services: Any) -> dict[str, Any]:
    available = any(not row.disabled for row in rows)
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": services}


# -- services ----------------------------------------------------------------------------------------------------------


@api.get("/os-services", policy=f"{SERVICES}:list", query=("host", "binary"))
def list_services(rq: Request) -> dict[str, Any]:
    """List compute services: one on each host."""
    name, binary = rq.query.get("host"), rq.query.get("binary")
    view = SERVICE.viewer(rq)
    rows = [row for row in hosts.list_hosts(rq.tx) if name in (None, "", row.name)]
    if binary not in (None, "", "nova-compute"):
        rows = []
    return {"services": [view(Seen(row)) for row in rows]}


@api.put("/os-services/{service_id}", policy=f"{SERVICES}:update", on=host, since="2.53")
def update_service(rq: Request, found: Host) -> dict[str, Any]:
    """Enable, disable or force down a compute service."""
    given = rq.json
    if extra := set(given) - {"status", "disabled_reason", "forced_down"}:
        raise BadRequest(f"Additional properties are not allowed ({', '.join(sorted(extra))[:100]!r} was unexpected)")
    status, changes = given.get("status"), {}
    if status not in (None, "enabled", "disabled"):
        raise BadRequest("Invalid input for field/attribute status. It must be enabled or disabled.")
    if "disabled_reason" in given and status != "disabled":
        raise BadRequest("Specifying disabled_reason requires that status is disabled.")
    if status is not None:
        changes["disabled"] = status == "disabled"
        changes["disabled_reason"] = _REASON.check(given["disabled_reason"]) if "disabled_reason" in given else None
    if "forced_down" in given:
        changes["forced_down"] = _FORCED.check(given["forced_down"])
    if not changes:
        raise BadRequest("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    return {"service": SERVICE.view(rq, Seen(hosts.set_service(rq.tx, found, **changes)))}


@api.delete("/os-services/{service_id}", policy=f"{SERVICES}:delete", on=host)
def delete_service(rq: Request, found: Host) -> None:
    """Forget a compute service and its host."""
    hosts.delete_service(rq.tx, found)


def _named(rq: Request, *allowed: str) -> Host:
    given = rq.json
    if set(given) - {"host", "binary", *allowed} or not all(isinstance(given.get(k), str) for k in ("host", "binary")):
        raise BadRequest("Invalid input: the body names host and binary.")
    found = hosts.find_host(rq.tx, given["host"])
    if found is None or given["binary"] != "nova-compute":
        raise NotFound(f"Could not find binary {given['binary'][:100]} on host {given['host'][:100]}.")
    return found


def _brief(found: Host, **more: Any) -> dict[str, Any]:
    status = "disabled" if found.disabled else "enabled"
    return {"service": {"host": found.name, "binary": "nova-compute", "status": status, **more}}


# Before 2.53 services were named by host and binary. `service_id` is here a word: enable, disable and so on.
@api.put("/os-services/{service_id}", policy=f"{SERVICES}:update", until="2.52")
def update_service_by_name(rq: Request) -> dict[str, Any]:
    """Enable, disable or force down a compute service, named by its host."""
    verb = rq.params["service_id"]
    if verb == "enable":
        return _brief(hosts.set_service(rq.tx, _named(rq), disabled=False, disabled_reason=None))
    if verb == "disable":
        return _brief(hosts.set_service(rq.tx, _named(rq), disabled=True, disabled_reason=None))
    if verb == "disable-log-reason":
        found = _named(rq, "disabled_reason")
        reason = _REASON.check(rq.json.get("disabled_reason"))
        return _brief(hosts.set_service(rq.tx, found, disabled=True, disabled_reason=reason), disabled_reason=reason)
    if verb == "force-down" and rq.version >= Version(2, 11):
        found = _named(rq, "forced_down")
        down = _FORCED.check(rq.json.get("forced_down"))
        hosts.set_service(rq.tx, found, forced_down=down)
        return {"service": {"host": found.name, "binary": "nova-compute", "forced_down": down}}
    raise NotFound("Unknown action")


# -- hypervisors -------------------------------------------------------------------------------------------------------


def _listed(rq: Request) -> list[Host]:
    """All hosts, or since 2.33 a page of them, and since 2.53 those whose name has a pattern in it."""
    rows = hosts.list_hosts(rq.tx)
    pattern = rq.query.get("hypervisor_hostname_pattern") if rq.version >= Version(2, 53) else None
    if pattern:
        rows = [row for row in rows if pattern in row.name]
        if not rows:
            raise NotFound(f"No hypervisor matching '{pattern[:100]}' could be found.")
    return rows


def _page(rq: Request, rows: list[Host]) -> tuple[list[Host], dict[str, Any]]:
    if rq.version < Version(2, 33):
        return rows, {}
    marker, limit = rq.query.get("marker"), rq.query.number("limit")
    if marker:
        keys = [row.id if rq.version >= Version(2, 53) else str(row.number) for row in rows]
        if marker not in keys:
            raise BadRequest(f"marker [{marker[:100]}] not found")
        rows = rows[keys.index(marker) + 1 :]
    most = min(1000 if limit is None else limit, 1000)
    if len(rows) <= most or not most:
        return rows[:most], {}
    last = rows[most - 1]
    last_key = last.id if rq.version >= Version(2, 53) else str(last.number)
    return rows[:most], {"hypervisors_links": [{"rel": "next", "href": rq.link(marker=last_key)}]}


def _with_servers(rq: Request, row: Host) -> list[dict[str, str]]:
    return [{"uuid": found.id, "name": found.name} for found in rq.tx.select(Server, host=row.name)]


def _wants_servers(rq: Request) -> bool:
    return rq.version >= Version(2, 53) and bool(rq.query.flag("with_servers"))


def _bodies(rq: Request, rows: list[Host], only: set[str] | None) -> list[dict[str, Any]]:
    view = HYPERVISOR.viewer(rq, only=only)
    bodies = [view(seen) for seen in _seen(rq, *rows)]
    if _wants_servers(rq):
        for body, row in zip(bodies, rows, strict=True):
            if (servers := _with_servers(rq, row)) or rq.version >= Version(2, 75):
                body["servers"] = servers
    return bodies


@api.get("/os-hypervisors", policy=f"{HYPERVISORS}:list", query=PAGED)
def list_hypervisors(rq: Request) -> dict[str, Any]:
    """List hypervisors."""
    rows, links = _page(rq, _listed(rq))
    return {"hypervisors": _bodies(rq, rows, BRIEF), **links}


@api.get("/os-hypervisors/detail", policy=f"{HYPERVISORS}:list-detail", query=PAGED)
def list_hypervisors_detail(rq: Request) -> dict[str, Any]:
    """List hypervisors with what they have and use."""
    rows, links = _page(rq, _listed(rq))
    return {"hypervisors": _bodies(rq, rows, None if rq.version < Version(2, 88) else set(HYPERVISOR.fields)), **links}


@api.get("/os-hypervisors/statistics", policy=f"{HYPERVISORS}:statistics", until="2.87")
def hypervisor_statistics(rq: Request) -> dict[str, Any]:
    """Sum up what all enabled hypervisors have and use."""
    rows = [seen for seen in _seen(rq, *hosts.list_hosts(rq.tx)) if not seen.host.disabled]
    view = HYPERVISOR.viewer(rq)
    names = (
        "vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "free_ram_mb", "local_gb", "local_gb_used", "free_disk_gb",
        "disk_available_least", "current_workload", "running_vms",
    )  # fmt: skip
    bodies = [view(seen) for seen in rows]
    return {
        "hypervisor_statistics": {"count": len(rows), **{name: sum(body[name] for body in bodies) for name in names}}
    }


@api.get("/os-hypervisors/{hypervisor_id}", policy=f"{HYPERVISORS}:show", on=host, query=("with_servers",))
def show_hypervisor(rq: Request, found: Host) -> dict[str, Any]:
    """Show a hypervisor."""
    return {"hypervisor": _bodies(rq, [found], None)[0]}


@api.get("/os-hypervisors/{hypervisor_id}/uptime", policy=f"{HYPERVISORS}:uptime", on=host, until="2.87")
def show_uptime(rq: Request, found: Host) -> dict[str, Any]:
    """Show since when a hypervisor is up."""
    seen = Seen(found)
    return {"hypervisor": {**HYPERVISOR.viewer(rq, only=BRIEF)(seen), "uptime": uptime(seen)}}


def _matching(rq: Request) -> list[Host]:
    pattern = rq.params["hypervisor_id"]
    rows = [row for row in hosts.list_hosts(rq.tx) if pattern in row.name]
    if not rows:
        raise NotFound(f"No hypervisor matching '{pattern[:100]}' could be found.")
    return rows


# before 2.53 the place of the id had a pattern here
@api.get("/os-hypervisors/{hypervisor_id}/search", policy=f"{HYPERVISORS}:search", until="2.52")
def search_hypervisors(rq: Request) -> dict[str, Any]:
    """List hypervisors whose name has a pattern in it."""
    return {"hypervisors": _bodies(rq, _matching(rq), BRIEF)}


@api.get("/os-hypervisors/{hypervisor_id}/servers", policy=f"{HYPERVISORS}:servers", until="2.52")
def list_hypervisor_servers(rq: Request) -> dict[str, Any]:
    """List hypervisors whose name has a pattern in it, with their servers."""
    rows = _matching(rq)
    bodies = _bodies(rq, rows, BRIEF)
    for body, row in zip(bodies, rows, strict=True):
        if servers := _with_servers(rq, row):
            body["servers"] = servers
    return {"hypervisors": bodies}
