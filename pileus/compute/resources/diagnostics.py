"""What a guest uses, in the two forms that clients know."""

from typing import Any

from pileus.compute.store import Server
from pileus.node import protocol as p


def raw(told: p.Diagnostics) -> dict[str, Any]:
    """Before 2.48 each hypervisor had names of its own; these are libvirt's."""
    body: dict[str, Any] = {f"cpu{n}_time": time for n, time in enumerate(told.cpu_ns)}
    for disk in told.disks:
        body |= {
            f"{disk.name}_read": disk.read_bytes, f"{disk.name}_read_req": disk.read_ops,
            f"{disk.name}_write": disk.write_bytes, f"{disk.name}_write_req": disk.write_ops,
            f"{disk.name}_errors": disk.errors,
        }  # fmt: skip
    for nic in told.nics:
        body |= {
            f"{nic.name}_rx": nic.read_bytes, f"{nic.name}_rx_packets": nic.read_ops, f"{nic.name}_tx": nic.write_bytes,
            f"{nic.name}_tx_packets": nic.write_ops, f"{nic.name}_rx_errors": nic.errors,
            f"{nic.name}_rx_drop": nic.drops,
        }  # fmt: skip
    return {**body, "memory": told.memory_mb << 10, "memory-rss": told.memory_used_mb << 10}


def standard(server: Server, told: p.Diagnostics) -> dict[str, Any]:
    state = "pending" if told.power_state == "nostate" else told.power_state
    return {
        "state": state,
        "driver": "libvirt",
        "hypervisor": told.hypervisor,
        "hypervisor_os": "linux",
        "uptime": told.uptime_seconds,
        "config_drive": server.config_drive,
        "num_cpus": len(told.cpu_ns),
        "num_nics": len(told.nics),
        "num_disks": len(told.disks),
        "memory_details": {"maximum": told.memory_mb, "used": told.memory_used_mb},
        "cpu_details": [{"id": n, "time": time, "utilisation": None} for n, time in enumerate(told.cpu_ns)],
        "nic_details": [
            {
                "mac_address": nic.name, "rx_octets": nic.read_bytes, "rx_errors": nic.errors, "rx_drop": nic.drops,
                "rx_packets": nic.read_ops, "rx_rate": None, "tx_octets": nic.write_bytes, "tx_errors": 0, "tx_drop": 0,
                "tx_packets": nic.write_ops, "tx_rate": None,
            }
            for nic in told.nics
        ],
        "disk_details": [
            {
                "read_bytes": disk.read_bytes, "read_requests": disk.read_ops, "write_bytes": disk.write_bytes,
                "write_requests": disk.write_ops, "errors_count": disk.errors,
            }
            for disk in told.disks
        ],
    }  # fmt: skip
