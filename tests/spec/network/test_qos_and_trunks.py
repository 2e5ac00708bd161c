"""Limits on ports, and ports that carry others."""

from typing import Any

from pileus.network import reconcile
from tests.harness import Client, World
from tests.spec.network.things import V2, network, port, subnet


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


def test_what_may_not_be_seen_is_not_there_and_what_may_be_seen_only_is_refused(member: Client, admin: Client) -> None:
    hidden = admin.post(f"{V2}/qos/policies", {"policy": {"name": "hidden"}}).ok(201)["policy"]
    path = f"{V2}/qos/policies/{hidden['id']}"
    member.put(path, {"policy": {"name": "mine"}}).refused(404, "QosPolicyNotFound")
    inside = network(member)
    admin.put(f"{V2}/networks/{inside['id']}", {"network": {"qos_policy_id": hidden["id"]}}).ok(200)
    member.put(f"{V2}/networks/{inside['id']}", {"network": {"qos_policy_id": None}}).refused(403, "put here by others")
    admin.put(path, {"policy": {"shared": True}}).ok(200)
    member.put(path, {"policy": {"name": "mine"}}).refused(403)
    member.put(f"{V2}/networks/{inside['id']}", {"network": {"qos_policy_id": None}}).ok(200)


def test_an_opened_policy_in_use_is_not_closed_not_even_for_another_opening(member: Client, admin: Client) -> None:
    policy = admin.post(f"{V2}/qos/policies", {"policy": {"name": "lent"}}).ok(201)["policy"]
    opening = {
        "object_type": "qos_policy",
        "object_id": policy["id"],
        "action": "access_as_shared",
        "target_tenant": "*",
    }
    opened = admin.post(f"{V2}/rbac-policies", {"rbac_policy": opening}).ok(201)["rbac_policy"]
    user = network(member, qos_policy_id=policy["id"])["project_id"]
    path = f"{V2}/rbac-policies/{opened['id']}"
    admin.put(path, {"rbac_policy": {"target_tenant": user}}).refused(409, "RbacPolicyInUse")
    admin.delete(path).refused(409, "RbacPolicyInUse")


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
