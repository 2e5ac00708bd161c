"""A node in memory: same contract, same answers, no host. It ships: the demo's, the scale mode's and the tests' node.

`fail("ensure_instance", times=2)` makes the next two calls raise; `slow("power", 0.1)` delays; `crash()` takes the
process away with its events (guests stay), `power_cut()` the guests too.
"""

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from pileus.node import protocol as p
from pileus.node.errors import NodeError, NodeFault, NodeUnavailable
from pileus.node.events import EventLog
from pileus.node.fake_copies import FakeCopies, FakeInstance, FakeVolume, stands_on
from pileus.node.fake_moves import FakeMoves
from pileus.node.fake_volumes import FakeVolumes

GIB = 1 << 30
# RFB's handshake (RFC 6143, 7): version, security (none), that it is well, and a screen of 640 by 480 in true colour
RFB = [
    b"RFB 003.008\n", b"\x01\x01", bytes(4),
    struct.pack(">HHBBBBHHHBBB3xI4s", 640, 480, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0, 4, b"fake"),
]  # fmt: skip
DESIRED: dict[str, p.DesiredPower] = {"stop": "shutdown", "suspend": "suspended"}


class FakeNode(FakeCopies, FakeMoves, FakeVolumes):
    """Obeys `protocol.Node`."""

    def __init__(
        self, name: str = "fake-1", vcpus: int = 64, memory_mb: int = 262144, disk_gb: int = 2000, accel: str = "fake"
    ) -> None:
        self.name, self.vcpus, self.memory_mb, self.disk_gb, self.accel = name, vcpus, memory_mb, disk_gb, accel
        self.instances: dict[str, FakeInstance] = {}
        self.images: dict[str, p.Image] = {}
        self.networks: dict[str, p.MetadataArgs] = {}
        self.snapshots: dict[str, bytes] = {}
        self.volumes: dict[str, FakeVolume] = {}
        self.volume_snapshots: dict[str, FakeVolume] = {}
        self.calls: list[str] = []  # names, in order: for tests that ask what was done
        self.leaving: dict[str, p.Migration] = {}
        self.expected: set[str] = set()
        self._taken: set[str] = set()
        self.started = time.time()
        self._faults: dict[str, list[NodeFault]] = {}
        self._delays: dict[str, float] = {}
        self._lock = threading.RLock()
        self._events = EventLog(self._inventory)

    # --- the strings a test pulls ---

    def fail(self, call: str, times: int = 1, error: NodeFault | None = None) -> None:
        """Let the next calls of this name raise, before they do anything. `times=0` forgets."""
        with self._lock:
            self._faults[call] = [error or NodeUnavailable(f"{self.name}: told to fail at {call}")] * times

    def slow(self, call: str, seconds: float) -> None:
        self._delays[call] = seconds

    def crash(self) -> None:
        """The node process restarts: a new epoch, forgotten events; the guests go on."""
        self._events.close()
        self._events = EventLog(self._inventory)

    def power_cut(self) -> None:
        """The whole host restarts: guests which should run are back, as after the real node's start."""
        with self._lock:
            for instance in self.instances.values():
                if instance.spec and instance.spec.power == "running":
                    instance.console += "login: "
        self.crash()

    def guest_shutdown(self, server_id: str) -> None:
        """Somebody typed `poweroff` inside the guest."""
        with self._lock:
            instance = self._instance(server_id)
            self._want(instance, "shutdown")
            self._set_power(instance, "shutdown", "guest")

    @contextmanager
    def _entered(self, call: str) -> Iterator[None]:
        if delay := self._delays.get(call):
            time.sleep(delay)
        with self._lock:
            self.calls.append(call)
            if len(self.calls) > 10_000:
                del self.calls[:5_000]
            if faults := self._faults.get(call):
                raise faults.pop()
            yield

    # --- the contract ---

    def hello(self, args: p.Nothing = p.NOTHING) -> p.Hello:
        with self._entered("hello"):
            return p.Hello(version=p.VERSION, name=self.name, accel=self.accel, epoch=self._events.epoch)

    def inventory(self, args: p.Nothing = p.NOTHING) -> p.Inventory:
        with self._entered("inventory"):
            return self._inventory()

    def has_image(self, args: p.ImageRef) -> p.ImageReply:
        with self._entered("has_image"):
            return p.ImageReply(self.images.get(args.image_id))

    def put_image(self, args: p.PutImage, body: Iterable[bytes]) -> p.Image:
        digest, size = hashlib.new(args.algorithm, usedforsecurity=False), 0
        with self._entered("put_image"):
            if have := self.images.get(args.image_id):
                return have
        for chunk in body:
            digest.update(chunk)
            size += len(chunk)
        if size != args.size or digest.hexdigest() != args.sha512:
            raise NodeError("invalid", f"image {args.image_id}: the bytes are not those announced")
        if args.format not in ("raw", "qcow2", "iso", "vmdk", "vdi", "vhd", "vhdx"):
            raise NodeError("invalid", f"image {args.image_id}: a node cannot boot from format {args.format}")
        image = p.Image(image_id=args.image_id, format=args.format, size=size, virtual_size=size, sha512=args.sha512)
        with self._lock:
            return self.images.setdefault(args.image_id, image)

    def remove_image(self, args: p.ImageRef) -> p.Nothing:
        with self._entered("remove_image"):
            if any(stands_on(i, args.image_id) for i in self.instances.values()):
                raise NodeError("in_use", f"image {args.image_id} is the base of a root disk")
            self.images.pop(args.image_id, None)
            return p.NOTHING

    def list_images(self, args: p.Nothing = p.NOTHING) -> p.ImageList:
        with self._entered("list_images"):
            return p.ImageList(list(self.images.values()))

    def ensure_disks(self, args: p.InstanceSpec) -> p.DiskList:
        with self._entered("ensure_disks"):
            root, rescue = args.disks.root, args.disks.rescue
            for disk in (root, rescue):
                if disk and disk.image_id not in self.images:
                    raise NodeError("not_found", f"image {disk.image_id} is not on this node")
            if root and root.size_gb and root.size_gb * GIB < self.images[root.image_id].virtual_size:
                raise NodeError("invalid", f"image {root.image_id} is larger than a root disk of {root.size_gb} GiB")
            instance = self.instances.setdefault(args.server_id, FakeInstance(args.server_id))
            planned = {disk.role: disk for disk in self._plan(args.disks)}
            instance.disks = {
                role: max(disk, instance.disks.get(role, disk), key=lambda found: found.size)
                for role, disk in planned.items()
            }
            instance.image_id = root.image_id if root else ""
            instance.rescue_image_id = rescue.image_id if rescue else ""
            return p.DiskList(list(instance.disks.values()))

    def remove_disks(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("remove_disks"):
            instance = self.instances.get(args.server_id)
            if instance and instance.domain:
                raise NodeError("in_use", f"server {args.server_id} still has its domain")
            self.instances.pop(args.server_id, None)
            return p.NOTHING

    def ensure_instance(self, args: p.InstanceSpec) -> p.InstanceState:
        with self._entered("ensure_instance"):
            instance = self.instances.setdefault(args.server_id, FakeInstance(args.server_id))
            if missing := [d.role for d in self._plan(args.disks) if d.role not in instance.disks]:
                raise NodeError("not_found", f"server {args.server_id} has no disk {', '.join(missing)}")
            self.check_volumes(args.volumes)
            instance.spec, instance.domain = args, True
            if args.power == "running" and instance.power != "paused":
                self._boot(instance)
            elif instance.power == "nostate":
                instance.power = "shutdown"
            return self._state(instance)

    def remove_instance(self, args: p.ServerRef) -> p.Nothing:
        with self._entered("remove_instance"):
            if instance := self.instances.get(args.server_id):
                instance.spec, instance.domain, instance.power, instance.saved = None, False, "nostate", False
                if not instance.disks and not instance.aside:
                    del self.instances[args.server_id]
            return p.NOTHING

    def power(self, args: p.PowerArgs) -> p.Nothing:
        with self._entered("power"):
            instance = self._instance(args.server_id)
            if args.action in ("pause", "unpause"):
                if instance.power not in ("running", "paused"):
                    raise NodeError("engine", f"server {args.server_id} does not run: it cannot {args.action}")
                self._set_power(instance, "paused" if args.action == "pause" else "running", "api")
                return p.NOTHING
            self._want(instance, DESIRED.get(args.action, "running"))
            instance.saved = args.action == "suspend" and (instance.saved or instance.power != "shutdown")
            if args.action in ("stop", "suspend"):
                self._set_power(instance, "shutdown", "api")
            else:
                if args.action == "reboot":
                    instance.power = "shutdown"
                self._boot(instance)
            return p.NOTHING

    def ensure_nics(self, args: p.EnsureNics) -> p.Nothing:
        with self._entered("ensure_nics"):
            instance = self._instance(args.server_id)
            if instance.spec:
                instance.spec = msgspec.structs.replace(instance.spec, nics=args.nics)
            return p.NOTHING

    def diagnostics(self, args: p.ServerRef) -> p.Diagnostics:
        with self._entered("diagnostics"):
            instance = self._instance(args.server_id)
            spec = instance.spec
            running = instance.power == "running"
            return p.Diagnostics(
                power_state=instance.power,
                hypervisor="fake",
                uptime_seconds=int(time.time() - self.started) if running else 0,
                cpu_ns=[0] * (spec.vcpus if spec and running else 0),
                memory_mb=spec.memory_mb if spec else 0,
                disks=[p.Counters(name=disk.device) for disk in instance.disks.values()],
                nics=[p.Counters(name=nic.mac) for nic in spec.nics] if spec else [],
            )

    def console_log(self, args: p.ConsoleLogArgs) -> p.ConsoleLog:
        with self._entered("console_log"):
            console = self._instance(args.server_id).console
            if args.lines is None:
                return p.ConsoleLog(console)
            return p.ConsoleLog(
                "\n".join(console.removesuffix("\n").split("\n")[-args.lines :] if args.lines > 0 else [])
            )

    def open_console(self, args: p.ConsoleArgs) -> socket.socket:
        with self._entered("open_console"):
            instance = self._instance(args.server_id)
            if instance.power not in ("running", "paused"):
                raise NodeError("not_found", f"server {args.server_id} does not run on {self.name}")
            ours, theirs = socket.socketpair()
            ours.sendall(RFB[0] if args.kind == "vnc" else instance.console[-80:].encode())
            threading.Thread(target=_screen if args.kind == "vnc" else _line, args=(ours,), daemon=True).start()
            return theirs

    def ensure_metadata(self, args: p.MetadataArgs) -> p.Nothing:
        with self._entered("ensure_metadata"):
            self.networks[args.network_id] = args
            return p.NOTHING

    def remove_metadata(self, args: p.NetworkRef) -> p.Nothing:
        with self._entered("remove_metadata"):
            self.networks.pop(args.network_id, None)
            return p.NOTHING

    def set_metadata(self, args: p.SetMetadata) -> p.Nothing:
        with self._entered("set_metadata"):
            instance = self.instances.get(args.server_id)
            if instance and instance.spec:
                instance.spec = p.newer(instance.spec, args)
            return p.NOTHING

    def list_instances(self, args: p.Nothing = p.NOTHING) -> p.Report:
        with self._entered("list_instances"):
            return p.Report(
                instances=[self._state(i) for i in self.instances.values()],
                images=list(self.images.values()),
                networks=list(self.networks),
                snapshots=list(self.snapshots),
            )

    def events(self, args: p.EventsArgs) -> p.EventsReply:
        with self._entered("events"):
            log = self._events
        return log.after(args)

    # --- inside ---

    def _instance(self, server_id: str) -> FakeInstance:
        instance = self.instances.get(server_id)
        if not instance or not instance.domain:
            raise NodeError("not_found", f"server {server_id} is not on this node")
        return instance

    def _want(self, instance: FakeInstance, power: p.DesiredPower) -> None:
        if instance.spec:
            instance.spec = msgspec.structs.replace(instance.spec, power=power)

    def _boot(self, instance: FakeInstance) -> None:
        if instance.power != "running":
            lines = [f"[{n:4}.000000] {self.name} boots {instance.server_id}" for n in range(12)]
            instance.console += "\n".join([*lines, "login: \n"])
            self._set_power(instance, "running", "api")

    def _set_power(self, instance: FakeInstance, power: p.PowerState, cause: str) -> None:
        if instance.power != power:
            instance.power = power
            self._events.add(
                p.Event(seq=0, kind="power", time=0, server_id=instance.server_id, power_state=power, cause=cause)
            )

    def _plan(self, disks: p.DiskSpec) -> list[p.Disk]:
        wanted: list[tuple[str, str, int]] = [("rescue", "qcow2", GIB)] if disks.rescue else []
        if disks.root:
            image = self.images.get(disks.root.image_id)
            wanted.append(("root", "qcow2", disks.root.size_gb * GIB or (image.virtual_size if image else 0)))
        wanted += [(f"ephemeral{n}", "raw", e.size_gb * GIB) for n, e in enumerate(disks.ephemerals)]
        wanted += [("swap", "raw", disks.swap_mb << 20)] if disks.swap_mb else []
        wanted += [("config", "raw", 1 << 20)] if disks.config_drive else []
        return [
            p.Disk(role=role, device=f"vd{chr(97 + n)}", path=f"fake:{role}", format=kind, size=size)
            for n, (role, kind, size) in enumerate(wanted)
        ]

    def _state(self, instance: FakeInstance) -> p.InstanceState:
        nics = instance.spec.nics if instance.spec else []
        return p.InstanceState(
            server_id=instance.server_id,
            power_state=instance.power,
            domain=instance.domain,
            spec=instance.spec is not None,
            desired=instance.spec.power if instance.spec else "running",
            disks=list(instance.disks),
            taps=[nic.tap for nic in nics] if instance.power == "running" else [],
            network_ids=sorted({nic.network_id for nic in nics}),
            image_id=instance.image_id,
            aside=bool(instance.aside),
            volumes=[volume.volume_id for volume in instance.spec.volumes] if instance.spec else [],
        )

    def _inventory(self) -> p.Inventory:
        running = [i.spec for i in list(self.instances.values()) if i.power == "running" and i.spec]
        return p.Inventory(
            name=self.name,
            vcpus=self.vcpus,
            memory_mb=self.memory_mb,
            disk_gb=self.disk_gb,
            memory_mb_used=512 + sum(s.memory_mb for s in running),
            running_vms=len(running),
            hypervisor_type="fake",
            hypervisor_version=1000000,
            hypervisor_hostname=self.name,
            host_ip="127.0.0.1",
            cpu_info={"arch": "x86_64", "model": "fake", "vendor": "fake", "topology": {}, "features": []},
            uptime_seconds=int(time.time() - self.started),
        )


def _screen(console: socket.socket) -> None:
    """A screen without anything on it: as far as the handshake."""
    with console, suppress(OSError):
        for answer in RFB[1:]:
            if not console.recv(4096):
                return
            console.sendall(answer)
        while console.recv(4096):
            pass


def _line(console: socket.socket) -> None:
    """A guest that says back what is typed, as a login prompt does, until nobody listens."""
    with console, suppress(OSError):
        while typed := console.recv(4096):
            console.sendall(typed)
