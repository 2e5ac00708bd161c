"""Ranges of VLANs and tunnels, for all or for one project."""

from typing import Any

import pytest

from pileus.network.service.segments import without
from tests.harness import Client, World
from tests.spec.network.things import V2, engine_rows, make, network

RANGES = f"{V2}/network-segment-ranges"
Body = dict[str, Any]


@pytest.fixture
def root(fresh: World) -> Client:
    return fresh.client("admin", "manager", "member", "reader")


@pytest.fixture(scope="module")
def taken(still: World) -> Body:
    return reserve(still.client("admin", "manager", "member", "reader"), 1000, 1010)


def on(kind: str = "vlan", **more: Any) -> Body:
    physnet = {"provider:physical_network": "public"} if kind == "vlan" else {}
    return {"provider:network_type": kind, **physnet, **more}


def numbers(client: Client, count: int, project_id: str = "", kind: str = "vlan") -> list[int]:
    made = [network(client, **on(kind), **({"project_id": project_id} if project_id else {})) for _ in range(count)]
    return [each["provider:segmentation_id"] for each in made]


def reserve(client: Client, low: int, high: int, project_id: str = "", kind: str = "vlan", **more: Any) -> Body:
    members = {"shared": not project_id, "network_type": kind, "minimum": low, "maximum": high, **more}
    if kind == "vlan":
        members["physical_network"] = "public"
    if project_id:
        members["project_id"] = project_id
    return make(client, "network-segment-ranges", **members)


def test_a_new_cloud_has_all_numbers_for_everybody(fresh: World, root: Client) -> None:
    found = root.get(f"{RANGES}?default=true&sort_key=network_type").ok(200)["network_segment_ranges"]
    assert [(each["network_type"], each["minimum"], each["maximum"]) for each in found] == [
        ("geneve", 1, 2**24 - 1), ("vlan", 1, 4094), ("vxlan", 1, 2**24 - 1)]  # fmt: skip
    assert len(found[0]["available"]) == 1000
    root.delete(f"{RANGES}/{found[0]['id']}").refused(400, "default")
    root.put(f"{RANGES}/{found[0]['id']}", {"network_segment_range": {"maximum": 9}}).refused(400, "default")


def test_a_range_has_two_addresses_as_clients_know_either(root: Client) -> None:
    known, member = f"{V2}/network_segment_ranges", "network_segment_range"
    body = {"shared": True, "network_type": "vlan", "physical_network": "public", "minimum": 2000, "maximum": 2001}
    made = root.post(known, {member: body}).ok(201)[member]
    assert root.put(f"{known}/{made['id']}", {member: {"name": "b"}}).ok(200)[member]["name"] == "b"
    assert root.get(f"{known}/{made['id']}").ok(200) == root.get(f"{RANGES}/{made['id']}").ok(200)
    assert root.get(known).ok(200) == root.get(RANGES).ok(200)
    root.delete(f"{known}/{made['id']}").ok(204)


def test_a_projects_own_numbers_come_first_and_nobody_else_gets_them(fresh: World, root: Client) -> None:
    tenant, other = "11111111111111111111111111111111", "22222222222222222222222222222222"
    mine = reserve(root, 1, 3, tenant)
    assert numbers(root, 2, other) == [4, 5]
    assert numbers(root, 4, tenant) == [1, 2, 3, 6]
    shown = root.get(f"{RANGES}/{mine['id']}").ok(200)["network_segment_range"]
    assert (shown["used"], shown["available"]) == ({"1": tenant, "2": tenant, "3": tenant}, [])
    root.delete(f"{RANGES}/{mine['id']}").refused(409, "NetworkSegmentRangeReferencedByProject")
    body = {"network_segment_range": {"minimum": 2}}
    root.put(f"{RANGES}/{mine['id']}", body).refused(409, "NetworkSegmentRangeReferencedByProject")
    wider = {"maximum": 9, "name": "wide"}
    after = root.put(f"{RANGES}/{mine['id']}", {"network_segment_range": wider}).ok(200)["network_segment_range"]
    # 4 and 5 were given to another project while they were everybody's
    used = {"1": tenant, "2": tenant, "3": tenant, "4": other, "5": other, "6": tenant}
    assert (after["name"], after["used"], after["available"]) == ("wide", used, [7, 8, 9])


def test_a_project_with_tunnels_of_its_own_gets_those_without_asking(root: Client) -> None:
    tenant = "55555555555555555555555555555555"
    reserve(root, 1100, 1105, tenant, "vxlan")
    made = network(root, project_id=tenant)
    assert (made["provider:network_type"], made["provider:segmentation_id"]) == ("vxlan", 1100)
    assert network(root)["provider:network_type"] == "geneve"


def test_numbers_given_back_are_given_out_again_when_there_are_no_others(root: Client) -> None:
    reserve(root, 100, 102, root.project_id)
    made = [network(root, **on()) for _ in range(3)]
    assert [each["provider:segmentation_id"] for each in made] == [100, 101, 102]
    root.delete(f"{V2}/networks/{made[1]['id']}").ok(204)
    assert numbers(root, 2) == [101, 1]


def test_when_all_numbers_are_used_the_next_network_is_refused(fresh: World, root: Client) -> None:
    reserve(root, 1, 2, "33333333333333333333333333333333")
    reserve(root, 4, 4094, "33333333333333333333333333333333")
    assert numbers(root, 1) == [3]
    root.post(f"{V2}/networks", {"network": on()}).refused(409, "NoNetworkAvailable")


def test_a_number_that_is_named_is_taken_whatever_the_ranges(fresh: World, root: Client) -> None:
    reserve(root, 1, 3, "44444444444444444444444444444444")
    assert network(root, **on(**{"provider:segmentation_id": 2}))["provider:segmentation_id"] == 2
    root.post(f"{V2}/networks", {"network": on(**{"provider:segmentation_id": 2})}).refused(409, "VlanIdInUse")
    top = 2**24 - 1
    network(root, **on("geneve", **{"provider:segmentation_id": top}))
    root.post(f"{V2}/networks", {"network": on("geneve", **{"provider:segmentation_id": top})}).refused(
        409, "TunnelIdInUse"
    )
    assert numbers(root, 1, kind="geneve") == [1], "the last number being used does not use up the others"


def test_a_vlan_of_a_range_is_what_leaves_the_host(still: World, operator: Client) -> None:
    reserve(operator, 3000, 3009, operator.project_id)
    made = network(operator, **on())
    (localnet,) = [row for row in engine_rows(still, "network", made["id"]) if row.part == "localnet"]
    assert localnet.columns["tag"] == made["provider:segmentation_id"] == 3000


@pytest.mark.parametrize(("wrong", "status", "words"), [
    ({"minimum": 0}, 400, "minimum"), ({"maximum": 4095}, 400, "maximum"), ({"minimum": 9, "maximum": 8}, 400, "minimum"),
    ({"network_type": "flat"}, 400, "network_type"), ({"network_type": None}, 400, "network_type"),
    ({"physical_network": None}, 400, "physical_network"), ({"network_type": "geneve"}, 400, "physical_network"),
    ({"minimum": "x"}, 400, "minimum"), ({"used": {}}, 400, "used"), ({"default": True}, 400, "default"),
    ({"minimum": 1, "maximum": 2000}, 409, "overlaps"), ({"minimum": 1009, "maximum": 1012}, 409, "overlaps"),
])  # fmt: skip
def test_a_bad_range_is_refused_and_the_field_named(
    operator: Client, taken: Body, wrong: Body, status: int, words: str
) -> None:
    body = {"network_type": "vlan", "physical_network": "public", "minimum": 20, "maximum": 30, **wrong}
    operator.post(RANGES, {"network_segment_range": body}).refused(status, words)


def test_ranges_are_for_administrators(member: Client) -> None:
    member.get(RANGES).refused(403)
    body = {"network_type": "vlan", "physical_network": "public", "minimum": 20, "maximum": 30}
    member.post(RANGES, {"network_segment_range": body}).refused(403)


@pytest.mark.parametrize(("taken", "left"), [
    ([], [(1, 9)]), ([(1, 9)], []), ([(3, 4)], [(1, 2), (5, 9)]), ([(8, 12), (-3, 2)], [(3, 7)]), ([(20, 30)], [(1, 9)]),
    ([(4, 4), (5, 5)], [(1, 3), (6, 9)]),
])  # fmt: skip
def test_what_is_left_of_a_span(taken: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert without((1, 9), taken) == left
