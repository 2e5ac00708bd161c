"""What the host has and uses, from /proc, the filesystem and libvirt."""

import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from pileus.node.protocol import Inventory

GIB = 1 << 30


def host_inventory(
    name: str, folder: Path, hypervisor: tuple[int, int, str] | None, accel: str, address: str
) -> Inventory:
    """`hypervisor` is None while libvirt does not answer: the rest is still true."""
    memory = memory_kib()
    disk = shutil.disk_usage(folder)
    version, running, capabilities = hypervisor or (0, 0, "")
    return Inventory(
        name=name,
        vcpus=len(os.sched_getaffinity(0)),
        memory_mb=memory["MemTotal"] >> 10,
        memory_mb_used=(memory["MemTotal"] - memory["MemAvailable"]) >> 10,
        disk_gb=disk.total // GIB,
        disk_gb_used=disk.used // GIB,
        running_vms=running,
        hypervisor_type="KVM" if accel == "kvm" else "QEMU",
        hypervisor_version=version,
        hypervisor_hostname=name,
        host_ip=address,
        cpu_info=cpu_info(capabilities),
        load=list(os.getloadavg()),
        uptime_seconds=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
    )


def memory_kib() -> dict[str, int]:
    values = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0])
    return values


def cpu_info(capabilities: str) -> dict[str, Any]:
    """Of libvirt's capabilities what os-hypervisors shows."""
    info: dict[str, Any] = {"arch": platform.machine(), "model": "", "vendor": "", "topology": {}, "features": []}
    cpu = ET.fromstring(capabilities).find("host/cpu") if capabilities else None  # noqa: S314 (libvirt's own words)
    if cpu is None:
        return info
    topology = cpu.find("topology")
    return {
        "arch": cpu.findtext("arch", info["arch"]),
        "model": cpu.findtext("model", ""),
        "vendor": cpu.findtext("vendor", ""),
        "topology": {name: int(value) for name, value in topology.attrib.items()} if topology is not None else {},
        "features": [feature.get("name", "") for feature in cpu.findall("feature")],
    }
