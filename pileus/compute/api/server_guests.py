"""What a guest tells, and ways to its screen: password, diagnostics, consoles, and events of other services."""

from typing import Any

from pileus.compute import servers, states
from pileus.compute.api.base import api
from pileus.compute.api.server_actions import PATH, arguments, without_transaction
from pileus.compute.api.servers import server
from pileus.compute.resources.diagnostics import raw, standard
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import REQUIRED, Items, Object, Text, Uuid
from pileus.core.microversions import Version
from pileus.core.resources import Resource
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


# -- screens: no guest has one here ------------------------------------------------------------------------------------

OLD = {"os-getVNCConsole": "novnc", "os-getSPICEConsole": "spice-html5", "os-getRDPConsole": "rdp-html5",
       "os-getSerialConsole": "serial"}  # fmt: skip
TYPES = {
    "vnc": ("novnc", "xvpvnc"), "spice": ("spice-html5", "spice-direct"), "rdp": ("rdp-html5",), "serial": ("serial",),
    "mks": ("webmks",),
}  # fmt: skip
OLDEST = ("novnc", "xvpvnc", "spice-html5", "rdp-html5", "serial")
_CONSOLE = Resource(
    "remote_console",
    [
        Text("protocol", create=REQUIRED, choices=TYPES),
        Text("type", create=REQUIRED, choices=[*OLDEST, "webmks", "spice-direct"]),
    ],
    earlier=[
        Text("protocol", create=REQUIRED, choices=[name for name in TYPES if name != "mks"], until="2.7"),
        Text("type", create=REQUIRED, choices=OLDEST, until="2.7"),
        Text("type", create=REQUIRED, choices=[*OLDEST, "webmks"], since="2.8", until="2.98"),
    ],
)


def _unavailable(kind: str) -> BadRequest:
    return BadRequest(
        f"Unavailable console type {kind}: guests have no screen here, only a serial console's log.",
        kind="ConsoleTypeUnavailable",
    )


@api.post("/servers/{server_id}/remote-consoles", policy=f"{RULE}:os-remote-consoles", on=server, since="2.6")
def create_console(rq: Request, found: Server) -> None:
    """Open a guest's screen: none has one here, so this is refused."""
    given = _CONSOLE.parse_create(rq)
    if given["type"] not in TYPES[given["protocol"]]:
        raise BadRequest(f"Invalid input for field/attribute type. {given['protocol']} has no {given['type']}.")
    raise _unavailable(given["type"])


def _old_console(action: str) -> None:
    @api.do(PATH, action, policy=f"{RULE}:os-remote-consoles", on=server, status=200, until="2.5")
    def open_console(rq: Request, found: Server) -> None:
        """Open a guest's screen: none has one here, so this is refused."""
        kind = arguments(rq, action, "type").get("type")
        if not isinstance(kind, str):
            raise BadRequest("Invalid input for field/attribute type. It must be a string.")
        raise _unavailable(kind[:50])


for _action in OLD:
    _old_console(_action)


@api.get("/os-console-auth-tokens/{token}", policy=f"{RULE}:os-console-auth-tokens", since="2.31")
def show_console_token(rq: Request) -> dict[str, Any]:
    """Show where a console's token leads: none is ever given out."""
    raise NotFound("Token not found")


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
