"""The network's front: what compute and the command line may call.

All functions with a transaction work inside it, so a server and its ports are made together or
not at all; the engine follows after the commit.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.context import Context
from pileus.core.db import Database, Tx, sql
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.paging import like_escape
from pileus.core.reconcile import Difference
from pileus.core.tables import columns, shape
from pileus.network import reconcile, rows
from pileus.network.rows import FloatingIP, Network, Port, SecurityGroup, SecurityGroupRule, Subnet
from pileus.network.service import floating_ips, lookup, ports, quotas, topologies
from pileus.network.service import security_groups as groups
from pileus.network.service.default_rules import ensure_usual_rules
from pileus.network.service.lookup import Viewer
from pileus.network.service.segment_ranges import ensure_default_ranges
from pileus.network.store import changes, queries

__all__ = [
    "VIF",
    "DriverDifference",
    "FloatingIP",
    "MetadataPort",
    "Network",
    "Port",
    "SecurityGroup",
    "SecurityGroupRule",
    "Subnet",
    "auto_allocate",
    "bind_port",
    "bootstrap",
    "choose_networks",
    "claim_port",
    "create_floating_ip",
    "create_port",
    "create_security_group",
    "create_security_group_rule",
    "delete_floating_ip",
    "delete_ports",
    "delete_security_group",
    "delete_security_group_rule",
    "devices_with_address",
    "differences",
    "find_floating_ips",
    "find_security_groups",
    "floating_addresses",
    "get_floating_ip",
    "get_network",
    "get_port",
    "get_security_group",
    "get_security_group_rule",
    "link_floating_ip",
    "list_floating_ips",
    "list_networks",
    "list_ports",
    "list_security_groups",
    "metadata_ports",
    "programmed",
    "release_port",
    "rules_of",
    "update_port",
    "update_security_group",
    "vifs",
    "wait_programmed",
]  # fmt: skip

DriverDifference = Difference


class VIF(msgspec.Struct, kw_only=True):
    """What a host and its guest have to know about a port."""

    port_id: str
    network_id: str
    network_name: str
    mac_address: str
    mtu: int
    fixed_ips: list[dict[str, Any]]  # address, prefix length, gateway, DNS servers, routes: for the config drive
    floating_ips: dict[str, str]  # fixed address: floating address
    active: bool
    device_owner: str
    dhcp: bool


class MetadataPort(msgspec.Struct, kw_only=True):
    """Where a host answers for metadata on a network: plug an interface with this iface-id into the bridge."""

    port_id: str
    network_id: str
    mac_address: str
    addresses: list[str]  # with their prefix lengths; 169.254.169.254/32 comes besides


def bootstrap(db: Database, settings: Any) -> None:
    """What a cloud begins with."""
    quotas.set_defaults(db, settings.network_quotas)
    ensure_usual_rules(db)
    ensure_default_ranges(db, settings.external.physnet)


def viewer(ctx: Context) -> Viewer:
    return Viewer(ctx.project_id, "admin" in ctx.roles)


def get_network(tx: Tx, ctx: Context, id: str) -> Network:
    """Raises NotFound for what the caller may not see."""
    return lookup.get_network(tx, viewer(ctx), id)


def choose_networks(tx: Tx, ctx: Context) -> list[Network]:
    """The networks a server gets when it names none: the project's only one, or the shared one when it has none.

    Raises Conflict when it is not clear which.
    """
    own = [network for network in tx.select(rows.Network, project_id=ctx.project_id) if not network.external]
    found = own or [network for network in tx.select(rows.Network, shared=True) if not network.external]
    if len(found) > 1:
        raise Conflict(
            "Multiple possible networks found, use a Network ID to be more specific.", kind="NetworkAmbiguous"
        )
    return found


def auto_allocate(tx: Tx, ctx: Context) -> Network:
    """The network made for a project that asks for any. Raises Conflict, OverQuota."""
    return tx.get(rows.Network, id=topologies.get_topology(tx, viewer(ctx), ctx.project_id or ""))


def create_port(
    tx: Tx,
    ctx: Context,
    network: Network,
    *,
    device_id: str,
    device_owner: str,
    fixed_ip: str | None = None,
    security_groups: Sequence[str] | None = None,
    host: str = "",
    name: str = "",
    dns_name: str = "",
    tags: Sequence[str] = (),
) -> Port:
    """A port for a server. Raises OverQuota, Conflict (no address, or the given one in use), BadRequest, NotFound."""
    if not tx.find(rows.Subnet, network_id=network.id):
        raise BadRequest(
            f"Network {network.id} requires a subnet in order to boot instances on.", kind="NetworkRequiresSubnet"
        )
    return ports.create_port(
        tx, viewer(ctx), ctx.project_id or "", network, device_id=device_id, device_owner=device_owner, host_id=host,
        name=name, dns_name=dns_name, tags=list(tags),
        fixed_ips=[{"ip_address": fixed_ip}] if fixed_ip else None,
        security_groups=list(security_groups) if security_groups is not None else None,
    )  # fmt: skip


def get_port(tx: Tx, ctx: Context, id: str) -> Port:
    """Raises NotFound for what the caller may not see."""
    return lookup.get_port(tx, viewer(ctx), id)


def list_ports(tx: Tx, device_ids: str | Collection[str]) -> list[Port]:
    """The ports of servers, oldest first, in one query."""
    wanted = [device_ids] if isinstance(device_ids, str) else device_ids
    found: list[Port] = queries.select_in(tx, rows.Port, "device_id", wanted)
    return sorted(found, key=lambda port: (port.created_at, port.id))


def update_port(tx: Tx, ctx: Context, port: Port, **values: Any) -> Port:
    """As the API's update: device_id, device_owner, host_id, security_groups, fixed_ips ..."""
    return ports.update_port(tx, viewer(ctx), port, **values)


def claim_port(tx: Tx, port: Port, device_id: str, device_owner: str) -> bool:
    """The port is this server's from now on; False when another was faster."""
    if not tx.update(rows.Port, {"id": port.id, "device_id": ""}, device_id=device_id):
        return False
    queries.save(tx, port, device_id=device_id, device_owner=device_owner)
    changes.touch(tx, "port", port.id)
    return True


def bind_port(tx: Tx, port_id: str, host: str, device_owner: str) -> None:
    """The port is to be plugged in on this host. Binding it there again changes nothing."""
    port = tx.find(rows.Port, id=port_id)
    if port is not None and (port.host_id, port.device_owner) != (host, device_owner):
        queries.save(tx, port, host_id=host, device_owner=device_owner)
        ports.follow_parent(tx, port)
        changes.touch(tx, "port", port.id)


def release_port(tx: Tx, port_id: str) -> None:
    """A port that the server did not make: free for the next one. Gone already is fine."""
    port = tx.find(rows.Port, id=port_id)
    if port is not None:
        queries.save(tx, port, host_id="", device_id="", device_owner="", status="DOWN")
        changes.touch(tx, "port", port.id)


def delete_ports(tx: Tx, port_ids: Collection[str]) -> None:
    """Ports that a server made for itself. Gone already is fine."""
    for port_id in port_ids:
        port = tx.find(rows.Port, id=port_id)
        if port is not None:
            ports.delete_port(tx, port)


def find_security_groups(tx: Tx, ctx: Context, names: Collection[str]) -> list[SecurityGroup]:
    """By id or name, of the caller's project. Raises NotFound, Conflict for an ambiguous name."""
    project_id = ctx.project_id or ""
    groups.default_group(tx, project_id)
    own = tx.select(rows.SecurityGroup, project_id=project_id)
    found = []
    for wanted in names:
        matches = [group for group in own if wanted == group.id] or [group for group in own if wanted == group.name]
        if not matches:
            raise NotFound(f"Security group {wanted} not found for project {project_id}.", kind="SecurityGroupNotFound")
        if len(matches) > 1:
            raise Conflict(f"Multiple security groups found matching '{wanted}'. Use an ID to be more specific.",
                           kind="NoUniqueMatch")  # fmt: skip
        found.append(matches[0])
    return found


def list_security_groups(tx: Tx, ctx: Context) -> list[SecurityGroup]:
    """The caller's project's own, by name; the default one is made if it is not there."""
    groups.default_group(tx, ctx.project_id or "")
    return tx.select(rows.SecurityGroup, order="name", project_id=ctx.project_id or "")


def get_security_group(tx: Tx, ctx: Context, id: str) -> SecurityGroup:
    """Raises NotFound for what the caller may not see."""
    return lookup.get_shareable(tx, viewer(ctx), rows.SecurityGroup, id)


def create_security_group(tx: Tx, ctx: Context, name: str, description: str) -> SecurityGroup:
    """Raises OverQuota, Conflict for a second default group."""
    return groups.create_group(tx, ctx.project_id or "", name, description)


def update_security_group(tx: Tx, group: SecurityGroup, **values: Any) -> SecurityGroup:
    return groups.update_group(tx, group, **values)


def delete_security_group(tx: Tx, ctx: Context, group: SecurityGroup) -> None:
    """Raises Conflict while ports use it, and for a default group."""
    groups.delete_group(tx, group, "admin" in ctx.roles)


def rules_of(tx: Tx, group_ids: Collection[str]) -> dict[str, list[SecurityGroupRule]]:
    """Rules by group, in one query."""
    found: dict[str, list[SecurityGroupRule]] = {}
    for rule in queries.select_in(tx, rows.SecurityGroupRule, "security_group_id", group_ids):
        found.setdefault(rule.security_group_id, []).append(rule)
    return found


def get_security_group_rule(tx: Tx, ctx: Context, id: str) -> SecurityGroupRule:
    return lookup.get_own(tx, viewer(ctx), rows.SecurityGroupRule, id)


def create_security_group_rule(tx: Tx, ctx: Context, group: SecurityGroup, **values: Any) -> SecurityGroupRule:
    """Raises NotFound (a remote group), BadRequest, Conflict (the rule exists), OverQuota."""
    return groups.create_rule(tx, viewer(ctx), group.project_id, security_group_id=group.id, **values)


def delete_security_group_rule(tx: Tx, rule: SecurityGroupRule) -> None:
    groups.delete_rule(tx, rule)


def security_groups_of(tx: Tx, ports_: Collection[Port]) -> dict[str, SecurityGroup]:
    """The groups of some ports, by id."""
    return queries.by_id(tx, rows.SecurityGroup, (group for port in ports_ for group in port.security_groups))


def find_floating_ips(tx: Tx, port_ids: Collection[str]) -> dict[str, list[FloatingIP]]:
    """Floating IPs by the port they lead to, in one query."""
    found: dict[str, list[FloatingIP]] = {}
    for floating_ip in queries.select_in(tx, rows.FloatingIP, "port_id", port_ids):
        found.setdefault(floating_ip.port_id or "", []).append(floating_ip)
    return found


def list_networks(tx: Tx, ctx: Context) -> list[Network]:
    """All that the caller may see, by name."""
    found = []
    for network in tx.select(rows.Network, order="name"):
        seen = network.shared or network.external or "admin" in ctx.roles or network.project_id == ctx.project_id
        if seen or queries.is_open_to(tx, network.id, ctx.project_id):
            found.append(network)
    return found


def list_floating_ips(tx: Tx, ctx: Context) -> list[FloatingIP]:
    """The caller's project's own."""
    return tx.select(rows.FloatingIP, order="floating_ip_address", project_id=ctx.project_id or "")


def get_floating_ip(tx: Tx, ctx: Context, id: str) -> FloatingIP:
    return lookup.get_own(tx, viewer(ctx), rows.FloatingIP, id)


def create_floating_ip(tx: Tx, ctx: Context, network: Network) -> FloatingIP:
    """Raises OverQuota, BadRequest, Conflict (no address left)."""
    values = {"floating_network_id": network.id}
    return floating_ips.create_floating_ip(tx, viewer(ctx), ctx.project_id or "", **values)


def link_floating_ip(tx: Tx, ctx: Context, floating_ip: FloatingIP, port_id: str | None, fixed: str | None) -> None:
    """Let it lead to a port, or nowhere. Raises NotFound, BadRequest, Conflict."""
    values = {"port_id": port_id, **({"fixed_ip_address": fixed} if fixed else {})}
    floating_ips.update_floating_ip(tx, viewer(ctx), floating_ip, **values)


def delete_floating_ip(tx: Tx, floating_ip: FloatingIP) -> None:
    floating_ips.delete_floating_ip(tx, floating_ip)


_LEADING = sql(
    sa.select(columns(rows.FloatingIP).port_id, columns(rows.FloatingIP).floating_ip_address).where(
        columns(rows.FloatingIP).port_id.is_not(None)
    )
)


def floating_addresses(tx: Tx) -> list[tuple[str, str]]:
    """Every floating IP that leads somewhere: its port and its address, in one query."""
    return [(port_id, address) for port_id, address in tx.all(_LEADING)]


def vifs(tx: Tx, ports_: Sequence[Port]) -> list[VIF]:
    """What hosts and guests have to know about ports, in their order; four queries for any number."""
    networks = queries.by_id(tx, rows.Network, (port.network_id for port in ports_))
    subnets = queries.by_id(tx, rows.Subnet, (ip.subnet_id for port in ports_ for ip in port.fixed_ips))
    floating = find_floating_ips(tx, [port.id for port in ports_])
    return [_vif(port, networks[port.network_id], subnets, floating.get(port.id, [])) for port in ports_]


def _vif(port: Port, network: Network, subnets: dict[str, Subnet], floating: list[FloatingIP]) -> VIF:
    return VIF(
        port_id=port.id,
        network_id=network.id,
        network_name=network.name,
        mac_address=port.mac_address,
        mtu=network.mtu,
        fixed_ips=[_address(ip, subnets[ip.subnet_id]) for ip in port.fixed_ips],
        floating_ips={each.fixed_ip_address or "": each.floating_ip_address for each in floating},
        active=port.status == "ACTIVE",
        device_owner=port.device_owner,
        dhcp=any(subnets[ip.subnet_id].enable_dhcp for ip in port.fixed_ips),
    )


def _address(ip: rows.FixedIP, subnet: Subnet) -> dict[str, Any]:
    return {
        "subnet_id": subnet.id,
        "ip_address": ip.ip_address,
        "prefixlen": int(subnet.cidr.partition("/")[2]),
        "cidr": subnet.cidr,
        "ip_version": subnet.ip_version,
        "gateway": subnet.gateway_ip,
        "dns": subnet.dns_nameservers,
        "routes": subnet.host_routes,
        "dhcp": subnet.enable_dhcp,
        "ipv6_address_mode": subnet.ipv6_address_mode,
    }


def metadata_ports(tx: Tx, network_ids: Collection[str]) -> dict[str, MetadataPort]:
    """By network; a network without DHCP has none."""
    found = queries.select_in(tx, rows.Port, "network_id", network_ids, device_owner=rows.DHCP_OWNER)
    subnets = queries.by_id(tx, rows.Subnet, (ip.subnet_id for port in found for ip in port.fixed_ips))
    return {
        port.network_id: MetadataPort(
            port_id=port.id,
            network_id=port.network_id,
            mac_address=port.mac_address,
            addresses=[f"{ip.ip_address}/{subnets[ip.subnet_id].cidr.partition('/')[2]}" for ip in port.fixed_ips],
        )
        for port in found
    }


def port_of_address(tx: Tx, network_id: str, address: str) -> Port | None:
    """Who asks for metadata: the port that has an address on a network."""
    for subnet in tx.select(rows.Subnet, network_id=network_id):
        taken = tx.find(rows.IPAllocation, subnet_id=subnet.id, ip_address=address)
        if taken is not None:
            return tx.find(rows.Port, id=taken.port_id)
    return None


_DEVICES = sql(
    sa.select(columns(rows.Port).device_id)
    .distinct()
    .join(shape(rows.IPAllocation).table, columns(rows.IPAllocation).port_id == columns(rows.Port).id)
    .where(columns(rows.IPAllocation).ip_address.like(sa.bindparam("pattern", type_=sa.Text()), escape="\\"))
)


def devices_with_address(tx: Tx, part: str) -> list[str]:
    """Whose ports have an address with this in it."""
    return [row[0] for row in tx.all(_DEVICES, pattern=f"%{like_escape(part)}%")]


def programmed(tx: Tx, port_id: str) -> bool:
    """Has the engine been told of the port as it is now?"""
    return reconcile.programmed(tx, port_id)


def wait_programmed(cloud: Any, port_ids: Collection[str], seconds: float = 30.0) -> bool:
    """Wait until the engine knows these ports, at most so long."""
    return reconcile.wait_programmed(cloud, port_ids, seconds)


def differences(cloud: Any) -> list[Difference]:
    """How the engine differs from our rows: for `pileus fsck`."""
    return reconcile.differences(cloud)
