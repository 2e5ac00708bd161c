"""Interfaces that come and go while a server is there. Their ports are rows already, or still, when this runs."""

from pileus.compute import instance_actions, networks
from pileus.compute.sagas.create import await_ports, guest_documents
from pileus.compute.sagas.listeners import drop_unneeded, ensure
from pileus.compute.sagas.server import get_server, node_of
from pileus.compute.store import Server, ServerPort
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p


def _plug(run: Run, without: str | None = None) -> None:
    """Give the guest the interfaces that its rows say, but for one; and tell it of them."""
    with run.db.read() as tx:
        server = get_server(tx, run)
        nics = [nic for nic in networks.nics(tx, server.id) if nic.port_id != without]
        document = guest_documents(tx, run.cloud, server)
    node = node_of(run, server.host)
    node.ensure_nics(p.EnsureNics(server_id=server.id, nics=nics))
    node.set_metadata(p.SetMetadata(server_id=server.id, documents=document, nics=nics))


def ensure_listener(run: Run) -> None:
    with run.db.read() as tx:
        server = get_server(tx, run)
        wanted = networks.listeners(tx, [run.data["network_id"]])
    ensure(node_of(run, server.host), wanted)


def drop_listener(run: Run) -> None:
    with run.db.read() as tx:
        server = get_server(tx, run)
        staying = [port.network_id for port in tx.select(ServerPort, server_id=server.id)]
    if server.host and run.data["network_id"] not in staying:
        drop_unneeded(node_of(run, server.host), run.db, server.host, [run.data["network_id"]], leaving="")


def plug_in(run: Run) -> None:
    _plug(run)


def pull_out(run: Run) -> None:
    """Also the undo of plugging in: the port goes with it."""
    _plug(run, without=run.data["port_id"])
    release_port(run)
    drop_listener(run)


def unplug(run: Run) -> None:
    _plug(run, without=run.data["port_id"])


def release_port(run: Run) -> None:
    with run.db.write() as tx:
        networks.release_one(tx, run.id, run.data["port_id"])


def mark_plugged(run: Run) -> None:
    with run.db.write() as tx:
        instance_actions.finish(tx, run.id, run.request_id, host=get_server(tx, run).host)


def note_failure(run: Run, error: BaseException) -> None:
    """The server goes on as it was; its action log says why."""
    with run.db.write() as tx:
        if tx.find(Server, id=run.id) is not None:
            instance_actions.finish(tx, run.id, run.request_id, error)


ATTACH = Saga(
    "server-attach-interface",
    version=1,
    failed=note_failure,
    steps=[
        Step(await_ports, undo=pull_out),
        Step(ensure_listener),
        Step(plug_in),
        Step(mark_plugged),
    ],
)
DETACH = Saga(
    "server-detach-interface",
    version=1,
    failed=note_failure,
    steps=[
        Step(unplug),
        Step(release_port),
        Step(drop_listener),
        Step(mark_plugged),
    ],
)
