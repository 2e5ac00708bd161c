"""A server whose guest vanished from its host while its disks are there: the guest is made again as it should be."""

from pileus.compute.sagas.create import ensure_instance, ensure_listeners
from pileus.compute.sagas.server import get_server, mark_broken, settle
from pileus.core.saga import Run, Saga, Step


def find_host(run: Run) -> dict[str, str]:
    with run.db.read() as tx:
        return {"host": get_server(tx, run).host or ""}


def note_power(run: Run) -> None:
    settle(run)


RESTORE = Saga(
    "server-restore",
    version=1,
    failed=mark_broken,
    steps=[Step(find_host), Step(ensure_listeners), Step(ensure_instance), Step(note_power)],
)
