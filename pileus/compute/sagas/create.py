"""Server create, after the 202: a host, the image, disks, the guest. Its ports are there since the request."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from pileus.compute import hosts, images, networks, scheduler, server_groups, states, volumes
from pileus.compute.metadata_documents import documents, instance_spec
from pileus.compute.sagas import listeners
from pileus.compute.sagas.server import get_server, mark_active, mark_error, node_of, show_task
from pileus.compute.sagas.volumes import (
    await_volumes,
    complete_volumes,
    connect_volumes,
    disconnect_volumes,
    give_back_volumes,
)
from pileus.compute.store import Claim, Server, ServerPort
from pileus.core import clock, quota
from pileus.core.db import Tx
from pileus.core.errors import EngineError
from pileus.core.saga import Run, Saga, Step, Wait
from pileus.node import protocol as p

# what a server is shown to be doing while its disks and guest are made, where that is not spawning
SPAWNS = {
    "server-rebuild": states.REBUILD_SPAWNING, "server-evacuate": states.REBUILD_SPAWNING,
    "server-resize": states.RESIZE_FINISH, "server-rescue": states.RESCUING, "server-unrescue": states.UNRESCUING,
}  # fmt: skip
LOOK_SECONDS = 0.1  # of waiting for it with a thread
PORT_SECONDS = 60.0  # how long the network may take to know the ports


# -- steps -------------------------------------------------------------------------------------------------------------


def give_back(run: Run) -> None:
    """Undo of all that the request promised: ports, of which one that its user brought is free again, and volumes."""
    with run.db.write() as tx:
        networks.release(tx, run.id)
    give_back_volumes(run)


def choose_node(run: Run) -> dict[str, Any]:
    """The choice and the claim are one transaction: two servers never get the same last place."""
    need = msgspec.convert(run.data["need"], scheduler.Need)
    with run.db.write() as tx:
        server = get_server(tx, run)
        claim = tx.find(Claim, server_id=run.id)
        if claim is None:
            quota.hold(tx, "claims", None)
            chosen = scheduler.choose(hosts.candidates(tx), server_groups.narrowed(tx, server, need))
            claim = Claim(run.id, chosen.name, need.vcpus, need.memory_mb, need.disk_gb)
            tx.insert(claim)
        host = hosts.find_host(tx, claim.host)
        zone = host.zone if host else hosts.DEFAULT_ZONE
        show_task(tx, server, states.NETWORKING, host=claim.host, availability_zone=zone)
    return {"host": claim.host}


def free_claim(run: Run) -> None:
    """Also the ports it was to have: one that its user brought is free for the next server."""
    with run.db.write() as tx:
        tx.delete(Claim, server_id=run.id)
        networks.release(tx, run.id)
        tx.update(Server, run.id, host=None)


def bind_ports(run: Run) -> None:
    """One transaction: all its ports are bound to its host, or none is."""
    with run.db.write() as tx:
        networks.bind(tx, get_server(tx, run), run.data["host"])


def await_ports(run: Run) -> dict[str, Any]:
    """A guest whose ports the network does not know yet would not get its first DHCP answer."""
    with run.db.read() as tx:
        ports = tx.select(ServerPort, server_id=run.id)
    if networks.wait_programmed(run.cloud, ports, seconds=LOOK_SECONDS):
        return {}
    since = run.data.setdefault("ports_since", clock.now())
    if clock.epoch(clock.now()) - clock.epoch(since) > PORT_SECONDS:
        raise EngineError(f"the network did not bind the server's ports within {PORT_SECONDS:.0f} s")
    raise Wait(0.05)


_pushing: set[tuple[str, str]] = set()
_pushing_lock = threading.Lock()


@contextlib.contextmanager
def _only_push(host: str, image_id: str) -> Iterator[bool]:
    """True for the one that sends an image to a host; the others look again later, without holding a thread."""
    key = (host, image_id)
    with _pushing_lock:
        first = key not in _pushing
        _pushing.add(key)
    try:
        yield first
    finally:
        if first:
            with _pushing_lock:
                _pushing.discard(key)


def push_image(run: Run) -> None:
    """The base image stays on the host whatever becomes of this server: a cache has no undo."""
    with run.db.read() as tx:
        image_id = get_server(tx, run).root_image_id
    if image_id:
        push(run, run.data["host"], image_id)


def push(run: Run, host: str, image_id: str, elsewhere: str | None = None) -> None:
    """Bring an image to a host: from the image service, or once it is deleted there, from the host that still has it."""
    node = node_of(run, host)
    if node.has_image(p.ImageRef(image_id)).image is not None:
        return
    with _only_push(host, image_id) as first:
        if not first:
            raise Wait(0.1)
        with run.db.read() as tx:
            stored = images.is_stored(tx, image_id)
        if stored:
            node.put_image(*images.to_send(run.cloud, image_id))
            return
        other = node_of(run, elsewhere) if elsewhere else None
        held = other.has_image(p.ImageRef(image_id)).image if other else None
        if other is None or held is None:
            raise EngineError(f"image {image_id} is deleted, and no host has it")
        args = p.PutImage(image_id=image_id, size=held.size, sha512=held.sha512, format=held.format)
        node.put_image(args, other.read_file(p.FileRef(kind="base", id=image_id)))


def ensure_disks(run: Run) -> None:
    with run.db.write() as tx:
        server = get_server(tx, run)
        show_task(tx, server, SPAWNS.get(run.row.kind, states.SPAWNING))
        spec = spec_of(tx, run.cloud, server)
    node_of(run, run.data["host"]).ensure_disks(spec)


def remove_disks(run: Run) -> None:
    if host := run.data.get("host"):
        node_of(run, host).remove_disks(p.ServerRef(run.id))


def ensure_listeners(run: Run) -> None:
    """Metadata is answered on this host in the server's networks."""
    listeners.enter(run, run.data["host"])


def drop_listeners(run: Run) -> None:
    if host := run.data.get("host"):
        listeners.leave(run, host)


def ensure_instance(run: Run) -> dict[str, Any]:
    with run.db.read() as tx:
        spec = spec_of(tx, run.cloud, get_server(tx, run))
    state = node_of(run, run.data["host"]).ensure_instance(spec)
    return {"power_state": states.POWER[state.power_state]}


def remove_instance(run: Run) -> None:
    if host := run.data.get("host"):
        node_of(run, host).remove_instance(p.ServerRef(run.id))


def spec_of(tx: Tx, cloud: Any, server: Server) -> p.InstanceSpec:
    power: p.DesiredPower = "running"
    if server.rescue_image_id:
        power = "running"
    elif server.vm_state == states.STOPPED or (
        server.vm_state == states.RESIZED and server.power_state == states.SHUTDOWN
    ):
        power = "shutdown"
    elif server.vm_state == states.SUSPENDED:
        power = "suspended"
    nics, documents = networks.nics(tx, server.id), guest_documents(tx, cloud, server)
    return instance_spec(server, nics, documents, power, volumes.attached(tx, server.id))


def guest_documents(tx: Tx, cloud: Any, server: Server) -> p.Documents:
    seen = networks.seen(tx, [server.id]).get(server.id, networks.Seen())
    return documents(server, cloud.settings.dhcp_domain, networks.public_ipv4(seen), seen.groups or None)


# from a host that is chosen to a guest that runs there
SPAWN = [
    Step(bind_ports),
    Step(await_ports),
    Step(push_image),
    Step(ensure_disks, undo=remove_disks),
    Step(ensure_listeners, undo=drop_listeners),
    Step(connect_volumes, undo=disconnect_volumes),
    Step(ensure_instance, undo=remove_instance),
    Step(complete_volumes),
]
CREATE = Saga(
    "server-create",
    version=2,
    failed=mark_error,
    steps=[Step(await_volumes, undo=give_back), Step(choose_node, undo=free_claim), *SPAWN, Step(mark_active)],
)
