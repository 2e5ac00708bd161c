"""Server delete: the guest, its disks, its ports, its row. Only forwards: a delete has nothing to go back to."""

from collections.abc import Callable
from functools import partial

from pileus.compute import hosts, images, instance_actions, networks, states
from pileus.compute.sagas import listeners
from pileus.compute.sagas.server import node_of, server_fault
from pileus.compute.sagas.volumes import release_volumes
from pileus.compute.store import Migration, Server
from pileus.core import clock
from pileus.core.errors import EngineUnavailable
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p


def remove_instance(run: Run) -> None:
    if node := _node(run):
        _unless_down(run, lambda: node.remove_instance(p.ServerRef(run.id)))


def remove_disks(run: Run) -> None:
    if node := _node(run):
        _unless_down(run, lambda: node.remove_disks(p.ServerRef(run.id)))


def remove_other_places(run: Run) -> None:
    """Where it was before a resize that nobody confirmed, or was going to."""
    with run.db.read() as tx:
        moves = tx.select(Migration, server_id=run.id, open=True)
    for host in sorted({host for move in moves for host in (move.source, move.dest) if host} - {_host(run) or ""}):
        _unless_down(run, partial(_clear, run, host), host)


def _clear(run: Run, host: str) -> None:
    node = node_of(run, host)
    node.remove_instance(p.ServerRef(run.id))
    node.remove_disks(p.ServerRef(run.id))
    listeners.leave(run, host)


def drop_listeners(run: Run) -> None:
    """While the ports still say which networks the server was on: also for a delete that failed and is asked for again."""
    if host := _host(run):
        _unless_down(run, lambda: listeners.leave(run, host))


def _host(run: Run) -> str | None:
    with run.db.read() as tx:
        server = tx.find(Server, id=run.id)
        return server.host if server else None


def _node(run: Run) -> p.Node | None:
    host = _host(run)
    return node_of(run, host) if host else None


def _unless_down(run: Run, do: Callable[[], object], name: str | None = None) -> None:
    """A host known to be down keeps nobody's server undeletable: reconcile clears it when it is back."""
    try:
        do()
    except EngineUnavailable:
        with run.db.read() as tx:
            host = hosts.find_host(tx, name or _host(run) or "")
        if host is not None and hosts.is_up(host):
            raise


def release_ports(run: Run) -> None:
    with run.db.write() as tx:
        networks.release(tx, run.id)


def forget_server(run: Run) -> None:
    """The row last: until here the server is there, and being deleted. Its claim and tags go with it."""
    with run.db.write() as tx:
        server = tx.find(Server, id=run.id)
        if server is not None and server.shelved_image_id:
            images.delete_image(run.cloud, tx, server.shelved_image_id)
        tx.update(Migration, {"server_id": run.id, "open": True}, open=False, updated_at=clock.now())
        tx.delete(Server, id=run.id)
        instance_actions.finish(tx, run.id, run.request_id)


def mark_undeletable(run: Run, error: BaseException) -> None:
    with run.db.write() as tx:
        tx.update(
            Server, run.id, vm_state=states.ERROR, task_state=None, fault=server_fault(error), updated_at=clock.now()
        )
        instance_actions.finish(tx, run.id, run.request_id, error)


DELETE = Saga(
    "server-delete",
    version=2,
    failed=mark_undeletable,
    steps=[
        Step(remove_instance),
        Step(remove_disks),
        Step(remove_other_places),
        Step(drop_listeners),
        Step(release_ports),
        Step(release_volumes),
        Step(forget_server),
    ],
)
