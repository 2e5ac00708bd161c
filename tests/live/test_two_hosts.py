"""Two real hosts: servers on both reach each other through the tunnel, and come back after a power cut; a volume is
carried from one to the other."""

import json
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


# a disk is found by its serial number, of which a guest sees the beginning; each line has a block of its own
DISK = "$(grep -l -- - /sys/block/vd*/serial | cut -d/ -f4)"


def _write(address: str, key: Path, block: int, words: str) -> None:
    ssh(address, key, f"echo {words} | sudo dd of=/dev/{DISK} bs=512 seek={block} conv=fsync 2>/dev/null")


def _read(address: str, key: Path) -> list[str]:
    return ssh(address, key, f"sudo dd if=/dev/{DISK} bs=512 count=3 2>/dev/null | tr -d '\\0'", tries=120).splitlines()


def _a_volume_goes_along(cloud: LiveCloud, admin: Cli, key: Path, addresses: dict[str, str]) -> str:
    """Written on its own host, then on the other, by an export that may be killed. Returns where it is last."""

    def is_now(status: str) -> Any:
        return eventually(lambda: admin("volume show carried")["status"] == status, pause=0.2)

    admin("volume create --size 1 carried")
    is_now("available")
    home = admin("volume show carried")["os-vol-host-attr:host"].partition("@")[0]
    (away,) = addresses.keys() - {home}
    for block, host in enumerate((home, away)):
        admin(f"server add volume {host} carried")
        is_now("in-use")
        _write(addresses[host], key, block, f"from {host}")
        if host == home:
            admin(f"server remove volume {host} carried")
            is_now("available")
    (note,) = cloud.state.glob("hosts/*/node/exports/*.json")
    os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    _write(addresses[away], key, 2, "was away")  # the guest stands still until its volume is exported again
    assert _read(addresses[away], key) == [f"from {home}", f"from {away}", "was away"]
    return away


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
    other = admin("floating ip create public")["floating_ip_address"]
    admin(f"server add floating ip node-2 {other}")
    away = _a_volume_goes_along(live_cloud, admin, key, {"node-1": floating, "node-2": other})

    _cut_the_power(live_cloud)
    live_cloud.start()
    assert "2 packets transmitted, 2" in ssh(floating, key, f"ping -c 2 {addresses['node-2']}", tries=120)
    assert {server["Status"] for server in admin("server list")} == {"ACTIVE"}
    assert "was away" in _read({"node-1": floating, "node-2": other}[away], key)

    for host in hosts:
        admin(f"server delete --wait {host}")
    assert admin("volume show carried")["status"] == "available"
    admin("volume delete carried")
    admin(f"floating ip delete {floating} {other}")
    admin("router remove subnet meet meet-v4")
    admin("router delete meet")
    admin("network delete meet")
    admin("security group delete open")
    admin("keypair delete meet")
    live_cloud.pileus("fsck")
