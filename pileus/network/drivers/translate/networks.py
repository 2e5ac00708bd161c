"""Networks and subnets: logical switches and the DHCP options of their ports. Pure."""

import ipaddress
from hashlib import blake2b
from typing import NamedTuple

from pileus.network.drivers.desired import Row, Value
from pileus.network.drivers.translate import names
from pileus.network.rows import Network, Subnet

METADATA_ADDRESS = "169.254.169.254"
LEASE_SECONDS = 43200
# DHCPv6 names differ from v4's; stateless and stateful need the same row, SLAAC alone needs none.
DHCPV6_MODES = ("dhcpv6-stateful", "dhcpv6-stateless")


def network_rows(network: Network) -> list[Row]:
    """The switch, and for a provider network its way out to the physical one."""
    columns: dict[str, Value] = {
        "name": names.switch_name(network.id),
        "other_config": {"mcast_flood_unregistered": "false", "mcast_snoop": "false", "vlan-passthru": "false"},
    }
    ids = {"neutron:network_name": network.name, "neutron:mtu": str(network.mtu)}
    rows = [Row(table="Logical_Switch", columns=columns, external_ids=ids)]
    if network.physical_network and network.network_type in ("flat", "vlan"):
        rows.append(_localnet(network))
    return rows


def _localnet(network: Network) -> Row:
    assert network.physical_network
    return Row(
        table="Logical_Switch_Port",
        part="localnet",
        columns={
            "name": names.localnet_name(network.id),
            "type": "localnet",
            "addresses": frozenset({"unknown"}),
            "options": {
                "network_name": network.physical_network,
                "mcast_flood": "false",
                "mcast_flood_reports": "true",
            },
            "tag": network.segmentation_id if network.network_type == "vlan" else None,
        },
        holders=(names.in_switch(network.id),),
    )


class Naming(NamedTuple):
    """What guests are told of names: the cloud's domain, and servers where a subnet names none."""

    domain: str = "openstacklocal"
    servers: tuple[str, ...] = ()


NAMING = Naming()


def server_mac(subnet_id: str) -> str:
    """The address DHCP answers come from: the same each time, so that leases survive a rebuild."""
    digest = blake2b(subnet_id.encode(), digest_size=3).hexdigest()
    return "fa:16:3e:" + ":".join(digest[i : i + 2] for i in (0, 2, 4))


def dhcp_needed(subnet: Subnet) -> bool:
    if not subnet.enable_dhcp:
        return False
    return subnet.ip_version == 4 or subnet.ipv6_address_mode in DHCPV6_MODES


def dhcp_options(subnet: Subnet, network: Network, metadata_ip: str | None, naming: Naming = NAMING) -> dict[str, str]:
    """What DHCP tells a guest on this subnet. `metadata_ip`: where the metadata service is reached from here."""
    if subnet.ip_version == 6:
        return _dhcpv6_options(subnet, naming)
    options = {
        "server_id": subnet.gateway_ip or metadata_ip or _first_address(subnet.cidr),
        "server_mac": server_mac(subnet.id),
        "lease_time": str(LEASE_SECONDS),
        "mtu": str(network.mtu),
        "domain_name": f'"{naming.domain}"',
    }
    if subnet.gateway_ip:
        options["router"] = subnet.gateway_ip
    if servers := [server for server in subnet.dns_nameservers or naming.servers if ":" not in server]:
        options["dns_server"] = "{" + ", ".join(servers) + "}"
    routes = [(route["destination"], route["nexthop"]) for route in subnet.host_routes]
    if metadata_ip:
        routes.append((f"{METADATA_ADDRESS}/32", metadata_ip))
    if routes and subnet.gateway_ip:
        # A client that understands classless routes ignores the router option (RFC 3442).
        routes.append(("0.0.0.0/0", subnet.gateway_ip))
    if routes:
        options["classless_static_route"] = "{" + ", ".join(f"{to},{via}" for to, via in routes) + "}"
    return options


def _dhcpv6_options(subnet: Subnet, naming: Naming) -> dict[str, str]:
    options = {"server_id": server_mac(subnet.id), "domain_search": f'"{naming.domain}"'}
    if servers := [server for server in subnet.dns_nameservers or naming.servers if ":" in server]:
        options["dns_server"] = "{" + ", ".join(servers) + "}"
    if subnet.ipv6_address_mode == "dhcpv6-stateless":
        options["dhcpv6_stateless"] = "true"
    return options


def _first_address(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr)[1])


def subnet_rows(subnet: Subnet, network: Network, metadata_ip: str | None, naming: Naming = NAMING) -> list[Row]:
    if not dhcp_needed(subnet):
        return []
    options = dhcp_options(subnet, network, metadata_ip, naming)
    return [Row(table="DHCP_Options", columns={"cidr": subnet.cidr, "options": options})]
