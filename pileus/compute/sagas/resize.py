"""Resize and cold migration: a server is made anew elsewhere or in another size; its old disks wait until that is wanted.

On one host the disks are copied by its node. From one host to another they pass through the controller, which so is the
only one that has to reach both, in pieces of a MiB: how large they are costs it no memory.
"""

from typing import Any

import msgspec

from pileus.compute import migrations, states
from pileus.compute.sagas import listeners
from pileus.compute.sagas.create import (
    await_ports,
    ensure_disks,
    ensure_instance,
    ensure_listeners,
    push,
    remove_instance,
    spec_of,
)
from pileus.compute.sagas.moves import choose_dest, close_move, get_move, move_back, move_over, return_row
from pileus.compute.sagas.power import await_off
from pileus.compute.sagas.server import failed, get_server, mark_broken, node_of, settled
from pileus.compute.sagas.volumes import connect_all, connect_volumes, disconnect_all
from pileus.compute.store import Server
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p

COPIED = ("root", "ephemeral")  # swap and config drive are made anew


def switch_off(run: Run) -> None:
    node_of(run, run.data["source"]).power(p.PowerArgs(server_id=run.id, action="stop", timeout=60))


def bring_base(run: Run) -> None:
    with run.db.read() as tx:
        image_id = get_server(tx, run).root_image_id
    if image_id and run.data["source"] != run.data["dest"]:
        push(run, run.data["dest"], image_id, elsewhere=run.data["source"])


def put_aside(run: Run) -> dict[str, Any]:
    node = node_of(run, run.data["source"])
    node.remove_instance(p.ServerRef(run.id))
    return {"files": [msgspec.to_builtins(file) for file in node.put_aside(p.ServerRef(run.id)).files]}


def bring_back(run: Run) -> None:
    """Undo of all that happened to the guest and its disks on the host it came from."""
    node = node_of(run, run.data.get("source"))
    node.take_back(p.ServerRef(run.id))
    with run.db.read() as tx:
        server = get_server(tx, run)
    if server.task_state == states.DELETING:
        return  # its disks go at once
    connect_all(run, run.data["source"])
    with run.db.read() as tx:
        spec = spec_of(tx, run.cloud, get_server(tx, run))
    node.ensure_disks(spec)
    listeners.enter(run, run.data["source"])
    node.ensure_instance(spec)


def copy_disks(run: Run) -> None:
    source, dest = node_of(run, run.data["source"]), node_of(run, run.data["dest"])
    with run.db.read() as tx:
        image_id = get_server(tx, run).root_image_id
    wanted = [file for file in run.data["files"] if file["name"].startswith(COPIED)]
    if run.data["source"] == run.data["dest"]:
        source.copy_aside(p.CopyAside(server_id=run.id, names=[file["name"] for file in wanted]))
        return
    for file in wanted:
        name = file["name"]
        base = image_id if name.startswith("root") else ""
        args = p.PutDisk(server_id=run.id, name=name, size=file["size"], image_id=base)
        dest.put_disk(args, source.read_file(p.FileRef(kind="aside", id=run.id, name=name)))


def drop_copies(run: Run) -> None:
    if run.data.get("dest") and run.data["dest"] != run.data.get("source"):
        node_of(run, run.data["dest"]).remove_disks(p.ServerRef(run.id))


def drop_dest_listeners(run: Run) -> None:
    if run.data["source"] != run.data["dest"]:
        listeners.leave(run, run.data["dest"])


def leave_volumes_there(run: Run) -> None:
    if run.data["source"] != run.data["dest"]:
        disconnect_all(run, run.data["dest"])


def remove_dest_instance(run: Run) -> None:
    node_of(run, run.data["dest"]).remove_instance(p.ServerRef(run.id))


def mark_resized(run: Run) -> None:
    with run.db.write() as tx:
        migrations.set_status(tx, get_move(tx, run), "finished")
        settled(tx, run, get_server(tx, run), states.RESIZED)


def mark_as_before(run: Run, error: BaseException) -> None:
    """The undos bring it back to where it was; it says why it did not move."""
    with run.db.read() as tx:
        vm_state = get_move(tx, run).old_vm_state
    failed(run, error, vm_state=vm_state)


RESIZE = Saga(
    "server-resize",
    version=2,
    failed=mark_as_before,
    steps=[
        Step(choose_dest, undo=close_move),
        Step(bring_base),
        Step(switch_off, undo=bring_back),
        Step(await_off),
        Step(put_aside),
        Step(copy_disks, undo=drop_copies),
        Step(move_over, undo=move_back),
        Step(await_ports),
        Step(ensure_disks),
        Step(ensure_listeners, undo=drop_dest_listeners),
        Step(connect_volumes, undo=leave_volumes_there),
        Step(ensure_instance, undo=remove_dest_instance),
        Step(mark_resized),
    ],
)


# -- confirm -----------------------------------------------------------------------------------------------------------


def drop_old_disks(run: Run) -> None:
    source = node_of(run, run.data["source"])
    if run.data["source"] == run.data["dest"]:
        source.drop_aside(p.ServerRef(run.id))
    else:
        source.remove_disks(p.ServerRef(run.id))


def drop_old_listeners(run: Run) -> None:
    if run.data["source"] != run.data["dest"]:
        listeners.leave(run, run.data["source"])


def leave_volumes(run: Run) -> None:
    if run.data["source"] != run.data["dest"]:
        disconnect_all(run, run.data["source"])


def mark_confirmed(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        migrations.close(tx, get_move(tx, run), "confirmed")
        off = server.power_state == states.SHUTDOWN
        settled(tx, run, server, states.STOPPED if off else states.ACTIVE)


CONFIRM = Saga(
    "server-confirm-resize",
    version=2,
    failed=mark_broken,
    steps=[Step(drop_old_disks), Step(drop_old_listeners), Step(leave_volumes), Step(mark_confirmed)],
)


# -- revert ------------------------------------------------------------------------------------------------------------


def return_home(run: Run) -> dict[str, Any]:
    """The row, its claim and its ports are of the old place again."""
    with run.db.write() as tx:
        server, move = get_server(tx, run), get_move(tx, run)
        return_row(tx, server, move)
        tx.update(Server, server.id, vm_state=move.old_vm_state, disk_config=move.old_disk_config)
    return {"host": run.data["source"]}


def take_back_disks(run: Run) -> None:
    node_of(run, run.data["source"]).take_back(p.ServerRef(run.id))


def mark_reverted(run: Run) -> None:
    with run.db.write() as tx:
        migrations.close(tx, get_move(tx, run), "reverted")
        off = run.data.get("power_state") == states.SHUTDOWN
        settled(tx, run, get_server(tx, run), states.STOPPED if off else states.ACTIVE)


REVERT = Saga(
    "server-revert-resize",
    version=2,
    failed=mark_broken,
    steps=[
        Step(remove_instance),
        Step(drop_copies),
        Step(drop_dest_listeners),
        Step(leave_volumes_there),
        Step(return_home),
        Step(await_ports),
        Step(take_back_disks),
        Step(ensure_disks),
        Step(ensure_listeners),
        Step(connect_volumes),
        Step(ensure_instance),
        Step(mark_reverted),
    ],
)
