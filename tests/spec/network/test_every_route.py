"""What is alike for many kinds of things of a network: tags, changes, rules; and what operators ask of it."""

from collections.abc import Callable
from typing import Any

import pytest

from pileus.core import clock
from pileus.network.drivers.base import Chassis
from tests.harness import Client, World
from tests.spec.network.things import V2, network, port, subnet

Make = Callable[[Client], str]


def _made(path: str, **members: Any) -> Make:
    """Something that needs nothing else."""
    word = path.rpartition("/")[2].replace("-", "_").removesuffix("s").replace("policie", "policy")

    def make(admin: Client) -> str:
        found: str = admin.post(f"{V2}/{path}", {word: members}).ok(201)[word]["id"]
        return found

    return make


def _rule(admin: Client) -> str:
    rule = {"security_group_id": _made("security-groups", name="g")(admin), "direction": "ingress", "protocol": "tcp"}
    made: str = admin.post(f"{V2}/security-group-rules", {"security_group_rule": rule}).ok(201)["security_group_rule"][
        "id"
    ]
    return made


def _port(admin: Client) -> str:
    made: str = port(admin, network(admin)["id"])["id"]
    return made


def _subnet(admin: Client) -> str:
    made: str = subnet(admin, network(admin)["id"])["id"]
    return made


def _trunk(admin: Client) -> str:
    made: str = admin.post(f"{V2}/trunks", {"trunk": {"port_id": _port(admin)}}).ok(201)["trunk"]["id"]
    return made


def _external(admin: Client) -> str:
    body = {"network": {"name": f"out-{clock.new_id()}", "router:external": True}}
    made: str = admin.post(f"{V2}/networks", body).ok(201)["network"]["id"]
    subnet(admin, made, cidr="172.31.0.0/24", enable_dhcp=False)
    return made


def _floating_ip(admin: Client) -> str:
    body = {"floatingip": {"floating_network_id": _external(admin)}}
    made: str = admin.post(f"{V2}/floatingips", body).ok(201)["floatingip"]["id"]
    return made


POOL = _made("subnetpools", name="p", prefixes=["10.77.0.0/16"], default_prefixlen=24)
KINDS: dict[str, Make] = {
    "networks": lambda admin: str(network(admin)["id"]),
    "subnets": _subnet,
    "ports": _port,
    "routers": _made("routers", name="r"),
    "floatingips": _floating_ip,
    "security-groups": _made("security-groups", name="g"),
    "security-group-rules": _rule,
    "policies": _made("qos/policies", name="q"),
    "qos/policies": _made("qos/policies", name="q"),
    "trunks": _trunk,
    "subnetpools": POOL,
    "address-scopes": _made("address-scopes", name="s", ip_version=4),
    "address-groups": _made("address-groups", name="g"),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_everything_can_be_tagged(admin: Client, stranger: Client, kind: str) -> None:
    path = f"{V2}/{kind}/{KINDS[kind](admin)}/tags"
    admin.put(path, {"tags": ["red", "blue"]}).ok(200)
    assert set(admin.post(path, {"tags": ["green", "red"]}).ok(200)["tags"]) == {"red", "blue", "green"}
    admin.get(f"{path}/green").ok(204)
    admin.delete(f"{path}/green").ok(204)
    admin.get(f"{path}/green").refused(404, "TagNotFound")
    admin.put(f"{path}/gold").ok(201)
    assert set(admin.get(path).ok(200)["tags"]) == {"red", "blue", "gold"}
    admin.put(path, {"tags": ["x" * 300]}).refused(400)
    stranger.put(path, {"tags": []}).refused(404)
    admin.delete(path).ok(204)
    assert admin.get(path).ok(200) == {"tags": []}


@pytest.mark.parametrize(
    ("kind", "word", "changes"),
    [
        ("networks", "network", {"name": "new", "description": "d"}),
        ("subnets", "subnet", {"name": "new", "dns_nameservers": ["9.9.9.9"]}),
        ("routers", "router", {"name": "new", "admin_state_up": False}),
        ("security-groups", "security_group", {"name": "new"}),
        ("qos/policies", "policy", {"name": "new", "description": "d"}),
        ("trunks", "trunk", {"name": "new", "description": "d"}),
        ("subnetpools", "subnetpool", {"name": "new", "description": "d"}),
        ("address-scopes", "address_scope", {"name": "new"}),
    ],
)
def test_everything_can_be_changed_shown_and_deleted(
    admin: Client, stranger: Client, kind: str, word: str, changes: dict[str, Any]
) -> None:
    path = f"{V2}/{kind}/{KINDS[kind](admin)}"
    before = admin.get(path).ok(200)[word]
    after = admin.put(path, {word: changes}).ok(200)[word]
    assert {name: after[name] for name in changes} == changes
    assert after["revision_number"] > before["revision_number"]
    assert admin.get(path).ok(200)[word] == after
    stranger.put(path, {word: changes}).refused(404)
    admin.put(path, {word: {"colour": "red"}}).refused(400, "colour")
    admin.delete(path).ok(204)
    admin.get(path).refused(404)


# -- rules of policies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "changed"),
    [
        ("bandwidth_limit", {"max_kbps": 1000}, {"max_kbps": 500}),
        ("dscp_marking", {"dscp_mark": 10}, {"dscp_mark": 12}),
    ],
)
def test_a_rule_has_two_addresses(admin: Client, kind: str, given: dict[str, int], changed: dict[str, int]) -> None:
    word = f"{kind}_rule"
    many = f"{V2}/qos/policies/{KINDS['policies'](admin)}/{kind}_rules"
    rule = admin.post(many, {word: given}).ok(201)[word]
    alias = f"{V2}/qos/alias-{kind.replace('_', '-')}-rules/{rule['id']}"
    assert admin.get(many).ok(200) == {f"{word}s": [rule]}
    assert admin.get(alias).ok(200)[word] == admin.get(f"{many}/{rule['id']}").ok(200)[word] == rule
    assert admin.put(f"{many}/{rule['id']}", {word: changed}).ok(200)[word] == rule | changed
    assert admin.put(alias, {f"alias_{word}": given}).ok(200)[word] == rule
    admin.delete(f"{many}/{rule['id']}").ok(204)
    again = admin.post(many, {word: given}).ok(201)[word]
    alias = alias.replace(rule["id"], again["id"])
    admin.delete(alias).ok(204)
    admin.get(alias).refused(404)
    shown = admin.get(f"{V2}/qos/rule-types/{kind}").ok(200)["rule_type"]
    assert set(given) <= {each["parameter_name"] for each in shown["drivers"][0]["supported_parameters"]}
    admin.get(f"{V2}/qos/rule-types/smoke").refused(404)


# -- pools, trunks, openings -------------------------------------------------------------------------------------------


def test_prefixes_come_and_go(admin: Client) -> None:
    path = f"{V2}/subnetpools/{POOL(admin)}"
    added = admin.put(f"{path}/add_prefixes", {"prefixes": ["10.99.0.0/16"]}).ok(200)["prefixes"]
    assert set(added) == {"10.77.0.0/16", "10.99.0.0/16"}
    assert admin.put(f"{path}/remove_prefixes", {"prefixes": ["10.77.0.0/16"]}).ok(200)["prefixes"] == ["10.99.0.0/16"]


def test_a_trunk_carries_ports(admin: Client) -> None:
    path = f"{V2}/trunks/{_trunk(admin)}"
    carried = {"port_id": _port(admin), "segmentation_type": "vlan", "segmentation_id": 7}
    admin.put(f"{path}/add_subports", {"sub_ports": [carried]}).ok(200)
    assert admin.get(f"{path}/get_subports").ok(200)["sub_ports"] == [carried]
    admin.put(f"{path}/remove_subports", {"sub_ports": [{"port_id": carried["port_id"]}]}).ok(200)
    assert admin.get(f"{path}/get_subports").ok(200)["sub_ports"] == []


def test_an_opening_is_given_to_another_project(admin: Client, member: Client, stranger: Client) -> None:
    network_id = network(admin)["id"]
    opening = {"object_type": "network", "object_id": network_id, "action": "access_as_shared"}
    body = {"rbac_policy": {**opening, "target_tenant": member.project_id}}
    opened = admin.post(f"{V2}/rbac-policies", body).ok(201)["rbac_policy"]["id"]
    member.get(f"{V2}/networks/{network_id}").ok(200)
    change = {"rbac_policy": {"target_tenant": stranger.project_id}}
    admin.put(f"{V2}/rbac-policies/{opened}", change).ok(200)
    member.get(f"{V2}/networks/{network_id}").refused(404)
    stranger.get(f"{V2}/networks/{network_id}").ok(200)


# -- what operators ask ------------------------------------------------------------------------------------------------


def test_addresses_in_use_are_counted(admin: Client) -> None:
    inside = network(admin)["id"]
    subnet(admin, inside)
    port(admin, inside)
    found = admin.get(f"{V2}/network-ip-availabilities/{inside}").ok(200)["network_ip_availability"]
    assert found["used_ips"] >= 1 and found["total_ips"] > 200
    admin.get(f"{V2}/network-ip-availabilities/nothing").refused(404)


@pytest.mark.parametrize("path", ["floatingip_pools", "floatingip-pools"])
def test_pools_of_floating_ips_are_external_subnets(admin: Client, path: str) -> None:
    outside = _external(admin)
    found = admin.get(f"{V2}/{path}").ok(200)
    assert outside in {pool["network_id"] for pool in next(iter(found.values()))}


def test_quotas_have_defaults_and_details(admin: Client, member: Client) -> None:
    path = f"{V2}/quotas/{member.project_id}"
    admin.put(path, {"quota": {"port": 7}}).ok(200)
    assert admin.get(f"{path}/default").ok(200)["quota"]["port"] == 500
    port(member, network(member)["id"])
    assert admin.get(f"{path}/details").ok(200)["quota"]["port"]["limit"] == 7


def test_agents_are_seen_described_and_forgotten_once_they_are_gone(fresh: World) -> None:
    admin = fresh.client("admin", "manager", "member", "reader")
    alive = Chassis(name="one", hostname="one", physnets=("public",), last_seen=1e9)
    fresh.cloud.drivers["network"].set_hosts([alive, Chassis(name="two", hostname="two", alive=False)])
    agents = {agent["host"]: agent for agent in admin.get(f"{V2}/agents").ok(200)["agents"]}
    path, gone = f"{V2}/agents/{agents['one']['id']}", f"{V2}/agents/{agents['two']['id']}"
    assert admin.put(path, {"agent": {"description": "old"}}).ok(200)["agent"]["description"] == "old"
    assert admin.get(path).ok(200)["agent"]["description"] == "old"
    gateway = {"external_gateway_info": {"network_id": _external(admin)}}
    router = admin.post(f"{V2}/routers", {"router": {"name": "r", **gateway}}).ok(201)["router"]["id"]
    assert "routers" in admin.get(f"{path}/l3-routers").ok(200)
    assert "agents" in admin.get(f"{V2}/routers/{router}/l3-agents").ok(200)
    admin.delete(path).refused(409, "alive")
    admin.delete(gone).ok(204)
    admin.get(gone).refused(404)
