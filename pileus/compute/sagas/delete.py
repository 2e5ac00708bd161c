"""Server delete: the guest, its disks, its ports, its row. Only forwards: a delete has nothing to go back to."""

import contextlib
from collections.abc import Callable
from typing import Any

from pileus.compute import hosts, instance_actions, networks, states
from pileus.compute.sagas import listeners
from pileus.compute.sagas.create import close_action, node_of, server_fault
from pileus.compute.store import Server, ServerPort
from pileus.core import clock
from pileus.core.errors import EngineUnavailable
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p


def remove_instance(run: Run) -> dict[str, Any]:
    with run.db.read() as tx:
        ports = tx.select(ServerPort, server_id=run.id)
    known = {"host": _host(run), "networks": sorted({port.network_id for port in ports})}
    if node := _node(run):
        _unless_down(run, lambda: node.remove_instance(p.ServerRef(run.id)))
    return known | run.data  # what the last step needs when the rows are gone


def remove_disks(run: Run) -> None:
    if node := _node(run):
        _unless_down(run, lambda: node.remove_disks(p.ServerRef(run.id)))


def _host(run: Run) -> str | None:
    with run.db.read() as tx:
        server = tx.find(Server, id=run.id)
        return server.host if server else None


def _node(run: Run) -> p.Node | None:
    host = _host(run)
    return node_of(run, host) if host else None


def _unless_down(run: Run, do: Callable[[], object]) -> None:
    """A host known to be down keeps nobody's server undeletable: reconcile clears it when it is back."""
    try:
        do()
    except EngineUnavailable:
        with run.db.read() as tx:
            host = hosts.find_host(tx, _host(run) or "")
        if host is not None and hosts.is_up(host):
            raise


def release_ports(run: Run) -> None:
    with run.db.write() as tx:
        networks.release(tx, run.id)


def forget_server(run: Run) -> None:
    """The row last: until here the server is there, and being deleted. Its claim and tags go with it."""
    with run.db.write() as tx:
        tx.delete(Server, id=run.id)


def drop_listeners(run: Run) -> None:
    """After the row: of several servers that go at once, the last one takes the network's metadata listener with it."""
    host = run.data.get("host")
    if host:
        with contextlib.suppress(EngineUnavailable):  # the host's comparison finds it when the host is back
            listeners.drop_unneeded(node_of(run, host), run.db, host, run.data.get("networks", []), leaving=run.id)


def mark_undeletable(run: Run, error: BaseException) -> None:
    with run.db.write() as tx:
        tx.update(
            Server, run.id, vm_state=states.ERROR, task_state=None, fault=server_fault(error), updated_at=clock.now()
        )
        instance_actions.finish(tx, run.id, run.request_id, error)


DELETE = Saga(
    "server-delete",
    version=1,
    failed=mark_undeletable,
    done=close_action,
    steps=[Step(remove_instance), Step(remove_disks), Step(release_ports), Step(forget_server), Step(drop_listeners)],
)
