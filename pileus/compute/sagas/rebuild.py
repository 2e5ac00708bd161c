"""Rebuild: the disks are made anew from an image; addresses, name and place stay."""

from pileus.compute import states
from pileus.compute.sagas.create import (
    ensure_disks,
    ensure_instance,
    ensure_listeners,
    push_image,
    remove_disks,
    remove_instance,
)
from pileus.compute.sagas.server import get_server, mark_broken, settled
from pileus.compute.sagas.volumes import complete_volumes, connect_volumes, reimage_boot_volume
from pileus.core import clock
from pileus.core.saga import Run, Saga, Step


def mark_rebuilt(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        vm_state = states.STOPPED if server.vm_state == states.STOPPED else states.ACTIVE
        settled(tx, run, server, vm_state, launched_at=clock.now())


REBUILD = Saga(
    "server-rebuild",
    version=3,
    failed=mark_broken,
    steps=[
        Step(remove_instance),
        Step(remove_disks),
        Step(reimage_boot_volume),
        Step(push_image),
        Step(ensure_disks),
        Step(ensure_listeners),
        Step(connect_volumes),
        Step(ensure_instance),
        Step(complete_volumes),
        Step(mark_rebuilt),
    ],
)
