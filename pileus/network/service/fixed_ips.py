"""Which addresses a port gets: those asked for, or one of each version its network has."""

import ipaddress
from typing import Any

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict
from pileus.network import rows
from pileus.network.service.networks import invalid
from pileus.network.service.subnets import is_automatic
from pileus.network.store import addresses

MAX_FIXED_IPS = 10
Wanted = list[dict[str, Any]]


def allocate(tx: Tx, port: rows.Port, wanted: Wanted | None) -> list[rows.FixedIP]:
    """Take addresses for a new port. Raises BadRequest or Conflict."""
    subnets = tx.select(rows.Subnet, order="created_at", network_id=port.network_id)
    taken = _usual(tx, port, subnets) if wanted is None else _asked(tx, port, subnets, wanted)
    return [*taken, *_automatic(tx, port, subnets, taken)]


def replace(tx: Tx, port: rows.Port, wanted: Wanted) -> list[rows.FixedIP]:
    """The addresses of a port from now on: those asked for that it has are kept, others released or taken."""
    subnets = tx.select(rows.Subnet, order="created_at", network_id=port.network_id)
    kept: list[rows.FixedIP] = []
    rest: Wanted = []
    have = list(port.fixed_ips)
    # First what is named exactly: an entry that names only a subnet must not use up another's address.
    for entry in sorted(wanted, key=lambda entry: not entry.get("ip_address")):
        match = next((ip for ip in have if _fits(ip, entry)), None)
        if match is None:
            rest.append(entry)
        else:
            have.remove(match)
            kept.append(match)
    automatic = {subnet.id for subnet in subnets if is_automatic(subnet)} if not _of_router(port) else set()
    for ip in have:
        if ip.subnet_id in automatic:
            kept.append(ip)
        else:
            addresses.release(tx, ip.subnet_id, ip.ip_address)
    taken = _asked(tx, port, subnets, rest, len(kept))
    return [*kept, *taken, *_automatic(tx, port, subnets, [*kept, *taken])]


def _fits(ip: rows.FixedIP, entry: dict[str, Any]) -> bool:
    if entry.get("ip_address") and entry["ip_address"] != ip.ip_address:
        return False
    return not entry.get("subnet_id") or entry["subnet_id"] == ip.subnet_id


def _of_router(port: rows.Port) -> bool:
    return port.device_owner in rows.ROUTER_OWNERS


def _serves(subnet: rows.Subnet, port: rows.Port) -> bool:
    return not subnet.service_types or port.device_owner in subnet.service_types


def _usual(tx: Tx, port: rows.Port, subnets: list[rows.Subnet]) -> list[rows.FixedIP]:
    """One address of each IP version, from the first subnet that has one left."""
    taken = []
    for version in (4, 6):
        candidates = [s for s in subnets if s.ip_version == version and not is_automatic(s) and _serves(s, port)]
        if not candidates:
            continue
        for subnet in candidates:
            address = addresses.take_next(tx, subnet, port.id)
            if address is not None:
                taken.append(rows.FixedIP(subnet.id, address))
                break
        else:
            raise _exhausted(port.network_id)
    return taken


def _exhausted(network_id: str) -> Conflict:
    return Conflict(f"No more IP addresses available on network {network_id}.", kind="IpAddressGenerationFailure")


def _automatic(tx: Tx, port: rows.Port, subnets: list[rows.Subnet], have: list[rows.FixedIP]) -> list[rows.FixedIP]:
    """What a guest gives itself on subnets where it may; a router's addresses are always chosen."""
    if _of_router(port) or port.device_owner in (rows.FLOATING_IP_OWNER, rows.DHCP_OWNER):
        return []
    covered = {ip.subnet_id for ip in have}
    taken = []
    for subnet in subnets:
        if is_automatic(subnet) and subnet.id not in covered and _serves(subnet, port):
            address = addresses.eui64(subnet.cidr, port.mac_address)
            if addresses.take(tx, subnet, address, port.id):
                taken.append(rows.FixedIP(subnet.id, address))
    return taken


def _asked(tx: Tx, port: rows.Port, subnets: list[rows.Subnet], wanted: Wanted, kept: int = 0) -> list[rows.FixedIP]:
    if len(wanted) + kept > MAX_FIXED_IPS:
        raise invalid(f"Exceeded maximum amount of fixed ips per port: {MAX_FIXED_IPS}.")
    by_id = {subnet.id: subnet for subnet in subnets}
    taken = []
    for entry in sorted(wanted, key=lambda entry: not entry.get("ip_address")):
        subnet = _subnet_for(port, by_id, entry)
        taken.append(rows.FixedIP(subnet.id, _address(tx, port, subnet, entry.get("ip_address"))))
    return taken


def _subnet_for(port: rows.Port, subnets: dict[str, rows.Subnet], entry: dict[str, Any]) -> rows.Subnet:
    subnet_id, address = entry.get("subnet_id"), entry.get("ip_address") or ""
    if subnet_id is None and not address:
        raise invalid("IP allocation requires subnet_id or ip_address.")
    if subnet_id is None:
        found = next(
            (s for s in subnets.values() if ipaddress.ip_address(address) in ipaddress.ip_network(s.cidr)), None
        )
        if found is None:
            raise BadRequest(
                f"IP address {address} is not a valid IP for any of the subnets on the specified network.",
                kind="InvalidIpForNetwork",
            )
        return found
    if subnet_id not in subnets:
        raise invalid(f"Failed to create port on network {port.network_id}, because fixed_ips included "
                      f"invalid subnet {subnet_id}.")  # fmt: skip
    return subnets[subnet_id]


def _address(tx: Tx, port: rows.Port, subnet: rows.Subnet, address: str | None) -> str:
    if address is None:
        if is_automatic(subnet) and not _of_router(port):
            address = addresses.eui64(subnet.cidr, port.mac_address)
        else:
            found = addresses.take_next(tx, subnet, port.id)
            if found is None:
                raise _exhausted(port.network_id)
            return found
    else:
        _check_address(port, subnet, address)
    if not addresses.take(tx, subnet, address, port.id):
        raise Conflict(
            f"IP address {address} already allocated in subnet {subnet.id}.", kind="IpAddressAlreadyAllocated"
        )
    return address


def _check_address(port: rows.Port, subnet: rows.Subnet, address: str) -> None:
    net, asked = ipaddress.ip_network(subnet.cidr), ipaddress.ip_address(address)
    special = (net.network_address, net.broadcast_address) if net.version == 4 else (net.network_address,)
    wide = net.max_prefixlen - net.prefixlen > 1
    if asked not in net or (wide and asked in special):
        raise BadRequest(f"IP address {address} is not a valid IP for the specified subnet.", kind="InvalidIpForSubnet")
    if is_automatic(subnet) and not _of_router(port) and address != addresses.eui64(subnet.cidr, port.mac_address):
        raise BadRequest(
            f"IPv6 address {address} can not be directly assigned to a port on subnet {subnet.id} "
            "as the subnet is configured for automatic addresses.",
            kind="AllocationOnAutoAddressSubnet",
        )
