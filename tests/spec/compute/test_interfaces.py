"""A server's interfaces, addresses and security groups while it is there."""

from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Client, World, eventually
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_network


@pytest.fixture
def server_id(servers: Servers, network_id: str) -> str:
    return servers.active()


def interfaces(member: Client, server_id: str) -> list[Any]:
    found: list[Any] = member.get(f"{SERVERS}/{server_id}/os-interface").ok()["interfaceAttachments"]
    return found


def plugged(world: World, server_id: str) -> set[str]:
    for node in world.cloud.drivers["compute"].fakes.values():
        if server_id in node.instances and node.instances[server_id].spec:
            return {nic.port_id for nic in node.instances[server_id].spec.nics}
    return set()


def test_an_interface_is_plugged_in_and_pulled_out_of_a_running_server(
    server_id: str, member: Client, world: World
) -> None:
    other = make_network(member, "other", "10.2.0.0/24")
    path = f"{SERVERS}/{server_id}/os-interface"
    wanted = {"net_id": other, "fixed_ips": [{"ip_address": "10.2.0.9"}]}
    made = member.post(path, {"interfaceAttachment": wanted}).ok(200)["interfaceAttachment"]
    assert (made["net_id"], made["fixed_ips"][0]["ip_address"]) == (other, "10.2.0.9")
    eventually(lambda: made["port_id"] in plugged(world, server_id))
    assert member.get(f"{path}/{made['port_id']}").ok()["interfaceAttachment"]["mac_addr"] == made["mac_addr"]
    assert {each["net_id"] for each in interfaces(member, server_id)} >= {other}
    member.delete(f"{path}/{made['port_id']}").ok(202)
    eventually(lambda: made["port_id"] not in plugged(world, server_id))
    eventually(lambda: len(interfaces(member, server_id)) == 1)
    member.get(f"/network/v2.0/ports/{made['port_id']}").refused(404)
    member.get(f"{path}/{made['port_id']}").refused(404)


def test_a_port_its_user_brings_goes_back_to_its_user(server_id: str, member: Client, network_id: str) -> None:
    port = member.post("/network/v2.0/ports", {"port": {"network_id": network_id}}).ok(201)["port"]["id"]
    path = f"{SERVERS}/{server_id}/os-interface"
    member.at("2.70").post(path, {"interfaceAttachment": {"port_id": port, "tag": "b"}}).ok(200)
    member.post(path, {"interfaceAttachment": {"port_id": port}}).refused(409, "in use")
    eventually(lambda: len(interfaces(member, server_id)) == 2)
    assert member.at("2.70").get(path).ok()["interfaceAttachments"][1]["tag"] == "b"
    assert member.at("2.70").get(f"{path}/{port}").ok()["interfaceAttachment"]["tag"] == "b"
    member.delete(f"{path}/{port}").ok(202)
    eventually(lambda: member.get(f"/network/v2.0/ports/{port}").ok()["port"]["device_id"] == "")


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ({"net_id": "$missing"}, 404, "could not be found"),
        ({"port_id": "$missing"}, 404, "could not be found"),
        ({"net_id": "$network", "port_id": "$missing"}, 400, "both"),
        ({"fixed_ips": [{"ip_address": "10.1.0.9"}]}, 400, "network_id"),
        ({"net_id": "$network", "fixed_ips": [{"ip_address": "10.9.0.9"}]}, 400, "10.9.0.9"),
        ({"net_id": "x"}, 400, "net_id"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_an_interface_that_cannot_be_is_refused(
    server_id: str, member: Client, network_id: str, wanted: dict[str, Any], status: int, words: str
) -> None:
    known = {"$missing": clock.new_id(), "$network": network_id}
    filled = {key: known.get(value, value) if isinstance(value, str) else value for key, value in wanted.items()}
    member.post(f"{SERVERS}/{server_id}/os-interface", {"interfaceAttachment": filled}).refused(status, words)
    assert len(interfaces(member, server_id)) == 1


def test_a_create_without_room_for_its_ports_is_refused_and_leaves_nothing(
    servers: Servers, network_id: str, member: Client, admin: Client
) -> None:
    used = len(member.get("/network/v2.0/ports").ok()["ports"])
    admin.put(f"/network/v2.0/quotas/{member.project_id}", {"quota": {"port": used + 1}}).ok(200)
    member.post(SERVERS, servers.body(min_count=2)).refused(403, "ports")
    assert len(member.get("/network/v2.0/ports").ok()["ports"]) == used
    assert member.get(SERVERS).ok()["servers"] == []


def test_a_create_with_a_port_or_address_in_use_is_refused(servers: Servers, network_id: str, member: Client) -> None:
    port = member.post("/network/v2.0/ports", {"port": {"network_id": network_id}}).ok(201)["port"]
    servers.create(networks=[{"port": port["id"]}])
    member.post(SERVERS, servers.body(networks=[{"port": port["id"]}])).refused(409, "in use")
    taken = port["fixed_ips"][0]["ip_address"]
    member.post(SERVERS, servers.body(networks=[{"uuid": network_id, "fixed_ip": taken}])).refused(400, taken)


def test_addresses_are_shown_by_network(server_id: str, member: Client) -> None:
    shown = member.get(f"{SERVERS}/{server_id}/ips").ok()["addresses"]
    assert list(shown) == ["inside"] and shown["inside"][0]["version"] == 4
    assert member.get(f"{SERVERS}/{server_id}/ips/inside").ok() == shown
    member.get(f"{SERVERS}/{server_id}/ips/outside").refused(404, "outside")


def test_a_server_gets_one_more_address_and_loses_it(server_id: str, member: Client, network_id: str) -> None:
    path = f"{SERVERS}/{server_id}/action"
    member.post(path, {"addFixedIp": {"networkId": network_id}}).ok(202)
    addresses = [ip["ip_address"] for ip in interfaces(member, server_id)[0]["fixed_ips"]]
    assert len(addresses) == 2
    member.post(path, {"removeFixedIp": {"address": addresses[1]}}).ok(202)
    assert len(interfaces(member, server_id)[0]["fixed_ips"]) == 1
    member.post(path, {"removeFixedIp": {"address": addresses[1]}}).refused(400, addresses[1])
    member.post(path, {"addFixedIp": {"networkId": clock.new_id()}}).refused(404)


# -- security groups, also through their older door --------------------------------------------------------------------

GROUPS = f"{COMPUTE}/os-security-groups"
RULES = f"{COMPUTE}/os-security-group-rules"


def test_a_group_and_its_rules_are_made_changed_and_deleted(member: Client) -> None:
    made = member.post(GROUPS, {"security_group": {"name": "web", "description": "x"}}).ok(200)["security_group"]
    given = {"parent_group_id": made["id"], "ip_protocol": "tcp", "from_port": 80, "to_port": 81, "cidr": "10.0.0.0/8"}
    rule = member.post(RULES, {"security_group_rule": given}).ok(200)["security_group_rule"]
    assert (rule["ip_range"], rule["from_port"], rule["to_port"]) == ({"cidr": "10.0.0.0/8"}, 80, 81)
    assert member.get(f"{GROUPS}/{made['id']}").ok()["security_group"]["rules"] == [rule]
    assert {group["name"] for group in member.get(GROUPS).ok()["security_groups"]} == {"default", "web"}
    renamed = member.put(f"{GROUPS}/{made['id']}", {"security_group": {"name": "www", "description": "y"}}).ok(200)
    assert renamed["security_group"]["name"] == "www"
    member.post(RULES, {"security_group_rule": given}).refused(400, "already exists")
    member.delete(f"{RULES}/{rule['id']}").ok(202)
    member.delete(f"{GROUPS}/{made['id']}").ok(202)
    member.get(f"{GROUPS}/{made['id']}").refused(404)


@pytest.mark.parametrize(
    "change",
    [{"ip_protocol": "smoke"}, {"from_port": 90}, {"from_port": -7}, {"cidr": "everywhere"}, {"parent_group_id": None}],
)
def test_a_rule_that_makes_no_sense_is_refused(member: Client, change: dict[str, Any]) -> None:
    made = member.post(GROUPS, {"security_group": {"name": "web", "description": ""}}).ok(200)["security_group"]
    given = {"parent_group_id": made["id"], "ip_protocol": "tcp", "from_port": 80, "to_port": 80, "cidr": "10.0.0.0/8"}
    member.post(RULES, {"security_group_rule": given | change}).refused(400)


def test_a_server_gets_a_group_and_loses_it(server_id: str, member: Client) -> None:
    group = member.post(GROUPS, {"security_group": {"name": "web", "description": ""}}).ok(200)["security_group"]
    path = f"{SERVERS}/{server_id}/action"
    member.post(path, {"addSecurityGroup": {"name": "web"}}).ok(202)
    shown = member.get(f"{SERVERS}/{server_id}/os-security-groups").ok()["security_groups"]
    assert {each["name"] for each in shown} == {"default", "web"}
    member.delete(f"{GROUPS}/{group['id']}").refused(400, "in use")
    member.post(path, {"removeSecurityGroup": {"name": "web"}}).ok(202)
    member.post(path, {"removeSecurityGroup": {"name": "web"}}).refused(404, "not associated")
    member.post(path, {"addSecurityGroup": {"name": "nothing"}}).refused(404)


def test_the_older_door_is_closed_to_newer_clients(member: Client) -> None:
    member.at("2.36").get(GROUPS).refused(404)
    default = next(group for group in member.get(GROUPS).ok()["security_groups"] if group["name"] == "default")
    member.delete(f"{GROUPS}/{default['id']}").refused(400, "default")
