"""An image of a server: its root disk is copied on its host, and the copy taken into the image service."""

from typing import Any

from pileus.compute import images, states
from pileus.compute.sagas.server import get_server, give_up, node_of, settled, show_task
from pileus.core.saga import Run, Saga, Step, Wait
from pileus.node import protocol as p


def make_snapshot(run: Run) -> dict[str, Any]:
    with run.db.write() as tx:
        server = get_server(tx, run)
        if server.task_state == states.SNAPSHOT_PENDING:
            show_task(tx, server, states.SNAPSHOT)
    made = node_of(run, run.data["host"]).make_snapshot(_snapshot(run))
    return {"size": made.size}


def upload_snapshot(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        if server.task_state == states.SNAPSHOT:
            show_task(tx, server, states.UPLOADING)
    chunks = node_of(run, run.data["host"]).read_file(p.FileRef(kind="snapshot", id=run.data["image_id"]))
    if not images.upload(run.cloud, run.data["image_id"], chunks, run.data["size"]):
        raise Wait(1.0)


def drop_snapshot(run: Run) -> None:
    """The copy and the image, unless that is all that is left of the server."""
    remove_snapshot(run)
    if not run.data.get("leaving"):
        with run.db.write() as tx:
            images.delete_image(run.cloud, tx, run.data["image_id"])


def remove_snapshot(run: Run) -> None:
    node_of(run, run.data["host"]).remove_snapshot(_snapshot(run))


def _snapshot(run: Run) -> p.SnapshotArgs:
    return p.SnapshotArgs(server_id=run.id, snapshot_id=run.data["image_id"])


def mark_imaged(run: Run) -> None:
    """Of backups of a kind only so many are kept."""
    with run.db.write() as tx:
        server = get_server(tx, run)
        if (keep := run.data.get("rotation")) is not None:
            for old in images.backups(tx, server.project_id, server.id, run.data["backup_type"])[keep:]:
                images.delete_image(run.cloud, tx, old.id)
        settled(tx, run, server)


IMAGE = Saga(
    "server-image",
    version=1,
    failed=give_up,
    steps=[
        Step(make_snapshot, undo=drop_snapshot),
        Step(upload_snapshot),
        Step(remove_snapshot),
        Step(mark_imaged),
    ],
)


def upload_nothing(run: Run) -> None:
    """The image says which snapshots it is made of, and has no bytes of its own."""
    if not images.upload(run.cloud, run.data["image_id"], iter(()), 0):
        raise Wait(1.0)


def drop_image(run: Run) -> None:
    with run.db.write() as tx:
        images.delete_image(run.cloud, tx, run.data["image_id"])


IMAGE_OF_VOLUMES = Saga(
    "server-image-of-volumes",
    version=1,
    failed=give_up,
    steps=[Step(upload_nothing, undo=drop_image), Step(mark_imaged)],
)
