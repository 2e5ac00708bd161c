"""A stranger's first hour with the stock `openstack` client, from a new project to a clean fsck."""

from pathlib import Path

import pytest

from tests.live.cloud import LiveCloud, guest_image, ssh

pytestmark = pytest.mark.live


def test_a_stranger_gets_a_server_and_leaves_nothing(live_cloud: LiveCloud, tmp_path: Path) -> None:
    admin = live_cloud.client()
    admin(
        "image create --public --disk-format qcow2 --container-format bare --file",
        str(guest_image()),
        "walk",
    )
    admin("flavor create --ram 192 --disk 1 --vcpus 1 walk.nano")
    admin("project create walk")
    admin("user create --project walk --password walk-secret-1 walker")
    admin("role add --project walk --user walker member")

    walker = live_cloud.client(OS_USERNAME="walker", OS_PASSWORD="walk-secret-1", OS_PROJECT_NAME="walk")
    walker("network create inner")
    walker("subnet create --network inner --subnet-range 10.9.0.0/24 inner-v4")
    walker("router create door")
    walker("router set --external-gateway public door")
    walker("router add subnet door inner-v4")
    walker("security group rule create --protocol tcp --dst-port 22 default")
    walker("security group rule create --protocol icmp default")
    key = tmp_path / "key"
    walker("keypair create --private-key", str(key), "walk-key")
    key.chmod(0o600)
    walker("server create --image walk --flavor walk.nano --network inner --key-name walk-key --wait first")
    shown = walker("server show first")
    assert shown["status"] == "ACTIVE"
    address = walker("floating ip create public")["floating_ip_address"]
    walker(f"server add floating ip first {address}")

    assert ssh(address, key, "hostname").strip() == "first"
    assert "uid=0" in ssh(address, key, "sudo id")
    assert "login" in walker("console log show first")
    walker("server reboot --hard --wait first")
    assert ssh(address, key, "hostname").strip() == "first"

    walker("server delete --wait first")
    walker(f"floating ip delete {address}")
    walker("router remove subnet door inner-v4")
    walker("router delete door")
    walker("network delete inner")
    walker("keypair delete walk-key")
    assert walker("port list") == []
    live_cloud.pileus("fsck")
