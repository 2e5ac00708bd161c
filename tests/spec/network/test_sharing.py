"""Between projects: what is opened to one, to all, or to nobody; the same for everything that can be opened."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.network.things import V2, make, network, port, public, subnet

# of each kind: the collection, its word in policies, how another project uses it
KINDS = {
    "networks": "network",
    "security-groups": "security_group",
    "subnetpools": "subnetpool",
    "address-scopes": "address_scope",
    "address-groups": "address_group",
    "qos/policies": "qos_policy",
}
MEMBERS: dict[str, dict[str, Any]] = {
    "subnetpools": {"prefixes": ["10.66.0.0/16"], "default_prefixlen": 24},
    "address-scopes": {"ip_version": 4},
}


def use(client: Client, path: str, id: str) -> str:
    """Use what was opened; the path of what does so."""
    if path == "networks":
        return f"ports/{port(client, id)['id']}"
    own = network(client)["id"]
    if path == "security-groups":
        return f"ports/{port(client, own, security_groups=[id])['id']}"
    if path == "subnetpools":
        return f"subnets/{make(client, 'subnets', network_id=own, subnetpool_id=id, ip_version=4)['id']}"
    if path == "address-scopes":
        pool = make(client, "subnetpools", prefixes=["10.67.0.0/16"], address_scope_id=id)
        return f"subnetpools/{pool['id']}"
    if path == "address-groups":
        group = make(client, "security-groups", name="g")["id"]
        rule = make(client, "security-group-rules", security_group_id=group, direction="egress",
                    remote_address_group_id=id)  # fmt: skip
        return f"security-group-rules/{rule['id']}"
    return f"ports/{port(client, own, qos_policy_id=id)['id']}"


def owned(admin: Client, client: Client, path: str) -> dict[str, Any]:
    members = {"name": "n", **MEMBERS.get(path, {})}
    if path == "qos/policies":  # limits are the provider's
        return make(admin, path, **members, project_id=client.project_id)
    return make(client, path, **members)


@pytest.mark.parametrize("path", KINDS)
def test_what_is_opened_to_a_project_is_seen_used_and_then_not_closed(
    operator: Client, member: Client, owner: Client, still: Any, path: str
) -> None:
    other = still.client("member", "reader")
    found = owned(operator, owner, path)
    one, many = f"{V2}/{path}/{found['id']}", path.rpartition("/")[2].replace("-", "_")
    if path == "networks":
        subnet(owner, found["id"])
    other.get(one).refused(404)
    assert found["id"] not in {each["id"] for each in other.get(f"{V2}/{path}").ok(200)[many]}
    opening = {"object_type": KINDS[path], "object_id": found["id"], "action": "access_as_shared"}
    policy = make(owner, "rbac-policies", **opening, target_tenant=other.project_id)
    (seen,) = other.get(one).ok(200).values()
    assert seen["shared"] is True
    (mine,) = owner.get(one).ok(200).values()
    assert mine["shared"] is False, "to its owner it is as private as before"
    listed = {each["id"]: each["shared"] for each in other.get(f"{V2}/{path}").ok(200)[many]}
    assert listed[found["id"]] is True
    assert other.delete(one).status in (403, 404)
    other.post(f"{V2}/rbac-policies", {"rbac_policy": {**opening, "target_tenant": "x"}}).refused(400, "owner")
    user = f"{V2}/{use(other, path, found['id'])}"
    closing = f"{V2}/rbac-policies/{policy['id']}"
    owner.delete(closing).refused(409, "RbacPolicyInUse")
    owner.put(closing, {"rbac_policy": {"target_tenant": "elsewhere"}}).refused(409, "RbacPolicyInUse")
    assert other.get(f"{V2}/rbac-policies").ok(200)["rbac_policies"] == []
    other.get(closing).refused(404)
    other.delete(user).ok(204)
    owner.delete(closing).ok(204)
    other.get(one).refused(404)


@pytest.mark.parametrize("path", KINDS)
def test_what_is_opened_to_all_says_so_to_all(operator: Client, still: Any, path: str) -> None:
    other = still.client("member", "reader")
    found = owned(operator, operator, path)
    opening = {"object_type": KINDS[path], "object_id": found["id"], "action": "access_as_shared", "target_tenant": "*"}
    other.post(f"{V2}/rbac-policies", {"rbac_policy": opening}).refused(403)
    make(operator, "rbac-policies", **opening)
    operator.post(f"{V2}/rbac-policies", {"rbac_policy": opening}).refused(409, "DuplicateRbacPolicy")
    for client in (operator, other):
        (seen,) = client.get(f"{V2}/{path}/{found['id']}").ok(200).values()
        assert seen["shared"] is True
    operator.delete(f"{V2}/{path}/{found['id']}").ok(204)
    left = operator.get(f"{V2}/rbac-policies?object_id={found['id']}").ok(200)["rbac_policies"]
    assert left == [], "what is gone is open to nobody"


def test_a_way_out_is_opened_to_single_projects(operator: Client, still: Any) -> None:
    outside = public(operator)
    chosen, other = still.client("member", "reader"), still.client("member", "reader")
    (opened,) = operator.get(f"{V2}/rbac-policies?object_id={outside['id']}").ok(200)["rbac_policies"]
    assert (opened["action"], opened["target_tenant"]) == ("access_as_external", "*")
    make(operator, "rbac-policies", object_type="network", object_id=outside["id"], action="access_as_external",
         target_tenant=chosen.project_id)  # fmt: skip
    operator.delete(f"{V2}/rbac-policies/{opened['id']}").ok(204)
    gateway = {"router": {"external_gateway_info": {"network_id": outside["id"]}}}
    chosen.post(f"{V2}/routers", gateway).ok(201)
    other.post(f"{V2}/routers", gateway).refused(404, "NetworkNotFound")
    other.get(f"{V2}/networks/{outside['id']}").refused(404)
    other.post(f"{V2}/floatingips", {"floatingip": {"floating_network_id": outside["id"]}}).refused(404)


@pytest.mark.parametrize(("attribute", "value"), [
    ("mac_address", "fa:16:3e:00:00:01"), ("fixed_ips", [{"ip_address": "10.0.0.77"}]), ("port_security_enabled", False),
    ("allowed_address_pairs", [{"ip_address": "10.0.0.78"}]), ("device_owner", "network:router_interface"),
])  # fmt: skip
def test_on_a_network_that_is_lent_a_port_takes_what_it_is_given(
    owner: Client, still: Any, attribute: str, value: Any
) -> None:
    other = still.client("member", "reader")
    inside = network(owner)["id"]
    subnet(owner, inside)
    opening = {"object_type": "network", "object_id": inside, "action": "access_as_shared"}
    make(owner, "rbac-policies", **opening, target_tenant=other.project_id)
    other.post(f"{V2}/ports", {"port": {"network_id": inside, attribute: value}}).refused(403)
    owner.post(f"{V2}/ports", {"port": {"network_id": inside, attribute: value}}).ok(201)
    theirs = port(other, inside)
    other.put(f"{V2}/ports/{theirs['id']}", {"port": {attribute: value}}).refused(403)
    assert owner.get(f"{V2}/ports/{theirs['id']}").ok(200)["port"]["id"] == theirs["id"], (
        "a network's owner sees its ports"
    )
    other.post(f"{V2}/subnets", {"subnet": {"network_id": inside, "cidr": "10.7.0.0/24"}}).refused(403)


# -- quotas ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("resource", "path"), [
    ("network", "networks"), ("subnet", "subnets"), ("port", "ports"), ("router", "routers"), ("floatingip", "floatingips"),
    ("security_group", "security-groups"), ("subnetpool", "subnetpools"), ("rbac_policy", "rbac-policies"),
    ("address_group", "address-groups"), ("trunk", "trunks"),
])  # fmt: skip
def test_no_more_than_the_quota_is_made(operator: Client, still: Any, resource: str, path: str) -> None:
    client = still.client("member", "reader")
    inside = network(client)["id"]
    ids = {"port_id": port(client, inside)["id"]} if path == "trunks" else {}
    members: dict[str, Any] = {
        "subnets": {"network_id": inside, "cidr": "10.0.0.0/24"}, "ports": {"network_id": inside}, "trunks": ids,
        "floatingips": {"floating_network_id": public(operator)["id"]}, "subnetpools": MEMBERS["subnetpools"],
        "rbac-policies": {"object_type": "network", "object_id": inside, "action": "access_as_shared",
                          "target_tenant": "t"},
    }.get(path, {"name": "n"})  # fmt: skip
    quotas = f"{V2}/quotas/{client.project_id}"
    client.get(f"{V2}/security-groups").ok(200)  # the first look makes the default one
    used = client.get(f"{quotas}/details").ok(200)["quota"][resource]["used"]
    operator.put(quotas, {"quota": {resource: used}}).ok(200)
    word = path.replace("-", "_").removesuffix("s").replace("policie", "policy")
    client.post(f"{V2}/{path}", {word: members}).refused(409, resource)
    operator.put(quotas, {"quota": {resource: used + 1}}).ok(200)
    client.post(f"{V2}/{path}", {word: members}).ok(201)
    assert client.get(f"{quotas}/details").ok(200)["quota"][resource] == {
        "limit": used + 1, "used": used + 1, "reserved": 0}  # fmt: skip
    operator.put(quotas, {"quota": {resource: used}}).refused(400, resource)
    operator.put(quotas, {"quota": {resource: used, "force": True}}).ok(200)


@pytest.mark.parametrize("quota", [{"port": -2}, {"port": "x"}, {"port": None}, {"smoke": 1}, {"port": 2**31}])
def test_a_bad_quota_is_refused(operator: Client, owner: Client, quota: dict[str, Any]) -> None:
    path = f"{V2}/quotas/{owner.project_id}"
    operator.put(path, {"quota": quota}).refused(400, next(iter(quota)))
    assert operator.get(path).ok(200)["quota"]["port"] == 500
