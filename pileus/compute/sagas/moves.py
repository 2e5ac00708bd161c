"""Steps of every move of a server: a place is chosen and claimed, the row goes over to it, or back."""

from typing import Any

import msgspec

from pileus.compute import hosts, migrations, networks, scheduler, server_groups, states
from pileus.compute.sagas.server import get_server, show_task
from pileus.compute.store import Migration, Server
from pileus.core import quota
from pileus.core.db import Tx
from pileus.core.errors import EngineError
from pileus.core.saga import Run

# what a server is shown to be doing before and after its row has moved
SHOWN = {
    "server-resize": (states.RESIZE_MIGRATING, states.RESIZE_MIGRATED),
    "server-evacuate": (states.REBUILDING, states.REBUILDING),
    "server-live-migration": (states.MIGRATING, states.MIGRATING),
}


def get_move(tx: Tx, run: Run) -> Migration:
    found = tx.find(Migration, uuid=run.data["migration"])
    if found is None:
        raise EngineError("the record of this move is gone")
    return found


def choose_dest(run: Run) -> dict[str, Any]:
    """The choice and the claim of the new place are one transaction; the old place is claimed as before."""
    need = msgspec.convert(run.data["need"], scheduler.Need)
    with run.db.write() as tx:
        server, move = get_server(tx, run), get_move(tx, run)
        if not move.dest:
            quota.hold(tx, "claims", None)
            chosen = scheduler.choose(hosts.candidates(tx), server_groups.narrowed(tx, server, need))
            migrations.claim_dest(tx, move, chosen.name, need)
        show_task(tx, server, SHOWN[run.row.kind][0])
    return {"source": move.source, "host": move.source, "dest": move.dest}


def close_move(run: Run) -> None:
    with run.db.write() as tx:
        migrations.close(tx, get_move(tx, run), "error")


def move_over(run: Run) -> dict[str, Any]:
    """From here on the server is in its new place, with its new flavor."""
    with run.db.write() as tx:
        server, move = get_server(tx, run), get_move(tx, run)
        if server.host != move.dest or server.flavor != move.new_flavor:
            migrations.switch(tx, server, move, move.dest, move.new_flavor)
            networks.bind(tx, server, move.dest)
        show_task(tx, server, SHOWN[run.row.kind][1])
    return {"host": run.data["dest"]}


def move_back(run: Run) -> None:
    with run.db.write() as tx:
        return_row(tx, get_server(tx, run), get_move(tx, run))


def return_row(tx: Tx, server: Server, move: Migration) -> None:
    if server.host != move.source or server.flavor != move.old_flavor:
        migrations.switch(tx, server, move, move.source, move.old_flavor)
        networks.bind(tx, server, move.source)
