"""Shelve: a server becomes an image and leaves its host, its ports stay; unshelve makes it anew, on some host."""

from typing import Any

from pileus.compute import images, instance_actions, networks, states
from pileus.compute.sagas.create import (
    await_ports,
    bind_ports,
    choose_node,
    drop_listeners,
    ensure_disks,
    ensure_instance,
    ensure_listeners,
    get_server,
    node_of,
    push_image,
    remove_disks,
    remove_instance,
    server_fault,
    show_task,
)
from pileus.compute.sagas.power import await_off, give_up
from pileus.compute.sagas.snapshot import drop_snapshot, make_snapshot, remove_snapshot, upload_snapshot
from pileus.compute.store import Claim, Server
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p

SOFT_SECONDS = 60


def switch_off(run: Run) -> None:
    """What is paused or suspended does not hear the button."""
    with run.db.read() as tx:
        hard = get_server(tx, run).vm_state in (states.HELD, states.SUSPENDED)
    node = node_of(run, run.data["host"])
    node.power(p.PowerArgs(server_id=run.id, action="stop", hard=hard, timeout=SOFT_SECONDS))


def begin_leaving(run: Run) -> dict[str, Any]:
    """From here on the image is the server: it is kept whatever happens."""
    with run.db.write() as tx:
        server = get_server(tx, run)
        show_task(tx, server, states.OFFLOADING, shelved_image_id=run.data["image_id"])
    return {"leaving": True}


def mark_offloaded(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        _leave_host(tx, server)
        show_task(tx, server, None, vm_state=states.OFFLOADED, power_state=states.SHUTDOWN)
        instance_actions.finish(tx, run.id, run.request_id, host=run.data["host"])


def _leave_host(tx: Any, server: Server) -> None:
    tx.delete(Claim, server_id=server.id)
    networks.bind(tx, server, "")
    tx.update(Server, server.id, host=None)


def mark_half_shelved(run: Run, error: BaseException) -> None:
    """Before its disks are touched it only stays switched off; afterwards it is in ERROR, and its image is kept."""
    with run.db.write() as tx:
        server = tx.find(Server, id=run.id)
        if server is not None:
            changes: dict[str, Any] = {"fault": server_fault(error)}
            if run.data.get("leaving"):
                changes["vm_state"] = states.ERROR
            elif "power_state" in run.data:
                changes |= {"vm_state": states.STOPPED, "power_state": run.data["power_state"]}
            show_task(tx, server, None, **changes)
        instance_actions.finish(tx, run.id, run.request_id, error)


SHELVE = Saga(
    "server-shelve",
    version=1,
    failed=mark_half_shelved,
    steps=[
        Step(switch_off),
        Step(await_off),
        Step(make_snapshot, undo=drop_snapshot),
        Step(upload_snapshot),
        Step(remove_snapshot),
        Step(begin_leaving),
        Step(remove_instance),
        Step(remove_disks),
        Step(drop_listeners),
        Step(mark_offloaded),
    ],
)


# -- and back ----------------------------------------------------------------------------------------------------------


def stand_on_image(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        tx.update(Server, server.id, base_image_id=server.shelved_image_id or server.base_image_id)


def leave_host(run: Run) -> None:
    with run.db.write() as tx:
        _leave_host(tx, get_server(tx, run))


def mark_active(run: Run) -> None:
    """The image has done its work; hosts keep it as long as a disk stands on it."""
    with run.db.write() as tx:
        server = get_server(tx, run)
        images.delete_image(run.cloud, tx, server.shelved_image_id)
        show_task(
            tx, server, None, vm_state=states.ACTIVE, power_state=run.data.get("power_state", states.RUNNING),
            fault=None, shelved_image_id="",
        )  # fmt: skip
        instance_actions.finish(tx, run.id, run.request_id, host=server.host)


UNSHELVE = Saga(
    "server-unshelve",
    version=1,
    failed=give_up,
    steps=[
        Step(choose_node, undo=leave_host),
        Step(stand_on_image),
        Step(bind_ports),
        Step(await_ports),
        Step(push_image),
        Step(ensure_disks, undo=remove_disks),
        Step(ensure_listeners, undo=drop_listeners),
        Step(ensure_instance, undo=remove_instance),
        Step(mark_active),
    ],
)
