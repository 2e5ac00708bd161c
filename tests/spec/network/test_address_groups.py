"""Address groups: networks by one name, for rules of security groups."""

from typing import Any

import pytest

from pileus.network import reconcile
from tests.harness import Client, World
from tests.spec.network.things import V2, engine_rows, make

GROUPS = f"{V2}/address-groups"


def rule(client: Client, group_id: str, **members: Any) -> dict[str, Any]:
    parent = make(client, "security-groups", name="g")["id"]
    return make(client, "security-group-rules", security_group_id=parent, direction="ingress",
                remote_address_group_id=group_id, **members)  # fmt: skip


def test_addresses_are_kept_as_networks_and_come_and_go(member: Client) -> None:
    made = make(member, "address-groups", name="a", addresses=["192.0.2.9/24", "2001:db8::f00/64", "192.0.2.0/24"])
    assert (made["addresses"], made["shared"]) == (["192.0.2.0/24", "2001:db8::/64"], False)
    path = f"{GROUPS}/{made['id']}"
    added = member.put(f"{path}/add_addresses", {"addresses": ["198.51.100.7/32"]}).ok(200)["address_group"]
    assert added["addresses"] == ["192.0.2.0/24", "2001:db8::/64", "198.51.100.7/32"]
    member.put(f"{path}/add_addresses", {"addresses": ["198.51.100.7/32"]}).refused(400, "AddressesAlreadyExist")
    left = member.put(f"{path}/remove_addresses", {"addresses": ["198.51.100.7"]}).ok(200)["address_group"]
    assert left["addresses"] == ["192.0.2.0/24", "2001:db8::/64"]
    member.put(f"{path}/remove_addresses", {"addresses": ["198.51.100.7"]}).refused(404, "AddressesNotFound")
    assert member.put(path, {"address_group": {"name": "b"}}).ok(200)["address_group"]["name"] == "b"
    member.delete(path).ok(204)
    member.get(path).refused(404, "AddressGroupNotFound")


@pytest.mark.parametrize("bad", ["10.20.30.40", "nonsense", "10.0.0.0/33", 7, None, ["10.0.0.0/8"], "::%1/64"])
@pytest.mark.parametrize("verb", ["create", "add_addresses"])
def test_what_is_no_network_is_refused_and_the_field_named(member: Client, bad: Any, verb: str) -> None:
    if verb == "create":
        member.post(GROUPS, {"address_group": {"addresses": [bad]}}).refused(400, "addresses")
    else:
        path = f"{GROUPS}/{make(member, 'address-groups')['id']}"
        member.put(f"{path}/{verb}", {"addresses": [bad]}).refused(400, "addresses")
        member.put(f"{path}/{verb}", {"addresses": "10.0.0.0/8"}).refused(400, "addresses")
        member.put(f"{path}/{verb}", {}).refused(400, "addresses")


def test_addresses_are_not_changed_in_passing(member: Client) -> None:
    path = f"{GROUPS}/{make(member, 'address-groups')['id']}"
    member.put(path, {"address_group": {"addresses": ["10.0.0.0/8"]}}).refused(400, "addresses")


def test_a_group_stays_while_a_rule_names_it(member: Client) -> None:
    made = make(member, "address-groups", addresses=["192.0.2.0/24"])
    named = rule(member, made["id"], protocol="tcp")
    assert named["remote_address_group_id"] == made["id"]
    member.delete(f"{GROUPS}/{made['id']}").refused(409, "AddressGroupInUse")
    member.delete(f"{V2}/security-group-rules/{named['id']}").ok(204)
    member.delete(f"{GROUPS}/{made['id']}").ok(204)


@pytest.mark.parametrize("other", [{"remote_ip_prefix": "10.0.0.0/8"}, {"remote_group_id": "own"}])
def test_a_rule_has_one_far_end(member: Client, other: dict[str, str]) -> None:
    made = make(member, "address-groups", addresses=["192.0.2.0/24"])
    parent = make(member, "security-groups", name="g")["id"]
    body = {"security_group_id": parent, "direction": "ingress", "remote_address_group_id": made["id"],
            **{name: parent if value == "own" else value for name, value in other.items()}}  # fmt: skip
    member.post(f"{V2}/security-group-rules", {"security_group_rule": body}).refused(400, "Only one of")


def test_a_group_is_another_projects_once_it_is_opened_to_it(member: Client, stranger: Client, admin: Client) -> None:
    made = make(member, "address-groups", addresses=["192.0.2.0/24"])
    path = f"{GROUPS}/{made['id']}"
    parent = make(stranger, "security-groups", name="g")["id"]
    naming = {"security_group_id": parent, "direction": "ingress", "remote_address_group_id": made["id"]}
    stranger.post(f"{V2}/security-group-rules", {"security_group_rule": naming}).refused(404, "AddressGroupNotFound")
    opening = {"object_type": "address_group", "object_id": made["id"], "action": "access_as_shared"}
    opened = make(member, "rbac-policies", **opening, target_tenant=stranger.project_id)
    assert stranger.get(path).ok(200)["address_group"]["shared"] is True
    assert [row["id"] for row in stranger.get(GROUPS).ok(200)["address_groups"]] == [made["id"]]
    used = make(stranger, "security-group-rules", **naming)
    stranger.put(f"{path}/add_addresses", {"addresses": ["10.0.0.0/8"]}).refused(404)
    stranger.delete(path).refused(404)
    member.delete(f"{V2}/rbac-policies/{opened['id']}").refused(409)
    stranger.delete(f"{V2}/security-group-rules/{used['id']}").ok(204)
    member.delete(f"{V2}/rbac-policies/{opened['id']}").ok(204)
    stranger.get(path).refused(404)
    member.post(GROUPS, {"address_group": {"shared": True}}).refused(403)
    assert make(admin, "address-groups", shared=True)["shared"] is True


def test_the_engine_has_a_set_of_addresses_for_each_version_and_rules_name_it(still: World, owner: Client) -> None:
    made = make(owner, "address-groups", addresses=["192.0.2.0/24", "2001:db8::/64"])
    named = {version: rule(owner, made["id"], ethertype=version) for version in ("IPv4", "IPv6")}

    def sets() -> dict[str, frozenset[str]]:
        return {
            row.columns["name"]: row.columns["addresses"] for row in engine_rows(still, "address_group", made["id"])
        }  # type: ignore[misc]

    name = "ag_" + made["id"].replace("-", "_")
    assert sets() == {f"{name}_ip4": {"192.0.2.0/24"}, f"{name}_ip6": {"2001:db8::/64"}}
    for version, row in named.items():
        acls = {acl.part: acl for acl in engine_rows(still, "security_group", row["security_group_id"], "ACL")}
        ip = "ip" + version[-1]
        assert acls[row["id"]].columns["match"].endswith(f"{ip}.src == ${name}_{ip}")  # type: ignore[union-attr]
    owner.put(f"{GROUPS}/{made['id']}/add_addresses", {"addresses": ["198.51.100.0/24"]}).ok(200)
    assert sets()[f"{name}_ip4"] == {"192.0.2.0/24", "198.51.100.0/24"}
    for row in named.values():
        owner.delete(f"{V2}/security-group-rules/{row['id']}").ok(204)
    owner.delete(f"{GROUPS}/{made['id']}").ok(204)
    assert sets() == {}
    assert reconcile.differences(still.cloud) == []
