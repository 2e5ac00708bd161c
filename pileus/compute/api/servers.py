"""Servers (Compute API, "Servers")."""

from typing import Any

from pileus.compute import server_create, servers
from pileus.compute.api import server_lists, server_views
from pileus.compute.api.base import api
from pileus.compute.resources.servers import CHANGED, SERVER, UPDATED, server_links
from pileus.compute.server_create import ZONE, Placing
from pileus.compute.store import Server
from pileus.core import paging
from pileus.core.errors import BadRequest
from pileus.core.microversions import Version
from pileus.core.wire import Request, Response

POLICY = "os_compute_api:servers"
HINTS = ("OS-SCH-HNT:scheduler_hints", "os:scheduler_hints")


def server(rq: Request, server_id: str, *_: str) -> Server:
    return servers.get_server(rq.tx, server_id)


@api.get("/servers", policy=f"{POLICY}:index", query=server_lists.KNOWN)
def list_servers(rq: Request) -> dict[str, Any]:
    """List servers."""
    found = server_lists.page(rq, f"{POLICY}:index")
    return {"servers": [server_views.brief(rq, row) for row in found.rows]} | paging.links(rq, "servers", found)


@api.get("/servers/detail", policy=f"{POLICY}:detail", query=server_lists.KNOWN)
def list_servers_detail(rq: Request) -> dict[str, Any]:
    """List servers with all they say."""
    found = server_lists.page(rq, f"{POLICY}:detail")
    fields = server_views.visible(rq) - {"server_groups"}
    return {"servers": server_views.many(rq, found.rows, fields)} | paging.links(rq, "servers", found)


@api.post("/servers", policy=f"{POLICY}:create", status=202)
def create_servers(rq: Request) -> Response:
    """Create one or more servers."""
    body = rq.json
    if extra := set(body) - {"server", *HINTS}:
        raise BadRequest(f"Additional properties are not allowed ({', '.join(sorted(extra))[:100]!r} was unexpected)")
    hints: Any = next((body[name] for name in HINTS if body.get(name) is not None), {})
    if not isinstance(hints, dict):
        raise BadRequest("Invalid input for field/attribute scheduler_hints. It must be an object.")
    given = SERVER.parse_create(rq)
    if given.get("networks"):
        rq.authorize(f"{POLICY}:create:attach_network")
    placing = _placing(rq, given)
    placing.hints, placing.shared_volumes = hints, rq.version >= Version(2, 60)
    made = server_create.create_servers(rq.tx, rq.ctx, given, placing)
    if given.get("return_reservation_id"):
        return Response({"reservation_id": made.reservation_id}, 202)
    first = made.servers[0]
    links = server_links(rq.root, first.id)
    shown = {
        "id": first.id,
        "links": links,
        "OS-DCF:diskConfig": first.disk_config,
        "security_groups": [{"name": name} for name in first.security_groups],
        "adminPass": first.admin_pass,
    }
    return Response({"server": shown}, 202, {"location": links[0]["href"]})


def _placing(rq: Request, given: dict[str, Any]) -> Placing:
    """`availability_zone` is ZONE, or for administrators ZONE:HOST; since 2.74 a host may be wished for by name."""
    text = given.get("availability_zone")
    wished = given.get("wished_host") or given.get("wished_node")
    if wished:
        rq.authorize("compute:servers:create:requested_destination")
    if text is None:
        return Placing(host=wished)
    if not ZONE.fullmatch(text):
        raise BadRequest("Unable to parse availability_zone: it is ZONE or ZONE:HOST.")
    zone, _, rest = text.partition(":")
    host = rest.partition(":")[0] or rest.partition(":")[2]
    if rest:
        rq.authorize(f"{POLICY}:create:forced_host")
        if wished:
            raise BadRequest("A host is named twice: in availability_zone and by itself.")
    return Placing(zone=zone or None, host=host or wished, forced=bool(host))


@api.get("/servers/{server_id}", policy=f"{POLICY}:show", on=server)
def show_server(rq: Request, found: Server) -> dict[str, Any]:
    """Show a server."""
    return server_views.one(rq, found)


@api.put("/servers/{server_id}", policy=f"{POLICY}:update", on=server)
def update_server(rq: Request, found: Server) -> dict[str, Any]:
    """Change a server's name, description or access addresses."""
    changes = SERVER.parse_update(rq)
    if changes.get("name") is not None:
        changes["name"] = changes["name"].strip()
    servers.update_server(rq.tx, found, changes)
    if set(changes) & {"name", "hostname"}:
        rq.tx.after_commit(lambda: servers.tell_guest(rq.cloud, found.id))
    return server_views.one(rq, found, CHANGED if rq.version >= Version(2, 75) else UPDATED)


@api.delete("/servers/{server_id}", policy=f"{POLICY}:delete", on=server, status=204)
def delete_server(rq: Request, found: Server) -> None:
    """Delete a server."""
    servers.delete_server(rq.tx, rq.ctx, found)
