"""What our objects look like in OVN's northbound database: pure functions, plain examples."""

from typing import Any

import pytest

from pileus.network import rows
from pileus.network.drivers.desired import Holder, Ref, Row, holders_of
from pileus.network.drivers.translate import names, networks, ports, routers, security_groups

NET = rows.Network(id="net", project_id="p", name="inside")
V4 = rows.Subnet(id="v4", network_id="net", cidr="10.0.0.0/24", gateway_ip="10.0.0.1")
V6 = rows.Subnet(id="v6", network_id="net", ip_version=6, cidr="fd00::/64", gateway_ip="fd00::1")
SUBNETS = {"v4": V4, "v6": V6}


def port(**attributes: Any) -> rows.Port:
    fixed = attributes.pop("fixed_ips", [rows.FixedIP("v4", "10.0.0.5")])
    made = rows.Port(id="port", project_id="p", network_id="net", mac_address="fa:16:3e:00:00:01", fixed_ips=fixed)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def plain(**attributes: Any) -> Row:
    found = ports.port_rows(port(**attributes), NET, SUBNETS)
    return next(row for row in found if row.table == "Logical_Switch_Port")


def rule(**attributes: Any) -> rows.SecurityGroupRule:
    made = rows.SecurityGroupRule(id="rule", security_group_id="a-b")
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def test_a_network_is_a_switch() -> None:
    (switch,) = networks.network_rows(NET)
    assert (switch.table, switch.columns["name"]) == ("Logical_Switch", "neutron-net")


def test_a_provider_network_has_a_way_to_the_physical_one() -> None:
    vlan = rows.Network(id="net", network_type="vlan", physical_network="public", segmentation_id=7)
    localnet = networks.network_rows(vlan)[1]
    assert (localnet.columns["type"], localnet.columns["tag"]) == ("localnet", 7)
    assert localnet.columns["options"]["network_name"] == "public"  # type: ignore[index,call-overload]
    assert localnet.holders == (Holder(names.switch("net"), "ports"),)
    flat = rows.Network(id="net", network_type="flat", physical_network="public")
    assert networks.network_rows(flat)[1].columns["tag"] is None


def test_dhcp_tells_router_mtu_and_the_way_to_metadata() -> None:
    options = networks.dhcp_options(V4, NET, "10.0.0.2")
    assert options["router"] == options["server_id"] == "10.0.0.1"
    assert options["mtu"] == "1442"
    assert options["classless_static_route"] == "{169.254.169.254/32,10.0.0.2, 0.0.0.0/0,10.0.0.1}"


def test_a_subnet_without_gateway_still_has_a_dhcp_server() -> None:
    isolated = rows.Subnet(id="v4", network_id="net", cidr="10.0.0.0/24")
    options = networks.dhcp_options(isolated, NET, "10.0.0.2")
    assert "router" not in options
    assert options["server_id"] == "10.0.0.2"
    assert options["classless_static_route"] == "{169.254.169.254/32,10.0.0.2}"


@pytest.mark.parametrize(
    ("mode", "rows_made", "stateless"),
    [(None, 0, None), ("slaac", 0, None), ("dhcpv6-stateful", 1, None), ("dhcpv6-stateless", 1, "true")],
)
def test_dhcpv6_is_served_where_guests_ask_for_it(mode: str | None, rows_made: int, stateless: str | None) -> None:
    subnet = rows.Subnet(id="v6", network_id="net", ip_version=6, cidr="fd00::/64", ipv6_ra_mode=mode,
                         ipv6_address_mode=mode)  # fmt: skip
    made = networks.subnet_rows(subnet, NET, None)
    assert len(made) == rows_made
    for row in made:
        assert row.columns["options"].get("dhcpv6_stateless") == stateless  # type: ignore[union-attr]


def test_a_guests_port_may_use_its_address_and_no_other() -> None:
    row = plain(security_groups=["b", "a"])
    assert row.columns["addresses"] == row.columns["port_security"] == frozenset({"fa:16:3e:00:00:01 10.0.0.5"})
    assert row.columns["dhcpv4_options"] == Ref("DHCP_Options", "subnet", "v4")
    assert {holder.ref.id for holder in row.holders} == {"net", "drop", "a", "b"}


def test_a_port_without_security_is_in_no_group() -> None:
    row = plain(port_security_enabled=False)
    assert row.columns["port_security"] == frozenset()
    assert "unknown" in row.columns["addresses"]  # type: ignore[operator]
    assert [holder.ref.table for holder in row.holders] == ["Logical_Switch"]


def test_address_pairs_widen_port_security() -> None:
    pairs = [{"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:01"}, {"ip_address": "10.0.0.8", "mac_address":
             "fa:16:3e:00:00:02"}]  # fmt: skip
    row = plain(allowed_address_pairs=pairs)
    assert row.columns["port_security"] == frozenset(
        {"fa:16:3e:00:00:01 10.0.0.5 10.0.0.9", "fa:16:3e:00:00:02 10.0.0.8"}
    )
    assert "unknown" in row.columns["addresses"]  # type: ignore[operator]


def test_a_port_with_options_of_its_own_has_a_row_for_them() -> None:
    made = ports.port_rows(
        port(extra_dhcp_opts=[{"opt_name": "tftp-server", "opt_value": "10.0.0.7", "ip_version": 4}]),
        NET, SUBNETS, dhcp_options={"v4": {"router": "10.0.0.1"}},
    )  # fmt: skip
    own = next(row for row in made if row.table == "DHCP_Options")
    assert own.columns["options"] == {"router": "10.0.0.1", "tftp_server": '"10.0.0.7"'}
    assert made[0].columns["dhcpv4_options"] == Ref("DHCP_Options", "port", "port", "dhcpv4")
    disabled = plain(extra_dhcp_opts=[{"opt_name": "dhcp_disabled", "opt_value": "true", "ip_version": 4}])
    assert disabled.columns["dhcpv4_options"] is None


def test_metadata_is_served_from_a_local_port_on_every_host() -> None:
    row = plain(device_owner=rows.DHCP_OWNER, host_id="h1")
    assert row.columns["type"] == "localport"
    assert row.columns["options"] == {}


def test_a_named_port_is_found_by_its_name() -> None:
    made = ports.port_rows(port(dns_name="Web"), NET, SUBNETS, domain="cloud")
    dns = next(row for row in made if row.table == "DNS")
    assert dns.columns["records"] == {"web": "10.0.0.5", "web.cloud": "10.0.0.5"}


def test_a_routers_interface_has_two_sides() -> None:
    slaac = rows.Subnet(id="v6", ip_version=6, cidr="fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    inner = port(device_owner=rows.INTERFACE_OWNER, device_id="r", fixed_ips=[rows.FixedIP("v6", "fd00::1")])
    router_side, switch_side = ports.port_rows(inner, NET, {"v6": slaac})
    assert router_side.columns["networks"] == frozenset({"fd00::1/64"})
    assert router_side.columns["ipv6_ra_configs"] == {"address_mode": "slaac", "send_periodic": "true", "mtu": "1442"}
    assert switch_side.columns["options"] == {"router-port": "lrp-port"}


def test_a_gateway_is_spread_over_hosts_and_stays_where_it_can() -> None:
    outer = port(device_owner=rows.GATEWAY_OWNER, device_id="r")
    made = ports.port_rows(outer, NET, SUBNETS, ["h1", "h2", "h3"])
    chassis = [row for row in made if row.table == "Gateway_Chassis"]
    assert [row.columns["priority"] for row in chassis] == [3, 2, 1]
    order = [row.columns["chassis_name"] for row in chassis]
    without = [host for host in ports.rank_gateway_hosts("r", ["h1", "h2", "h3"]) if host != order[0]]
    assert ports.rank_gateway_hosts("r", without) == without == order[1:]


def test_an_address_of_a_floating_ip_is_nothing_that_is_plugged_in() -> None:
    assert ports.port_rows(port(device_owner=rows.FLOATING_IP_OWNER), NET, SUBNETS) == []


def test_a_router_leads_out_with_source_nat_unless_told_not_to() -> None:
    outside = rows.Subnet(id="out", cidr="172.24.4.0/24", gateway_ip="172.24.4.1")
    gateway = port(fixed_ips=[rows.FixedIP("out", "172.24.4.9")])
    router = rows.Router(id="r", routes=[{"destination": "192.0.2.0/24", "nexthop": "10.0.0.7"}])
    made = {(row.table, row.part): row.columns for row in routers.router_rows(router, [(gateway, [outside])], [V4, V6])}
    assert made["Logical_Router_Static_Route", "default:out"]["nexthop"] == "172.24.4.1"
    assert made["Logical_Router_Static_Route", "route:192.0.2.0/24>10.0.0.7"]["ip_prefix"] == "192.0.2.0/24"
    assert made["NAT", "snat:v4"] == {"type": "snat", "external_ip": "172.24.4.9", "logical_ip": "10.0.0.0/24",
                                      "gateway_port": None}  # fmt: skip
    assert ("NAT", "snat:v6") not in made
    router.enable_snat = False
    assert not any(row.table == "NAT" for row in routers.router_rows(router, [(gateway, [outside])], [V4]))


def test_a_floating_ip_is_there_when_it_leads_somewhere() -> None:
    floating_ip = rows.FloatingIP(id="f", floating_ip_address="172.24.4.20")
    assert routers.floating_ip_rows(floating_ip) == []
    floating_ip.router_id, floating_ip.fixed_ip_address = "r", "10.0.0.5"
    (nat,) = routers.floating_ip_rows(floating_ip)
    assert nat.columns == {"type": "dnat_and_snat", "external_ip": "172.24.4.20", "logical_ip": "10.0.0.5",
                           "gateway_port": None}  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({}, "outport == @pg_a_b && ip4"),
        ({"direction": "egress", "ethertype": "IPv6"}, "inport == @pg_a_b && ip6"),
        ({"remote_group_id": "c-d"}, "outport == @pg_a_b && ip4 && ip4.src == $pg_c_d_ip4"),
        ({"remote_ip_prefix": "10.0.0.0/8"}, "outport == @pg_a_b && ip4 && ip4.src == 10.0.0.0/8"),
        ({"remote_ip_prefix": "0.0.0.0/0"}, "outport == @pg_a_b && ip4"),
        ({"direction": "egress", "remote_ip_prefix": "10.0.0.0/8"}, "inport == @pg_a_b && ip4 && ip4.dst == 10.0.0.0/8"),
        ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
         "outport == @pg_a_b && ip4 && tcp && tcp.dst == 22"),
        ({"protocol": "17", "port_range_min": 1, "port_range_max": 9},
         "outport == @pg_a_b && ip4 && udp && udp.dst >= 1 && udp.dst <= 9"),
        ({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
         "outport == @pg_a_b && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0"),
        ({"protocol": "icmp", "ethertype": "IPv6"}, "outport == @pg_a_b && ip6 && icmp6"),
        ({"protocol": "vrrp"}, "outport == @pg_a_b && ip4 && ip.proto == 112"),
        ({"protocol": "ip"}, "outport == @pg_a_b && ip4"),
    ],
)  # fmt: skip
def test_a_rule_is_an_expression(attributes: dict[str, Any], match: str) -> None:
    assert security_groups.match_of(rule(**attributes)) == match


def test_a_stateless_groups_rules_track_nothing() -> None:
    group = rows.SecurityGroup(id="a-b", stateful=False)
    assert security_groups.group_rows(group, [rule()])[1].columns["action"] == "allow-stateless"


@pytest.mark.parametrize(
    ("kbps", "burst", "bandwidth"),
    [(0, 0, []), (1, 0, [{"rate": 1, "burst": 1}]), (1000, 0, [{"rate": 1000, "burst": 800}]),
     (1000, 5, [{"rate": 1000, "burst": 5}])],
)  # fmt: skip
def test_a_limit_is_what_the_engine_takes(kbps: int, burst: int, bandwidth: list[dict[str, int]]) -> None:
    limit = rows.QosRule(id="q", qos_policy_id="p", kind="bandwidth_limit", max_kbps=kbps, max_burst_kbps=burst)
    for made in (
        ports.port_rows(port(), NET, SUBNETS, limits=[limit]),
        routers.outer_limits(port(), "192.0.2.1", [limit]),
    ):
        assert [row.columns["bandwidth"] for row in made if row.table == "QoS"] == bandwidth


def test_a_row_remembers_who_lists_it() -> None:
    row = plain(security_groups=["a"])
    assert holders_of(row.all_external_ids(("port", "port"))) == frozenset(row.holders)
