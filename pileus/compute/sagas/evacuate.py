"""Evacuate: a server whose host is down is made anew elsewhere, from its image. What it wrote is lost with that host.

Should the host come back, what is left there of the server belongs to no server of that host, and is removed.
"""

from pileus.compute import migrations, states
from pileus.compute.sagas.create import SPAWN
from pileus.compute.sagas.moves import choose_dest, close_move, get_move, move_back, move_over
from pileus.compute.sagas.server import get_server, mark_broken, settled
from pileus.core import clock
from pileus.core.saga import Run, Saga, Step


def mark_evacuated(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        migrations.close(tx, get_move(tx, run), "done")
        vm_state = states.STOPPED if server.vm_state == states.STOPPED else states.ACTIVE
        settled(tx, run, server, vm_state, launched_at=clock.now())


EVACUATE = Saga(
    "server-evacuate",
    version=2,
    failed=mark_broken,
    steps=[
        Step(choose_dest, undo=close_move),
        Step(move_over, undo=move_back),
        *SPAWN,
        Step(mark_evacuated),
    ],
)
