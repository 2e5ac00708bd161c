"""Port forwardings: a floating IP whose single ports lead inside."""

from typing import Any

import pytest

from pileus.network import reconcile
from tests.harness import Client, World
from tests.spec.network.things import V2, Site, engine_rows, make, port

Body = dict[str, Any]


@pytest.fixture
def site(owner: Client, operator: Client) -> Site:
    return Site(owner, operator)


def path(floating_ip: Body) -> str:
    return f"{V2}/floatingips/{floating_ip['id']}/port_forwardings"


def members(target: Body, **members: Any) -> Body:
    body = {"protocol": "tcp", "internal_port_id": target["id"], "internal_port": 80, "external_port": 8080, **members}
    return {"port_forwarding": body}


def forward(site: Site, floating_ip: Body, target: Body, **more: Any) -> Body:
    found: Body = site.client.post(path(floating_ip), members(target, **more)).ok(201)["port_forwarding"]
    return found


def address(target: Body) -> str:
    found: str = target["fixed_ips"][0]["ip_address"]
    return found


def vips(still: World, floating_ip: Body) -> dict[str, Body]:
    return {row.part: dict(row.columns["vips"]) for row in engine_rows(still, "floatingip", floating_ip["id"])}  # type: ignore[arg-type]


def test_ports_of_one_address_lead_to_several_guests(still: World, site: Site) -> None:
    web, mail, floating_ip = site.port(), site.port(), site.floating_ip()
    outer = floating_ip["floating_ip_address"]
    first = forward(site, floating_ip, web, description="web")
    assert first == {
        "id": first["id"], "protocol": "tcp", "internal_port_id": web["id"], "internal_ip_address": address(web),
        "internal_port": 80, "external_port": 8080, "internal_port_range": "80:80", "external_port_range": "8080:8080",
        "description": "web",
    }  # fmt: skip
    second = forward(site, floating_ip, mail, internal_port=25, external_port=25)
    forward(site, floating_ip, mail, internal_port=53, external_port=8080, protocol="udp")
    assert vips(still, floating_ip) == {
        "tcp": {f"{outer}:8080": f"{address(web)}:80", f"{outer}:25": f"{address(mail)}:25"},
        "udp": {f"{outer}:8080": f"{address(mail)}:53"},
    }
    (balancer, _) = engine_rows(still, "floatingip", floating_ip["id"])
    assert (balancer.table, balancer.holders[0].column) == ("Load_Balancer", "load_balancer")
    assert balancer.holders[0].ref.id == site.router["id"]
    shown = site.client.get(f"{V2}/floatingips/{floating_ip['id']}").ok(200)["floatingip"]
    assert (shown["status"], shown["router_id"], shown["port_id"]) == ("ACTIVE", site.router["id"], None)
    assert [each["id"] for each in shown["port_forwardings"]][:2] == [first["id"], second["id"]]
    assert len(site.client.get(f"{path(floating_ip)}?protocol=udp").ok(200)["port_forwardings"]) == 1
    assert site.client.get(f"{path(floating_ip)}/{first['id']}").ok(200)["port_forwarding"] == first
    for each in site.client.get(path(floating_ip)).ok(200)["port_forwardings"]:
        site.client.delete(f"{path(floating_ip)}/{each['id']}").ok(204)
    site.client.get(f"{path(floating_ip)}/{first['id']}").refused(404, "PortForwardingNotFound")
    assert vips(still, floating_ip) == {}
    shown = site.client.get(f"{V2}/floatingips/{floating_ip['id']}").ok(200)["floatingip"]
    assert (shown["status"], shown["router_id"], shown["port_forwardings"]) == ("DOWN", None, [])
    assert reconcile.differences(still.cloud) == []


def test_a_forwarding_is_changed(still: World, site: Site) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    one = f"{path(floating_ip)}/{forward(site, floating_ip, web)['id']}"
    changed = {"internal_port": 443, "protocol": "udp", "description": "d"}
    after = site.client.put(one, {"port_forwarding": changed}).ok(200)["port_forwarding"]
    assert {name: after[name] for name in changed} == changed
    outer = floating_ip["floating_ip_address"]
    assert vips(still, floating_ip) == {"udp": {f"{outer}:8080": f"{address(web)}:443"}}
    other = site.port()
    after = site.client.put(one, {"port_forwarding": {"internal_port_id": other["id"]}}).ok(200)["port_forwarding"]
    assert after["internal_ip_address"] == address(other)
    assert site.client.put(one, {"port_forwarding": {}}).ok(200)["port_forwarding"] == after


@pytest.mark.parametrize(("given", "leads"), [
    ({"external_port_range": "100:102", "internal_port_range": "10:12"}, {100: 10, 101: 11, 102: 12}),
    ({"external_port_range": "100:102", "internal_port": 10}, {100: 10, 101: 10, 102: 10}),
    ({"external_port": 100, "internal_port_range": "10:10"}, {100: 10}),
])  # fmt: skip
def test_ranges_lead_port_to_port_or_all_to_one(still: World, site: Site, given: Body, leads: dict[int, int]) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    body = {"protocol": "tcp", "internal_port_id": web["id"], **given}
    made = site.client.post(path(floating_ip), {"port_forwarding": body}).ok(201)["port_forwarding"]
    assert (made["external_port"] is None) == (len(leads) > 1)
    outer = floating_ip["floating_ip_address"]
    assert vips(still, floating_ip) == {"tcp": {f"{outer}:{a}": f"{address(web)}:{b}" for a, b in leads.items()}}


@pytest.mark.parametrize(("wrong", "words"), [
    ({"external_port": 0}, "external_port"), ({"external_port": 65536}, "external_port"),
    ({"internal_port": 108343}, "internal_port"), ({"internal_port": "x"}, "internal_port"),
    ({"protocol": "icmp"}, "protocol"), ({"protocol": None}, "protocol"), ({"internal_port_id": "x"}, "internal_port_id"),
    ({"internal_ip_address": "10.0.0"}, "internal_ip_address"), ({"internal_ip_address": "10.0.0.99"}, "10.0.0.99"),
    ({"external_port_range": "9:1"}, "external_port_range"), ({"external_port_range": "1:2:3"}, "external_port_range"),
    ({"external_port_range": "1:9"}, "external_port"), ({"external_port_range": "1:60000"}, "1000 ports"),
    ({"external_port": None}, "external_port"), ({"internal_port_range": "٣:٤"}, "internal_port_range"),
    ({"colour": 1}, "colour"), ({"floatingip_id": "x"}, "floatingip_id"),
])  # fmt: skip
def test_a_bad_forwarding_is_refused_and_the_field_named(site: Site, wrong: Body, words: str) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    site.client.post(path(floating_ip), members(web, **wrong)).refused(400, words)


def test_ranges_on_both_sides_are_of_one_size(site: Site) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    ranges = {"external_port_range": "100:102", "internal_port_range": "10:11"}
    body = {"protocol": "tcp", "internal_port_id": web["id"], **ranges}
    site.client.post(path(floating_ip), {"port_forwarding": body}).refused(400, "as many as")


@pytest.mark.parametrize("again", [{"internal_port": 81}, {"external_port": 81}, {"external_port_range": "8000:8100"}])
def test_a_port_leads_to_one_place_and_is_led_to_from_one(site: Site, again: Body) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    forward(site, floating_ip, web)
    body = members(web, **again)
    if "external_port_range" in again:
        del body["port_forwarding"]["external_port"]
    site.client.post(path(floating_ip), body).refused(400, "already exists")


def test_a_floating_ip_leads_as_a_whole_or_by_ports(site: Site) -> None:
    whole, web = site.port(), site.port()
    bound, floating_ip = site.floating_ip(port_id=whole["id"]), site.floating_ip()
    site.client.post(path(bound), members(web)).refused(409, "FloatingIpInUse")
    site.client.post(path(floating_ip), members(whole)).refused(409, "PortHasBindingFloatingIP")
    forward(site, floating_ip, web)
    one = f"{V2}/floatingips/{floating_ip['id']}"
    site.client.put(one, {"floatingip": {"port_id": whole["id"]}}).refused(409, "FipInUseByPortForwarding")
    site.client.put(f"{V2}/floatingips/{bound['id']}", {"floatingip": {"port_id": web["id"]}}).refused(
        409, "PortHasPortForwarding"
    )
    site.client.delete(one).refused(409, "FipInUseByPortForwarding")
    site.client.put(f"{site.path}/remove_router_interface", {"subnet_id": site.subnet["id"]}).refused(409)
    site.client.put(site.path, {"router": {"external_gateway_info": None}}).refused(409)


@pytest.mark.parametrize("how", ["port", "address"])
def test_a_forwarding_ends_with_what_it_leads_to(still: World, site: Site, how: str) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    forward(site, floating_ip, web)
    if how == "port":
        site.client.delete(f"{V2}/ports/{web['id']}").ok(204)
    else:
        moved = {"fixed_ips": [{"subnet_id": site.subnet["id"], "ip_address": "10.0.0.200"}]}
        site.client.put(f"{V2}/ports/{web['id']}", {"port": moved}).ok(200)
    assert site.client.get(path(floating_ip)).ok(200)["port_forwardings"] == []
    assert vips(still, floating_ip) == {}
    site.client.delete(f"{V2}/floatingips/{floating_ip['id']}").ok(204)


def test_a_port_that_no_router_leads_to_is_refused(site: Site) -> None:
    floating_ip = site.floating_ip()
    alone = make(site.client, "networks")
    make(site.client, "subnets", network_id=alone["id"], cidr="10.7.0.0/24")
    island = port(site.client, alone["id"])
    site.client.post(path(floating_ip), members(island)).refused(404, "ExternalGatewayForFloatingIPNotFound")


def test_forwardings_are_their_floating_ips_owners(still: World, site: Site) -> None:
    web, floating_ip = site.port(), site.floating_ip()
    one = f"{path(floating_ip)}/{forward(site, floating_ip, web)['id']}"
    other = still.client("member", "reader")
    reader = still.client("reader", project_id=site.client.project_id)
    for asked in (path(floating_ip), one):
        other.get(asked).refused(404)
        reader.get(asked).ok(200)
    other.post(path(floating_ip), members(web)).refused(404)
    for caller, status in ((other, 404), (reader, 403)):
        caller.put(one, {"port_forwarding": {"internal_port": 1}}).refused(status)
        caller.delete(one).refused(status)
    reader.post(path(floating_ip), members(web, external_port=1)).refused(403)
