"""Limits on ports, and ports that carry others."""

from typing import Any

from pileus.network import reconcile
from tests.harness import Client, World
from tests.spec.network.test_networking import V2, network, port, subnet


def engine_rows(world: World, port_id: str) -> dict[tuple[str, str], Any]:
    assert reconcile.wait_programmed(world.cloud, [port_id])
    found: dict[tuple[str, str], Any] = world.cloud.drivers["network"].rows[("port", port_id)]
    return found


def test_a_limit_of_a_policy_is_the_ports_that_has_it(world: World, member: Client, admin: Client) -> None:
    body = {"policy": {"name": "slow", "shared": True}}
    policy = admin.post(f"{V2}/qos/policies", body).ok(201)["policy"]
    rules = f"{V2}/qos/policies/{policy['id']}/bandwidth_limit_rules"
    rule = admin.post(rules, {"bandwidth_limit_rule": {"max_kbps": 1000}}).ok(201)["bandwidth_limit_rule"]
    admin.post(rules, {"bandwidth_limit_rule": {"max_kbps": 2000}}).refused(409)
    made = port(member, network(member)["id"], qos_policy_id=policy["id"])
    assert engine_rows(world, made["id"])["QoS", rule["id"]].columns["bandwidth"] == {"rate": 1000, "burst": 800}
    admin.put(f"{rules}/{rule['id']}", {"bandwidth_limit_rule": {"max_kbps": 500}}).ok(200)
    assert engine_rows(world, made["id"])["QoS", rule["id"]].columns["bandwidth"] == {"rate": 500, "burst": 400}
    admin.delete(f"{V2}/qos/policies/{policy['id']}").refused(409, "QosPolicyInUse")
    member.put(f"{V2}/ports/{made['id']}", {"port": {"qos_policy_id": None}}).ok(200)
    assert ("QoS", rule["id"]) not in engine_rows(world, made["id"])
    admin.delete(f"{V2}/qos/policies/{policy['id']}").ok(204)


def test_policies_are_the_providers(member: Client, admin: Client) -> None:
    member.post(f"{V2}/qos/policies", {"policy": {"name": "fast"}}).refused(403)
    hidden = admin.post(f"{V2}/qos/policies", {"policy": {"name": "hidden"}}).ok(201)["policy"]
    member.get(f"{V2}/qos/policies/{hidden['id']}").refused(404)
    inside = network(member)["id"]
    member.post(f"{V2}/ports", {"port": {"network_id": inside, "qos_policy_id": hidden["id"]}}).refused(404)
    kinds = [kind["type"] for kind in member.get(f"{V2}/qos/rule-types").ok()["rule_types"]]
    assert kinds == ["bandwidth_limit", "dscp_marking"]


def test_a_trunk_carries_ports(world: World, member: Client, admin: Client) -> None:
    outer, inner = network(member), network(member)
    subnet(member, outer["id"])
    parent, child = port(member, outer["id"]), port(member, inner["id"])
    carried = {"port_id": child["id"], "segmentation_type": "vlan", "segmentation_id": 7}
    body = {"trunk": {"port_id": parent["id"], "sub_ports": [carried]}}
    trunk = member.post(f"{V2}/trunks", body).ok(201)["trunk"]
    member.post(f"{V2}/trunks", {"trunk": {"port_id": parent["id"]}}).refused(409)
    columns = engine_rows(world, child["id"])["Logical_Switch_Port", ""].columns
    assert (columns["parent_name"], columns["tag"]) == (parent["id"], 7)
    admin.put(f"{V2}/ports/{parent['id']}", {"port": {"binding:host_id": "fake-1"}}).ok(200)
    assert admin.get(f"{V2}/ports/{child['id']}").ok()["port"]["binding:host_id"] == "fake-1"
    details = member.get(f"{V2}/ports/{parent['id']}").ok()["port"]["trunk_details"]
    assert details == {"trunk_id": trunk["id"], "sub_ports": [{**carried, "mac_address": child["mac_address"]}]}
    member.delete(f"{V2}/ports/{child['id']}").refused(409, "subport")
    path = f"{V2}/trunks/{trunk['id']}"
    member.put(f"{path}/remove_subports", {"sub_ports": [{"port_id": child["id"]}]}).ok(200)
    member.delete(f"{V2}/ports/{child['id']}").ok(204)
    member.delete(path).ok(204)
    member.delete(f"{V2}/ports/{parent['id']}").ok(204)
