"""Shelve: a server becomes an image and leaves its host, its ports stay; unshelve makes it anew, on some host."""

from typing import Any

from pileus.compute import images, networks, states
from pileus.compute.sagas.create import SPAWN, choose_node, drop_listeners, remove_disks, remove_instance
from pileus.compute.sagas.power import SOFT_SECONDS, await_off
from pileus.compute.sagas.server import failed, get_server, give_up, node_of, settled, show_task
from pileus.compute.sagas.snapshot import drop_snapshot, make_snapshot, remove_snapshot, upload_snapshot
from pileus.compute.sagas.volumes import disconnect_volumes
from pileus.compute.store import Claim, Server
from pileus.core.db import Tx
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p


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
        show_task(tx, server, states.OFFLOADING, shelved_image_id=run.data.get("image_id", ""))
    return {"leaving": True}


def mark_offloaded(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        _leave_host(tx, server)
        settled(tx, run, server, states.OFFLOADED, power_state=states.SHUTDOWN)


def _leave_host(tx: Tx, server: Server) -> None:
    tx.delete(Claim, server_id=server.id)
    networks.bind(tx, server, "")
    tx.update(Server, server.id, host=None)


def mark_half_shelved(run: Run, error: BaseException) -> None:
    """Before its disks are touched it only stays switched off; afterwards it is in ERROR, and its image is kept."""
    if run.data.get("leaving"):
        failed(run, error, vm_state=states.ERROR)
    elif "power_state" in run.data:
        failed(run, error, vm_state=states.STOPPED, power_state=run.data["power_state"])
    else:
        failed(run, error)


OFFLOAD = [
    Step(begin_leaving),
    Step(remove_instance),
    Step(remove_disks),
    Step(disconnect_volumes),
    Step(drop_listeners),
    Step(mark_offloaded),
]
SHELVE = Saga(
    "server-shelve",
    version=2,
    failed=mark_half_shelved,
    steps=[
        Step(switch_off),
        Step(await_off),
        Step(make_snapshot, undo=drop_snapshot),
        Step(upload_snapshot),
        Step(remove_snapshot),
        *OFFLOAD,
    ],
)
# what boots from a volume has nothing that would have to be kept elsewhere
SHELVE_FROM_VOLUME = Saga(
    "server-shelve-from-volume",
    version=1,
    failed=mark_half_shelved,
    steps=[Step(switch_off), Step(await_off), *OFFLOAD],
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
        settled(tx, run, server, states.ACTIVE, shelved_image_id="")


UNSHELVE = Saga(
    "server-unshelve",
    version=2,
    failed=give_up,
    steps=[Step(choose_node, undo=leave_host), Step(stand_on_image), *SPAWN, Step(mark_active)],
)
