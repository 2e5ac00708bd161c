"""A network for whoever asks for any."""

from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.network.things import V2, make, public

MINE = f"{V2}/auto-allocated-topology/null"


@pytest.fixture
def root(fresh: World) -> Client:
    return fresh.client("admin", "manager", "member", "reader")


@pytest.fixture
def tenant(fresh: World) -> Client:
    return fresh.client("member", "reader")


@pytest.fixture
def provided(root: Client) -> dict[str, Any]:
    outside = public(root)
    root.put(f"{V2}/networks/{outside['id']}", {"network": {"is_default": True}}).ok(200)
    for prefix, length in (("10.64.0.0/16", 26), ("fd00:64::/48", 64)):
        pool = {"prefixes": [prefix], "default_prefixlen": length, "is_default": True, "shared": True}
        make(root, "subnetpools", name="default", **pool)
    return outside


def parts(client: Client) -> dict[str, list[Any]]:
    asked = f"project_id={client.project_id}"
    return {word: client.get(f"{V2}/{word}?{asked}").ok(200)[word] for word in ("networks", "subnets", "routers")}


def test_a_network_with_a_way_out_is_made_once(tenant: Client, provided: dict[str, Any]) -> None:
    assert "dry-run" in tenant.get(f"{MINE}?fields=dry-run").ok(200)["auto_allocated_topology"]["id"]
    assert parts(tenant)["networks"] == []
    found = tenant.get(MINE).ok(200)["auto_allocated_topology"]
    assert found["project_id"] == tenant.project_id
    assert tenant.get(f"{V2}/auto-allocated-topology/{tenant.project_id}").ok(200)["auto_allocated_topology"] == found
    have = parts(tenant)
    (network,), (router,) = have["networks"], have["routers"]
    assert network["id"] == found["id"]
    assert router["external_gateway_info"]["network_id"] == provided["id"]
    assert {(each["ip_version"], each["ipv6_address_mode"]) for each in have["subnets"]} == {(4, None), (6, "slaac")}
    port = make(tenant, "ports", network_id=network["id"])
    assert len(port["fixed_ips"]) == 2
    tenant.delete(MINE).refused(409)
    tenant.delete(f"{V2}/ports/{port['id']}").ok(204)
    tenant.delete(MINE).ok(204)
    tenant.delete(MINE).ok(204)
    assert parts(tenant) == {"networks": [], "subnets": [], "routers": []}


def test_what_an_administrator_has_not_provided_is_named(root: Client, tenant: Client) -> None:
    tenant.get(MINE).refused(409, "no default router:external network")
    outside = public(root)
    root.put(f"{V2}/networks/{outside['id']}", {"network": {"is_default": True}}).ok(200)
    for asked in (MINE, f"{MINE}?fields=dry-run"):
        tenant.get(asked).refused(409, "no default pools")
    assert parts(tenant)["networks"] == []


def test_half_of_it_is_not_left_when_a_quota_ends_it(root: Client, tenant: Client, provided: dict[str, Any]) -> None:
    root.put(f"{V2}/quotas/{tenant.project_id}", {"quota": {"subnet": 1}}).ok(200)
    tenant.get(MINE).refused(409, "OverQuota")
    assert parts(tenant) == {"networks": [], "subnets": [], "routers": []}


def test_it_is_a_projects_own(fresh: World, root: Client, tenant: Client, provided: dict[str, Any]) -> None:
    theirs = f"{V2}/auto-allocated-topology/{tenant.project_id}"
    fresh.client("member", "reader").get(theirs).refused(404)
    fresh.client("member", "reader").delete(theirs).refused(404)
    assert root.get(theirs).ok(200)["auto_allocated_topology"]["project_id"] == tenant.project_id
    fresh.client("reader", project_id=tenant.project_id).delete(theirs).refused(403)


def test_what_was_taken_apart_by_hand_is_made_anew(tenant: Client, provided: dict[str, Any]) -> None:
    first = tenant.get(MINE).ok(200)["auto_allocated_topology"]["id"]
    (router,) = parts(tenant)["routers"]
    for subnet in parts(tenant)["subnets"]:
        tenant.put(f"{V2}/routers/{router['id']}/remove_router_interface", {"subnet_id": subnet["id"]}).ok(200)
    tenant.delete(f"{V2}/networks/{first}").ok(204)
    tenant.delete(f"{V2}/routers/{router['id']}").ok(204)
    assert tenant.get(MINE).ok(200)["auto_allocated_topology"]["id"] != first
