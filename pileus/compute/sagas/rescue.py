"""Rescue: the guest boots from another image and finds its own disk beside it; unrescue goes back."""

from pileus.compute import states
from pileus.compute.sagas.create import ensure_disks, ensure_instance, ensure_listeners, push
from pileus.compute.sagas.create import remove_instance as take_guest_away
from pileus.compute.sagas.power import await_off
from pileus.compute.sagas.server import get_server, mark_active, mark_broken, node_of, settle, show_task
from pileus.core.saga import Run, Saga, Step
from pileus.node import protocol as p


def push_rescue_image(run: Run) -> None:
    with run.db.read() as tx:
        server = get_server(tx, run)
    push(run, run.data["host"], server.rescue_image_id)


def switch_off(run: Run) -> None:
    """The guest may put its house in order first."""
    node_of(run, run.data["host"]).power(p.PowerArgs(server_id=run.id, action="stop", timeout=30))


def forget_rescue(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        show_task(tx, server, states.UNRESCUING, rescue_image_id="")


def mark_rescued(run: Run) -> None:
    settle(run, states.RESCUED)


RESCUE = Saga(
    "server-rescue",
    version=1,
    failed=mark_broken,
    steps=[
        Step(push_rescue_image),
        Step(switch_off),
        Step(await_off),
        Step(take_guest_away),
        Step(ensure_disks),
        Step(ensure_listeners),
        Step(ensure_instance),
        Step(mark_rescued),
    ],
)
UNRESCUE = Saga(
    "server-unrescue",
    version=1,
    failed=mark_broken,
    steps=[
        Step(take_guest_away),
        Step(forget_rescue),
        Step(ensure_disks),
        Step(ensure_instance),
        Step(mark_active),
    ],
)
