"""A server as libvirt's domain description: a pure function, so that what a guest will be has plain tests."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from pileus.node.protocol import AttachedVolume, Disk, InstanceSpec, Nic
from pileus.node.vif.ovs import BRIDGE

NAMESPACE = "https://pileus.dev/xmlns/libvirt/1"
OFFLOADS_OFF = {"csum": "off", "gso": "off", "tso4": "off", "tso6": "off", "ecn": "off", "ufo": "off"}


class VolumeDisk(NamedTuple):
    """A volume as one of a guest's disks on this host."""

    volume: AttachedVolume
    device: str
    bus: str
    path: str = ""  # of a file


class Host(NamedTuple):
    """What of a host shapes its domains."""

    accel: str = "tcg"  # or kvm
    userspace_datapath: bool = True
    machine: str = "pc"  # i440fx: every PCI slot takes a device later, without ports planned ahead as q35 wants them


def domain_name(server_id: str) -> str:
    return f"instance-{server_id}"


def server_of(name: str, uuid: str) -> str | None:
    """The server a domain belongs to; None for somebody else's domain on a shared libvirt."""
    return uuid if name == domain_name(uuid) else None


def domain_xml(
    spec: InstanceSpec, disks: list[Disk], console_log: str, host: Host, volumes: Sequence[VolumeDisk] = ()
) -> str:
    domain = ET.Element("domain", type="kvm" if host.accel == "kvm" else "qemu")
    _text(domain, "name", domain_name(spec.server_id))
    _text(domain, "uuid", spec.server_id)
    _text(domain, "title", printable(spec.name))
    domain.append(_owner(spec))
    _text(domain, "memory", str(spec.memory_mb), unit="MiB")
    _text(domain, "vcpu", str(spec.vcpus))
    domain.append(_sysinfo(spec))
    domain.append(_os(host))
    features = ET.SubElement(domain, "features")
    ET.SubElement(features, "acpi")  # also how a guest hears the power button
    ET.SubElement(features, "apic")
    domain.append(_cpu(spec, host))
    domain.append(_clock(host))
    for event, then in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        _text(domain, event, then)
    devices = ET.SubElement(domain, "devices")
    found = [(disk.device, _disk(disk, spec.disk_bus)) for disk in disks]
    found += [(volume.device, _volume(volume)) for volume in volumes]
    devices.extend(element for _, element in sorted(found, key=lambda one: (len(one[0]), one[0])))  # it boots the first
    devices.extend(_nic(nic, host) for nic in spec.nics)
    devices.append(_serial(console_log))
    devices.extend(_screen())
    devices.append(_random())
    devices.append(_balloon())
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def printable(text: str) -> str:
    """Names may hold what XML cannot (control characters) and libvirt will not (line ends)."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _owner(spec: InstanceSpec) -> ET.Element:
    metadata = ET.Element("metadata")
    server = ET.SubElement(metadata, "pileus:server", {"xmlns:pileus": NAMESPACE})
    told = {"name": spec.name, "flavor": spec.flavor, "project": spec.project_id, "user": spec.user_id}
    for tag, value in told.items():
        _text(server, f"pileus:{tag}", printable(value))
    return metadata


def _sysinfo(spec: InstanceSpec) -> ET.Element:
    """Guests' tools recognise an OpenStack cloud by the product name in the firmware tables."""
    sysinfo = ET.Element("sysinfo", type="smbios")
    system = ET.SubElement(sysinfo, "system")
    for name, value in (("manufacturer", "pileus"), ("product", "OpenStack Compute"), ("serial", spec.server_id)):
        _text(system, "entry", value, name=name)
    _text(system, "entry", spec.server_id, name="uuid")
    return sysinfo


def _os(host: Host) -> ET.Element:
    os_ = ET.Element("os")
    _text(os_, "type", "hvm", arch="x86_64", machine=host.machine)
    ET.SubElement(os_, "boot", dev="hd")
    ET.SubElement(os_, "smbios", mode="sysinfo")
    return os_


def _cpu(spec: InstanceSpec, host: Host) -> ET.Element:
    """Under TCG everything it can emulate: newer distributions refuse to start on the bare x86-64 of qemu64."""
    cpu = ET.Element("cpu", mode="host-passthrough" if host.accel == "kvm" else "maximum", check="none")
    ET.SubElement(cpu, "topology", sockets=str(spec.vcpus), dies="1", cores="1", threads="1")
    return cpu


def _clock(host: Host) -> ET.Element:
    clock = ET.Element("clock", offset="utc")
    ET.SubElement(clock, "timer", name="pit", tickpolicy="delay")
    ET.SubElement(clock, "timer", name="rtc", tickpolicy="catchup")
    if host.accel == "kvm":
        ET.SubElement(clock, "timer", name="hpet", present="no")
    return clock


def _disk(disk: Disk, bus: str) -> ET.Element:
    element = ET.Element("disk", type="file", device="disk")
    ET.SubElement(element, "driver", name="qemu", type=disk.format, cache="writeback", discard="unmap")
    ET.SubElement(element, "source", file=disk.path)
    if disk.base:
        element.append(_base(disk))
    ET.SubElement(element, "target", dev=disk.device, bus=bus)
    _text(element, "serial", disk.role)
    if disk.role == "config":
        ET.SubElement(element, "readonly")
    return element


def _base(disk: Disk) -> ET.Element:
    """Named here, so that nothing is read from the guest's file; not relabelled, or QEMU's user would own all bases."""
    base = ET.Element("backingStore", type="file")
    ET.SubElement(base, "format", type=disk.base_format)
    source = ET.SubElement(base, "source", file=disk.base)
    ET.SubElement(source, "seclabel", model="dac", relabel="no")
    ET.SubElement(base, "backingStore")
    return base


def _volume(disk: VolumeDisk) -> ET.Element:
    volume = disk.volume
    element = ET.Element("disk", type="file" if volume.kind == "file" else "network", device="disk")
    driver = ET.SubElement(element, "driver", name="qemu", type="raw", cache="writeback", discard="unmap")
    if volume.kind != "file":
        driver.set("error_policy", "stop")  # while its host is away the guest stands still, and asks again afterwards
    element.append(volume_source(disk))
    ET.SubElement(element, "target", dev=disk.device, bus=disk.bus)
    _text(element, "serial", volume.volume_id)
    if volume.limits:
        tune = ET.SubElement(element, "iotune")
        for name, value in sorted(volume.limits.items()):
            _text(tune, name, str(value))
    if volume.read_only:
        ET.SubElement(element, "readonly")
    if volume.shared:
        ET.SubElement(element, "shareable")
    return element


def volume_source(disk: VolumeDisk) -> ET.Element:
    """A file is QEMU's already and stays so: who exports it to others is of the same user."""
    volume = disk.volume
    if volume.kind == "file":
        source = ET.Element("source", file=disk.path)
        ET.SubElement(source, "seclabel", model="dac", relabel="no")
        return source
    source = ET.Element("source", protocol="nbd", name=volume.volume_id)
    ET.SubElement(source, "host", name=volume.address, port=str(volume.port))
    return source


def elsewhere(description: str, volumes: Sequence[VolumeDisk]) -> tuple[str, list[str]]:
    """A domain as another host will have it, and which of its disks have to be copied there: those that are written to
    and are no volumes."""
    domain = ET.fromstring(description)  # noqa: S314 (libvirt's own words)
    copied: list[str] = []
    found = {disk.volume.volume_id: disk for disk in volumes}
    for element in domain.iterfind("devices/disk"):
        disk, target = found.get(element.findtext("serial") or ""), element.find("target")
        if disk is not None:
            for source in element.findall("source"):
                element.remove(source)
            element.set("type", "file" if disk.volume.kind == "file" else "network")
            element.insert(1, volume_source(disk))
        elif target is not None and element.find("readonly") is None:
            copied.append(target.get("dev", ""))
    return ET.tostring(domain, encoding="unicode"), copied


def volume_xml(disk: VolumeDisk) -> str:
    """One volume, to be plugged in."""
    return ET.tostring(_volume(disk), encoding="unicode")


def _nic(nic: Nic, host: Host) -> ET.Element:
    element = ET.Element("interface", type="bridge")
    ET.SubElement(element, "mac", address=nic.mac)
    ET.SubElement(element, "source", bridge=BRIDGE)
    port = ET.SubElement(element, "virtualport", type="openvswitch")
    ET.SubElement(port, "parameters", interfaceid=nic.port_id)
    ET.SubElement(element, "target", dev=nic.tap)
    ET.SubElement(element, "model", type=nic.model)
    if nic.model == "virtio" and host.userspace_datapath:
        driver = ET.SubElement(element, "driver", name="qemu")
        ET.SubElement(driver, "host", OFFLOADS_OFF)
        ET.SubElement(driver, "guest", {name: off for name, off in OFFLOADS_OFF.items() if name != "gso"})
    ET.SubElement(element, "mtu", size=str(nic.mtu))
    return element


def nic_xml(nic: Nic, host: Host) -> str:
    """One interface, to be plugged in."""
    return ET.tostring(_nic(nic, host), encoding="unicode")


def _serial(console_log: str) -> ET.Element:
    """virtlogd writes the log, whoever restarts; `append` keeps it over a hard reboot."""
    serial = ET.Element("serial", type="pty")
    ET.SubElement(serial, "log", file=console_log, append="on")
    ET.SubElement(serial, "target", port="0")
    return serial


def _screen() -> list[ET.Element]:
    """RFB on a unix socket in a folder of QEMU's own, which libvirt names: nothing listens on the network."""
    graphics = ET.Element("graphics", type="vnc")
    ET.SubElement(graphics, "listen", type="socket")
    video = ET.Element("video")
    ET.SubElement(video, "model", type="vga", vram="16384", heads="1", primary="yes")
    return [graphics, video]


def console_ends(description: str) -> dict[str, str]:
    """Of a running domain's description: where its screen and its serial line are on this host."""
    found: dict[str, str] = {}
    domain = ET.fromstring(description) if description else ET.Element("domain")  # noqa: S314 (libvirt's own words)
    for kind, path, attribute in (
        ("vnc", "devices/graphics[@type='vnc']/listen[@type='socket']", "socket"),
        ("serial", "devices/serial[@type='pty']/source", "path"),
    ):
        element = domain.find(path)
        if domain.get("id") and element is not None and element.get(attribute):
            found[kind] = element.attrib[attribute]
    return found


def _random() -> ET.Element:
    rng = ET.Element("rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    return rng


def _balloon() -> ET.Element:
    balloon = ET.Element("memballoon", model="virtio")
    ET.SubElement(balloon, "stats", period="10")
    return balloon
