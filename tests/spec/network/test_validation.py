"""What each kind of thing may be: a bad member is refused with 400, and the answer names it. Table by table."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.network.things import V2, Made, Site, make, network, port, public, subnet

NOBODY = "11111111-1111-4111-8111-111111111111"
LONG = "x" * 256
Body = dict[str, Any]
# of every kind: (path, a body that is right but for what a test puts in)
RIGHT: dict[str, Body] = {
    "networks": {},
    "subnets": {"network_id": "$network", "cidr": "10.9.0.0/24"},
    "ports": {"network_id": "$network"},
    "routers": {},
    "floatingips": {"floating_network_id": "$outside"},
    "security-groups": {"name": "g"},
    "security-group-rules": {"security_group_id": "$group", "direction": "ingress"},
    "address-groups": {},
    "address-scopes": {"ip_version": 4},
    "subnetpools": {"prefixes": ["10.66.0.0/16"]},
    "rbac-policies": {"object_type": "network", "object_id": "$network", "action": "access_as_shared",
                      "target_tenant": "t"},
    "qos/policies": {"name": "q"},
    "trunks": {"port_id": "$port"},
}  # fmt: skip
COMMON: list[tuple[str, Any]] = [
    ("name", LONG), ("name", 7), ("name", None), ("name", "\x00"), ("description", LONG), ("description", ["x"]),
    ("id", NOBODY), ("colour", "red"), ("revision_number", 1), ("created_at", "2020-01-01T00:00:00Z"),
]  # fmt: skip
NAMELESS = {"floatingips", "security-group-rules", "rbac-policies"}
BAD: dict[str, list[tuple[str, Any]]] = {
    "networks": [
        ("admin_state_up", "perhaps"), ("admin_state_up", None), ("shared", 7), ("mtu", -1), ("mtu", 65536), ("mtu", "x"),
        ("port_security_enabled", "x"), ("dns_domain", "-bad-.org"), ("dns_domain", "a b."), ("status", "ACTIVE"),
        ("qos_policy_id", "x"), ("router:external", "x"), ("provider:network_type", "carrier pigeon"),
        ("provider:segmentation_id", 5), ("provider:physical_network", "public"), ("availability_zone_hints", "nova"),
        ("subnets", []), ("is_default", "x"),
    ],
    "subnets": [
        ("network_id", "x"), ("network_id", None), ("cidr", "10.0.0.0/33"), ("cidr", "10.0.0.1/24%eth0"), ("cidr", "x"),
        ("cidr", 7), ("cidr", "10.0.0.0"), ("ip_version", 5), ("ip_version", 6), ("gateway_ip", "10.9.0.256"),
        ("gateway_ip", "2001:db8::1"), ("enable_dhcp", "x"), ("enable_dhcp", None), ("dns_nameservers", ["x"]),
        ("dns_nameservers", "9.9.9.9"), ("dns_nameservers", ["9.9.9.9", "9.9.9.9"]), ("host_routes", [{"destination": "x"}]),
        ("host_routes", [{"destination": "10.0.0.0/8"}]), ("host_routes", [{"nexthop": "10.9.0.7"}]),
        ("allocation_pools", [{"start": "10.9.0.9", "end": "10.9.0.2"}]), ("allocation_pools", [{"start": "10.9.0.9"}]),
        ("allocation_pools", [{"start": "10.9.0.9", "end": "x"}]), ("allocation_pools", "x"), ("allocation_pools", [7]),
        ("ipv6_ra_mode", "slaac"), ("ipv6_address_mode", "slaac"), ("ipv6_ra_mode", "x"), ("prefixlen", 129),
        ("service_types", [7]), ("subnetpool_id", 7), ("segment_id", NOBODY),
    ],
    "ports": [
        ("network_id", "x"), ("network_id", None), ("mac_address", "x"), ("mac_address", "ff:ff:ff:ff:ff:ff"),
        ("mac_address", "00:00:00:00:00:00"), ("mac_address", "01:00:5e:00:00:01"), ("admin_state_up", "x"),
        ("fixed_ips", "x"), ("fixed_ips", [{"ip_address": "x"}]), ("fixed_ips", [{"subnet_id": "x"}]), ("fixed_ips", [7]),
        ("fixed_ips", [{"ip_address": "10.9.0.5", "colour": 1}]), ("device_id", 7), ("device_owner", LONG),
        ("security_groups", "x"), ("security_groups", [7]), ("security_groups", ["a", "a"]),
        ("allowed_address_pairs", [{}]), ("allowed_address_pairs", [{"ip_address": "x"}]),
        ("allowed_address_pairs", [{"ip_address": "10.0.0.1", "mac_address": "x"}]), ("allowed_address_pairs", "x"),
        ("extra_dhcp_opts", [{"opt_name": "", "opt_value": "x"}]), ("extra_dhcp_opts", [{"opt_value": "x"}]),
        ("extra_dhcp_opts", [{"opt_name": "mtu", "opt_value": "x", "ip_version": 5}]), ("extra_dhcp_opts", "x"),
        ("binding:vnic_type", "telepathy"), ("binding:profile", "x"), ("binding:vif_type", "ovs"), ("dns_name", "-x-"),
        ("dns_name", "a b"), ("dns_domain", "x y."), ("status", "ACTIVE"), ("qos_policy_id", "x"), ("tags", [LONG]),
        ("port_security_enabled", "x"), ("propagate_uplink_status", "x"),
    ],
    "routers": [
        ("admin_state_up", "x"), ("external_gateway_info", "x"), ("external_gateway_info", {"network_id": "x"}),
        ("external_gateway_info", {"enable_snat": True}), ("external_gateway_info", {"network_id": NOBODY, "colour": 1}),
        ("external_gateway_info", {"network_id": NOBODY, "enable_snat": "x"}), ("routes", []), ("ha", "x"),
        ("external_gateway_info", {"network_id": NOBODY, "external_fixed_ips": [{"ip_address": "x"}]}),
        ("availability_zone_hints", "x"), ("status", "x"), ("distributed", "x"), ("external_gateways", []),
    ],
    "floatingips": [
        ("floating_network_id", "x"), ("floating_network_id", None), ("floating_ip_address", "x"), ("port_id", "x"),
        ("fixed_ip_address", "10.0.0.1"), ("fixed_ip_address", "x"), ("router_id", "x"), ("subnet_id", "x"),
        ("dns_name", "-x-"), ("status", "x"), ("qos_policy_id", "x"), ("port_details", {}), ("port_forwardings", []),
    ],
    "security-groups": [("stateful", "x"), ("stateful", None), ("security_group_rules", []), ("shared", True)],
    "security-group-rules": [
        ("direction", "sideways"), ("direction", None), ("ethertype", "IPv5"), ("ethertype", 4), ("protocol", "smoke"),
        ("protocol", 256), ("protocol", -1), ("protocol", True), ("port_range_min", 22), ("port_range_max", 22),
        ("port_range_min", "x"), ("remote_ip_prefix", "10.0.0.0/33"), ("remote_ip_prefix", "x"), ("remote_ip_prefix", 7),
        ("remote_ip_prefix", "::/0"), ("normalized_cidr", "10.0.0.0/8"), ("belongs_to_default_sg", True),
    ],
    "address-groups": [("addresses", ["x"]), ("addresses", "10.0.0.0/8"), ("addresses", ["10.0.0.1"]), ("addresses", [7])],
    "address-scopes": [("ip_version", 5), ("ip_version", None), ("ip_version", "x"), ("shared", "x")],
    "subnetpools": [
        ("prefixes", []), ("prefixes", None), ("prefixes", ["x"]), ("prefixes", "10.0.0.0/8"), ("prefixes", ["10.0.0.0"]),
        ("prefixes", ["10.0.0.0/8", "fd00::/8"]), ("default_prefixlen", 33), ("min_prefixlen", 129), ("max_prefixlen", -1),
        ("default_prefixlen", 7), ("default_quota", -1), ("default_quota", "x"), ("ip_version", 6),
        ("address_scope_id", "x"), ("is_default", "x"),
    ],
    "rbac-policies": [
        ("object_type", "server"), ("object_type", None), ("object_id", "x"), ("object_id", None), ("action", "steal"),
        ("action", None), ("target_tenant", ""), ("target_tenant", LONG), ("target_tenant", None),
    ],
    "qos/policies": [("shared", "x"), ("is_default", "x"), ("rules", [])],
    "trunks": [
        ("port_id", "x"), ("port_id", None), ("admin_state_up", "x"), ("sub_ports", "x"), ("sub_ports", [{}]),
        ("sub_ports", [{"port_id": NOBODY}]), ("sub_ports", [{"port_id": "x"}]),
        ("sub_ports", [{"port_id": NOBODY, "segmentation_type": "vlan", "segmentation_id": 4095}]),
        ("sub_ports", [{"port_id": NOBODY, "segmentation_type": "qinq", "segmentation_id": 5}]), ("status", "UP"),
    ],
}  # fmt: skip
CASES = [
    (path, name, value)
    for path in RIGHT
    for name, value in [*COMMON, *BAD[path]]
    if not (name == "name" and path in NAMELESS)
    and not (path == "rbac-policies" and name in ("description", "revision_number", "created_at"))
]


@pytest.fixture(scope="module")
def root(still: World) -> Client:
    return still.client("admin", "manager", "member", "reader")


@pytest.fixture(scope="module")
def ids(root: Client) -> dict[str, str]:
    inside = network(root)["id"]
    return {
        "$network": inside,
        "$outside": public(root)["id"],
        "$group": make(root, "security-groups", name="g")["id"],
        "$port": port(root, inside)["id"],
    }


def word(path: str) -> str:
    return path.rpartition("/")[2].replace("-", "_").removesuffix("s").replace("policie", "policy")


@pytest.mark.parametrize(("path", "name", "value"), CASES)
def test_a_bad_member_is_refused_and_named(root: Client, ids: dict[str, str], path: str, name: str, value: Any) -> None:
    body = {key: ids.get(given, given) if isinstance(given, str) else given for key, given in RIGHT[path].items()}
    answer = root.post(f"{V2}/{path}", {word(path): {**body, name: value}}).refused(400)
    said = answer["NeutronError"]["message"]
    inner = isinstance(value, list | dict) and "field/attribute" in said  # then the member inside is named
    assert name in said or inner or "subport" in said, said


@pytest.mark.parametrize("path", RIGHT)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"null", b'{"x": {}}', b'{"%s": []}', b'{"%s": null}'])
def test_a_body_that_is_none_is_refused(root: Client, path: str, body: bytes) -> None:
    sent = body.replace(b"%s", word(path).encode())
    root.request("POST", f"{V2}/{path}", sent, {"content-type": "application/json"}).refused(400)


@pytest.mark.parametrize("path", RIGHT)
@pytest.mark.parametrize("members", ["[]", "[7]", "{}", '"x"', "[{}, 7]", "null"])
def test_a_bad_list_of_new_things_is_refused(root: Client, path: str, members: str) -> None:
    many = "policies" if path == "qos/policies" else path.replace("-", "_")
    answer = root.request("POST", f"{V2}/{path}", f'{{"{many}": {members}}}'.encode())
    assert answer.status == 400, answer.raw


# -- subnets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("members", "words"), [
    ({"cidr": "0.0.0.0/0"}, "0 is not allowed"),
    ({"cidr": "224.0.0.0/24"}, "Multicast"), ({"cidr": "127.0.0.0/24"}, "Loopback"), ({"cidr": "ff00::/64"}, "Multicast"),
    ({"cidr": "10.0.0.0/31"}, "DHCP"), ({"cidr": "10.0.0.0/32"}, "DHCP"), ({"cidr": "2001:db8::/127"}, "DHCP"),
    ({"gateway_ip": "10.9.0.0"}, "Gateway"), ({"gateway_ip": "10.9.0.255"}, "Gateway"),
    ({"dns_nameservers": [f"9.9.9.{n}" for n in range(6)]}, "DNSNameServersExhausted"),
    ({"dns_nameservers": ["2001:db8::53"]}, "does not match the ip_version"),
    ({"host_routes": [{"destination": f"10.{n}.0.0/16", "nexthop": "10.9.0.9"} for n in range(21)]}, "HostRoutesExhausted"),
    ({"host_routes": [{"destination": "fd00::/64", "nexthop": "10.9.0.9"}]}, "does not match the ip_version"),
    ({"allocation_pools": [{"start": "10.8.0.9", "end": "10.9.0.9"}]}, "OutOfBoundsAllocationPool"),
    ({"cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}, "same value"),
    ({"cidr": "fd00::/80", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}, "/64"),
    ({"cidr": "fd00::/80", "ipv6_address_mode": "dhcpv6-stateless"}, "/64"),
    ({"cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "enable_dhcp": False}, "enable_dhcp"),
    ({"cidr": None}, "subnetpool"), ({"cidr": "10.9.0.0/24", "use_default_subnetpool": True, "prefixlen": 24}, "pool"),
])  # fmt: skip
def test_a_subnet_that_could_not_work_is_refused(owner: Client, members: Body, words: str) -> None:
    body = {"network_id": network(owner)["id"], "cidr": "10.9.0.0/24", **members}
    owner.post(f"{V2}/subnets", {"subnet": body}).refused(400, words)


@pytest.mark.parametrize("members", [
    {"cidr": "10.0.0.0/31", "enable_dhcp": False}, {"cidr": "10.0.0.0/32", "enable_dhcp": False},
    {"cidr": "2001:db8::/128", "enable_dhcp": False}, {"cidr": "10.9.0.0/30"}, {"cidr": "10.9.0.77/24"},
    {"gateway_ip": None}, {"gateway_ip": "10.8.0.1"}, {"dns_nameservers": None}, {"host_routes": None},
    {"service_types": ["network:floatingip", "compute:nova"]}, {"allocation_pools": []},
])  # fmt: skip
def test_an_unusual_subnet_works(owner: Client, members: Body) -> None:
    made = subnet(owner, network(owner)["id"], **{"cidr": "10.9.0.0/24", **members})
    for name, value in members.items():
        if name != "cidr":
            assert made[name] == (value if value is not None or name == "gateway_ip" else [])


@pytest.mark.parametrize(("pools", "kind"), [
    ([("10.9.0.5", "10.9.0.9"), ("10.9.0.9", "10.9.0.12")], "OverlappingAllocationPools"),
    ([("10.9.0.1", "10.9.0.9")], "GatewayConflictWithAllocationPools"),
])  # fmt: skip
def test_pools_that_collide_are_refused(owner: Client, pools: list[tuple[str, str]], kind: str) -> None:
    given = [{"start": first, "end": last} for first, last in pools]
    body = {"network_id": network(owner)["id"], "cidr": "10.9.0.0/24", "allocation_pools": given}
    owner.post(f"{V2}/subnets", {"subnet": body}).refused(409, kind)


def test_subnets_of_a_network_do_not_overlap(owner: Client) -> None:
    inside = network(owner)["id"]
    subnet(owner, inside, "10.9.0.0/24")
    for cidr in ("10.9.0.0/24", "10.9.0.128/25", "10.0.0.0/8"):
        owner.post(f"{V2}/subnets", {"subnet": {"network_id": inside, "cidr": cidr}}).refused(400, "overlaps")
    subnet(owner, network(owner)["id"], "10.9.0.0/24")


# -- ports -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("members", "status", "words"), [
    ({"fixed_ips": [{"ip_address": "10.8.0.1"}]}, 400, "InvalidIpForNetwork"),
    ({"fixed_ips": [{"subnet_id": NOBODY}]}, 400, NOBODY), ({"fixed_ips": [{}]}, 400, "subnet_id or ip_address"),
    ({"fixed_ips": [{"subnet_id": "$subnet", "ip_address": "10.8.0.1"}]}, 400, "InvalidIpForSubnet"),
    ({"fixed_ips": [{"ip_address": "10.9.0.0"}]}, 400, "InvalidIp"),
    ({"fixed_ips": [{"ip_address": "10.9.0.255"}]}, 400, "InvalidIp"),
    ({"fixed_ips": [{"subnet_id": "$subnet"}] * 11}, 400, "10"),
    ({"fixed_ips": [{"ip_address": "10.9.0.9"}] * 2}, 409, "IpAddressAlreadyAllocated"),
    ({"security_groups": [NOBODY]}, 404, "SecurityGroupNotFound"), ({"qos_policy_id": NOBODY}, 404, "QosPolicyNotFound"),
    ({"security_groups": ["$group"], "port_security_enabled": False}, 400, "PortSecurityAndIPRequired"),
    ({"allowed_address_pairs": [{"ip_address": "10.9.0.1"}], "port_security_enabled": False}, 409, "AddressPairAndPortSec"),
    ({"allowed_address_pairs": [{"ip_address": f"10.9.0.{n}"} for n in range(11)]}, 400, "AllowedAddressPairExhausted"),
    ({"network_id": NOBODY}, 404, "NetworkNotFound"),
])  # fmt: skip
def test_a_port_that_could_not_work_is_refused(owner: Client, members: Body, status: int, words: str) -> None:
    inside = network(owner)["id"]
    ids = {
        "$subnet": subnet(owner, inside, "10.9.0.0/24")["id"],
        "$group": make(owner, "security-groups", name="g")["id"],
    }
    for entry in members.get("fixed_ips", []):
        if entry.get("subnet_id") in ids:
            entry["subnet_id"] = ids[entry["subnet_id"]]
    if members.get("security_groups") == ["$group"]:
        members = {**members, "security_groups": [ids["$group"]]}
    owner.post(f"{V2}/ports", {"port": {"network_id": inside, **members}}).refused(status, words)


def test_a_mac_address_is_on_a_network_once(owner: Client) -> None:
    first, second = network(owner)["id"], network(owner)["id"]
    mac = port(owner, first, mac_address="FA-16-3E-00-00-01")["mac_address"]
    assert mac == "fa:16:3e:00:00:01"
    owner.post(f"{V2}/ports", {"port": {"network_id": first, "mac_address": mac}}).refused(409, "MacAddressInUse")
    port(owner, second, mac_address=mac)


def test_dhcp_options_of_a_port_are_replaced_one_by_one(owner: Client) -> None:
    def option(name: str, value: str | None, version: int = 4) -> Body:
        return {"opt_name": name, "opt_value": value, "ip_version": version}

    given = [option("mtu", "1400"), option("tftp-server", "10.0.0.9"), option("mtu", None, 6)]
    made = port(owner, network(owner)["id"], extra_dhcp_opts=given)
    assert made["extra_dhcp_opts"] == given[:2]
    change = {
        "extra_dhcp_opts": [option("mtu", "1300"), option("tftp-server", None), option("dns-server", "fd00::1", 6)]
    }
    after = owner.put(f"{V2}/ports/{made['id']}", {"port": change}).ok(200)["port"]
    assert after["extra_dhcp_opts"] == [option("mtu", "1300"), option("dns-server", "fd00::1", 6)]


@pytest.mark.parametrize("path", ["networks", "routers"])
def test_a_zone_that_is_not_there_is_said_so(owner: Client, path: str) -> None:
    body = {word(path): {"availability_zone_hints": ["mars"]}}
    owner.post(f"{V2}/{path}", body).refused(404, "AvailabilityZoneNotFound")
    assert make(owner, path, availability_zone_hints=["nova"])["availability_zone_hints"] == ["nova"]


# -- floating IPs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(still: World, root: Client) -> Site:
    return Site(root, root)


@pytest.mark.parametrize(("members", "status", "words"), [
    ({"floating_network_id": "$inside"}, 400, "not a valid external network"),
    ({"floating_ip_address": "10.1.2.3"}, 400, "InvalidIpForNetwork"),
    ({"floating_ip_address": "172.24.4.255"}, 400, "InvalidIp"), ({"subnet_id": NOBODY}, 400, NOBODY),
    ({"port_id": NOBODY}, 404, "PortNotFound"), ({"port_id": "$port", "fixed_ip_address": "10.0.0.250"}, 400, "10.0.0.250"),
    ({"port_id": "$island"}, 404, "ExternalGatewayForFloatingIPNotFound"),
    ({"router_id": NOBODY, "port_id": "$port"}, 404, NOBODY),
    ({"floating_network_id": NOBODY}, 404, "NetworkNotFound"),
])  # fmt: skip
def test_a_floating_ip_that_could_not_work_is_refused(site: Site, members: Body, status: int, words: str) -> None:
    alone = network(site.client)["id"]
    subnet(site.client, alone, "10.7.0.0/24")
    ids: dict[Any, Made] = {"$inside": site.network}
    if "$port" in members.values():
        ids["$port"] = site.port()
    if "$island" in members.values():
        ids["$island"] = port(site.client, alone)
    body = {name: ids[value]["id"] if value in ids else value for name, value in members.items()}
    body = {"floatingip": {"floating_network_id": site.outside["id"], **body}}
    site.client.post(f"{V2}/floatingips", body).refused(status, words)


def test_a_floating_ip_with_a_named_address_has_it_once(site: Site) -> None:
    assert site.floating_ip(floating_ip_address="172.24.4.200")["floating_ip_address"] == "172.24.4.200"
    body = {"floating_network_id": site.outside["id"], "floating_ip_address": "172.24.4.200"}
    site.client.post(f"{V2}/floatingips", {"floatingip": body}).refused(409, "IpAddressAlreadyAllocated")


def test_an_address_inside_has_one_floating_ip_of_a_network(site: Site) -> None:
    target = site.port()["id"]
    site.floating_ip(port_id=target)
    body = {"floatingip": {"floating_network_id": site.outside["id"], "port_id": target}}
    site.client.post(f"{V2}/floatingips", body).refused(409, "FloatingIPPortAlreadyAssociated")


# -- names -------------------------------------------------------------------------------------------------------------


def test_names_are_in_the_domain_of_the_cloud(tmp_path: Path) -> None:
    world = World(tmp_path / "named", dns_domain="cloud.example.")
    try:
        client = world.client("member", "reader")
        inside = network(client)["id"]
        subnet(client, inside)
        made = port(client, inside, dns_name="web", fixed_ips=[{"ip_address": "10.0.0.9"}])
        (told,) = made["dns_assignment"]
        assert told == {"ip_address": "10.0.0.9", "hostname": "web", "fqdn": "web.cloud.example."}
        assert client.get(f"{V2}/ports/{made['id']}").ok(200)["port"]["dns_assignment"] == [told]
        (other,) = port(client, inside, fixed_ips=[{"ip_address": "10.0.0.10"}])["dns_assignment"]
        assert other["fqdn"] == "host-10-0-0-10.cloud.example."
    finally:
        world.stop()
