"""Subnets: what may be a subnet, which addresses it hands out, and where its guests find metadata."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.network import rows
from pileus.network.service import quotas
from pileus.network.service.networks import check_mtu, invalid
from pileus.network.store import addresses, changes, queries

MAX_NAMESERVERS = 5
MAX_HOST_ROUTES = 20
AUTOMATIC = ("slaac", "dhcpv6-stateless")  # modes in which guests make their addresses from their MACs
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Pools = list[dict[str, str]]


def is_automatic(subnet: rows.Subnet) -> bool:
    return subnet.ip_version == 6 and subnet.ipv6_address_mode in AUTOMATIC


def create_subnet(tx: Tx, project_id: str, network: rows.Network, **values: Any) -> rows.Subnet:
    """A subnet with a given CIDR (a pool's is chosen before, in `pools`). Raises BadRequest, Conflict, OverQuota."""
    quotas.spend(tx, project_id, "subnet")
    cidr: str = values.pop("cidr")
    net = ipaddress.ip_network(cidr)
    version = values.pop("ip_version", None) or net.version
    if version not in (4, 6):
        raise invalid(f"Invalid input for ip_version. Value: {version}. It must be 4 or 6.")
    if version != net.version:
        raise invalid(f"cidr {cidr} does not match the ip_version {version}.")
    subnet = rows.Subnet(id=clock.new_id(), project_id=project_id, network_id=network.id, cidr=cidr, ip_version=version)
    gateway = values.pop("gateway_ip", "")  # absent: the first address; null: none
    pools = values.pop("allocation_pools", None)
    for name, value in values.items():
        setattr(subnet, name, value)
    check_mtu(network.mtu, version)
    _check_range(subnet, net)
    _check_overlap(tx, subnet, net)
    _check_modes(subnet, net)
    _check_lists(subnet)
    subnet.gateway_ip = _default_gateway(net) if gateway == "" else gateway
    _check_gateway(subnet, net)
    subnet.allocation_pools = _default_pools(net, subnet.gateway_ip) if pools is None else pools
    _check_pools(subnet, net)
    tx.insert(queries.stamped(subnet))
    addresses.write_pools(tx, subnet)
    changes.touch(tx, "subnet", subnet.id)
    queries.bump(tx, rows.Network, network.id)
    _address_existing_ports(tx, subnet)
    ensure_metadata_port(tx, network, subnet)
    return subnet


def _check_range(subnet: rows.Subnet, net: IPNetwork) -> None:
    """Where guests could not get an address and use it."""
    if net.prefixlen == 0:
        raise invalid("0 is not allowed as CIDR prefix length.")
    if not subnet.enable_dhcp:
        return
    if net.is_multicast or net.is_loopback:
        kind = "Multicast" if net.is_multicast else "Loopback"
        raise invalid(f"cidr {net}: {kind} IP subnet is not supported if enable_dhcp is True.")
    if net.max_prefixlen - net.prefixlen < 2:
        raise invalid(f"cidr {net}: a prefix of this length is incompatible with DHCP service enabled.")


def _check_overlap(tx: Tx, subnet: rows.Subnet, net: IPNetwork) -> None:
    for other in tx.select(rows.Subnet, network_id=subnet.network_id):
        if other.ip_version == net.version and net.overlaps(ipaddress.ip_network(other.cidr)):
            raise invalid(
                f"Requested subnet with cidr: {subnet.cidr} for network: {subnet.network_id} overlaps with another subnet."
            )


def _check_modes(subnet: rows.Subnet, net: IPNetwork) -> None:
    ra, address = subnet.ipv6_ra_mode, subnet.ipv6_address_mode
    if not ra and not address:
        return
    if subnet.ip_version == 4:
        raise invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when ip_version is 4.")
    if not subnet.enable_dhcp:
        raise invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.")
    if ra and address and ra != address:
        raise invalid(f"ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. "
                      "If both attributes are set, they must be the same value.")  # fmt: skip
    if (ra in AUTOMATIC or address in AUTOMATIC) and net.prefixlen != 64:
        raise invalid(f"Invalid CIDR {subnet.cidr} for IPv6 address mode. "
                      "OpenStack uses the EUI-64 address format, which requires the prefix to be /64.")  # fmt: skip


def _check_lists(subnet: rows.Subnet) -> None:
    if len(subnet.dns_nameservers) > MAX_NAMESERVERS:
        raise BadRequest(
            f"Unable to complete operation for {subnet.id}. "
            f"The number of DNS nameservers exceeds the limit {MAX_NAMESERVERS}.",
            kind="DNSNameServersExhausted",
        )
    if len(subnet.host_routes) > MAX_HOST_ROUTES:
        raise BadRequest(
            f"Unable to complete operation for {subnet.id}. The number of host routes exceeds the limit {MAX_HOST_ROUTES}.",
            kind="HostRoutesExhausted",
        )
    for value in [*subnet.dns_nameservers, *(route["nexthop"] for route in subnet.host_routes)]:
        if ipaddress.ip_address(value).version != subnet.ip_version:
            raise invalid(f"{value} does not match the ip_version {subnet.ip_version}.")
    for route in subnet.host_routes:
        if ipaddress.ip_network(route["destination"]).version != subnet.ip_version:
            raise invalid(f"{route['destination']} does not match the ip_version {subnet.ip_version}.")


def _default_gateway(net: IPNetwork) -> str | None:
    single = net.max_prefixlen - net.prefixlen == 0
    return str(net.network_address + (0 if single else 1))


def _check_gateway(subnet: rows.Subnet, net: IPNetwork) -> None:
    if subnet.gateway_ip is None:
        return
    gateway = ipaddress.ip_address(subnet.gateway_ip)
    if gateway.version != subnet.ip_version:
        raise invalid(f"gateway_ip {gateway} does not match the ip_version {subnet.ip_version}.")
    wide = net.max_prefixlen - net.prefixlen > 1
    if wide and subnet.ip_version == 4 and gateway in (net.network_address, net.broadcast_address):
        raise invalid("Gateway is not valid on subnet.")
    if wide and subnet.ip_version == 6 and gateway == net.network_address:
        raise invalid("Gateway is not valid on subnet.")


def _default_pools(net: IPNetwork, gateway: str | None) -> Pools:
    """All addresses that guests may have, around the gateway."""
    first, last = int(net.network_address), int(net.broadcast_address)
    if net.max_prefixlen - net.prefixlen > 1:
        first += 1
        last -= 1 if net.version == 4 else 0
    ranges = [(first, last)]
    if gateway is not None and first <= (at := int(ipaddress.ip_address(gateway))) <= last:
        ranges = [(low, high) for low, high in ((first, at - 1), (at + 1, last)) if low <= high]
    make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    return [{"start": str(make(low)), "end": str(make(high))} for low, high in ranges]


def _check_pools(subnet: rows.Subnet, net: IPNetwork) -> None:
    previous: tuple[int, int, str] | None = None
    ranges = sorted(
        (
            int(ipaddress.ip_address(pool["start"])),
            int(ipaddress.ip_address(pool["end"])),
            f"{pool['start']}-{pool['end']}",
        )
        for pool in subnet.allocation_pools
    )
    for pool in subnet.allocation_pools:
        if ipaddress.ip_address(pool["start"]).version != net.version:
            raise BadRequest(
                f"The allocation pool {pool['start']}-{pool['end']} is not valid.", kind="InvalidAllocationPool"
            )
    for first, last, text in ranges:
        if first < int(net.network_address) or last > int(net.broadcast_address):
            raise BadRequest(
                f"The allocation pool {text} spans beyond the subnet cidr {subnet.cidr}.",
                kind="OutOfBoundsAllocationPool",
            )
        if previous and first <= previous[1]:
            raise Conflict(
                f"Found overlapping allocation pools: {previous[2]} {text} for subnet {subnet.cidr}.",
                kind="OverlappingAllocationPools",
            )
        if subnet.gateway_ip and first <= int(ipaddress.ip_address(subnet.gateway_ip)) <= last:
            raise Conflict(
                f"Gateway ip {subnet.gateway_ip} conflicts with allocation pool {text}.",
                kind="GatewayConflictWithAllocationPools",
            )
        previous = (first, last, text)


def _address_existing_ports(tx: Tx, subnet: rows.Subnet) -> None:
    """Guests already there make themselves an address on a new SLAAC subnet, so they have it."""
    if not is_automatic(subnet):
        return
    for port in tx.select(rows.Port, network_id=subnet.network_id):
        if port.device_owner.startswith("network:"):
            continue
        address = addresses.eui64(subnet.cidr, port.mac_address)
        if addresses.take(tx, subnet, address, port.id):
            queries.save(tx, port, fixed_ips=[*port.fixed_ips, rows.FixedIP(subnet.id, address)])
            changes.touch(tx, "port", port.id)


def ensure_metadata_port(tx: Tx, network: rows.Network, subnet: rows.Subnet) -> rows.Port | None:
    """The port from which each host serves metadata on this network, with an address on this subnet.

    Over IPv6 it is found at its link-local address, so there it needs none of the subnet's.
    """
    if not subnet.enable_dhcp:
        return None
    port = tx.find(rows.Port, network_id=network.id, device_owner=rows.DHCP_OWNER)
    if port is None:
        port = rows.Port(
            id=clock.new_id(), project_id=network.project_id, network_id=network.id, device_owner=rows.DHCP_OWNER,
            device_id=f"ovnmeta-{network.id}", mac_address=addresses.new_mac(), port_security_enabled=False,
        )  # fmt: skip
        tx.insert(queries.stamped(port))
    if subnet.ip_version == 4 and all(ip.subnet_id != subnet.id for ip in port.fixed_ips):
        address = addresses.take_next(tx, subnet, port.id)
        if address is not None:
            queries.save(tx, port, fixed_ips=[*port.fixed_ips, rows.FixedIP(subnet.id, address)])
    changes.touch(tx, "port", port.id)
    changes.touch(tx, "subnet", subnet.id)
    return port


def update_subnet(tx: Tx, subnet: rows.Subnet, **values: Any) -> rows.Subnet:
    """Raises BadRequest or Conflict for what does not fit, or is in use."""
    stored = tx.get(rows.Subnet, id=subnet.id)
    net = ipaddress.ip_network(stored.cidr)
    before = stored.gateway_ip
    if "gateway_ip" in values and values["gateway_ip"] != before:
        _refuse_gateway_in_use(tx, stored)
    for name in ("gateway_ip", "allocation_pools", "dns_nameservers", "host_routes", "enable_dhcp", "service_types"):
        if name in values:
            setattr(stored, name, values[name])
    if values.get("enable_dhcp") is False and (stored.ipv6_ra_mode or stored.ipv6_address_mode):
        raise invalid("enable_dhcp cannot be unset while ipv6_ra_mode or ipv6_address_mode is set.")
    if values.get("enable_dhcp"):
        _check_range(stored, net)
    _check_lists(stored)
    if "gateway_ip" in values:
        _check_gateway(stored, net)
    if "gateway_ip" in values or "allocation_pools" in values:
        _check_pools(stored, net)
    queries.save(tx, stored, **values)
    queries.bump(tx, rows.Network, stored.network_id)
    if "allocation_pools" in values:
        addresses.write_pools(tx, stored)
    network = tx.get(rows.Network, id=stored.network_id)
    if "enable_dhcp" in values:
        ensure_metadata_port(tx, network, stored)
        ports = queries.port_ids_on(tx, stored.id)
        changes.touch(tx, "port", *ports)
    _touch_around(tx, stored)
    return stored


def _refuse_gateway_in_use(tx: Tx, subnet: rows.Subnet) -> None:
    if subnet.gateway_ip is None:
        return
    taken = tx.find(rows.IPAllocation, subnet_id=subnet.id, ip_address=subnet.gateway_ip)
    if taken is not None:
        raise Conflict(
            f"Current gateway ip {subnet.gateway_ip} already in use by port {taken.port_id}. Unable to update.",
            kind="GatewayIpInUse",
        )


def _touch_around(tx: Tx, subnet: rows.Subnet) -> None:
    """The subnet, and the routers on it: advertisements and default routes say what the subnet says."""
    changes.touch(tx, "subnet", subnet.id)
    for owner in rows.ROUTER_OWNERS:
        for port in tx.select(rows.Port, network_id=subnet.network_id, device_owner=owner):
            changes.touch(tx, "port", port.id)
            changes.touch(tx, "router", port.device_id)


def delete_subnet(tx: Tx, subnet: rows.Subnet) -> None:
    """Raises Conflict while a port has an address on it that it did not get by itself."""
    ports = queries.by_id(tx, rows.Port, queries.port_ids_on(tx, subnet.id))
    for port in ports.values():
        if port.device_owner == rows.DHCP_OWNER:
            continue
        if port.device_owner in rows.ROUTER_OWNERS or not is_automatic(subnet):
            raise Conflict(
                f"Unable to complete operation on subnet {subnet.id}: "
                "One or more ports have an IP allocation from this subnet.",
                kind="SubnetInUse",
            )
    for port in ports.values():
        queries.save(tx, port, fixed_ips=[ip for ip in port.fixed_ips if ip.subnet_id != subnet.id])
        changes.touch(tx, "port", port.id)
    tx.delete(rows.IPAllocation, subnet_id=subnet.id)
    queries.drop_row(tx, subnet)
    queries.bump(tx, rows.Network, subnet.network_id)
    changes.touch(tx, "subnet", subnet.id)
