"""Servers as a caller sees them: one query for what belongs to all rows of a page, one compiled view for each."""

from collections.abc import Callable, Iterable
from typing import Any

from pileus.compute import hosts, networks, server_groups, volumes
from pileus.compute.resources.servers import ATTRIBUTE, EXTENDED, SERVER, SHOWN, Seen, server_links
from pileus.compute.store import Server
from pileus.core.microversions import Version
from pileus.core.wire import Request

# Which fields are missing where: these depend on the server, on the list or on the caller, not on the version alone.
_PROGRESS = {"active", "building"}
_HOSTNAME = ATTRIBUTE + "hostname"


def visible(rq: Request, within: Iterable[str] = SHOWN) -> set[str]:
    """The fields this caller may see."""
    fields = set(within)
    if not rq.allows("os_compute_api:os-extended-server-attributes"):
        fields -= EXTENDED - ({_HOSTNAME} if rq.version >= Version(2, 90) else set())
    if not rq.allows("os_compute_api:servers:show:host_status"):
        fields.discard("host_status")
    return fields


def brief(rq: Request, server: Server) -> dict[str, Any]:
    return {"id": server.id, "name": server.name, "links": server_links(rq.root, server.id)}


def many(rq: Request, servers: list[Server], fields: set[str]) -> list[dict[str, Any]]:
    """Full views. Addresses and groups of all of them come from one query each, host states from another."""
    view = SERVER.viewer(rq, only=fields)
    found = networks.seen(rq.tx, [server.id for server in servers])
    attached = volumes.of_servers(rq.tx, [server.id for server in servers])
    status = _host_status(rq) if "host_status" in fields else _no_status
    root = rq.root
    nothing, full_fault = networks.Seen(), "admin" in rq.ctx.roles
    bodies = []
    for server in servers:
        seen = found.get(server.id, nothing)
        body = view(Seen(server, seen.addresses, seen.groups, status(server), root, attached.get(server.id, [])))
        if server.vm_state not in _PROGRESS:
            body.pop("progress", None)
        if server.vm_state != "error" or server.fault is None:
            body.pop("fault", None)
        elif not full_fault:
            body["fault"] = {
                "code": server.fault.code,
                "created": server.fault.created,
                "message": server.fault.message,
            }
        if not seen.groups:
            body.pop("security_groups", None)
        bodies.append(body)
    return bodies


def one(rq: Request, server: Server, within: Iterable[str] = SHOWN) -> dict[str, Any]:
    body = many(rq, [server], visible(rq, within))[0]
    if within is not SHOWN and rq.version < Version(2, 75):  # what changes a server never told so much of addresses
        body["addresses"] = {
            name: [{"version": each["version"], "addr": each["addr"]} for each in shown]
            for name, shown in body["addresses"].items()
        }
    if "server_groups" in body:
        group = server_groups.group_of(rq.tx, server.id)
        body["server_groups"] = [group.id] if group else []
    return {"server": body}


def _no_status(server: Server) -> str:
    return ""


def _host_status(rq: Request) -> Callable[[Server], str]:
    states = {}
    for host in hosts.list_hosts(rq.tx):
        states[host.name] = "MAINTENANCE" if host.disabled else "UP" if hosts.is_up(host) else "DOWN"
    return lambda server: states.get(server.host or "", "" if server.host is None else "UNKNOWN")
