"""A server whose guest vanished from its host while its disks are there: the guest is made again as it should be."""

from pileus.compute import states
from pileus.compute.sagas.create import (
    ensure_instance,
    ensure_listeners,
    get_server,
    server_fault,
    show_task,
)
from pileus.compute.store import Server
from pileus.core.saga import Run, Saga, Step


def find_host(run: Run) -> dict[str, str]:
    with run.db.read() as tx:
        return {"host": get_server(tx, run).host or ""}


def note_power(run: Run) -> None:
    with run.db.write() as tx:
        show_task(tx, get_server(tx, run), None, power_state=run.data.get("power_state", states.NOSTATE))


def mark_lost(run: Run, error: BaseException) -> None:
    """It keeps its host: what is left of it there goes when it is deleted."""
    with run.db.write() as tx:
        server = tx.find(Server, id=run.id)
        if server is not None:
            show_task(tx, server, None, vm_state=states.ERROR, fault=server_fault(error))


RESTORE = Saga(
    "server-restore",
    version=1,
    failed=mark_lost,
    steps=[Step(find_host), Step(ensure_listeners), Step(ensure_instance), Step(note_power)],
)
