"""Hosts as clients see them: as compute services, and as hypervisors. Both are shown a `Seen`."""

import json
from typing import Any

import msgspec

from pileus.compute import hosts
from pileus.compute.scheduler import RESERVED_MB
from pileus.compute.store import Host
from pileus.core import clock
from pileus.core.fields import Boolean, Field, Integer, Text
from pileus.core.resources import Resource


class Seen(msgspec.Struct):
    """A host with what is claimed of it."""

    host: Host
    vcpus_used: int = 0
    memory_mb_used: int = 0
    disk_gb_used: int = 0
    servers: int = 0


def _status(seen: Seen) -> str:
    return "disabled" if seen.host.disabled else "enabled"


def _state(seen: Seen) -> str:
    return "up" if hosts.is_up(seen.host) else "down"


def _cpu_info(seen: Seen) -> Any:
    return seen.host.inventory.get("cpu_info", {})


def _service(seen: Seen, id: Any) -> dict[str, Any]:
    return {"host": seen.host.name, "id": id, "disabled_reason": seen.host.disabled_reason}


def _memory_used(seen: Seen) -> int:
    return seen.memory_mb_used + RESERVED_MB


def uptime(seen: Seen) -> str:
    minutes = int(seen.host.inventory.get("uptime_seconds", 0)) // 60
    load = ", ".join(f"{value:.2f}" for value in seen.host.inventory.get("load") or (0.0, 0.0, 0.0))
    return f" up {minutes // 1440} days, {minutes // 60 % 24}:{minutes % 60:02}, load average: {load}"


SERVICE = Resource(
    "service",
    [
        Text("id", since="2.53", show=lambda seen: seen.host.id),
        Text("binary", show=lambda seen: "nova-compute"),
        Text("host", show=lambda seen: seen.host.name),
        Text("zone", show=lambda seen: seen.host.zone),
        Text("status", show=_status),
        Text("state", show=_state),
        Text("updated_at", show=lambda seen: clock.naive(seen.host.seen_at)),
        Text("disabled_reason", show=lambda seen: seen.host.disabled_reason),
        Boolean("forced_down", since="2.11", show=lambda seen: seen.host.forced_down),
    ],
    earlier=[Integer("id", until="2.52", show=lambda seen: seen.host.number)],
)

BRIEF = {"id", "hypervisor_hostname", "state", "status"}
HYPERVISOR = Resource(
    "hypervisor",
    [
        Text("id", since="2.53", show=lambda seen: seen.host.id),
        Text("hypervisor_hostname", show=lambda seen: seen.host.name),
        Text("state", show=_state),
        Text("status", show=_status),
        Field("service", since="2.53", show=lambda seen: _service(seen, seen.host.id)),
        Text("host_ip", show=lambda seen: seen.host.inventory.get("host_ip") or "127.0.0.1"),
        Text("hypervisor_type", show=lambda seen: seen.host.inventory.get("hypervisor_type", "QEMU")),
        Integer("hypervisor_version", show=lambda seen: seen.host.inventory.get("hypervisor_version", 0)),
        Text("uptime", since="2.88", show=uptime),
    ],
    earlier=[
        Integer("id", until="2.52", show=lambda seen: seen.host.number),
        Field("service", until="2.52", show=lambda seen: _service(seen, seen.host.number)),
        Text("cpu_info", until="2.27", show=lambda seen: json.dumps(_cpu_info(seen))),
        Field("cpu_info", since="2.28", until="2.87", show=_cpu_info),
        # what is used is placement's to tell since 2.88
        Integer("vcpus", until="2.87", show=lambda seen: seen.host.vcpus),
        Integer("vcpus_used", until="2.87", show=lambda seen: seen.vcpus_used),
        Integer("memory_mb", until="2.87", show=lambda seen: seen.host.memory_mb),
        Integer("memory_mb_used", until="2.87", show=_memory_used),
        Integer("free_ram_mb", until="2.87", show=lambda seen: seen.host.memory_mb - _memory_used(seen)),
        Integer("local_gb", until="2.87", show=lambda seen: seen.host.disk_gb),
        Integer("local_gb_used", until="2.87", show=lambda seen: seen.disk_gb_used),
        Integer("free_disk_gb", until="2.87", show=lambda seen: seen.host.disk_gb - seen.disk_gb_used),
        Integer("disk_available_least", until="2.87", show=lambda seen: seen.host.disk_gb - seen.disk_gb_used),
        Integer("current_workload", until="2.87", show=lambda seen: 0),
        Integer("running_vms", until="2.87", show=lambda seen: seen.servers),
    ],
)
