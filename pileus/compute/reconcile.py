"""What must stay true of servers and hosts: who reports, which guests run, what is left over."""

import contextlib
import threading
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from pileus.compute import compare, consoles, hosts, images, instance_actions, networks, servers, states, volumes
from pileus.compute.drivers import Nodes
from pileus.compute.sagas import listeners
from pileus.compute.sagas.create import spec_of
from pileus.compute.sagas.delete import DELETE
from pileus.compute.sagas.restore import RESTORE
from pileus.compute.store import Claim, Migration, Server, ServerFault, ServerPort, ServerVolume, disk_gb
from pileus.core import clock, log, saga
from pileus.core.context import internal
from pileus.core.db import Tx, sql
from pileus.core.errors import EngineError, EngineUnavailable
from pileus.core.reconcile import Difference, Task
from pileus.core.tables import columns, shape
from pileus.node import protocol as p

_log = log.logger("pileus.compute")
WAIT = 20.0  # of a long poll: also the pause between two heartbeats
LOOK_AGAIN = 3.0  # seconds between two looks, when the first found something


class Watcher:
    """Follows one node's events for ever."""

    def __init__(self, cloud: Any, name: str, node: p.Node):
        self.cloud = cloud
        self.name = name
        self.node = node
        self.epoch = ""
        self.last = 0

    def follow(self) -> None:
        while not self.cloud.stopping.is_set():
            try:
                self.look(WAIT)
            except EngineUnavailable as error:
                _log.info("a node does not answer", extra={"node": self.name, "why": str(error)})
                self.cloud.stopping.wait(2)
            except Exception:
                _log.exception("a node's events could not be read", extra={"node": self.name})
                self.cloud.stopping.wait(5)
        self.cloud.db.close()

    def look(self, wait: float) -> None:
        """One long poll, and what came of it written down."""
        reply = self.node.events(p.EventsArgs(epoch=self.epoch, after=self.last, wait=wait))
        inventory = next((event.inventory for event in reversed(reply.events) if event.inventory), None)
        power = [event for event in reply.events if event.kind == "power"]
        report = self.node.list_instances() if reply.lost else None
        with self.cloud.db.write() as tx:
            hosts.report(tx, self.name, inventory)
            for event in reply.events:
                if event.kind == "password":
                    tx.update(Server, event.server_id, password=event.detail)
            for event in power:
                note_power(tx, self.name, event.server_id, event.power_state)
            for state in report.instances if report else []:
                if state.domain:
                    note_power(tx, self.name, state.server_id, state.power_state)
        self.epoch, self.last = reply.epoch, reply.last


def note_power(tx: Tx, host: str, server_id: str, power: p.PowerState) -> None:
    """A guest was seen in this state. What nobody is working on takes the state that it shows."""
    server = tx.find(Server, id=server_id)
    if server is None or server.host != host:
        return
    changes: dict[str, Any] = {"power_state": states.POWER[power]}
    if server.task_state is None and not saga.unfinished(tx, f"server/{server_id}"):
        if power in ("shutdown", "crashed") and server.vm_state in (states.ACTIVE, states.HELD):
            changes["vm_state"] = states.STOPPED
        elif power == "running" and server.vm_state in (states.STOPPED, states.HELD, states.SUSPENDED):
            changes["vm_state"] = states.ACTIVE
    if any(getattr(server, name) != value for name, value in changes.items()):
        tx.update(Server, server_id, **changes)


def watch_nodes(cloud: Any) -> None:
    """A thread for each node that is followed; those of a cloud are started once."""
    nodes: Nodes = cloud.drivers["compute"]
    for name, node in nodes.items():
        if name in nodes.watched:
            continue
        nodes.watched.add(name)
        watcher = Watcher(cloud, name, node)
        threading.Thread(target=watcher.follow, name=f"watch-{name}", daemon=True).start()


# -- rows against hosts ------------------------------------------------------------------------------------------------

_AT_WORK = sql(
    sa.select(shape(saga.SagaRow).table).where(
        columns(saga.SagaRow).state.in_([sa.literal_column("'running'"), sa.literal_column("'undoing'")])
    )
)
_NETWORKS = sql(
    sa.select(columns(Server).host, columns(Server).id, columns(ServerPort).network_id)
    .join_from(shape(Server).table, shape(ServerPort).table, columns(ServerPort).server_id == columns(Server).id)
    .where(columns(Server).host.is_not(None))
)


def read_rows(tx: Tx) -> compare.Rows:
    at_work = tx.rows(saga.SagaRow, _AT_WORK)
    busy = {row.resource.removeprefix("server/") for row in at_work}
    placed = tx.all(_NETWORKS)
    answered = {listener.network_id for listener in networks.listeners(tx, sorted({row[2] for row in placed}))}
    present: dict[str, set[str]] = {}
    listening: dict[str, set[str]] = {}
    for host, server_id, network_id in placed:
        present.setdefault(host, set()).add(network_id)
        if server_id not in busy and network_id in answered:
            listening.setdefault(host, set()).add(network_id)
    wanted: dict[str, set[str]] = {}
    for row in tx.select(ServerVolume, attached=True):
        wanted.setdefault(row.server_id, set()).add(row.volume_id)
    return compare.Rows(
        servers={server.id: server for server in tx.select(Server)},
        claims={claim.server_id: claim for claim in tx.select(Claim)},
        busy=busy,
        kept={(host, move.server_id) for move in tx.select(Migration, open=True) for host in (move.source, move.dest)},
        imaging={row.data["image_id"] for row in at_work if "image_id" in row.data},
        volumes=wanted,
        networks=present,
        listening=listening,
    )


def look(cloud: Any, nodes: Iterable[tuple[str, p.Node]]) -> list[Difference]:
    """All differences of this moment. A node that does not answer says nothing about its servers."""
    reports: dict[str, p.Report] = {}
    for name, node in nodes:
        try:
            reports[name] = node.list_instances()
        except EngineUnavailable as error:
            _log.info("a node does not answer", extra={"node": name, "why": str(error)})
    with cloud.db.read() as tx:
        rows = read_rows(tx)
    found = [difference for name, report in reports.items() for difference in compare.on_host(name, report, rows)]
    return found + compare.in_database(rows)


def differences(cloud: Any) -> list[Difference]:
    """What `pileus fsck` says of servers. Fake nodes live in the controller's process: others cannot ask them."""
    nodes: Nodes = cloud.drivers["compute"]
    found = [(name, node) for name, node in nodes.items() if name not in nodes.fakes]
    unreachable = [Difference(name, "node", name, why) for name, node in found if (why := _silent(node))]
    return unreachable + look(cloud, found)


def _silent(node: p.Node) -> str | None:
    try:
        node.hello()
        return None
    except EngineUnavailable as error:
        return f"does not answer: {error}"


def compare_hosts(cloud: Any) -> None:
    """Repair what was seen at this look and at the one before."""
    nodes: Nodes = cloud.drivers["compute"]
    now = look(cloud, nodes.items())
    certain = compare.twice(nodes.seen_before, now)
    nodes.seen_before = now
    for difference in certain:
        _log.warning("repairing a difference", extra=difference._asdict())
        try:
            _repair(cloud, nodes, difference)
        except (EngineUnavailable, EngineError) as error:
            _log.warning("it could not be repaired yet", extra={"why": str(error), **difference._asdict()})
    _drop_images(cloud, nodes)
    if now and not certain:
        cloud.stopping.wait(LOOK_AGAIN)
        if not cloud.stopping.is_set():
            cloud.tasks.wake("compute-compare")


def _repair(cloud: Any, nodes: Nodes, difference: Difference) -> None:
    kind, id = difference.kind, difference.id
    if kind == compare.LEFT_OVER:
        node = nodes.get(difference.where)
        node.remove_instance(p.ServerRef(id))
        node.remove_disks(p.ServerRef(id))
    elif kind == compare.SNAPSHOT:
        nodes.get(difference.where).remove_snapshot(p.SnapshotArgs(server_id="", snapshot_id=id))
    elif kind in (compare.ASIDE, compare.STRANDED, compare.RESCUE):
        _repair_disks(cloud, nodes.get(difference.where), difference)
    elif kind == compare.VOLUME:
        _repair_volumes(cloud, nodes.get(difference.where), id)
    elif kind == compare.LISTENER:
        nodes.get(difference.where).remove_metadata(p.NetworkRef(id))
    elif kind == compare.DEAF:
        with cloud.db.read() as tx:
            wanted = networks.listeners(tx, [id])
        listeners.ensure(nodes.get(difference.where), wanted)
    elif kind in (compare.MISSING, compare.DISKLESS, compare.STUCK, compare.CLAIM):
        with cloud.db.write() as tx:
            server = tx.find(Server, id=id)
            if server is not None and not saga.unfinished(tx, f"server/{id}"):
                _repair_row(tx, server, difference)


def _repair_disks(cloud: Any, node: p.Node, difference: Difference) -> None:
    ref = p.ServerRef(difference.id)
    if difference.kind == compare.ASIDE:
        node.drop_aside(ref)
    elif difference.kind == compare.STRANDED:
        node.take_back(ref)
    else:
        with cloud.db.read() as tx:
            server = tx.find(Server, id=difference.id)
            spec = None if server is None or server.rescue_image_id else spec_of(tx, cloud, server)
        if spec is not None:
            node.ensure_disks(spec)


def _repair_volumes(cloud: Any, node: p.Node, server_id: str) -> None:
    with cloud.db.read() as tx:
        if saga.unfinished(tx, f"server/{server_id}"):
            return
        wanted = {volume.volume_id: volume for volume in volumes.attached(tx, server_id)}
    states_ = (state for state in node.list_instances().instances if state.server_id == server_id)
    there = {volume_id for state in states_ for volume_id in state.volumes}
    for volume_id in there - wanted.keys():
        node.detach_volume(p.DetachVolume(server_id=server_id, volume_id=volume_id))
    for volume_id in wanted.keys() - there:
        node.attach_volume(p.AttachVolume(server_id=server_id, volume=wanted[volume_id]))


def _repair_row(tx: Tx, server: Server, difference: Difference) -> None:
    resource, ctx = f"server/{server.id}", internal(log.request_id.get() or f"req-{clock.new_id()}")
    if difference.kind == compare.MISSING:
        saga.start(tx, RESTORE, resource, ctx)
    elif difference.kind == compare.DISKLESS:
        fault = ServerFault(500, f"The server's disks are no longer on host {server.host}.", "", clock.now())
        tx.update(Server, server.id, vm_state=states.ERROR, power_state=states.NOSTATE, fault=fault)
    elif difference.kind == compare.CLAIM:
        tx.delete(Claim, server_id=server.id)
        if server.host:
            need = disk_gb(server.flavor)
            tx.insert(Claim(server.id, server.host, server.vcpus, server.ram, need))
    elif server.task_state == states.DELETING:
        saga.start(tx, DELETE, resource, ctx)
    else:
        vm_state = states.ERROR if server.vm_state == states.BUILDING else server.vm_state
        tx.update(Server, server.id, task_state=None, vm_state=vm_state)


def _drop_images(cloud: Any, nodes: Nodes) -> None:
    """Base images of deleted images go once no disk stands on them: the node knows."""
    for name, node in nodes.items():
        try:
            held = [image.image_id for image in node.list_images().images]
            with cloud.db.read() as tx:
                gone = [image_id for image_id in held if not images.exists(tx, image_id)]
            for image_id in gone:
                with contextlib.suppress(EngineError):
                    node.remove_image(p.ImageRef(image_id))
        except EngineUnavailable as error:
            _log.info("a node does not answer", extra={"node": name, "why": str(error)})


def forget_old_actions(cloud: Any) -> None:
    with cloud.db.write() as tx:
        instance_actions.forget_old(tx)
        consoles.forget_expired(tx)


# -- what guests are told ----------------------------------------------------------------------------------------------


def tell_guests(cloud: Any) -> None:
    """A server's metadata names its floating address, which comes and goes while it runs: tell those it changed for.

    What was told last is kept in memory only; after a start all that have one are told again, which does no harm.
    """
    told: dict[str, str] = cloud.drivers["compute"].told
    with cloud.db.read() as tx:
        now = networks.floating_of_servers(tx)
    for server_id in [id for id in {*now, *told} if now.get(id) != told.get(id)]:
        try:
            servers.tell_guest(cloud, server_id)
        except (EngineUnavailable, EngineError) as error:
            _log.info("a guest could not be told of its address", extra={"server": server_id, "why": str(error)})
            continue  # the next look tries again
        if server_id in now:
            told[server_id] = now[server_id]
        else:
            told.pop(server_id, None)


TASKS = [
    Task("compute-guests", tell_guests, 3.0),
    Task("compute-watch", watch_nodes, 10.0),
    Task("compute-compare", compare_hosts, 60.0),
    Task("compute-actions", forget_old_actions, 3600.0),
]
