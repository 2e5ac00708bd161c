"""Volumes of servers: given and taken while a server is there, and the steps by which other operations care for them."""

from typing import Any

import msgspec

from pileus.compute import instance_actions, states, volumes
from pileus.compute.sagas.server import get_server, node_of, show_task
from pileus.compute.store import Server, ServerVolume
from pileus.core.context import Context, internal
from pileus.core.errors import EngineError, Gone
from pileus.core.saga import Run, Saga, Step, Wait
from pileus.node import protocol as p

LOOK_SECONDS = 0.2
BEING_MADE = ("creating", "downloading")


def _rows(run: Run) -> list[ServerVolume]:
    with run.db.read() as tx:
        return volumes.of_server(tx, run.id)


# -- of a server that is made ------------------------------------------------------------------------------------------


def await_volumes(run: Run) -> dict[str, Any]:
    """Those that are made for it; each is then promised to it. It had better be placed where most of them are."""
    with run.db.write() as tx:
        server = get_server(tx, run)
        rows = volumes.of_server(tx, run.id)
        near: list[str] = []
        for row in rows:
            volume = volumes.find_volume(tx, row.volume_id)
            if volume is None or volume.status.startswith("error"):
                raise EngineError(f"Block Device Mapping is Invalid: volume {row.volume_id} could not be made.")
            near.append((volume.host or "").partition("@")[0])
            if not row.attachment_id and volume.status == "available":
                volumes.reserve(tx, row, volume, server.project_id)
                tx.update(
                    ServerVolume, row.id, attachment_id=row.attachment_id, shared=row.shared, read_only=row.read_only
                )
        waiting = [row for row in rows if not row.attachment_id]
        if rows:
            show_task(tx, server, states.BLOCK_DEVICES if waiting else states.SCHEDULING)
    if waiting:
        raise Wait(LOOK_SECONDS)
    need = {**run.data["need"], "near": [*run.data["need"].get("near", []), *near]}
    return {"need": need}


def give_back_volumes(run: Run) -> None:
    """They are free again, and those that were to end with the server end: once they are there."""
    for row in _rows(run):
        with run.db.read() as tx:
            volume = volumes.find_volume(tx, row.volume_id)
        if row.delete_on_termination and volume is not None and volume.status in BEING_MADE:
            raise Wait(LOOK_SECONDS)
        volumes.release(run.cloud, row)
        end_with_server(run, row)


def end_with_server(run: Run, row: ServerVolume) -> None:
    if row.delete_on_termination:
        with run.db.write() as tx:
            server = tx.find(Server, id=run.id)
            volumes.delete_volume(tx, _owner(run, server), row.volume_id)


def _owner(run: Run, server: Server | None) -> Context:
    """The cloud itself, in the name of the server's project."""
    ctx = internal(run.request_id)
    project_id = server.project_id if server else run.row.project_id
    return msgspec.structs.replace(ctx, project_id=project_id, roles=ctx.roles | {"admin"})


def connect_volumes(run: Run) -> None:
    """On the host where it is going to run."""
    connect_all(run, run.data["host"])


def connect_all(run: Run, host: str) -> None:
    for row in _rows(run):
        volumes.connect(run.cloud, row, host)
        with run.db.write() as tx:
            volumes.keep_connection(tx, row)


def disconnect_all(run: Run, host: str) -> None:
    """What it leaves need not reach its volumes any more."""
    for row in _rows(run):
        volumes.disconnect(run.cloud, row, host)


def disconnect_volumes(run: Run) -> None:
    if host := run.data.get("host"):
        disconnect_all(run, host)


def complete_volumes(run: Run) -> None:
    """Its guest has them."""
    with run.db.write() as tx:
        for row in volumes.of_server(tx, run.id):
            if row.attachment_id:
                volumes.complete(tx, row)


def reimage_boot_volume(run: Run) -> dict[str, Any] | None:
    """Of a server that is rebuilt from another image than the one its volume was made of."""
    image_id = run.data.get("reimage")
    with run.db.write() as tx:
        row = volumes.boot_volume(tx, run.id)
        volume = volumes.find_volume(tx, row.volume_id) if row else None
        if not image_id or row is None or volume is None:
            return None
        if volume.status.startswith("error"):
            raise EngineError(f"volume {volume.id} could not be made from image {image_id}")
        if volume.status in ("in-use", "reserved") and volume.image_metadata.get("image_id") != image_id:
            volumes.reimage(tx, _owner(run, get_server(tx, run)), row, image_id)
        elif volume.status == "reserved":
            return None
    raise Wait(LOOK_SECONDS)


def release_volumes(run: Run) -> None:
    """Its guest is gone, and will not come back."""
    give_back_volumes(run)


# -- of a server that is there -----------------------------------------------------------------------------------------


def _row(run: Run) -> ServerVolume | None:
    with run.db.read() as tx:
        return tx.find(ServerVolume, id=run.data["row"])


def _get_row(run: Run) -> ServerVolume:
    found = _row(run)
    if found is None:
        raise Gone("The volume's attachment is gone.")
    return found


def connect(run: Run) -> None:
    row = volumes.connect(run.cloud, _get_row(run), run.data["host"])
    with run.db.write() as tx:
        volumes.note_connection(tx, row)


def plug_in(run: Run) -> None:
    """It is noted first: a guest that is made anew has it."""
    row = _get_row(run)
    with run.db.write() as tx:
        tx.update(ServerVolume, row.id, attached=True)
    args = p.AttachVolume(server_id=run.id, volume=volumes.as_attached(row))
    node_of(run, run.data["host"]).attach_volume(args)


def pull_out(run: Run) -> None:
    """Undo of plug_in."""
    row = _row(run)
    if row is not None:
        node_of(run, run.data["host"]).detach_volume(p.DetachVolume(server_id=run.id, volume_id=row.volume_id))
        with run.db.write() as tx:
            tx.update(ServerVolume, row.id, attached=False)


def give_back(run: Run) -> None:
    row = _row(run)
    if row is not None:
        volumes.release(run.cloud, row)


def mark_plugged(run: Run) -> None:
    with run.db.write() as tx:
        volumes.complete(tx, tx.get(ServerVolume, id=run.data["row"]))
        instance_actions.finish(tx, run.id, run.request_id, host=run.data["host"])


def note_failure(run: Run, error: BaseException) -> None:
    """The server goes on as it was; its action log says why."""
    with run.db.write() as tx:
        instance_actions.finish(tx, run.id, run.request_id, error, run.data.get("host"))


ATTACH_VOLUME = Saga(
    "server-attach-volume",
    version=1,
    failed=note_failure,
    steps=[Step(connect, undo=give_back), Step(plug_in, undo=pull_out), Step(mark_plugged)],
)


def unplug(run: Run) -> dict[str, Any]:
    """A server that is on no host has nothing to let go of."""
    row = _row(run)
    if row is not None and run.data.get("host"):
        node_of(run, run.data["host"]).detach_volume(p.DetachVolume(server_id=run.id, volume_id=row.volume_id))
        with run.db.write() as tx:
            tx.update(ServerVolume, row.id, attached=False)
    return {"unplugged": True}


def mark_unplugged(run: Run) -> None:
    with run.db.write() as tx:
        instance_actions.finish(tx, run.id, run.request_id, host=run.data.get("host"))


def keep_volume(run: Run, error: BaseException) -> None:
    """The guest did not let go: the volume is in use as before."""
    if not run.data.get("unplugged") and (row := _row(run)) is not None:
        with run.db.write() as tx:
            volumes.roll_detaching(tx, row)
    note_failure(run, error)


DETACH_VOLUME = Saga(
    "server-detach-volume",
    version=1,
    failed=keep_volume,
    steps=[Step(unplug), Step(give_back), Step(mark_unplugged)],
)
