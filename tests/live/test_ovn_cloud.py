"""The Networking API over real OVN: what a client asks for is what a guest gets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.network import reconcile
from tests.harness import Client, World, eventually
from tests.live.ovn_lab import OUTSIDE, Guest, Lab, run, wait_for
from tests.live.test_ovn import pytestmark  # noqa: F401
from tests.spec.network.things import V2, network, port, subnet


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("hosts"))
    try:
        yield lab.start_central().start_hosts()
    finally:
        lab.close()


@pytest.fixture(scope="module")
def cloud(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("cloud"), ovn_nb=lab.remote("nb"), ovn_sb=lab.remote("sb"))
    made.cloud.start()
    wait_for(lambda: len(made.cloud.drivers["network"].chassis()) == 2, message="the hosts did not register")
    yield made
    made.stop()


def plugged(lab: Lab, admin: Client, made: dict[str, Any], host: str) -> Guest:
    """A guest on a host, once its port is up."""
    body = {"binding:host_id": host, "device_owner": "compute:nova", "device_id": "guest"}
    admin.put(f"{V2}/ports/{made['id']}", {"port": body}).ok(200)
    guest = lab.guest(host, made["id"], made["mac_address"])
    eventually(lambda: admin.get(f"{V2}/ports/{made['id']}").ok()["port"]["status"] == "ACTIVE", tries=1500)
    return guest


def test_a_guest_gets_what_the_api_says(lab: Lab, cloud: World) -> None:
    admin = cloud.client("admin", "manager", "member", "reader")
    member = cloud.client("member", "reader")
    provider = {"router:external": True, "provider:network_type": "flat", "provider:physical_network": "public"}
    outside = network(admin, **provider)
    subnet(admin, outside["id"], "172.24.4.0/24", enable_dhcp=False, gateway_ip=OUTSIDE)
    inside = network(member)
    inner = subnet(member, inside["id"], "10.5.0.0/24")
    router = member.post(f"{V2}/routers", {"router": {"external_gateway_info": {"network_id": outside["id"]}}}).ok()
    path = f"{V2}/routers/{router['router']['id']}"
    member.put(f"{path}/add_router_interface", {"subnet_id": inner["id"]}).ok()
    first, second = port(member, inside["id"], dns_name="first"), port(member, inside["id"])
    one, two = plugged(lab, admin, first, "h1"), plugged(lab, admin, second, "h2")
    address = first["fixed_ips"][0]["ip_address"]
    assert one.dhcp().startswith(f"{address} 24 1442 10.5.0.1")
    two.dhcp()
    assert wait_for(lambda: two.pings(address), message="guests of the default group do not reach each other")
    body = {"floating_network_id": outside["id"], "port_id": second["id"]}
    floating_ip = member.post(f"{V2}/floatingips", {"floatingip": body}).ok()["floatingip"]
    assert not lab.outside().pings(floating_ip["floating_ip_address"], tries=2)
    rule = {"security_group_id": second["security_groups"][0], "direction": "ingress", "protocol": "icmp"}
    member.post(f"{V2}/security-group-rules", {"security_group_rule": rule}).ok(201)
    assert wait_for(
        lambda: lab.outside().pings(floating_ip["floating_ip_address"]), message="not reachable from outside"
    )
    answer = two.run("busybox", "nslookup", "first", "10.5.0.1", check=False)
    assert address in answer, answer
    eventually(lambda: not reconcile.differences(cloud.cloud))
    admin.put(f"{V2}/ports/{first['id']}", {"port": {"admin_state_up": False}}).ok()
    wait_for(lambda: not two.pings(address), message="a port that is switched off still answers")
    agents = admin.get(f"{V2}/agents").ok()["agents"]
    assert {(agent["host"], agent["alive"]) for agent in agents} == {("h1", True), ("h2", True)}


def test_what_a_careless_hand_removed_comes_back(lab: Lab, cloud: World, tmp_path: Path) -> None:
    member = cloud.client("member", "reader")
    made = network(member)
    subnet(member, made["id"])
    kept = port(member, made["id"])
    eventually(lambda: not reconcile.differences(cloud.cloud))
    run("ovn-nbctl", f"--db={lab.remote('nb')}", "lsp-del", kept["id"])
    eventually(lambda: [(d.kind, d.id) for d in reconcile.differences(cloud.cloud)] == [("port", kept["id"])])
    reconcile.repair(cloud.cloud)
    eventually(lambda: not reconcile.differences(cloud.cloud))
