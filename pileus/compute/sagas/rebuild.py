"""Rebuild: the disks are made anew from an image; addresses, name and place stay."""

from pileus.compute import instance_actions, states
from pileus.compute.sagas.create import (
    ensure_disks,
    ensure_instance,
    ensure_listeners,
    get_server,
    mark_broken,
    push_image,
    remove_disks,
    remove_instance,
    show_task,
)
from pileus.core import clock
from pileus.core.saga import Run, Saga, Step


def mark_rebuilt(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        vm_state = states.STOPPED if server.vm_state == states.STOPPED else states.ACTIVE
        show_task(
            tx, server, None, vm_state=vm_state, power_state=run.data.get("power_state", states.NOSTATE), fault=None,
            launched_at=clock.now(), admin_pass=None,
        )  # fmt: skip
        instance_actions.finish(tx, run.id, run.request_id, host=server.host)


REBUILD = Saga(
    "server-rebuild",
    version=1,
    failed=mark_broken,
    steps=[
        Step(remove_instance),
        Step(remove_disks),
        Step(push_image),
        Step(ensure_disks),
        Step(ensure_listeners),
        Step(ensure_instance),
        Step(mark_rebuilt),
    ],
)
