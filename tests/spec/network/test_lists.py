"""Lists of every kind: filters, order, pages and fields, the same way everywhere."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.network.things import V2, Made, make, network, port, public, subnet

Make = Callable[[Client, dict[str, str], str], Made]


def plain(path: str, **members: Any) -> Make:
    return lambda client, ids, name: make(client, path, name=name, **members)


def _rule(client: Client, ids: dict[str, str], name: str) -> Made:
    number = random.randrange(1, 65536)
    return make(client, "security-group-rules", security_group_id=ids["group"], direction="ingress", description=name,
                protocol="tcp", port_range_min=number, port_range_max=number)  # fmt: skip


KINDS: dict[str, Make] = {
    "networks": plain("networks"),
    "subnets": lambda client, ids, name: subnet(client, network(client)["id"], name=name),
    "ports": lambda client, ids, name: port(client, ids["network"], name=name),
    "routers": plain("routers"),
    "floatingips": lambda client, ids, name: make(client, "floatingips", floating_network_id=ids["outside"],
                                                  description=name),
    "security-groups": plain("security-groups"),
    "security-group-rules": _rule,
    "address-groups": plain("address-groups"),
    "address-scopes": plain("address-scopes", ip_version=4),
    "subnetpools": plain("subnetpools", prefixes=["10.66.0.0/16"]),
    "qos/policies": plain("qos/policies"),
    "trunks": lambda client, ids, name: make(client, "trunks", name=name, port_id=port(client, ids["network"])["id"]),
}  # fmt: skip


class Listed:
    """Three of a kind, of a project of its own: b, a and c."""

    def __init__(self, still: World, path: str):
        self.client = still.client("admin", "manager", "member", "reader")
        inside = network(self.client)["id"]
        ids = {"network": inside, "group": make(self.client, "security-groups", name="g")["id"]}
        if path == "floatingips":
            ids["outside"] = public(self.client)["id"]
        self.word = path.rpartition("/")[2].replace("-", "_")
        self.key = "description" if path in ("floatingips", "security-group-rules") else "name"
        self.made = {name: KINDS[path](self.client, ids, name) for name in ("b-list", "a-list", "c-list")}
        wanted = "&".join(f"{self.key}={name}" for name in self.made)
        self.path = f"{V2}/{path}?project_id={self.client.project_id}&{wanted}"

    def get(self, query: str) -> list[Made]:
        found: list[Made] = self.client.get(f"{self.path}&{query}").ok(200)[self.word]
        return found

    def names(self, query: str) -> list[str]:
        return [each[self.key] for each in self.get(query)]


@pytest.fixture(scope="module")
def listed(still: World, request: pytest.FixtureRequest) -> Listed:
    return Listed(still, request.param)


every_kind = pytest.mark.parametrize("listed", KINDS, indirect=True, scope="module")


@every_kind
def test_order_is_as_asked_and_ties_do_not_skip_or_repeat(listed: Listed) -> None:
    key = listed.key
    assert listed.names(f"sort_key={key}&sort_dir=asc") == ["a-list", "b-list", "c-list"]
    assert listed.names(f"sort_key={key}&sort_dir=desc") == ["c-list", "b-list", "a-list"]
    assert len(listed.names(f"sort_key=project_id&sort_key={key}&sort_dir=asc&sort_dir=desc")) == 3
    for query in ("sort_key=colour", f"sort_key={key}&sort_dir=sideways", "sort_key="):
        listed.client.get(f"{listed.path}&{query}").refused(400, "sort_")


@every_kind
def test_pages_follow_each_other_both_ways(listed: Listed) -> None:
    order = f"sort_key={listed.key}&sort_dir=asc"
    first = listed.client.get(f"{listed.path}&{order}&limit=2").ok(200)
    assert [each[listed.key] for each in first[listed.word]] == ["a-list", "b-list"]
    links = {link["rel"]: link["href"].partition("cloud.test:5000")[2] for link in first[f"{listed.word}_links"]}
    following = listed.client.get(links["next"]).ok(200)
    assert [each[listed.key] for each in following[listed.word]] == ["c-list"]
    assert {link["rel"] for link in following[f"{listed.word}_links"]} == {"previous"}
    marker = listed.made["c-list"]["id"]
    back = listed.client.get(f"{listed.path}&{order}&limit=1&marker={marker}&page_reverse=true").ok(200)
    assert [each[listed.key] for each in back[listed.word]] == ["b-list"]
    assert len(listed.get("limit=0")) == 3
    listed.client.get(f"{listed.path}&limit=-1").refused(400, "limit")
    listed.client.get(f"{listed.path}&limit=x").refused(400, "limit")
    listed.client.get(f"{listed.path}&marker=nobody").refused(404, "marker")


@every_kind
def test_filters_narrow_and_several_values_mean_any(listed: Listed) -> None:
    one, two = listed.made["a-list"]["id"], listed.made["b-list"]["id"]
    assert {each["id"] for each in listed.get(f"id={one}&id={two}")} == {one, two}
    assert listed.get("id=nobody") == listed.get("project_id=nobody&project_id=nobody2&id=nobody") == []
    assert listed.get(f"id={one}&revision_number=999") == []
    listed.client.get(f"{listed.path}&colour=red").refused(400, "colour")


@every_kind
def test_fields_are_those_asked_for(listed: Listed) -> None:
    key = listed.key
    assert {tuple(sorted(each)) for each in listed.get(f"fields=id&fields={key}")} == {tuple(sorted(("id", key)))}
    one = listed.made["a-list"]
    path = f"{listed.path.partition('?')[0]}/{one['id']}"
    (shown,) = listed.client.get(f"{path}?fields=id").ok(200).values()
    assert shown == {"id": one["id"]}
    (whole,) = listed.client.get(path).ok(200).values()
    assert set(listed.get(f"id={one['id']}")[0]) == set(whole) == set(one)


# -- filters that are not one column -----------------------------------------------------------------------------------


def ids(client: Client, path: str) -> set[str]:
    (found,) = client.get(f"{V2}/{path}").ok(200).values()
    return {each["id"] for each in found}


def test_ports_are_found_by_address_and_by_group(owner: Client) -> None:
    inside = network(owner)["id"]
    inner = subnet(owner, inside, "10.0.0.0/24")["id"]
    group = make(owner, "security-groups", name="g")["id"]
    one = port(owner, inside, fixed_ips=[{"ip_address": "10.0.0.77"}], security_groups=[group])["id"]
    two = port(owner, inside, fixed_ips=[{"ip_address": "10.0.0.78"}])["id"]
    mine = f"ports?project_id={owner.project_id}&device_owner="
    assert ids(owner, f"{mine}&fixed_ips=ip_address%3D10.0.0.77") == {one}
    assert ids(owner, f"{mine}&fixed_ips=ip_address%3D10.0.0.77&fixed_ips=ip_address%3D10.0.0.78") == {one, two}
    assert ids(owner, f"{mine}&fixed_ips=subnet_id%3D{inner}") == {one, two}
    assert ids(owner, f"{mine}&fixed_ips=ip_address_substr%3D0.0.7") == {one, two}
    assert ids(owner, f"{mine}&fixed_ips=ip_address_substr%3D%25") == set(), "a percent sign is no wildcard"
    assert ids(owner, f"{mine}&fixed_ips=subnet_id%3D{inner}&fixed_ips=ip_address%3D10.0.0.78") == {two}
    assert ids(owner, f"{mine}&security_groups={group}") == {one}
    owner.get(f"{V2}/ports?fixed_ips=nonsense").refused(400, "fixed_ips")


@pytest.mark.parametrize(("path", "query", "seen"), [
    ("networks", "shared=true", {"lent"}), ("networks", "shared=false", {"own", "outside"}),
    ("networks", "router:external=true", {"outside"}), ("networks", "router:external=false", {"own", "lent"}),
    ("subnets", "router:external=true", {"outside"}), ("subnets", "router:external=false", {"own", "lent"}),
    ("subnets", "shared=true", {"lent"}),
])  # fmt: skip
def test_flags_tell_apart_what_a_caller_sees(fresh: World, path: str, query: str, seen: set[str]) -> None:
    admin, caller = fresh.client("admin", "manager", "member", "reader"), fresh.client("member", "reader")
    networks = {"own": network(caller), "lent": network(admin), "outside": public(admin)}
    opening = {"object_type": "network", "object_id": networks["lent"]["id"], "action": "access_as_shared"}
    make(admin, "rbac-policies", **opening, target_tenant=caller.project_id)
    found = {name: each["id"] for name, each in networks.items()}
    if path == "subnets":
        outer = admin.get(f"{V2}/networks/{found['outside']}").ok(200)["network"]["subnets"][0]
        found = {
            "own": subnet(caller, found["own"])["id"],
            "lent": subnet(admin, found["lent"])["id"],
            "outside": outer,
        }
    assert ids(caller, f"{path}?{query}") == {found[name] for name in seen}


@pytest.mark.parametrize(("query", "there"), [("ha=true", True), ("ha=false", False), ("distributed=false", True),
                                              ("distributed=true", False)])  # fmt: skip
def test_routers_are_all_of_one_kind(owner: Client, query: str, there: bool) -> None:
    made = make(owner, "routers")["id"]
    assert (made in ids(owner, f"routers?{query}")) == there


@pytest.mark.parametrize("query", ["subnets=x", "availability_zones=nova", "tags-none=x", "external_gateway_info=x"])
def test_what_cannot_be_filtered_by_is_not_ignored(owner: Client, query: str) -> None:
    path = "routers" if "gateway" in query else "networks"
    owner.get(f"{V2}/{path}?{query}").refused(400, "invalid attribute for filtering")
