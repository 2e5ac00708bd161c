"""What is asked of a server once it is there: a check of its state, and a saga where a host has to do something."""

from collections.abc import Callable
from typing import Any

from pileus.compute import instance_actions, networks, quotas, states
from pileus.compute.drivers import Nodes
from pileus.compute.sagas.create import guest_documents
from pileus.compute.sagas.delete import DELETE
from pileus.compute.sagas.interfaces import ATTACH, DETACH
from pileus.compute.sagas.power import PAUSE, REBOOT, RESUME, START, STOP, SUSPEND, UNPAUSE
from pileus.compute.store import Server, ServerTag
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.node import protocol as p

MAX_TAGS = 50


def get_server(tx: Tx, server_id: str) -> Server:
    """Raises NotFound."""
    found = tx.find(Server, id=server_id)
    if found is None:
        raise NotFound(f"Instance {server_id} could not be found.", kind="InstanceNotFound")
    return found


def save(tx: Tx, server: Server, **changes: Any) -> Server:
    for name, value in changes.items():
        setattr(server, name, value)
    server.updated_at = clock.now()
    tx.update(Server, server.id, **changes, updated_at=server.updated_at)
    return server


def check_unlocked(server: Server, override: bool = False) -> None:
    """A locked server is left alone, save by administrators. Raises Conflict."""
    if server.locked and not override:
        raise Conflict(f"Instance {server.id} is locked")


def begin(tx: Tx, ctx: Context, server: Server, transition: str, action: str, event: str | None) -> None:
    """Check that this may be done now, and note that it is. Raises Conflict."""
    check_unlocked(server, "admin" in ctx.roles)
    line = states.check(transition, server.id, server.vm_state, server.task_state)
    save(tx, server, task_state=line.task_state)
    instance_actions.begin(tx, server, ctx, action, event)


Verb = Callable[[Tx, Context, Server], None]


def plain(verb: str, kind: saga.Saga, event: str) -> Verb:
    """A verb that checks the server's state, notes the action, and leaves the rest to a saga. Raises Conflict."""

    def ask(tx: Tx, ctx: Context, server: Server) -> None:
        begin(tx, ctx, server, verb, verb, event)
        saga.start(tx, kind, f"server/{server.id}", ctx, host=server.host)

    return ask


start_server = plain("start", START, "compute_start_instance")
stop_server = plain("stop", STOP, "compute_stop_instance")  # the guest is asked first, and switched off after a while
pause_server = plain("pause", PAUSE, "compute_pause_instance")
unpause_server = plain("unpause", UNPAUSE, "compute_unpause_instance")
suspend_server = plain("suspend", SUSPEND, "compute_suspend_instance")
resume_server = plain("resume", RESUME, "compute_resume_instance")


def reboot_server(tx: Tx, ctx: Context, server: Server, hard: bool) -> None:
    """Raises Conflict."""
    begin(tx, ctx, server, "reboot-hard" if hard else "reboot", "reboot", "compute_reboot_instance")
    saga.start(tx, REBOOT, f"server/{server.id}", ctx, hard=hard)


def delete_server(tx: Tx, ctx: Context, server: Server) -> None:
    """Whatever is going on with it is undone first. A second request for the same changes nothing."""
    check_unlocked(server, "admin" in ctx.roles)
    resource = f"server/{server.id}"
    if any(row.kind == DELETE.kind for row in saga.unfinished(tx, resource)):
        return
    save(tx, server, task_state=states.DELETING)
    instance_actions.begin(tx, server, ctx, "delete", "compute_terminate_instance")
    saga.cancel(tx, resource)
    saga.start(tx, DELETE, resource, ctx)


def update_server(tx: Tx, server: Server, changes: dict[str, Any]) -> Server:
    """Raises Conflict for a zone that the server is not in, or while it is pinned to another one."""
    pinned, wanted = server.pinned_availability_zone, changes.get("pinned_availability_zone")
    if wanted is not None and wanted != pinned:
        if pinned is not None:
            raise Conflict(f"Instance {server.id} is pinned to availability zone {pinned}: unpin it first.")
        if wanted != server.availability_zone:
            where = server.availability_zone or "no availability zone"
            raise Conflict(f"Instance {server.id} is in {where}: it cannot be pinned to {wanted}.")
    return save(tx, server, **changes)


def reset_state(tx: Tx, ctx: Context, server: Server, state: str) -> None:
    save(tx, server, vm_state=states.RESETTABLE[state], task_state=None)
    instance_actions.begin(tx, server, ctx, "resetState")


def lock_server(tx: Tx, ctx: Context, server: Server, reason: str | None) -> None:
    by = "owner" if ctx.project_id == server.project_id and "admin" not in ctx.roles else "admin"
    save(tx, server, locked=True, locked_by=by, locked_reason=reason)
    instance_actions.begin(tx, server, ctx, "lock")


def unlock_server(tx: Tx, ctx: Context, server: Server) -> None:
    save(tx, server, locked=False, locked_by=None, locked_reason=None)
    instance_actions.begin(tx, server, ctx, "unlock")


# -- metadata and tags -------------------------------------------------------------------------------------------------


def set_metadata(tx: Tx, server: Server, metadata: dict[str, str], verb: str = "update") -> dict[str, str]:
    """All of it anew. Raises Conflict, OverQuota."""
    states.check(f"{verb} metadata", server.id, server.vm_state, server.task_state)
    quotas.check_metadata(tx, server.project_id, len(metadata))
    save(tx, server, metadata=metadata)
    return metadata


def get_metadata_item(server: Server, key: str) -> str:
    if key not in server.metadata:
        raise NotFound(f"Metadata item was not found: {key}")
    return server.metadata[key]


def set_tags(tx: Tx, server: Server, tags: list[str]) -> list[str]:
    tags = sorted(dict.fromkeys(tags))
    tx.delete(ServerTag, server_id=server.id)
    tx.insert_many(ServerTag(server.id, tag) for tag in tags)
    save(tx, server, tags=tags)
    return tags


# -- interfaces --------------------------------------------------------------------------------------------------------


def attach_interface(tx: Tx, ctx: Context, server: Server, item: dict[str, Any]) -> str:
    """The id of its port. Raises Conflict, BadRequest, NotFound, OverQuota."""
    begin(tx, ctx, server, "attach_interface", "attach_interface", "compute_attach_interface")
    try:
        made = networks.attach(tx, ctx, server, item)
    except BadRequest as error:
        if error.kind in ("PortNotFound", "NetworkNotFound"):
            raise NotFound(error.message, kind=error.kind) from None
        raise
    port_id = made.port_id or ""
    saga.start(tx, ATTACH, f"server/{server.id}", ctx, host=server.host, port_id=port_id, network_id=made.network_id)
    return port_id


def detach_interface(tx: Tx, ctx: Context, server: Server, port_id: str, network_id: str) -> None:
    """Raises Conflict."""
    begin(tx, ctx, server, "detach_interface", "detach_interface", "compute_detach_interface")
    saga.start(tx, DETACH, f"server/{server.id}", ctx, host=server.host, port_id=port_id, network_id=network_id)


# -- what its host says ------------------------------------------------------------------------------------------------


def host_of(nodes: Nodes, server: Server) -> p.Node:
    """Raises Conflict while it has none."""
    if server.host is None:
        raise Conflict(f"Instance {server.id} is not ready: it has no host.")
    return nodes.get(server.host)


def console_output(nodes: Nodes, server: Server, lines: int | None) -> str:
    """The end of the serial console's log. Raises Conflict."""
    node = host_of(nodes, server)
    return node.console_log(p.ConsoleLogArgs(server_id=server.id, lines=lines)).output


def tell_guest(cloud: Any, server_id: str, addresses: bool = False) -> None:
    """Give a server's host its newest documents, so that the guest reads them from its metadata service."""
    with cloud.db.read() as tx:
        server = tx.find(Server, id=server_id)
        if server is None or server.host is None:
            return
        document = guest_documents(tx, cloud, server)
        nics = networks.nics(tx, server_id) if addresses else None
    newest = p.SetMetadata(server_id=server_id, documents=document, nics=nics)
    host_of(cloud.drivers["compute"], server).set_metadata(newest)
