"""Metadata listeners: a network is answered in on each host where a server is on it, and on no other."""

import threading

import sqlalchemy as sa

from pileus.compute import networks, states
from pileus.compute.sagas.server import node_of
from pileus.compute.store import Server, ServerPort
from pileus.core.db import Database, Tx, sql
from pileus.core.saga import Run
from pileus.core.tables import columns, shape
from pileus.node import protocol as p

_server, _port = columns(Server), columns(ServerPort)
# Servers on their way out need none: of several that go at once, each would wait for the others to go first. Should
# one of them stay after all, the comparison of rows with hosts gives it back what it needs.
_staying = sa.and_(
    sa.func.coalesce(_server.task_state, "") != sa.literal_column(f"'{states.DELETING}'"),
    sa.or_(_server.vm_state != sa.literal_column(f"'{states.ERROR}'"), _server.launched_at.is_not(None)),
)
_OTHERS = sql(
    sa.select(sa.func.count())
    .select_from(shape(Server).table)
    .join(shape(ServerPort).table, _port.server_id == _server.id)
    .where(
        _server.host == sa.bindparam("host", type_=sa.Text()),
        _port.network_id == sa.bindparam("network", type_=sa.Text()),
        _server.id != sa.bindparam("leaving", type_=sa.Text()),
        _staying,
    )
)
# The look at the rows and the call that follows from it are one: else the last one to leave could take away what the
# next one has just been given. A new server has its host in its row before it comes here.
_one_at_a_time = threading.Lock()


def networks_of(tx: Tx, server_id: str) -> list[str]:
    return sorted({port.network_id for port in tx.select(ServerPort, server_id=server_id)})


def enter(run: Run, host: str) -> None:
    """A saga's server is on this host from now on."""
    with run.db.read() as tx:
        wanted = networks.listeners(tx, networks_of(tx, run.id))
    ensure(node_of(run, host), wanted)


def leave(run: Run, host: str) -> None:
    """A saga's server leaves this host."""
    with run.db.read() as tx:
        network_ids = networks_of(tx, run.id)
    drop_unneeded(node_of(run, host), run.db, host, network_ids, leaving=run.id)


def ensure(node: p.Node, wanted: list[p.MetadataArgs]) -> None:
    for listener in wanted:
        with _one_at_a_time:
            node.ensure_metadata(listener)


def drop_unneeded(node: p.Node, db: Database, host: str, network_ids: list[str], leaving: str) -> None:
    """Take away the listeners of these networks that no server on this host needs, the one that is leaving apart."""
    for network_id in network_ids:
        with _one_at_a_time:
            with db.read() as tx:
                needed = tx.scalar(_OTHERS, host=host, network=network_id, leaving=leaving)
            if not needed:
                node.remove_metadata(p.NetworkRef(network_id))
