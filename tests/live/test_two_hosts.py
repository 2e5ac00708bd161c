"""Two real hosts: servers on both reach each other through the tunnel, and come back after a power cut."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live.cloud import Cli, LiveCloud, eventually, ssh

pytestmark = pytest.mark.live


def _cut_the_power(cloud: LiveCloud) -> None:
    """Kill -9 everything that belongs to this cloud, guests included, in no order."""
    for _ in range(2):  # the supervisor may have started one again meanwhile
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                inside = str(cloud.state) in command or _in_namespace_of(cloud, entry)
            except OSError:
                continue
            if inside and "pytest" not in command:
                os.kill(int(entry.name), signal.SIGKILL)


def _in_namespace_of(cloud: LiveCloud, entry: Path) -> bool:
    holders = cloud.state.glob("hosts/*/run/hold.pid")
    own = (entry / "ns/mnt").readlink()
    return any(
        Path(f"/proc/{pid}/ns/mnt").exists() and Path(f"/proc/{pid}/ns/mnt").readlink() == own
        for pid in (holder.read_text().strip() for holder in holders)
    )


def _active(admin: Cli, name: str) -> Any:
    shown = admin(f"server show {name}")
    return shown if shown["status"] == "ACTIVE" else None


def test_servers_on_two_hosts_meet_and_survive_a_power_cut(live_cloud: LiveCloud, tmp_path: Path) -> None:
    admin = live_cloud.client()
    admin("network create meet")
    admin("subnet create --network meet --subnet-range 10.12.0.0/24 meet-v4")
    admin("router create meet")
    admin("router set --external-gateway public meet")
    admin("router add subnet meet meet-v4")
    admin("security group create open")
    admin("security group rule create --protocol tcp --dst-port 22 open")
    admin("security group rule create --protocol icmp open")
    key = tmp_path / "key"
    admin("keypair create --private-key", str(key), "meet")
    key.chmod(0o600)
    addresses = {}
    hosts = sorted(host["Hypervisor Hostname"] for host in admin("hypervisor list"))
    assert hosts == ["node-1", "node-2"]
    for host in hosts:
        place = f"--availability-zone nova:{host}"
        made_of = "--image cirros --flavor m1.nano --network meet --key-name meet --security-group open"
        admin(f"server create {made_of} {place} {host}")
    for host in hosts:
        shown = eventually(partial(_active, admin, host))
        assert shown["OS-EXT-SRV-ATTR:host"] == host
        addresses[host] = shown["addresses"]["meet"][0]
    floating = admin("floating ip create public")["floating_ip_address"]
    admin(f"server add floating ip node-1 {floating}")
    assert "2 packets transmitted, 2" in ssh(floating, key, f"ping -c 2 {addresses['node-2']}")

    _cut_the_power(live_cloud)
    live_cloud.start()
    assert "2 packets transmitted, 2" in ssh(floating, key, f"ping -c 2 {addresses['node-2']}", tries=120)
    assert {server["Status"] for server in admin("server list")} == {"ACTIVE"}

    for host in hosts:
        admin(f"server delete --wait {host}")
    admin(f"floating ip delete {floating}")
    admin("router remove subnet meet meet-v4")
    admin("router delete meet")
    admin("network delete meet")
    admin("security group delete open")
    admin("keypair delete meet")
    live_cloud.pileus("fsck")
