"""Disks of running guests: volumes plugged in, taken out and grown. Found by their serial number, the volume's id."""

import logging
import time
import xml.etree.ElementTree as ET
from typing import Any

import libvirt
import libvirt_qemu

from pileus.node.errors import NodeError
from pileus.node.vm.hypervisor import UNPLUG_LOOKS, UNPLUG_TRIES, Hypervisor, translated

ASKS, ASK_SECONDS = 50, 0.2  # until another host, which has just let a volume grow, answers again
LOG = logging.getLogger("pileus.node.vm")


def plug(hypervisor: Hypervisor, server_id: str, volume_id: str, xml: str) -> None:
    """Nothing to do when it is there, or the guest is off: then it finds it when it starts."""
    domain = hypervisor.domain(server_id)
    with translated("plugging the volume in"):
        if domain.isActive() and _disk(domain, volume_id) is None:
            domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def unplug(hypervisor: Hypervisor, server_id: str, volume_id: str) -> None:
    """The guest is asked, and has some seconds, several times."""
    if hypervisor.find(server_id) is None:
        return
    domain = hypervisor.domain(server_id)
    for _ in range(UNPLUG_TRIES):
        disk = _disk(domain, volume_id)
        if disk is None:
            return
        try:
            domain.detachDeviceFlags(ET.tostring(disk, encoding="unicode"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as e:  # also: it is being unplugged already
            LOG.info("unplugging volume %s: %s", volume_id, e)
        for _ in range(UNPLUG_LOOKS):
            if _disk(domain, volume_id) is None:
                return
            time.sleep(0.2)
    raise NodeError("engine", f"the guest does not let go of volume {volume_id}")


def resize(hypervisor: Hypervisor, server_id: str, volume_id: str, size: int) -> None:
    """The guest hears of it. One that is off will see it."""
    if hypervisor.find(server_id) is None:
        return
    domain = hypervisor.domain(server_id)
    disk = _disk(domain, volume_id)
    target = disk.find("target") if disk is not None else None
    if disk is not None and target is not None:
        with translated("telling the guest of the volume's size"):
            for left in reversed(range(ASKS if disk.get("type") == "network" else 1)):
                try:
                    domain.blockResize(target.get("dev", ""), size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
                    return
                except libvirt.libvirtError:
                    if not left:
                        raise
                _ask(domain, disk)
                time.sleep(ASK_SECONDS)


def _ask(domain: Any, disk: ET.Element) -> None:
    """QEMU connects again when it has something to ask, and hears of the new size then: an idle guest asks nothing."""
    alias = disk.find("alias")
    name = f"/machine/peripheral/{alias.get('name', '')}/virtio-backend" if alias is not None else ""
    command = f'qemu-io -d {name} "read 0 512"'
    libvirt_qemu.qemuMonitorCommand(domain, command, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)


def _disk(domain: Any, volume_id: str) -> ET.Element | None:
    """Of a running guest."""
    with translated("domain description"):
        if not domain.isActive():
            return None
        description = ET.fromstring(domain.XMLDesc())  # noqa: S314 (libvirt's own words)
    for disk in description.iterfind("devices/disk"):
        if disk.findtext("serial") == volume_id:
            return disk
    return None
