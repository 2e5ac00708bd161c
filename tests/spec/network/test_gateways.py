"""Routers' ways out: none, one or several; and what passes under an address outside."""

from typing import Any

import pytest

from pileus.network import reconcile
from pileus.network.drivers.base import Chassis
from pileus.network.drivers.desired import Ref
from tests.harness import Client, World
from tests.spec.network.things import V2, Site, engine_rows, make, network, public, subnet

Body = dict[str, Any]
HOSTS = [Chassis(name=name, hostname=name, physnets=("public",)) for name in ("one", "two", "three")]


@pytest.fixture
def outside(operator: Client) -> Body:
    return public(operator)


@pytest.fixture
def router(owner: Client, outside: Body) -> Body:
    return make(owner, "routers", external_gateway_info={"network_id": outside["id"]})


def several(client: Client, router: Body, verb: str, *infos: Body) -> Body:
    body = {"router": {"external_gateways": list(infos)}}
    found: Body = client.put(f"{V2}/routers/{router['id']}/{verb}_external_gateways", body).ok(200)["router"]
    return found


def outer(gateway: Body) -> str:
    found: str = gateway["external_fixed_ips"][0]["ip_address"]
    return found


def test_a_router_has_several_ways_out_and_the_first_is_its_gateway(owner: Client, outside: Body, router: Body) -> None:
    way = {"network_id": outside["id"]}
    after = several(owner, router, "add", way, way)
    assert len({outer(gateway) for gateway in after["external_gateways"]}) == 3
    assert after["external_gateway_info"] == after["external_gateways"][0] == router["external_gateway_info"]
    left = several(owner, router, "remove", after["external_gateways"][0])
    assert left["external_gateways"] == after["external_gateways"][1:]
    assert left["external_gateway_info"] == after["external_gateways"][1]
    owner.put(f"{V2}/routers/{router['id']}", {"router": {"external_gateway_info": {}}}).ok(200)
    assert (
        owner.get(f"{V2}/routers/{router['id']}").ok(200)["router"]["external_gateways"]
        == left["external_gateways"][1:]
    )
    owner.delete(f"{V2}/routers/{router['id']}").ok(204)


def test_a_list_of_ways_out_is_made_so(owner: Client, operator: Client, outside: Body, router: Body) -> None:
    way = {"network_id": outside["id"]}
    first, second, third = several(owner, router, "add", way, way)["external_gateways"]
    assert several(owner, router, "remove", third)["external_gateways"] == [first, second]
    after = several(operator, router, "update", first, third)
    assert after["external_gateways"] == [first, third]
    assert several(operator, router, "update", third)["external_gateway_info"] == third
    assert several(operator, router, "update")["external_gateway_info"] is None


def test_a_way_out_that_floating_ips_need_stays(owner: Client, operator: Client) -> None:
    site = Site(owner, operator)
    site.floating_ip(port_id=site.port()["id"])
    path = f"{V2}/routers/{site.router['id']}/remove_external_gateways"
    body = {"router": {"external_gateways": [{"network_id": site.outside["id"]}]}}
    owner.put(path, body).refused(409, "RouterExternalGatewayInUseByFloatingIp")
    several(owner, site.router, "add", {"network_id": site.outside["id"]})
    owner.put(path, body).ok(200)
    owner.put(path, body).refused(409, "RouterExternalGatewayInUseByFloatingIp")


@pytest.mark.parametrize(("verb", "body", "status", "words"), [
    ("add", {"external_gateways": [{}]}, 400, "network_id"),
    ("add", {"external_gateways": [{"network_id": "x"}]}, 400, "network_id"),
    ("add", {"external_gateways": "x"}, 400, "external_gateways"),
    ("add", {"external_gateways": [{"network_id": "$inside"}]}, 400, "not an external network"),
    ("add", {"external_gateways": [{"network_id": "$outside"}] * 10}, 409, "10 gateways"),
    ("add", {"external_gateways": [{"network_id": "$outside"}] * 11}, 400, "at most 10"),
    ("add", {"name": "x"}, 400, "external_gateways"),
    ("add", {}, 400, "external_gateways"),
    ("remove", {"external_gateways": [{"network_id": "$inside"}]}, 404, "RouterGatewayNotFound"),
    ("remove", {"external_gateways": [{"network_id": "$outside", "external_fixed_ips": [{"ip_address": "192.0.2.1"}]}]},
     404, "192.0.2.1"),
    ("update", {"external_gateways": [{"network_id": "11111111-1111-4111-8111-111111111111"}]}, 404, "NetworkNotFound"),
])  # fmt: skip
def test_a_bad_list_is_refused(
    owner: Client, outside: Body, router: Body, verb: str, body: Body, status: int, words: str
) -> None:
    ids = {"$outside": outside["id"], "$inside": network(owner)["id"]}
    for info in body.get("external_gateways", []) if isinstance(body.get("external_gateways"), list) else []:
        if "network_id" in info:
            info["network_id"] = ids.get(info["network_id"], info["network_id"])
    owner.put(f"{V2}/routers/{router['id']}/{verb}_external_gateways", {"router": body}).refused(status, words)


@pytest.mark.parametrize("attribute", [{"enable_snat": False}, {"external_fixed_ips": [{"ip_address": "172.24.4.77"}]}])
@pytest.mark.parametrize("verb", ["add", "update"])
def test_how_it_leads_out_is_for_administrators(
    owner: Client, operator: Client, outside: Body, attribute: Body, verb: str
) -> None:
    made = make(owner, "routers")
    body = {"router": {"external_gateways": [{"network_id": outside["id"], **attribute}]}}
    path = f"{V2}/routers/{made['id']}/{verb}_external_gateways"
    owner.put(path, body).refused(403)
    (gateway,) = operator.put(path, body).ok(200)["router"]["external_gateways"]
    assert gateway["enable_snat"] == attribute.get("enable_snat", True)


def test_source_nat_is_on_or_off_for_all_ways_out(operator: Client, outside: Body, router: Body) -> None:
    body = {"router": {"external_gateways": [{"network_id": outside["id"], "enable_snat": False}]}}
    operator.put(f"{V2}/routers/{router['id']}/add_external_gateways", body).refused(400, "enable_snat")


@pytest.mark.parametrize("name", ["enable_default_route_ecmp", "enable_default_route_bfd"])
def test_how_default_routes_are_used_is_for_administrators(owner: Client, operator: Client, name: str) -> None:
    assert make(operator, "routers", **{name: True})[name] is True
    made = make(owner, "routers")
    path = f"{V2}/routers/{made['id']}"
    assert made[name] is False
    owner.put(path, {"router": {name: True}}).refused(403)
    owner.post(f"{V2}/routers", {"router": {name: True}}).refused(403)
    assert operator.put(path, {"router": {name: True}}).ok(200)["router"][name] is True
    operator.put(path, {"router": {name: "perhaps"}}).refused(400, name)


# -- the engine --------------------------------------------------------------------------------------------------------


def test_one_way_is_used_or_all_and_each_has_a_host_of_its_own(still: World, owner: Client, operator: Client) -> None:
    still.cloud.drivers["network"].set_hosts(HOSTS)
    site = Site(owner, operator)
    way = {"network_id": site.outside["id"]}
    several(owner, site.router, "add", way, way)
    floating_ip = site.floating_ip(port_id=site.port()["id"])

    def routes() -> list[Body]:
        found = engine_rows(still, "router", site.router["id"], "Logical_Router_Static_Route")
        return [dict(row.columns) for row in found]

    assert [(route["ip_prefix"], route["nexthop"]) for route in routes()] == [("0.0.0.0/0", "172.24.4.1")]
    path = f"{V2}/routers/{site.router['id']}"
    operator.put(path, {"router": {"enable_default_route_ecmp": True}}).ok(200)
    assert len({route["output_port"] for route in routes()}) == 3
    operator.put(path, {"router": {"enable_default_route_bfd": True}}).ok(200)
    watches = engine_rows(still, "router", site.router["id"], "BFD")
    assert {row.columns["dst_ip"] for row in watches} == {"172.24.4.1"}
    assert {route["bfd"] for route in routes()} == {
        Ref("BFD", "router", site.router["id"], row.part) for row in watches
    }
    nats = engine_rows(still, "router", site.router["id"], "NAT")
    ways = {row.columns["gateway_port"] for row in nats}
    assert len(ways) == len({row.columns["external_ip"] for row in nats}) == 3
    (translation,) = engine_rows(still, "floatingip", floating_ip["id"])
    assert translation.columns["gateway_port"] in ways
    first_hosts = set()
    for port in operator.get(f"{V2}/ports?device_id={site.router['id']}&device_owner=network:router_gateway").ok()[
        "ports"
    ]:
        chassis = engine_rows(still, "port", port["id"], "Gateway_Chassis")
        first_hosts.add(max(chassis, key=lambda row: str(row.columns["priority"])).columns["chassis_name"])
    assert first_hosts == {"one", "two", "three"}
    several(owner, site.router, "remove", way, way)
    assert [row.columns["gateway_port"] for row in engine_rows(still, "router", site.router["id"], "NAT")] == [None]
    (translation,) = engine_rows(still, "floatingip", floating_ip["id"])
    assert translation.columns["gateway_port"] is None
    assert reconcile.differences(still.cloud) == []


def test_what_passes_under_an_outer_address_is_limited(still: World, owner: Client, operator: Client) -> None:
    site = Site(owner, operator)
    policy = make(operator, "qos/policies", name="q", shared=True)
    rules = f"{V2}/qos/policies/{policy['id']}/bandwidth_limit_rules"
    for direction in ("egress", "ingress"):
        limit = {"max_kbps": 1000, "max_burst_kbps": 100, "direction": direction}
        operator.post(rules, {"bandwidth_limit_rule": limit}).ok(201)
    floating_ip = site.floating_ip(port_id=site.port()["id"], qos_policy_id=policy["id"])
    outer_ip = floating_ip["floating_ip_address"]
    (gateway,) = operator.get(f"{V2}/ports?device_id={site.router['id']}&device_owner=network:router_gateway").ok()[
        "ports"
    ]

    def limits(kind: str, id: str) -> dict[Any, Any]:
        found = engine_rows(still, kind, id, "QoS")
        assert all(row.holders[0].ref.id == site.outside["id"] for row in found)
        return {row.columns["match"]: row.columns["bandwidth"] for row in found}

    rate = {"rate": 1000, "burst": 100}
    assert limits("floatingip", floating_ip["id"]) == {
        f'inport == "{gateway["id"]}" && ip4.src == {outer_ip}': rate,
        f'outport == "{gateway["id"]}" && ip4.dst == {outer_ip}': rate,
    }
    info = {"network_id": site.outside["id"], "qos_policy_id": policy["id"]}
    shown = owner.put(site.path, {"router": {"external_gateway_info": info}}).ok(200)["router"]["external_gateway_info"]
    assert shown["qos_policy_id"] == policy["id"]
    assert f'inport == "{gateway["id"]}" && ip4.src == {outer(shown)}' in limits("port", gateway["id"])
    operator.delete(f"{V2}/qos/policies/{policy['id']}").refused(409, "QosPolicyInUse")
    rule_id = operator.get(rules).ok()["bandwidth_limit_rules"][0]["id"]
    operator.delete(f"{rules}/{rule_id}").ok(204)
    assert len(limits("floatingip", floating_ip["id"])) == len(limits("port", gateway["id"])) == 1
    owner.put(f"{V2}/floatingips/{floating_ip['id']}", {"floatingip": {"qos_policy_id": None}}).ok(200)
    assert limits("floatingip", floating_ip["id"]) == {}
    owner.put(site.path, {"router": {"external_gateway_info": {**info, "qos_policy_id": None}}}).ok(200)
    operator.delete(f"{V2}/qos/policies/{policy['id']}").ok(204)


@pytest.mark.parametrize("on", ["floatingips", "routers"])
def test_a_policy_that_is_not_there_limits_nothing(owner: Client, outside: Body, on: str) -> None:
    policy = "11111111-1111-4111-8111-111111111111"
    if on == "routers":
        body: Body = {"router": {"external_gateway_info": {"network_id": outside["id"], "qos_policy_id": policy}}}
    else:
        body = {"floatingip": {"floating_network_id": outside["id"], "qos_policy_id": policy}}
    owner.post(f"{V2}/{on}", body).refused(404, "QosPolicyNotFound")


def test_a_router_with_two_ways_is_not_plugged_into_what_overlaps_either(owner: Client, operator: Client) -> None:
    one, two = public(operator, "192.0.2.0/24"), public(operator, "198.51.100.0/24")
    router = make(owner, "routers")
    several(owner, router, "add", {"network_id": one["id"]}, {"network_id": two["id"]})
    inside = network(owner)
    overlapping = subnet(owner, inside["id"], "198.51.100.128/25")
    body = {"subnet_id": overlapping["id"]}
    owner.put(f"{V2}/routers/{router['id']}/add_router_interface", body).refused(400, "overlaps")
