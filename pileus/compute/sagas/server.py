"""A server as its sagas see it: its row, its host's node, and the ways in which an operation on it ends."""

from typing import Any

from pileus.compute import instance_actions, states
from pileus.compute.drivers import Nodes
from pileus.compute.store import Server, ServerFault
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import EngineError, EngineUnavailable, Fault, NotFound
from pileus.core.saga import Run
from pileus.node import protocol as p


def node_of(run: Run, host: str | None) -> p.Node:
    nodes: Nodes = run.cloud.drivers["compute"]
    if host is None:
        raise EngineError("the server has no host")
    return nodes.get(host)


def get_server(tx: Tx, run: Run) -> Server:
    found = tx.find(Server, id=run.id)
    if found is None:
        raise NotFound(f"Instance {run.id} could not be found.")
    return found


def show_task(tx: Tx, server: Server, task_state: str | None, **changes: Any) -> None:
    """What is happening, unless the server is being deleted meanwhile: that is what its user wants to see."""
    if server.task_state != states.DELETING:
        changes["task_state"] = task_state
    tx.update(Server, server.id, **changes, updated_at=clock.now())


# -- all went well: last, and in our own database only, as nothing after this may fail ---------------------------------


def settled(tx: Tx, run: Run, server: Server, vm_state: str | None = None, **changes: Any) -> None:
    """It is at rest, in this state if it is another. Who sees that sees its action ended, too."""
    if vm_state is not None:
        changes["vm_state"] = vm_state
    if "power_state" in run.data:  # what its host said last
        changes.setdefault("power_state", run.data["power_state"])
    show_task(tx, server, None, fault=None, admin_pass=None, **changes)
    instance_actions.finish(tx, run.id, run.request_id, host=server.host)


def settle(run: Run, vm_state: str | None = None, **changes: Any) -> None:
    with run.db.write() as tx:
        settled(tx, run, get_server(tx, run), vm_state, **changes)


def mark_active(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        settled(tx, run, server, states.ACTIVE, launched_at=server.launched_at or clock.now())


# -- something failed: the row stays and says why, and its user decides ------------------------------------------------


def server_fault(error: BaseException) -> ServerFault:
    code = error.status if isinstance(error, Fault) else 503 if isinstance(error, EngineUnavailable) else 500
    message = str(error) or type(error).__name__
    return ServerFault(
        code, message[:255], f"{type(error).__name__}: {message}"[:4000], clock.seconds(clock.now()) or ""
    )


def failed(run: Run, error: BaseException, **changes: Any) -> None:
    with run.db.write() as tx:
        server = tx.find(Server, id=run.id)
        if server is not None:
            show_task(tx, server, None, fault=server_fault(error), admin_pass=None, **changes)
        instance_actions.finish(tx, run.id, run.request_id, error, run.data.get("host"))


def give_up(run: Run, error: BaseException) -> None:
    """The server is as it was, as far as anybody knows."""
    failed(run, error)


def mark_error(run: Run, error: BaseException) -> None:
    """The undos take it from its host."""
    failed(run, error, vm_state=states.ERROR, power_state=states.NOSTATE)


def mark_broken(run: Run, error: BaseException) -> None:
    """It stays where it is: what is left of it there goes when it is deleted, or is made anew by a rebuild."""
    failed(run, error, vm_state=states.ERROR)
