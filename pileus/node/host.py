"""The real node: each call of the contract as a few steps on libvirt, files and Open vSwitch.

What should be is on disk first (`spec.json`), then done; what should not be is taken from disk first, then undone: a
crash between the two leaves a guest to bring back or a domain to report, never a guest that rises again by itself.
"""

import logging
import re
import socket
import threading
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from pileus.node import protocol as p
from pileus.node.copies import Copies
from pileus.node.disk.copies import ASIDE, sweep
from pileus.node.disk.disks import ensure_disks, list_disks, plan
from pileus.node.disk.exports import Exports
from pileus.node.disk.images import ImageCache
from pileus.node.disk.volumes import VolumeFiles
from pileus.node.errors import NodeError, NodeFault, NodeUnavailable
from pileus.node.events import EventLog
from pileus.node.instances import Instances, Kept
from pileus.node.inventory import host_inventory
from pileus.node.metadata.service import Asker, MetadataService
from pileus.node.moves import Moves
from pileus.node.networks import Networks
from pileus.node.streams import reach, serial_line
from pileus.node.vif.ovs import OpenVSwitch
from pileus.node.vm.console import tail
from pileus.node.vm.domain import Host, console_ends, domain_xml, nic_xml
from pileus.node.vm.hypervisor import Found, Hypervisor, Woken
from pileus.node.vm.migration import Migrations
from pileus.node.vm.soft_power import SoftPower
from pileus.node.volumes import Volumes

LOG = logging.getLogger("pileus.node")

MAINTENANCE_SECONDS = 10.0
TAP = re.compile(r"<target dev=['\"](tap[^'\"]+)")


class HostNode(Copies, Moves, Volumes):
    """Obeys `protocol.Node` on this host."""

    def __init__(self, folder: Path, name: str, libvirt_uri: str, ovsdb: str, accel: str) -> None:
        self.name, self.accel, self.folder = name, accel, folder
        self._instances = Instances(folder / "instances")
        self._images = ImageCache(folder / "base")
        self._images_lock = threading.Lock()
        self._snapshots = folder / "snapshots"
        self._snapshots.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ovs = OpenVSwitch(ovsdb)
        self._volumes = VolumeFiles(folder / "volumes", self._images)
        self._service = MetadataService(self._asker, self._set_password)
        self._networks = Networks(folder / "networks", self._ovs, self._service)
        self._hypervisor = Hypervisor(libvirt_uri, self._on_woken, self._on_connected)
        self._exports = Exports(folder / "exports", self._ovs.tunnel_address, self._hypervisor.owner)
        self._events = EventLog(self._inventory)
        self._soft_power = SoftPower(self._hypervisor, self._instances.locked, self._on_soft_end)
        self._migrations = Migrations(self._hypervisor, self._on_migrated, self._volumes.path)
        self._last: dict[str, p.PowerState] = {}  # the power state told last
        self._asked_by_guest: set[str] = set()
        self._to_restore: set[str] = set()
        self._strays: set[str] = set()
        self._stopped = threading.Event()

    def start(self) -> None:
        sweep(self._instances.folder, self._snapshots, self._images.folder)
        self._volumes.sweep()
        self._hypervisor.start()
        threading.Thread(target=self._maintain, name="maintenance", daemon=True).start()

    def stop(self) -> None:
        """The process ends; guests go on."""
        self._stopped.set()
        self._events.close()
        self._soft_power.stop()
        self._hypervisor.stop()
        self._networks.stop()
        self._service.stop()

    # --- the contract ---

    def hello(self, args: p.Nothing = p.NOTHING) -> p.Hello:
        return p.Hello(version=p.VERSION, name=self.name, accel=self.accel, epoch=self._events.epoch)

    def inventory(self, args: p.Nothing = p.NOTHING) -> p.Inventory:
        return self._inventory()

    def has_image(self, args: p.ImageRef) -> p.ImageReply:
        return p.ImageReply(self._images.find(args.image_id))

    def put_image(self, args: p.PutImage, body: Iterable[bytes]) -> p.Image:
        return self._images.put(args, body)

    def remove_image(self, args: p.ImageRef) -> p.Nothing:
        with self._images_lock:
            if any(args.image_id in self._instances.bases_of(server) for server in self._instances.on_disk()):
                raise NodeError("in_use", f"image {args.image_id} is the base of a root disk on {self.name}")
            self._images.remove(args.image_id)
        return p.NOTHING

    def list_images(self, args: p.Nothing = p.NOTHING) -> p.ImageList:
        return p.ImageList(self._images.list())

    def ensure_disks(self, args: p.InstanceSpec) -> p.DiskList:
        with self._instances.locked(args.server_id):
            with self._images_lock:  # from here on remove_image sees the use
                plan(args.disks, self._images.find)
                bases = [disk.image_id for disk in (args.disks.root, args.disks.rescue) if disk]
                self._instances.note_bases(args.server_id, bases)
            return p.DiskList(ensure_disks(args, self._instances.path(args.server_id), self._images))

    def remove_disks(self, args: p.ServerRef) -> p.Nothing:
        with self._instances.locked(args.server_id):
            if self._hypervisor.find(args.server_id):
                raise NodeError("in_use", f"server {args.server_id} still has its domain on {self.name}")
            self._instances.forget(args.server_id)
            self._instances.remove_folder(args.server_id)
        return p.NOTHING

    def ensure_instance(self, args: p.InstanceSpec) -> p.InstanceState:
        self._soft_power.cancel(args.server_id)
        with self._instances.locked(args.server_id):
            kept = self._instances.find(args.server_id)
            xml = self._xml(args)  # refuses before anything is kept
            if kept is None or kept.spec != args:
                self._instances.keep(Kept(spec=args, password=kept.password if kept else b""))
            if kept is None or kept.spec != args or self._hypervisor.find(args.server_id) is None:
                self._hypervisor.define(xml)
            if args.power == "running":
                self._hypervisor.start_domain(args.server_id)
            self._observe(args.server_id)
            return self._state(args.server_id, self._hypervisor.find(args.server_id))

    def remove_instance(self, args: p.ServerRef) -> p.Nothing:
        self._soft_power.cancel(args.server_id)
        with self._instances.locked(args.server_id):
            self._instances.forget(args.server_id)
            self._to_restore.discard(args.server_id)
            self._hypervisor.undefine(args.server_id)
            self._last.pop(args.server_id, None)
            self._asked_by_guest.discard(args.server_id)
        return p.NOTHING

    def power(self, args: p.PowerArgs) -> p.Nothing:
        self._soft_power.cancel(args.server_id)
        with self._instances.locked(args.server_id):
            kept = self._instances.find(args.server_id)
            if kept is None:
                raise NodeError("not_found", f"server {args.server_id} is not on {self.name}")
            found = self._hypervisor.find(args.server_id)
            active = found is not None and found.power_state not in ("shutdown", "crashed")
            if args.action in ("pause", "unpause", "suspend", "resume"):
                self._hold_or_go(kept, args.action)
                self._observe(args.server_id)
                return p.NOTHING
            soft = active and not args.hard and args.action != "start"
            restarts = soft and args.action == "reboot"
            self._want(kept, "shutdown" if args.action == "stop" else "running", rebooting=restarts)
            if soft:
                self._hypervisor.press_button(args.server_id)
                self._soft_power.begin(args.server_id, args.timeout, restarts)
            else:
                if args.action != "start":
                    self._hypervisor.pull_plug(args.server_id)
                if args.action != "stop":
                    self._raise(args.server_id)
            self._observe(args.server_id)
        return p.NOTHING

    def _hold_or_go(self, kept: Kept, action: str) -> None:
        server_id = kept.spec.server_id
        if action in ("pause", "unpause"):
            (self._hypervisor.pause if action == "pause" else self._hypervisor.unpause)(server_id)
            return
        self._want(kept, "suspended" if action == "suspend" else "running")
        if action == "suspend":
            self._hypervisor.save(server_id)
        else:
            self._hypervisor.start_domain(server_id, afresh=False)

    def ensure_nics(self, args: p.EnsureNics) -> p.Nothing:
        with self._instances.locked(args.server_id):
            kept = self._instances.find(args.server_id)
            if kept is None:
                raise NodeError("not_found", f"server {args.server_id} is not on {self.name}")
            spec = replace(kept.spec, nics=args.nics)
            self._instances.keep(replace(kept, spec=spec))
            host = self._host(spec)
            self._hypervisor.plug(args.server_id, {nic.mac: nic_xml(nic, host) for nic in spec.nics})
            self._hypervisor.define(self._xml(spec))
        return p.NOTHING

    def diagnostics(self, args: p.ServerRef) -> p.Diagnostics:
        found = self._hypervisor.find(args.server_id)
        if found is None:
            raise NodeError("not_found", f"server {args.server_id} is not on {self.name}")
        return self._hypervisor.diagnostics(args.server_id, found.power_state)

    def console_log(self, args: p.ConsoleLogArgs) -> p.ConsoleLog:
        folder = self._instances.path(args.server_id)
        if not folder.is_dir():
            raise NodeError("not_found", f"server {args.server_id} is not on {self.name}")
        return p.ConsoleLog(tail(folder / "console.log", args.lines))

    def open_console(self, args: p.ConsoleArgs) -> socket.socket:
        ends = console_ends(self._hypervisor.description(args.server_id))
        if args.kind not in ends:
            raise NodeError("not_found", f"server {args.server_id} does not run on {self.name}, or has no {args.kind}")
        return serial_line(ends["serial"]) if args.kind == "serial" else reach(ends["vnc"], "the guest's screen")

    def ensure_metadata(self, args: p.MetadataArgs) -> p.Nothing:
        self._networks.ensure(args)
        return p.NOTHING

    def remove_metadata(self, args: p.NetworkRef) -> p.Nothing:
        self._networks.remove(args.network_id)
        return p.NOTHING

    def set_metadata(self, args: p.SetMetadata) -> p.Nothing:
        with self._instances.locked(args.server_id):
            if kept := self._instances.find(args.server_id):
                self._instances.keep(replace(kept, spec=p.newer(kept.spec, args)))
        return p.NOTHING

    def list_instances(self, args: p.Nothing = p.NOTHING) -> p.Report:
        domains = self._hypervisor.list()
        servers = sorted({*domains, *self._instances.on_disk()})
        return p.Report(
            instances=[self._state(server, domains.get(server)) for server in servers],
            images=self._images.list(),
            networks=self._networks.list(),
            stray_taps=sorted(self._find_strays(domains)),
            snapshots=sorted({path.name.partition(".")[0] for path in self._snapshots.iterdir()}),
        )

    def events(self, args: p.EventsArgs) -> p.EventsReply:
        return self._events.after(args)

    # --- power: wishes and what is ---

    def _want(self, kept: Kept, power: p.DesiredPower, rebooting: bool = False) -> None:
        wanted = replace(kept, spec=replace(kept.spec, power=power), rebooting=rebooting)
        if wanted != kept:
            self._instances.keep(wanted)

    def _xml(self, spec: p.InstanceSpec) -> str:
        folder = self._instances.path(spec.server_id)
        disks = list_disks(plan(spec.disks, self._images.find), folder, self._images, spec)
        volumes = self._volume_disks(spec, len(disks))
        return domain_xml(spec, disks, str(folder / "console.log"), self._host(spec), volumes)

    def _host(self, spec: p.InstanceSpec) -> Host:
        return Host(accel=self.accel, userspace_datapath=bool(spec.nics) and self._ovs.userspace)

    def _raise(self, server_id: str) -> None:
        """Define from the spec as it is now, and start."""
        kept = self._instances.find(server_id)
        if kept is None:
            raise NodeError("not_found", f"server {server_id} is not on {self.name}")
        self._hypervisor.define(self._xml(kept.spec))
        self._hypervisor.start_domain(server_id)

    def _on_soft_end(self, server_id: str, restart: bool) -> None:
        """The guest went down, or was pulled down: under the server's lock."""
        kept = self._instances.find(server_id)
        if kept and restart:
            self._want(kept, "running")
            try:
                self._raise(server_id)
            except NodeFault as e:
                self._events.add(p.Event(seq=0, kind="job", time=0, server_id=server_id, detail=f"reboot: {e}"))
        self._observe(server_id)

    def _on_woken(self, woken: Woken) -> None:
        if woken.guest_shutdown:
            self._asked_by_guest.add(woken.server_id)
        self._soft_power.look(woken.server_id)
        with self._instances.locked(woken.server_id):
            self._observe(woken.server_id)

    def _observe(self, server_id: str) -> None:
        """Tell a change of power state once. Under the server's lock: nobody sees the middle of a reboot."""
        kept, found = self._instances.find(server_id), self._hypervisor.find(server_id)
        if found is None or (kept and kept.rebooting) or self._last.get(server_id) == found.power_state:
            return
        self._last[server_id] = power = found.power_state
        cause = "api"
        if power == "crashed":
            cause = "crash"
        elif power == "shutdown" and kept and kept.spec.power == "running":
            cause = "guest" if found.clean and server_id in self._asked_by_guest else "host"
            if cause == "guest":
                self._want(kept, "shutdown")
        self._asked_by_guest.discard(server_id)
        self._events.add(p.Event(seq=0, kind="power", time=0, server_id=server_id, power_state=power, cause=cause))

    # --- after a start, a power cut, a restart of libvirtd ---

    def _on_connected(self) -> None:
        self._to_restore = {kept.spec.server_id for kept in self._instances.all()}
        self._restore()

    def _restore(self) -> None:
        for server_id in list(self._to_restore):
            try:
                with self._instances.locked(server_id):
                    self._restore_one(server_id)
                self._to_restore.discard(server_id)
            except NodeUnavailable as e:
                LOG.warning("restoring servers waits: %s", e)
                return
            except NodeError as e:
                LOG.warning("server %s cannot be brought back yet: %s", server_id, e)

    def _restore_one(self, server_id: str) -> None:
        kept, found = self._instances.find(server_id), self._hypervisor.find(server_id)
        if kept is None or (kept.leaving and found is None):
            return
        if kept.leaving:
            kept = self._stays(kept)
        off = found is None or found.power_state in ("shutdown", "crashed")
        if kept.spec.power != "running":
            if found is None:
                self._hypervisor.define(self._xml(kept.spec))
            elif kept.spec.power == "suspended":
                if not off:
                    self._hypervisor.save(server_id)
            elif not off and not self._soft_power.active(server_id):
                self._soft_power.begin(server_id, 60, restart=False)
        elif off and found and found.power_state == "shutdown" and found.clean and not kept.rebooting:
            self._want(kept, "shutdown")  # the guest shut down while nobody looked
        elif off:
            LOG.info("bringing back server %s", server_id)
            self._want(kept, "running")
            self._raise(server_id)
        elif kept.rebooting and not self._soft_power.active(server_id):
            self._soft_power.begin(server_id, 60, restart=True)
        self._observe(server_id)

    def _stays(self, kept: Kept) -> Kept:
        """It was on its way to another host when this process began: that is over, and it is here."""
        if self._migrations.state(kept.spec.server_id).state != "running":
            kept = replace(kept, leaving=False)
            self._instances.keep(kept)
        return kept

    def _maintain(self) -> None:
        """Every few seconds what could not be done at once; each part on its own, as engines come and go singly."""
        while True:
            for work in (
                self._networks.reopen,
                self._bring_back_exports,
                self._wake_stalled,
                self._restore,
                self._sweep,
            ):
                try:
                    work()
                except NodeFault as e:
                    LOG.debug("maintenance: %s", e)
                except Exception:
                    LOG.exception("maintenance")
            if self._stopped.wait(MAINTENANCE_SECONDS):
                return

    def _sweep(self) -> None:
        """Take a tap off the switch when it was nobody's twice: once may be in the middle of a delete."""
        found = self._find_strays(self._hypervisor.list())
        for device in found & self._strays:
            LOG.warning("sweeping %s: no domain has it", device)
            self._ovs.remove_port(device)
        self._strays = found - self._strays

    def _find_strays(self, domains: dict[str, Found]) -> set[str]:
        known = {nic.tap for kept in self._instances.all() for nic in kept.spec.nics}
        for server_id in domains:
            if self._instances.find(server_id) is None:
                known |= set(TAP.findall(self._hypervisor.description(server_id)))
        return {device for device in self._ovs.list_ports() if device.startswith("tap")} - known

    # --- reports ---

    def _state(self, server_id: str, found: Found | None) -> p.InstanceState:
        kept = self._instances.find(server_id)
        nics = kept.spec.nics if kept else []
        return p.InstanceState(
            server_id=server_id,
            power_state=found.power_state if found else "nostate",
            domain=found is not None,
            spec=kept is not None,
            desired=kept.spec.power if kept else "running",
            disks=self._instances.disks_of(server_id),
            taps=[nic.tap for nic in nics] if found and found.power_state == "running" else [],
            network_ids=sorted({nic.network_id for nic in nics}),
            image_id=next(iter(self._instances.bases_of(server_id)), ""),
            aside=(self._instances.path(server_id) / ASIDE).is_dir(),
            volumes=[volume.volume_id for volume in kept.spec.volumes] if kept else [],
            waiting=self._soft_power.active(server_id),
        )

    def _inventory(self) -> p.Inventory:
        address, facts = "", None
        try:
            facts = self._hypervisor.facts()
            address = self._ovs.tunnel_address()
        except NodeFault as e:
            LOG.debug("inventory: %s", e)
        return host_inventory(self.name, self.folder, facts, self.accel, address)

    # --- metadata ---

    def _asker(self, network_id: str, address: str) -> Asker | None:
        kept = self._instances.by_address(network_id, address)
        return Asker(kept.spec, kept.password) if kept else None

    def _set_password(self, server_id: str, password: bytes) -> None:
        with self._instances.locked(server_id):
            if kept := self._instances.find(server_id):
                self._instances.keep(replace(kept, password=password))
        detail = password.decode(errors="replace")
        self._events.add(p.Event(seq=0, kind="password", time=0, server_id=server_id, detail=detail))
