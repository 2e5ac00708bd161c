"""What is done to a server: POST /servers/{server_id}/action (Compute API, "Servers - run an action")."""

from typing import Any

from pileus.compute import servers, states
from pileus.compute.api.base import api
from pileus.compute.api.servers import POLICY, server
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, Conflict
from pileus.core.fields import Integer, Text
from pileus.core.wire import Request

RULE = "os_compute_api"
PATH = "/servers/{server_id}/action"
_LINES = Integer("length", min=-1, max=2**31 - 1)
_REASON = Text("locked_reason", min=1)


def no_arguments(rq: Request, action: str) -> None:
    """`{"os-start": null}`; an empty object passes, too."""
    if rq.json[action] not in (None, {}):
        raise BadRequest(f"Invalid input for field/attribute {action}. It takes no arguments.")


def arguments(rq: Request, action: str, *allowed: str) -> dict[str, Any]:
    given = rq.json[action]
    if not isinstance(given, dict):
        raise BadRequest(f"Invalid input for field/attribute {action}. It must be an object.")
    if extra := set(given) - set(allowed):
        raise BadRequest(f"Additional properties are not allowed ({', '.join(sorted(extra))[:100]!r} was unexpected)")
    return given


def null_or_arguments(rq: Request, action: str, *allowed: str) -> dict[str, Any]:
    return {} if rq.json[action] is None else arguments(rq, action, *allowed)


def simple(action: str, rule: str, do: servers.Verb, what: str, **options: Any) -> None:
    """An action without arguments: its rule, its verb, and what the coverage page says of it."""

    def act(rq: Request, found: Server) -> None:
        no_arguments(rq, action)
        do(rq.tx, rq.ctx, found)

    act.__doc__ = what
    api.do(PATH, action, policy=rule, on=server, **options)(act)


simple("os-start", f"{RULE}:servers:start", servers.start_server, "Start a server that is shut off.")
simple("os-stop", f"{RULE}:servers:stop", servers.stop_server, "Shut a server off.")
simple("pause", f"{RULE}:os-pause-server:pause", servers.pause_server, "Let a server's guest stand still, in memory.")
simple("unpause", f"{RULE}:os-pause-server:unpause", servers.unpause_server, "Let a paused server go on.")
simple("suspend", f"{RULE}:os-suspend-server:suspend", servers.suspend_server, "Write a guest's memory to disk.")
simple("resume", f"{RULE}:os-suspend-server:resume", servers.resume_server, "Let a suspended server go on.")
simple("forceDelete", f"{RULE}:os-deferred-delete:force", servers.delete_server, "Delete a server, at once.")


@api.do(PATH, "reboot", policy=f"{POLICY}:reboot", on=server)
def reboot_server(rq: Request, found: Server) -> None:
    """Reboot a server: softly the guest is asked, hard it is not."""
    kind = arguments(rq, "reboot", "type").get("type")
    if not isinstance(kind, str) or kind.upper() not in ("SOFT", "HARD"):
        raise BadRequest("Invalid input for field/attribute type. It must be SOFT or HARD.")
    servers.reboot_server(rq.tx, rq.ctx, found, hard=kind.upper() == "HARD")


def without_transaction(rq: Request, server_id: str, *_: str) -> Server:
    """A host is asked for what follows: no transaction stays open meanwhile."""
    with rq.cloud.db.read() as tx:
        return servers.get_server(tx, server_id)


@api.do(PATH, "os-getConsoleOutput", policy=f"{RULE}:os-console-output", on=without_transaction, status=200, tx="")
def console_output(rq: Request, found: Server) -> dict[str, Any]:
    """The end of the serial console's log."""
    length = arguments(rq, "os-getConsoleOutput", "length").get("length")
    lines = None if length is None else _LINES.check(length)
    if found.vm_state == states.BUILDING:
        raise Conflict(f"Instance {found.id} is not ready.")
    output = servers.console_output(rq.cloud.drivers["compute"], found, None if lines in (None, -1) else lines)
    return {"output": output}


@api.do(PATH, "os-resetState", policy=f"{RULE}:os-admin-actions:reset_state", on=server)
def reset_state(rq: Request, found: Server) -> None:
    """Say what state a server is in, without doing anything to it."""
    state = arguments(rq, "os-resetState", "state").get("state")
    if not isinstance(state, str) or state not in states.RESETTABLE:
        raise BadRequest("Invalid input for field/attribute state. It must be active or error.")
    servers.reset_state(rq.tx, rq.ctx, found, state)


@api.do(PATH, "lock", policy=f"{RULE}:os-lock-server:lock", on=server, until="2.72")
def lock_server(rq: Request, found: Server) -> None:
    """Lock a server: until it is unlocked nothing is done to it."""
    servers.lock_server(rq.tx, rq.ctx, found, None)


@api.do(PATH, "lock", policy=f"{RULE}:os-lock-server:lock", on=server, since="2.73")
def lock_server_for_a_reason(rq: Request, found: Server) -> None:
    """Lock a server, saying why."""
    reason = None if rq.json["lock"] is None else arguments(rq, "lock", "locked_reason").get("locked_reason")
    servers.lock_server(rq.tx, rq.ctx, found, None if reason is None else _REASON.check(reason))


@api.do(PATH, "unlock", policy=f"{RULE}:os-lock-server:unlock", on=server)
def unlock_server(rq: Request, found: Server) -> None:
    """Unlock a server; what an administrator locked, an administrator unlocks."""
    if found.locked_by == "admin":
        rq.authorize(f"{RULE}:os-lock-server:unlock:unlock_override", found)
    servers.unlock_server(rq.tx, rq.ctx, found)
