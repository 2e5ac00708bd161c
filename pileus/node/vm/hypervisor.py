"""The connection to libvirt: kept, watched and taken up again; libvirt's errors and states in our words.

libvirtd may restart under running guests: calls meanwhile raise NodeUnavailable, and the watching thread reconnects.
Lifecycle events only wake somebody up, who then looks at what is: events may come late, twice, or (over a reconnect)
not at all.
"""

import contextlib
import logging
import os
import queue
import re
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import libvirt

from pileus.node.errors import NodeError, NodeUnavailable
from pileus.node.protocol import Counters, Diagnostics, PowerState
from pileus.node.vm.domain import VolumeDisk, elsewhere, server_of

LOG = logging.getLogger("pileus.node.vm")

STATES: dict[int, PowerState] = {
    libvirt.VIR_DOMAIN_NOSTATE: "nostate",
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",  # on its way down: not there yet
    libvirt.VIR_DOMAIN_SHUTOFF: "shutdown",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended",
}
CRASH_REASONS = {libvirt.VIR_DOMAIN_SHUTOFF_CRASHED, libvirt.VIR_DOMAIN_SHUTOFF_FAILED}
AWAY = {
    libvirt.VIR_ERR_SYSTEM_ERROR,
    libvirt.VIR_ERR_RPC,
    libvirt.VIR_ERR_NO_CONNECT,
    libvirt.VIR_ERR_INVALID_CONN,
    libvirt.VIR_ERR_OPERATION_TIMEOUT,
}
BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0)
KEEPALIVE_SECONDS, KEEPALIVE_MISSES = 5, 4
UNPLUG_TRIES, UNPLUG_LOOKS = 3, 25


class Found(NamedTuple):
    """A domain as it is."""

    power_state: PowerState
    clean: bool = True  # if off, then because the guest shut down: no crash, no power cut, no pulled plug


class Woken(NamedTuple):
    """A lifecycle event: of which server, and whether the guest itself asked to go down."""

    server_id: str
    guest_shutdown: bool


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as e:
        message = f"{what}: {e.get_error_message()}"
        if e.get_error_code() in AWAY and e.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE):
            raise NodeUnavailable(message) from e
        if e.get_error_code() == libvirt.VIR_ERR_INVALID_CONN or "client socket is closed" in message:
            raise NodeUnavailable(message) from e
        raise NodeError("engine", message) from e


class Hypervisor:
    def __init__(self, uri: str, woken: Callable[[Woken], None], connected: Callable[[], None]) -> None:
        self.uri = uri
        self._woken, self._connected = woken, connected
        self._connection: Any = None
        self._capabilities = ""
        self._lost = threading.Event()
        self._stopped = threading.Event()
        self._queue: queue.SimpleQueue[Woken | None] = queue.SimpleQueue()
        libvirt.registerErrorHandler(lambda *_: None, None)  # or libvirt writes to standard error by itself
        libvirt.virEventRegisterDefaultImpl()

    def start(self) -> None:
        for work in (self._run_events, self._watch, self._dispatch):
            threading.Thread(target=work, name=f"libvirt-{work.__name__}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._lost.set()
        self._queue.put(None)

    # --- what is ---

    def list(self) -> dict[str, Found]:
        """Our domains by server."""
        with translated("listing domains"):
            found = {}
            for domain in self._open().listAllDomains():
                if server_id := server_of(domain.name(), domain.UUIDString()):
                    with contextlib.suppress(libvirt.libvirtError):  # gone since
                        found[server_id] = _found(domain)
            return found

    def find(self, server_id: str) -> Found | None:
        domain = self._find(server_id)
        if domain is None:
            return None
        with translated("domain state"):
            return _found(domain)

    def description(self, server_id: str) -> str:
        domain = self._find(server_id)
        with translated("domain description"):
            return str(domain.XMLDesc()) if domain else ""

    def facts(self) -> tuple[int, int, str]:
        """Version of the hypervisor, number of active domains, capabilities as XML."""
        with translated("host facts"):
            connection = self._open()
            if not self._capabilities:  # the first asks QEMU and takes most of a second
                self._capabilities = connection.getCapabilities()
            return connection.getVersion(), connection.numOfDomains(), self._capabilities

    # --- what should be ---

    def define(self, xml: str) -> None:
        with translated("defining the domain"):
            self._open().defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def start_domain(self, server_id: str, afresh: bool = True) -> None:
        """From its disks, or, if not afresh, from the memory that `save` wrote, where there is some."""
        domain = self.domain(server_id)
        with translated("starting the domain"):
            if not domain.isActive():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT if afresh else 0)
            elif not afresh and domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()

    def pause(self, server_id: str) -> None:
        domain = self.domain(server_id)
        with translated("pausing the domain"):
            if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
                domain.suspend()

    def unpause(self, server_id: str) -> None:
        domain = self.domain(server_id)
        with translated("letting the domain go on"):
            if domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()

    def is_stalled(self, server_id: str) -> bool:
        """Does it stand still because a disk did not answer?"""
        domain = self._find(server_id)
        with translated("domain state"):
            return domain is not None and domain.state() == [
                libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR,
            ]  # fmt: skip

    def save(self, server_id: str) -> None:
        """Its memory to disk, and off."""
        domain = self.domain(server_id)
        with translated("suspending the domain"):
            if domain.isActive():
                domain.managedSave(0)

    @contextlib.contextmanager
    def standing_still(self, server_id: str) -> Iterator[None]:
        """Meanwhile the guest writes nothing, and what it wrote is in its files: QEMU flushes them when it pauses."""
        domain = self._find(server_id)
        with translated("pausing the domain"):
            runs = domain is not None and domain.isActive() and domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED
            if runs:
                domain.suspend()
        try:
            yield
        finally:
            if runs:
                with translated("letting the domain go on"):
                    domain.resume()

    def plug(self, server_id: str, wanted: dict[str, str]) -> None:
        """Give a running guest these interfaces (XML by MAC), and take others away. One that is off has none to plug."""
        domain = self.domain(server_id)
        if not domain.isActive():
            return
        has = _interfaces(domain)
        for mac in wanted.keys() - has.keys():
            with translated("plugging an interface in"):
                domain.attachDeviceFlags(wanted[mac], libvirt.VIR_DOMAIN_AFFECT_LIVE)
        for mac in has.keys() - wanted.keys():
            _unplug(domain, mac, has[mac])

    def diagnostics(self, server_id: str, power: PowerState) -> Diagnostics:
        domain = self.domain(server_id)
        with translated("domain statistics"):
            ((_, told),) = self._open().domainListGetStats([domain], 0, 0)
        return diagnostics_of(told, power)

    def send(
        self, server_id: str, libvirt_uri: str, memory_uri: str, disks_uri: str, volumes: Sequence[VolumeDisk]
    ) -> None:
        """A running guest with its memory and its own disks to another libvirt. Takes as long as that takes.

        Its volumes stay where they are, and are named as they are reached from there.
        """
        flags = (
            libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST
            | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE | libvirt.VIR_MIGRATE_NON_SHARED_INC | libvirt.VIR_MIGRATE_AUTO_CONVERGE
        )  # fmt: skip
        wanted: dict[str, Any] = {
            libvirt.VIR_MIGRATE_PARAM_URI: memory_uri, libvirt.VIR_MIGRATE_PARAM_DISKS_URI: disks_uri,
        }  # fmt: skip
        domain = self.domain(server_id)
        with translated("migrating the domain"):
            if volumes:
                described, copied = elsewhere(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE), volumes)
                wanted[libvirt.VIR_MIGRATE_PARAM_DEST_XML] = wanted[libvirt.VIR_MIGRATE_PARAM_PERSIST_XML] = described
                flags |= libvirt.VIR_MIGRATE_UNSAFE  # libvirt cannot know that both hosts open the very same file
                wanted[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = copied
                if not copied:
                    flags &= ~libvirt.VIR_MIGRATE_NON_SHARED_INC
                    del wanted[libvirt.VIR_MIGRATE_PARAM_DISKS_URI], wanted[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS]
            domain.migrateToURI3(libvirt_uri, wanted, flags)

    def job(self, server_id: str) -> dict[str, Any]:
        """How far what is done to a guest is; empty when nothing is."""
        domain = self._find(server_id)
        try:
            return dict(domain.jobStats()) if domain is not None else {}
        except libvirt.libvirtError:
            return {}

    def abort_job(self, server_id: str) -> None:
        domain = self._find(server_id)
        with contextlib.suppress(libvirt.libvirtError):  # none is going on any more
            if domain is not None:
                domain.abortJob()

    def press_button(self, server_id: str) -> None:
        """Ask the guest, as the power button of a machine does; it may not listen."""
        domain = self.domain(server_id)
        with translated("asking the guest to shut down"):
            if domain.isActive():
                domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)

    def pull_plug(self, server_id: str) -> None:
        domain = self._find(server_id)
        with translated("stopping the domain"):
            if domain is not None and domain.isActive():
                try:
                    domain.destroy()
                except libvirt.libvirtError as e:
                    if e.get_error_code() not in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
                        raise

    def undefine(self, server_id: str) -> None:
        domain = self._find(server_id)
        if domain is None:
            return
        self.pull_plug(server_id)
        with translated("undefining the domain"):
            try:
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
            except libvirt.libvirtError as e:
                if e.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise

    # --- for those who do more with it ---

    def domain(self, server_id: str) -> Any:
        """libvirt's own."""
        domain = self._find(server_id)
        if domain is None:
            raise NodeError("not_found", f"server {server_id} has no domain on this node")
        return domain

    def owner(self) -> tuple[int, int]:
        """The user and group that QEMU runs as, and whose its disks must be."""
        _, _, capabilities = self.facts()
        for model in ET.fromstring(capabilities).iterfind("host/secmodel"):  # noqa: S314 (libvirt's own words)
            label = model.findtext("baselabel[@type='qemu']") or ""
            if model.findtext("model") == "dac" and (found := re.fullmatch(r"\+(\d+):\+(\d+)", label)):
                return int(found[1]), int(found[2])
        return os.geteuid(), os.getegid()

    # --- inside ---

    def _open(self) -> Any:
        if self._connection is None:
            raise NodeUnavailable(f"libvirt does not answer on {self.uri}")
        return self._connection

    def _find(self, server_id: str) -> Any:
        with translated("looking up the domain"):
            try:
                return self._open().lookupByUUIDString(server_id)
            except libvirt.libvirtError as e:
                if e.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise

    def _run_events(self) -> None:
        timer = libvirt.virEventAddTimeout(1000, lambda *_: None, None)  # so that the loop sees the end
        while not self._stopped.is_set():
            libvirt.virEventRunDefaultImpl()
        libvirt.virEventRemoveTimeout(timer)

    def _watch(self) -> None:
        """Connect, wait for the loss of it, and again."""
        attempt = 0
        while not self._stopped.is_set():
            self._lost.clear()
            try:
                self._connect()
            except libvirt.libvirtError as e:
                if attempt == 0:
                    LOG.warning("libvirt does not answer on %s: %s", self.uri, e)
                self._stopped.wait(BACKOFF[min(attempt, len(BACKOFF) - 1)])
                attempt += 1
                continue
            LOG.info("connected to libvirt at %s", self.uri)
            attempt = 0
            try:
                self._connected()
            except Exception:
                LOG.exception("looking at what is there after connecting")
            self._lost.wait()
            self._close()

    def _connect(self) -> None:
        connection = libvirt.open(self.uri)
        connection.registerCloseCallback(lambda *_: self._lost.set(), None)
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None)
        with contextlib.suppress(libvirt.libvirtError):  # not every driver has it
            connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_MISSES)
        self._connection = connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if not self._stopped.is_set():
            LOG.warning("the connection to libvirt is lost")
        with contextlib.suppress(libvirt.libvirtError):
            connection.close()

    def _on_lifecycle(self, _: Any, domain: Any, event: int, detail: int, __: Any) -> None:
        """In the event loop's thread, where a call to libvirt could wait for itself: only pass on."""
        server_id = server_of(domain.name(), domain.UUIDString())
        if server_id:
            guest = event == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN and detail == libvirt.VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
            self._queue.put(Woken(server_id, guest))

    def _dispatch(self) -> None:
        while (woken := self._queue.get()) is not None:
            try:
                self._woken(woken)
            except (NodeError, NodeUnavailable) as e:
                LOG.warning("an event of server %s: %s", woken.server_id, e)
                time.sleep(0.1)
            except Exception:
                LOG.exception("an event of server %s", woken.server_id)


def _found(domain: Any) -> Found:
    state, reason = domain.state()
    if state == libvirt.VIR_DOMAIN_SHUTOFF and reason in CRASH_REASONS:
        return Found("crashed", clean=False)
    clean = state != libvirt.VIR_DOMAIN_SHUTOFF or reason == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN
    return Found(STATES.get(state, "nostate"), clean)


def _interfaces(domain: Any) -> dict[str, str]:
    """What is plugged in at this moment, by MAC."""
    with translated("domain description"):
        devices = ET.fromstring(domain.XMLDesc())  # noqa: S314 (libvirt's own words)
    found = {}
    for element in devices.iterfind("devices/interface"):
        mac = element.find("mac")
        if mac is not None:
            found[mac.get("address", "").lower()] = ET.tostring(element, encoding="unicode")
    return found


def _unplug(domain: Any, mac: str, xml: str) -> None:
    """The guest is asked, and has some seconds."""
    for _ in range(UNPLUG_TRIES):
        try:
            domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as e:  # also: it is being unplugged already
            LOG.info("unplugging %s: %s", mac, e)
        for _ in range(UNPLUG_LOOKS):
            if mac not in _interfaces(domain):
                return
            time.sleep(0.2)
    raise NodeError("engine", f"the guest does not let go of its interface {mac}")


def diagnostics_of(told: dict[str, Any], power: PowerState) -> Diagnostics:
    """Of libvirt's flat statistics what the API shows."""
    return Diagnostics(
        power_state=power,
        hypervisor="libvirt",
        cpu_ns=[told.get(f"vcpu.{n}.time", 0) for n in range(told.get("vcpu.current", 0))],
        memory_mb=told.get("balloon.maximum", 0) >> 10,
        memory_used_mb=told.get("balloon.rss", 0) >> 10,
        disks=[_counters(told, f"block.{n}", "rd", "wr", "reqs") for n in range(told.get("block.count", 0))],
        nics=[_counters(told, f"net.{n}", "rx", "tx", "pkts") for n in range(told.get("net.count", 0))],
    )


def _counters(told: dict[str, Any], device: str, read: str, write: str, ops: str) -> Counters:
    def number(name: str) -> int:
        return int(told.get(f"{device}.{name}", 0))

    return Counters(
        name=str(told.get(f"{device}.name", "")),
        read_bytes=number(f"{read}.bytes"),
        read_ops=number(f"{read}.{ops}"),
        write_bytes=number(f"{write}.bytes"),
        write_ops=number(f"{write}.{ops}"),
        errors=number(f"{read}.errs") + number(f"{write}.errs"),
        drops=number(f"{read}.drop") + number(f"{write}.drop"),
    )
