"""Live migration: a guest goes to another host while it runs, with its memory and its disks.

QEMU and libvirt do it; what they say to each other passes through the controller, as the hosts need not reach each other.
Once the guest is there it is there: from then on only forwards, and whoever undoes lets the row follow the guest.
"""

import threading
from typing import Any

import msgspec

from pileus.compute import instance_actions, migrations, states, volumes
from pileus.compute.sagas import listeners
from pileus.compute.sagas.create import push, spec_of
from pileus.compute.sagas.moves import choose_dest, get_move, move_over
from pileus.compute.sagas.server import failed, get_server, node_of, settled, show_task
from pileus.compute.sagas.volumes import connect_all, disconnect_all
from pileus.core import log
from pileus.core.errors import EngineError, EngineUnavailable
from pileus.core.saga import Run, Saga, SagaRow, Step, Wait
from pileus.node import protocol as p
from pileus.node.streams import join

_log = log.logger("pileus.compute")
WAYS: tuple[p.Way, ...] = ("libvirt", "memory", "disks")
LOOK_SECONDS = 0.2


def close_move(run: Run) -> None:
    """It stays, and is shown to; unless it has arrived."""
    with run.db.write() as tx:
        server, move = get_server(tx, run), get_move(tx, run)
        if move.status == "cancelling":
            instance_actions.finish(tx, run.id, run.request_id, EngineError("the migration was aborted"), move.source)
        if move.open:
            migrations.close(tx, move, "cancelled" if move.status == "cancelling" else "error")
        if server.task_state == states.MIGRATING:
            show_task(tx, server, None)


def bring_base(run: Run) -> None:
    with run.db.read() as tx:
        image_id = get_server(tx, run).root_image_id
    if image_id:
        push(run, run.data["dest"], image_id, elsewhere=run.data["source"])


def connect_there(run: Run) -> dict[str, Any]:
    """Its volumes are reached from both hosts as long as it is on its way."""
    with run.db.read() as tx:
        rows = volumes.of_server(tx, run.id)
    found = [volumes.as_attached(volumes.connect(run.cloud, row, run.data["dest"])) for row in rows]
    return {"volumes": [msgspec.to_builtins(volume) for volume in found]}


def disconnect_there(run: Run) -> None:
    """Undo of connect_there, unless it has arrived."""
    if "dest" in run.data and not _has_arrived(run):
        disconnect_all(run, run.data["dest"])
        connect_all(run, run.data["source"])


def prepare_dest(run: Run) -> None:
    if _has_arrived(run):
        return
    with run.db.write() as tx:
        server = get_server(tx, run)
        spec = spec_of(tx, run.cloud, server)
        migrations.set_status(tx, get_move(tx, run), "preparing")
    dest = node_of(run, run.data["dest"])
    dest.ensure_disks(spec)
    listeners.enter(run, run.data["dest"])
    dest.expect_guest(p.ServerRef(run.id))


def clear_dest(run: Run) -> None:
    if run.data.get("dest") and not _has_arrived(run):
        dest, ref = node_of(run, run.data["dest"]), p.ServerRef(run.id)
        dest.end_migration(ref)
        dest.remove_instance(ref)
        dest.remove_disks(ref)
        listeners.leave(run, run.data["dest"])


def migrate_guest(run: Run) -> None:
    """Asked again, as after a crash: a guest that has arrived is not sent, one that has not is sent from the beginning."""
    source, dest, ref = node_of(run, run.data["source"]), node_of(run, run.data["dest"]), p.ServerRef(run.id)
    if _has_arrived(run):
        return
    with run.db.write() as tx:
        migrations.set_status(tx, get_move(tx, run), "running")
    there = msgspec.convert(run.data["volumes"], list[p.AttachedVolume])
    source.migrate(p.MigrateArgs(server_id=run.id, volumes=there))
    over = threading.Event()
    for way in WAYS:
        threading.Thread(
            target=_relay, args=(source, dest, run.id, way, over), name=f"relay-{way}", daemon=True
        ).start()
    try:
        while (told := source.migration(ref)).state == "running":
            if _is_cancelled(run):
                return  # the undo ends it
            over.wait(LOOK_SECONDS)
    finally:
        over.set()
    if told.state != "done":
        raise EngineError(f"the guest could not be migrated: {told.message or 'its host has forgotten of it'}")


def _is_cancelled(run: Run) -> bool:
    with run.db.read() as tx:
        return tx.get(SagaRow, id=run.row.id).cancelled


def _relay(source: p.Node, dest: p.Node, server_id: str, way: p.Way, over: threading.Event) -> None:
    """Join what leaves the one host with what waits for it on the other, connection by connection."""
    args = p.StreamArgs(server_id=server_id, way=way)
    while not over.is_set():
        try:
            leaving = source.take_stream(args)
        except (EngineError, EngineUnavailable):
            over.wait(LOOK_SECONDS)
            continue
        threading.Thread(target=_carry, args=(leaving, dest, args), name=f"stream-{way}", daemon=True).start()


def _carry(leaving: Any, dest: p.Node, args: p.StreamArgs) -> None:
    with leaving:
        try:
            with dest.give_stream(args) as arriving:
                join(leaving, arriving)
        except (EngineError, EngineUnavailable, OSError) as error:
            _log.info("a stream of a migration broke", extra={"way": args.way, "why": str(error)})


def keep_guest(run: Run) -> None:
    """Undo of sending it: it stays, unless it has arrived already."""
    if "dest" not in run.data:
        return
    source, ref = node_of(run, run.data["source"]), p.ServerRef(run.id)
    source.end_migration(ref)
    if source.migration(ref).state == "running":
        raise Wait(LOOK_SECONDS)
    source.end_migration(ref)
    if _has_arrived(run):
        settle_there(run)


def settle_there(run: Run) -> None:
    """The row follows the guest; its new host is told to keep it, and the old one to forget it."""
    move_over(run)
    connect_all(run, run.data["dest"])
    listeners.enter(
        run, run.data["dest"]
    )  # again: until its row said so, the last to leave there may have taken them away
    with run.db.read() as tx:
        server = get_server(tx, run)
        spec, held = spec_of(tx, run.cloud, server), get_move(tx, run).old_vm_state == states.HELD
    source, dest, ref = node_of(run, run.data["source"]), node_of(run, run.data["dest"]), p.ServerRef(run.id)
    dest.end_migration(ref)
    dest.ensure_instance(spec)
    if not held:
        dest.power(p.PowerArgs(server_id=run.id, action="unpause"))  # it may have been let stand still on its way
    source.end_migration(ref)
    source.remove_instance(ref)
    source.remove_disks(ref)
    disconnect_all(run, run.data["source"])
    listeners.leave(run, run.data["source"])
    with run.db.write() as tx:
        migrations.close(tx, get_move(tx, run), "completed")


def mark_migrated(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        held = get_move(tx, run).old_vm_state == states.HELD
        vm_state, power = (states.HELD, states.PAUSED) if held else (states.ACTIVE, states.RUNNING)
        settled(tx, run, server, vm_state, power_state=power)


def mark_as_before(run: Run, error: BaseException) -> None:
    failed(run, error)


def _has_arrived(run: Run) -> bool:
    """On its way it is on both hosts: waiting on the one, and still running on the other."""
    return _has_guest(run, "dest") and not _has_guest(run, "source")


def _has_guest(run: Run, which: str) -> bool:
    report = node_of(run, run.data[which]).list_instances()
    return any(state.server_id == run.id and state.domain for state in report.instances)


LIVE = Saga(
    "server-live-migration",
    version=2,
    failed=mark_as_before,
    steps=[
        Step(choose_dest, undo=close_move),
        Step(bring_base),
        Step(connect_there, undo=disconnect_there),
        Step(prepare_dest, undo=clear_dest),
        Step(migrate_guest, undo=keep_guest),
        Step(settle_there),  # from here on only forwards: what fails is tried again by whoever undoes
        Step(mark_migrated),
    ],
)
