"""What a guest tells: password, diagnostics; and events of other services."""

from typing import Any

from pileus.compute import servers, states
from pileus.compute.api.base import api
from pileus.compute.api.server_actions import without_transaction
from pileus.compute.api.servers import server
from pileus.compute.resources.diagnostics import raw, standard
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import REQUIRED, Items, Object, Text, Uuid
from pileus.core.microversions import Version
from pileus.core.wire import Request, Response
from pileus.node import protocol as p

RULE = "os_compute_api"
PASSWORD = f"{RULE}:os-server-password"


@api.get("/servers/{server_id}/os-server-password", policy=f"{PASSWORD}:show", on=server)
def show_password(rq: Request, found: Server) -> dict[str, Any]:
    """Show the password that a guest made for its administrator, encrypted for the server's key."""
    return {"password": found.password}


@api.delete("/servers/{server_id}/os-server-password", policy=f"{PASSWORD}:clear", on=server)
def clear_password(rq: Request, found: Server) -> None:
    """Forget that password; the guest's own stays."""
    servers.save(rq.tx, found, password="")


@api.get("/servers/{server_id}/diagnostics", policy=f"{RULE}:os-server-diagnostics", on=without_transaction, tx="")
def show_diagnostics(rq: Request, found: Server) -> dict[str, Any]:
    """Show what a guest uses, as its hypervisor counts it."""
    states.check("get_diagnostics", found.id, found.vm_state, found.task_state)
    told = servers.host_of(rq.cloud.drivers["compute"], found).diagnostics(p.ServerRef(found.id))
    return standard(found, told) if rq.version >= Version(2, 48) else raw(told)


# -- what other services tell ------------------------------------------------------------------------------------------

EVENTS = {
    "network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", "volume-extended",
    "power-update", "accelerator-request-bound", "volume-reimaged",
}  # fmt: skip
_EVENTS = Items(
    "events",
    Object(
        "events",
        [
            Text("name", create=REQUIRED, choices=sorted(EVENTS)), Uuid("server_uuid", create=REQUIRED),
            Text("status", choices=["failed", "completed", "in-progress"]), Text("tag", min=1),
        ],
    ),
)  # fmt: skip


@api.post("/os-server-external-events", policy=f"{RULE}:os-server-external-events:create")
def take_external_events(rq: Request) -> Response:
    """Hear of a server from another service; what it shows its guest is then told anew."""
    if set(rq.json) != {"events"}:
        raise BadRequest("Invalid input: the body must have the one member 'events'.")
    found = []
    for event in _EVENTS.check(rq.json["events"]):
        known = rq.tx.find(Server, id=event["server_uuid"])
        code = 404 if known is None else 422 if known.host is None else 200
        status = event.get("status", "completed") if code == 200 else "failed"
        found.append({**event, "status": status, "code": code})
        if code == 200 and event["name"] == "network-changed":
            rq.tx.after_commit(lambda id=event["server_uuid"]: servers.tell_guest(rq.cloud, id, addresses=True))  # type: ignore[misc]
    if found and all(event["code"] == 404 for event in found):
        raise NotFound("No instances found for any event")
    return Response({"events": found}, 200 if all(event["code"] == 200 for event in found) else 207)
