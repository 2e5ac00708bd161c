"""IPv6: who gives a guest its address, what the router advertises, and how metadata is reached without IPv4."""

from typing import Any

import pytest

from pileus import network as front
from pileus.core import clock
from tests.harness import Client, World
from tests.spec.network.things import V2, Site, engine_rows, make, network, port, public, subnet

MAC = "fa:16:3e:00:00:09"
OWN = "2001:db8::f816:3eff:fe00:9"  # what a guest with this MAC gives itself
Body = dict[str, Any]


def v6(client: Client, network_id: str, mode: str | None, cidr: str = "2001:db8::/64", **more: Any) -> Body:
    modes = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode} if mode else {}
    return subnet(client, network_id, cidr, ip_version=6, **modes, **more)


@pytest.mark.parametrize(("mode", "dhcp", "advertised", "own_address"), [
    (None, None, None, False),
    ("slaac", None, "slaac", True),
    ("dhcpv6-stateless", True, "dhcpv6_stateless", True),
    ("dhcpv6-stateful", False, "dhcpv6_stateful", False),
])  # fmt: skip
def test_each_mode_says_who_chooses_addresses(
    still: World, owner: Client, mode: str | None, dhcp: bool | None, advertised: str | None, own_address: bool
) -> None:
    inside = network(owner, mtu=1400)["id"]
    inner = v6(owner, inside, mode, dns_nameservers=["2001:db8::53"])
    guest = port(owner, inside, mac_address=MAC)
    address = guest["fixed_ips"][0]["ip_address"]
    assert (address == OWN) == own_address
    options = engine_rows(still, "subnet", inner["id"], "DHCP_Options")
    assert bool(options) == (dhcp is not None)
    for row in options:
        told: Any = row.columns["options"]
        assert (told.get("dhcpv6_stateless") == "true", told["dns_server"]) == (dhcp, "{2001:db8::53}")
    router = make(owner, "routers")
    added = owner.put(f"{V2}/routers/{router['id']}/add_router_interface", {"subnet_id": inner["id"]}).ok(200)
    (side,) = engine_rows(still, "port", added["port_id"], "Logical_Router_Port")
    assert side.columns["networks"] == {"2001:db8::1/64"}
    configs: Any = side.columns["ipv6_ra_configs"]
    assert configs.get("address_mode") == advertised
    if advertised:
        assert (configs["mtu"], configs["send_periodic"], configs["rdnss"]) == ("1400", "true", "2001:db8::53")


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless"])
def test_an_address_that_guests_make_is_not_chosen_for_them(owner: Client, mode: str) -> None:
    inside = network(owner)["id"]
    inner = v6(owner, inside, mode)["id"]

    def ask(**entry: str) -> Any:
        body = {"network_id": inside, "mac_address": MAC, "fixed_ips": [{"subnet_id": inner, **entry}]}
        return owner.post(f"{V2}/ports", {"port": body})

    ask(ip_address="2001:db8::7").refused(400, "AllocationOnAutoAddressSubnet")
    assert ask(ip_address=OWN).ok(201)["port"]["fixed_ips"] == [{"subnet_id": inner, "ip_address": OWN}]


def test_a_stateful_subnet_gives_the_address_that_is_asked_for(owner: Client) -> None:
    inside = network(owner)["id"]
    v6(owner, inside, "dhcpv6-stateful")
    asked = [{"ip_address": "2001:db8::7"}]
    assert port(owner, inside, fixed_ips=asked)["fixed_ips"][0]["ip_address"] == "2001:db8::7"
    body = {"port": {"network_id": inside, "fixed_ips": asked}}
    owner.post(f"{V2}/ports", body).refused(409, "IpAddressAlreadyAllocated")


def test_a_guest_has_an_address_of_each_version_and_on_every_automatic_subnet(owner: Client) -> None:
    inside = network(owner)["id"]
    subnet(owner, inside, "10.0.0.0/24")
    v6(owner, inside, "slaac")
    v6(owner, inside, "slaac", "2001:db8:1::/64")
    addresses = [ip["ip_address"] for ip in port(owner, inside, mac_address=MAC)["fixed_ips"]]
    assert addresses[1:] == [OWN, OWN.replace("db8::", "db8:1:0:")]
    assert addresses[0].startswith("10.0.0.")


def test_automatic_addresses_come_back_when_others_are_changed(owner: Client) -> None:
    inside = network(owner)["id"]
    four, six = subnet(owner, inside, "10.0.0.0/24"), v6(owner, inside, "slaac")
    made = port(owner, inside, mac_address=MAC)
    moved = {"fixed_ips": [{"subnet_id": four["id"], "ip_address": "10.0.0.99"}]}
    after = owner.put(f"{V2}/ports/{made['id']}", {"port": moved}).ok(200)["port"]
    assert {ip["ip_address"] for ip in after["fixed_ips"]} == {"10.0.0.99", OWN}
    owner.delete(f"{V2}/subnets/{six['id']}").ok(204)  # what guests made by themselves holds nothing up
    after = owner.get(f"{V2}/ports/{made['id']}").ok(200)["port"]
    assert [ip["ip_address"] for ip in after["fixed_ips"]] == ["10.0.0.99"]


def test_subnets_of_version_6_share_a_routers_port(still: World, owner: Client) -> None:
    inside = network(owner)["id"]
    router = f"{V2}/routers/{make(owner, 'routers')['id']}"
    first, second = v6(owner, inside, "slaac"), v6(owner, inside, "slaac", "2001:db8:1::/64")
    four = subnet(owner, inside, "10.0.0.0/24")
    plugged = [owner.put(f"{router}/add_router_interface", {"subnet_id": each["id"]}).ok(200)["port_id"]
               for each in (first, second, four)]  # fmt: skip
    assert plugged[0] == plugged[1] != plugged[2]
    (side,) = engine_rows(still, "port", plugged[0], "Logical_Router_Port")
    assert side.columns["networks"] == {"2001:db8::1/64", "2001:db8:1::1/64"}
    owner.put(f"{router}/remove_router_interface", {"subnet_id": first["id"]}).ok(200)
    (side,) = engine_rows(still, "port", plugged[0], "Logical_Router_Port")
    assert side.columns["networks"] == {"2001:db8:1::1/64"}


def test_version_6_is_routed_and_not_translated(still: World, owner: Client, operator: Client) -> None:
    outside = public(operator)
    subnet(operator, outside["id"], "2001:db8:f::/64", ip_version=6, enable_dhcp=False)
    site = Site(owner, operator, outside)
    inner = v6(owner, site.network["id"], "slaac", "2001:db8:a::/64")
    owner.put(f"{site.path}/add_router_interface", {"subnet_id": inner["id"]}).ok(200)
    rows = engine_rows(still, "router", site.router["id"])
    ways = {row.columns["ip_prefix"]: row.columns["nexthop"] for row in rows if "ip_prefix" in row.columns}
    assert ways == {"0.0.0.0/0": "172.24.4.1", "::/0": "2001:db8:f::1"}
    assert [row.columns["logical_ip"] for row in rows if row.table == "NAT"] == [site.subnet["cidr"]]
    body = {"floating_network_id": outside["id"], "port_id": site.port()["id"]}
    made = owner.post(f"{V2}/floatingips", {"floatingip": body}).ok(201)["floatingip"]
    assert ":" not in made["floating_ip_address"] + made["fixed_ip_address"]


@pytest.mark.parametrize("mode", [None, "slaac", "dhcpv6-stateless", "dhcpv6-stateful"])
def test_metadata_is_reached_without_version_4(still: World, owner: Client, mode: str | None) -> None:
    inside = network(owner)["id"]
    v6(owner, inside, mode)
    with still.cloud.db.read() as tx:
        told = front.metadata_ports(tx, [inside])[inside]
    assert told.addresses == []  # the host answers at fe80::a9fe:a9fe
    (row,) = engine_rows(still, "port", told.port_id)
    assert (row.columns["type"], row.columns["addresses"]) == ("localport", {told.mac_address})
    owner.delete(f"{V2}/networks/{inside}").ok(204)


def test_a_network_too_small_for_version_6_says_so(owner: Client) -> None:
    inside = network(owner, mtu=1200)["id"]
    body = {"network_id": inside, "cidr": "2001:db8::/64", "ip_version": 6, "name": clock.new_id()}
    owner.post(f"{V2}/subnets", {"subnet": body}).refused(409, "1280")


@pytest.mark.parametrize(
    ("name", "ethertype"), [("icmp", "IPv6"), ("icmpv6", "IPv6"), ("ipv6-icmp", "IPv6"), ("58", "IPv6")]
)
def test_icmp_has_several_names(still: World, owner: Client, name: str, ethertype: str) -> None:
    group = make(owner, "security-groups", name="g")["id"]
    rule = make(owner, "security-group-rules", security_group_id=group, direction="ingress", protocol=name,
                ethertype="IPv6", port_range_min=128)  # fmt: skip
    acls = {acl.part: acl.columns["match"] for acl in engine_rows(still, "security_group", group, "ACL")}
    assert str(acls[rule["id"]]).endswith("ip6 && icmp6 && icmp6.type == 128")
