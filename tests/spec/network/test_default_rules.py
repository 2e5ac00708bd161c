"""What new security groups begin with."""

import random
from typing import Any

import pytest

from pileus import network
from tests.harness import Client, World
from tests.spec.network.things import V2, make

RULES = f"{V2}/default-security-group-rules"
SSH = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


def template(client: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(RULES + query).ok(200)["default_security_group_rules"]
    return found


def rules_of(client: Client, name: str) -> set[tuple[str, str, str | None, bool]]:
    """Direction, version, protocol, and whether the far end is the group itself."""
    if name != "default":
        make(client, "security-groups", name=name)
    (group,) = client.get(f"{V2}/security-groups?name={name}&project_id={client.project_id}").ok(200)["security_groups"]
    return {
        (rule["direction"], rule["ethertype"], rule["protocol"], rule["remote_group_id"] == group["id"])
        for rule in group["security_group_rules"]
    }


OUT = {("egress", "IPv4", None, False), ("egress", "IPv6", None, False)}
IN = {("ingress", "IPv4", None, True), ("ingress", "IPv6", None, True)}


def test_a_new_cloud_lets_everything_out_and_members_of_the_default_group_in(member: Client) -> None:
    assert len(template(member)) == 4
    assert len(template(member, "?used_in_non_default_sg=true")) == 2
    assert {rule["remote_group_id"] for rule in template(member, "?direction=ingress")} == {"PARENT"}
    assert rules_of(member, "default") == OUT | IN
    assert rules_of(member, "other") == OUT


def test_a_change_of_the_template_is_for_groups_made_afterwards(fresh: World) -> None:
    admin = fresh.client("admin", "manager", "member", "reader")
    before, after = fresh.client("member", "reader"), fresh.client("member", "reader")
    rules_of(before, "default")
    ssh = make(admin, "default-security-group-rules", **SSH, used_in_default_sg=True, used_in_non_default_sg=False)
    for rule in template(admin, "?direction=egress&ethertype=IPv6"):
        admin.delete(f"{RULES}/{rule['id']}").ok(204)
        admin.get(f"{RULES}/{rule['id']}").refused(404, "DefaultSecurityGroupRuleNotFound")
    assert rules_of(before, "default") == OUT | IN
    assert rules_of(after, "default") == {("egress", "IPv4", None, False), ("ingress", "IPv4", "tcp", False)} | IN
    assert rules_of(after, "other") == {("egress", "IPv4", None, False)}
    assert admin.get(f"{RULES}/{ssh['id']}").ok(200)["default_security_group_rule"] == ssh
    network.bootstrap(fresh.cloud.db, fresh.cloud.settings)  # as a restart does
    assert len(template(admin)) == 4, "what an administrator took away stays away"


@pytest.mark.parametrize(("first", "second", "status"), [
    ((True, True), (True, False), 409), ((True, True), (False, True), 409), ((True, False), (False, True), 201),
    ((True, False), (True, False), 409), ((True, False), (False, False), 400),
])  # fmt: skip
def test_a_rule_is_there_once_for_each_kind_of_group(
    operator: Client, first: tuple[bool, bool], second: tuple[bool, bool], status: int
) -> None:
    port = random.randrange(1, 65536)
    for (default, others), wanted in ((first, 201), (second, status)):
        body = {
            **SSH,
            "port_range_min": port,
            "port_range_max": port,
            "used_in_default_sg": default,
            "used_in_non_default_sg": others,
        }
        assert operator.post(RULES, {"default_security_group_rule": body}).status == wanted


@pytest.mark.parametrize(("wrong", "words"), [
    ({"direction": "sideways"}, "direction"), ({"ethertype": "IPv5"}, "ethertype"), ({"protocol": "smoke"}, "protocol"),
    ({"port_range_min": 99}, "port_range_min"), ({"remote_ip_prefix": "::/0"}, "remote_ip_prefix"),
    ({"remote_group_id": "nobody"}, "nobody"), ({"used_in_default_sg": "perhaps"}, "used_in_default_sg"),
    ({"remote_group_id": "PARENT", "remote_ip_prefix": "10.0.0.0/8"}, "Only one of"), ({"colour": 1}, "colour"),
])  # fmt: skip
def test_a_bad_rule_is_refused_and_the_field_named(admin: Client, wrong: dict[str, Any], words: str) -> None:
    status = 404 if words == "nobody" else 400
    admin.post(RULES, {"default_security_group_rule": {**SSH, **wrong}}).refused(status, words)


def test_a_rule_may_name_a_group_until_that_is_gone(fresh: World) -> None:
    admin = fresh.client("admin", "manager", "member", "reader")
    group = make(admin, "security-groups", name="monitoring")["id"]
    made = make(admin, "default-security-group-rules", direction="ingress", remote_group_id=group)
    assert ("ingress", "IPv4", None, False) in rules_of(fresh.client("member", "reader"), "other")
    admin.delete(f"{V2}/security-groups/{group}").ok(204)
    admin.get(f"{RULES}/{made['id']}").refused(404)


def test_the_template_is_for_all_to_see_and_for_administrators_to_change(member: Client, reader: Client) -> None:
    assert template(reader) == template(member)
    member.post(RULES, {"default_security_group_rule": SSH}).refused(403)
    member.delete(f"{RULES}/{template(member)[0]['id']}").refused(403)


def test_rules_of_a_new_group_count_against_the_quota(member: Client, admin: Client) -> None:
    rules_of(member, "default")
    admin.put(f"{V2}/quotas/{member.project_id}", {"quota": {"security_group_rule": 5}}).ok(200)
    member.post(f"{V2}/security-groups", {"security_group": {"name": "g"}}).refused(409, "security_group_rule")
