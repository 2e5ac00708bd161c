"""A real guest goes from one host to the other while it runs: the same boot, the same disk, the same address."""

from pathlib import Path

import pytest

from tests.live.cloud import Cli, LiveCloud, eventually, ssh

pytestmark = pytest.mark.live


def test_a_guest_goes_to_the_other_host_without_a_reboot(live_cloud: LiveCloud, tmp_path: Path) -> None:
    admin = live_cloud.client()
    admin("network create move")
    admin("subnet create --network move --subnet-range 10.13.0.0/24 move-v4")
    admin("router create move")
    admin("router set --external-gateway public move")
    admin("router add subnet move move-v4")
    admin("security group create move")
    admin("security group rule create --protocol tcp --dst-port 22 move")
    key = tmp_path / "key"
    admin("keypair create --private-key", str(key), "move")
    key.chmod(0o600)
    made_of = "--image cirros --flavor m1.nano --network move --key-name move --security-group move"
    admin(f"server create {made_of} --availability-zone nova:node-1 --config-drive true mover")
    eventually(lambda: _host(admin) == "node-1", tries=240)
    floating = admin("floating ip create public")["floating_ip_address"]
    admin(f"server add floating ip mover {floating}")
    _attach_a_volume(admin)
    disk = "$(grep -l -- - /sys/block/vd*/serial | cut -d/ -f4)"  # the one with a volume's id for its serial number
    look = f"md5sum grown; cat /proc/sys/kernel/random/boot_id; sudo head -c 3145728 /dev/{disk} | md5sum"
    ssh(floating, key, f"dd if=/dev/urandom bs=1M count=3 2>/dev/null | sudo dd of=/dev/{disk} 2>/dev/null", tries=120)
    boot = ssh(floating, key, f"dd if=/dev/urandom of=grown bs=1M count=3 2>/dev/null; sync; {look}", tries=120)

    admin("server migrate --live-migration --os-compute-api-version 2.30 mover")
    eventually(lambda: _host(admin) == "node-2", tries=240)
    assert ssh(floating, key, look) == boot
    listed = admin("server migration list --os-compute-api-version 2.59")
    assert {move["Status"] for move in listed if move["Type"] == "live-migration"} == {"completed"}
    live_cloud.pileus("fsck")

    admin("server delete --wait mover")
    admin("volume delete carried")
    admin(f"floating ip delete {floating}")
    admin("router remove subnet move move-v4")
    admin("router delete move")
    admin("network delete move")
    admin("security group delete move")
    admin("keypair delete move")


def _attach_a_volume(admin: Cli) -> None:
    """It stays where it is: on one of the hosts the guest has the file, on the other it reaches it over the network."""
    for status, command in (
        ("available", "volume create --size 1 carried"),
        ("in-use", "server add volume mover carried"),
    ):
        admin(command)
        eventually(lambda: admin("volume show carried")["status"] == status)  # noqa: B023


def _host(admin: Cli) -> str | None:
    """Once it is at rest there."""
    shown = admin("server show mover")
    at_rest = shown["status"] == "ACTIVE" and shown["OS-EXT-STS:task_state"] is None
    return str(shown["OS-EXT-SRV-ATTR:host"]) if at_rest else None
