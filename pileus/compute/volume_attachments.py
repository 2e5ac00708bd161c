"""What is asked of a server's volumes: each a check, and a saga where a host has to do something."""

from typing import Any

from pileus.compute import instance_actions, states, volumes
from pileus.compute.sagas.volumes import ATTACH_VOLUME, DETACH_VOLUME
from pileus.compute.servers import begin
from pileus.compute.store import Server, ServerVolume
from pileus.core import saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotBuilt

SHARED_SINCE = "2.60"


def attach_volume(
    tx: Tx, ctx: Context, server: Server, volume_id: str, *, shared: bool, **more: Any
) -> ServerVolume:  # fmt: skip
    """`shared`: the caller knows of volumes that several servers have. Raises NotFound, BadRequest, Conflict."""
    volume = volumes.get_volume(tx, ctx, volume_id)
    states.check("attach_volume", server.id, server.vm_state, server.task_state)
    check_shared(volume, shared)
    if volume.multiattach and server.vm_state == states.OFFLOADED:
        raise BadRequest(f"Attaching multiattach volumes is not supported for shelved-offloaded instance {server.id}.")
    rows = volumes.of_server(tx, server.id)
    position = 1 + max((row.position for row in rows), default=-1)
    row = volumes.new_row(server.id, volume.id, volumes.free_device(server, rows), position, **more)
    begin(tx, ctx, server, "attach_volume", "attach_volume", "compute_attach_volume")
    volumes.reserve(tx, row, volume, server.project_id)
    tx.insert(row)
    if server.host is None:  # it finds the volume when it is unshelved, and nobody else has it until then
        volumes.complete(tx, row)
        instance_actions.finish(tx, server.id, ctx.request_id)
    else:
        saga.start(tx, ATTACH_VOLUME, f"server/{server.id}", ctx, host=server.host, row=row.id)
    return row


def check_shared(volume: volumes.Volume, shared: bool) -> None:
    if volume.multiattach and not shared:
        raise BadRequest(f"Volume {volume.id} is for several servers: that needs microversion {SHARED_SINCE}.")


def detach_volume(tx: Tx, ctx: Context, server: Server, row: ServerVolume) -> None:
    """Raises Forbidden, BadRequest, Conflict."""
    states.check("detach_volume", server.id, server.vm_state, server.task_state)
    if row.boot:
        raise Forbidden("Cannot detach a root device volume")
    begin(tx, ctx, server, "detach_volume", "detach_volume", "compute_detach_volume")
    volumes.begin_detaching(tx, row)
    saga.start(tx, DETACH_VOLUME, f"server/{server.id}", ctx, host=server.host, row=row.id)


def swap_volume(tx: Tx, ctx: Context, server: Server, row: ServerVolume, volume_id: str) -> None:
    """Raises NotBuilt."""
    raise NotBuilt("Volumes are not copied below a running guest here yet: detach one and attach the other.")


def update_attachment(tx: Tx, row: ServerVolume, delete_on_termination: bool) -> None:
    tx.update(ServerVolume, row.id, delete_on_termination=delete_on_termination)
