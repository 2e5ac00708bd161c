"""Rules of security groups: what they may say, when two say the same, and what the engine makes of them."""

from typing import Any

import pytest

from pileus.network import reconcile
from tests.harness import Client, World
from tests.spec.network.things import V2, Made, engine_rows, make, network, port

RULES = f"{V2}/security-group-rules"
Body = dict[str, Any]
SSH: Body = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


@pytest.fixture
def group(owner: Client) -> str:
    made: str = make(owner, "security-groups", name="g")["id"]
    return made


def post(client: Client, group: str, **members: Any) -> Any:
    return client.post(RULES, {"security_group_rule": {"security_group_id": group, "direction": "ingress", **members}})


@pytest.mark.parametrize(("written", "normalized"), [
    ("10.1.2.3/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3/32"), ("10.1.2.3/32", "10.1.2.3/32"),
    ("2001:db8::1/64", "2001:db8::/64"), ("0.0.0.0/0", "0.0.0.0/0"), (None, None),
])  # fmt: skip
def test_a_prefix_is_kept_as_written_and_normalized_beside(
    still: World, owner: Client, group: str, written: str | None, normalized: str | None
) -> None:
    version = "IPv6" if written and ":" in written else "IPv4"
    made = post(owner, group, remote_ip_prefix=written, ethertype=version, protocol="udp").ok(201)[
        "security_group_rule"
    ]
    kept = f"{written}/32" if written == "10.1.2.3" else written
    assert (made["remote_ip_prefix"], made["normalized_cidr"]) == (kept, normalized)
    shown = owner.get(f"{V2}/security-groups/{group}").ok(200)["security_group"]["security_group_rules"]
    assert [rule["remote_ip_prefix"] for rule in shown if rule["id"] == made["id"]] == [kept]
    (acl,) = [row for row in engine_rows(still, "security_group", group, "ACL") if row.part == made["id"]]
    match = str(acl.columns["match"])
    assert (f".src == {normalized}" in match) == (normalized is not None and not normalized.endswith("/0"))


@pytest.mark.parametrize(("first", "second"), [
    ({}, {}), ({"protocol": "tcp"}, {"protocol": "6"}), ({"protocol": "tcp"}, {"protocol": 6}),
    ({"protocol": "TCP"}, {"protocol": "tcp"}), ({"protocol": None}, {"protocol": "any"}),
    ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
    ({"remote_ip_prefix": "10.0.0.0/8"}, {"remote_ip_prefix": "10.9.9.9/8"}), ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
    ({"description": "a"}, {"description": "b"}), ({**SSH, "port_range_min": "22"}, SSH),
])  # fmt: skip
def test_two_rules_that_mean_the_same_are_one(owner: Client, group: str, first: Body, second: Body) -> None:
    made = post(owner, group, **first).ok(201)["security_group_rule"]
    post(owner, group, **second).refused(409, made["id"])


@pytest.mark.parametrize(("first", "second"), [
    (SSH, {**SSH, "port_range_max": 23}), (SSH, {**SSH, "direction": "egress"}), (SSH, {**SSH, "protocol": "udp"}),
    (SSH, {**SSH, "remote_ip_prefix": "10.0.0.0/8"}), ({}, {"ethertype": "IPv6"}),
])  # fmt: skip
def test_two_rules_that_differ_are_two(owner: Client, group: str, first: Body, second: Body) -> None:
    post(owner, group, **first).ok(201)
    post(owner, group, **second).ok(201)


@pytest.mark.parametrize(("members", "words"), [
    ({**SSH, "port_range_max": 21}, "port_range_min"), ({**SSH, "port_range_max": None}, "port_range"),
    ({**SSH, "port_range_min": 0}, "0"), ({**SSH, "port_range_max": 65536}, "65536"),
    ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, "gre"),
    ({"protocol": "icmp", "port_range_min": 256}, "256"), ({"protocol": "icmp", "port_range_max": 1}, "ICMP"),
    ({"protocol": "icmp", "port_range_min": 8, "port_range_max": 300}, "300"),
    ({"protocol": "icmpv6", "ethertype": "IPv4"}, "IPv4"), ({"protocol": "58"}, "IPv4"),
    ({"remote_ip_prefix": "2001:db8::/32"}, "remote_ip_prefix"),
    ({"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"}, "remote"),
    ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "$group"}, "Only one of"),
])  # fmt: skip
def test_what_a_rule_cannot_say_is_refused(owner: Client, group: str, members: Body, words: str) -> None:
    if members.get("remote_group_id") == "$group":
        members = {**members, "remote_group_id": group}
    post(owner, group, **members).refused(400, words)


@pytest.mark.parametrize(("members", "says"), [
    ({"protocol": "udplite", "port_range_min": 1, "port_range_max": 2}, "ip4 && ip.proto == 136"),
    ({"protocol": "sctp", "port_range_min": 1, "port_range_max": 65535}, "ip4 && sctp"),
    ({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}, "ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0"),
    ({"protocol": "50"}, "ip4 && ip.proto == 50"), ({"ethertype": "ipv6"}, "ip6"),
])  # fmt: skip
def test_the_engine_is_told_what_a_rule_says(still: World, owner: Client, group: str, members: Body, says: str) -> None:
    made = post(owner, group, **members).ok(201)["security_group_rule"]["id"]
    (acl,) = [row for row in engine_rows(still, "security_group", group, "ACL") if row.part == made]
    assert str(acl.columns["match"]).endswith(says)
    owner.delete(f"{RULES}/{made}").ok(204)
    assert made not in {row.part for row in engine_rows(still, "security_group", group, "ACL")}


@pytest.mark.parametrize("members", [{"remote_group_id": "11111111-1111-4111-8111-111111111111"},
                                     {"security_group_id": "11111111-1111-4111-8111-111111111111"}])  # fmt: skip
def test_a_group_that_is_not_there_is_said_so(owner: Client, group: str, members: Body) -> None:
    post(owner, group, **members).refused(404, "SecurityGroupNotFound")


def test_a_rule_about_a_group_ends_with_it(still: World, owner: Client, group: str) -> None:
    friends = make(owner, "security-groups", name="friends")["id"]
    made = post(owner, group, remote_group_id=friends).ok(201)["security_group_rule"]["id"]
    assert made in {row.part for row in engine_rows(still, "security_group", group, "ACL")}
    owner.delete(f"{V2}/security-groups/{friends}").ok(204)
    owner.get(f"{RULES}/{made}").refused(404)
    assert made not in {row.part for row in engine_rows(still, "security_group", group, "ACL")}
    assert reconcile.differences(still.cloud) == []


def members_of(still: World, made: Made) -> set[str]:
    (row,) = engine_rows(still, "port", made["id"], "Logical_Switch_Port")
    return {holder.ref.id for holder in row.holders if holder.ref.table == "Port_Group"}


def test_a_port_is_in_the_groups_it_names_and_closed_in_any_case(still: World, owner: Client, group: str) -> None:
    inside = network(owner)["id"]
    usual = port(owner, inside)
    assert members_of(still, usual) == {"drop", *usual["security_groups"]}
    bare = port(owner, inside, security_groups=[])
    assert members_of(still, bare) == {"drop"}
    path = f"{V2}/ports/{bare['id']}"
    owner.put(path, {"port": {"security_groups": [group]}}).ok(200)
    assert members_of(still, bare) == {"drop", group}
    owner.put(path, {"port": {"port_security_enabled": False}}).refused(409, "PortSecurityPortHasSecurityGroup")
    owner.put(path, {"port": {"port_security_enabled": False, "security_groups": []}}).ok(200)
    assert members_of(still, bare) == set()


def test_stateless_and_stateful_groups_do_not_mix(still: World, owner: Client, group: str) -> None:
    loose = make(owner, "security-groups", name="loose", stateful=False)["id"]
    assert {row.columns["action"] for row in engine_rows(still, "security_group", loose, "ACL")} == {"allow-stateless"}
    inside = network(owner)["id"]
    body = {"port": {"network_id": inside, "security_groups": [group, loose]}}
    owner.post(f"{V2}/ports", body).refused(409, "SecurityGroupConflict")
    used = port(owner, inside, security_groups=[loose])
    owner.put(f"{V2}/security-groups/{loose}", {"security_group": {"stateful": True}}).refused(409, "in use")
    owner.delete(f"{V2}/ports/{used['id']}").ok(204)
    owner.put(f"{V2}/security-groups/{loose}", {"security_group": {"stateful": True}}).ok(200)
    assert {row.columns["action"] for row in engine_rows(still, "security_group", loose, "ACL")} == {"allow-related"}


def test_the_default_group_is_one_keeps_its_name_and_stays(owner: Client, operator: Client) -> None:
    (found,) = owner.get(f"{V2}/security-groups?name=default").ok(200)["security_groups"]
    path = f"{V2}/security-groups/{found['id']}"
    for name in ("default", "Default", "DEFAULT"):
        owner.post(f"{V2}/security-groups", {"security_group": {"name": name}}).refused(409)
    owner.put(path, {"security_group": {"name": "mine"}}).refused(409)
    owner.put(path, {"security_group": {"description": "mine"}}).ok(200)
    owner.delete(path).refused(409)
    operator.delete(path).ok(204)
    assert owner.get(f"{V2}/security-groups?name=default").ok(200)["security_groups"][0]["id"] != found["id"]
