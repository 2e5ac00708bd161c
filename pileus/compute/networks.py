"""What compute asks of the network service, all in one place."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus import network as front
from pileus.compute.store import Server, ServerPort
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound, OverQuota
from pileus.core.tables import columns, shape
from pileus.node import protocol as p

OWNER = "compute:"  # a port's device_owner: this and the availability zone
_PLUGGED = sql(
    sa.select(columns(ServerPort).port_id, columns(ServerPort).server_id)
    .join_from(shape(ServerPort).table, shape(Server).table, columns(ServerPort).server_id == columns(Server).id)
    .where(columns(Server).host.is_not(None), columns(Server).launched_at.is_not(None))
)
Wanted = list[dict[str, Any]] | str | None  # a list of interfaces, "auto", "none", or nothing said


class Seen(msgspec.Struct):
    """A server's addresses by network name, and its security groups' names."""

    addresses: dict[str, list[dict[str, Any]]] = {}
    groups: list[str] = []


# -- before a server is there ------------------------------------------------------------------------------------------


def plan(tx: Tx, ctx: Context, wanted: Wanted, groups: list[str]) -> list[ServerPort]:
    """The interfaces of a new server, checked. Raises BadRequest, Conflict, Forbidden."""
    group_ids = _groups(tx, ctx, groups)
    if wanted == "none":
        return []
    if wanted is None or wanted in ("auto", []):
        found = front.choose_networks(tx, ctx)
        if not found and wanted == "auto":
            found = [_made_network(tx, ctx)]
        return [ServerPort(id=clock.new_id(), network_id=network.id, security_groups=group_ids) for network in found]
    return [_planned(tx, ctx, item, group_ids) for item in wanted if isinstance(item, dict)]


def _made_network(tx: Tx, ctx: Context) -> front.Network:
    try:
        return front.auto_allocate(tx, ctx)
    except Conflict as error:
        raise BadRequest(f"Unable to automatically allocate a network for project {ctx.project_id}: {error.message} "
                         "Create one, or ask for none.") from None  # fmt: skip


def _groups(tx: Tx, ctx: Context, names: list[str]) -> list[str]:
    if names == ["default"]:
        return []  # what the network service gives every port by itself
    try:
        return [group.id for group in front.find_security_groups(tx, ctx, names)]
    except NotFound as error:
        raise BadRequest(error.message, kind=error.kind) from None


def _planned(tx: Tx, ctx: Context, item: dict[str, Any], group_ids: list[str]) -> ServerPort:
    planned = ServerPort(id=clock.new_id(), network_id="", tag=item.get("tag"))
    if item.get("port"):
        if item.get("fixed_ip"):
            raise BadRequest(f"Specified Fixed IP '{item['fixed_ip']}' cannot be used with port '{item['port']}'.")
        port = _given_port(tx, ctx, item["port"])
        planned.network_id, planned.port_id, planned.owned = port.network_id, port.id, False
        return planned
    if not item.get("uuid"):
        raise BadRequest("Invalid input for field/attribute networks. It must name a network or a port.")
    try:
        network = front.get_network(tx, ctx, item["uuid"])
    except NotFound:
        raise BadRequest(f"Network {item['uuid']} could not be found.", kind="NetworkNotFound") from None
    own_or_shared = network.project_id == ctx.project_id or network.shared
    if network.external and not own_or_shared and "admin" not in ctx.roles:
        raise Forbidden(f"It is not allowed to create an interface on external network {network.id}")
    planned.network_id, planned.fixed_ip, planned.security_groups = network.id, item.get("fixed_ip"), group_ids
    return planned


def _given_port(tx: Tx, ctx: Context, port_id: str) -> front.Port:
    try:
        port = front.get_port(tx, ctx, port_id)
    except NotFound:
        raise BadRequest(f"Port {port_id} could not be found.", kind="PortNotFound") from None
    if port.device_id or tx.find(ServerPort, port_id=port_id):
        raise Conflict(f"Port {port_id} is still in use.", kind="PortInUse")
    if not port.fixed_ips:
        raise BadRequest(f"Port {port_id} requires a FixedIP in order to be used.", kind="PortRequiresFixedIP")
    return port


# -- the ports of a server ---------------------------------------------------------------------------------------------


def _owner(server: Server) -> str:
    return OWNER + (server.availability_zone or "nova")


def create(tx: Tx, ctx: Context, server: Server, planned: ServerPort) -> None:
    """The port of an interface that was planned: made, or taken from the user who brought it. Not on any host yet.

    Raises Forbidden (quota), BadRequest, Conflict (no address left, or the given one or the port in use).
    """
    # what the caller may see was asked when it was planned
    ctx = msgspec.structs.replace(ctx, roles=ctx.roles | {"admin"}, project_id=server.project_id)
    if planned.port_id is None:
        try:
            port = front.create_port(
                tx, ctx, front.get_network(tx, ctx, planned.network_id), device_id=server.id,
                device_owner=_owner(server), fixed_ip=planned.fixed_ip, dns_name=server.hostname,
                security_groups=planned.security_groups or None,
            )  # fmt: skip
        except OverQuota:
            raise OverQuota("Maximum number of ports exceeded", kind="PortLimitExceeded") from None
        except Conflict as error:  # an address
            raise BadRequest(error.message, kind=error.kind) from None
        planned.port_id = port.id
    elif not front.claim_port(tx, front.get_port(tx, ctx, planned.port_id), server.id, _owner(server)):
        raise Conflict(f"Port {planned.port_id} is still in use.", kind="PortInUse")
    tx.insert(planned)


def bind(tx: Tx, server: Server, host: str) -> None:
    """All its ports are to be plugged in on this host. Repeating it changes nothing."""
    for port in tx.select(ServerPort, order="position", server_id=server.id):
        if port.port_id:
            front.bind_port(tx, port.port_id, host, _owner(server))


def wait_programmed(cloud: Any, ports: Iterable[ServerPort], seconds: float) -> bool:
    """Has the engine been told of these ports? Waits a moment for it: usually it takes a few milliseconds."""
    return front.wait_programmed(cloud, [port.port_id for port in ports if port.port_id], seconds)


def release(tx: Tx, server_id: str) -> None:
    """Delete the ports made for a server; give back those its user brought."""
    ports = tx.select(ServerPort, server_id=server_id)
    front.delete_ports(tx, [port.port_id for port in ports if port.owned and port.port_id])
    for port in ports:
        if not port.owned and port.port_id and _is_of(tx, port.port_id, server_id):
            front.release_port(tx, port.port_id)
    tx.delete(ServerPort, server_id=server_id)


def attach(tx: Tx, ctx: Context, server: Server, item: dict[str, Any]) -> ServerPort:
    """One more interface, its port made or taken, on the server's host. Raises BadRequest, Conflict, NotFound."""
    wanted = [item] if item.get("uuid") or item.get("port") else "auto"
    found = plan(tx, ctx, wanted, ["default"])
    if not found:
        raise BadRequest("The project has no network: name one.", kind="InterfaceAttachFailedNoNetwork")
    planned = found[0]
    planned.server_id = server.id
    planned.position = 1 + max((port.position for port in tx.select(ServerPort, server_id=server.id)), default=-1)
    create(tx, ctx, server, planned)
    bind(tx, server, server.host or "")
    return planned


def release_one(tx: Tx, server_id: str, port_id: str) -> None:
    """An interface goes: its port with it, or back to its user. Gone already is fine."""
    planned = tx.find(ServerPort, server_id=server_id, port_id=port_id)
    if planned is not None and planned.owned:
        front.delete_ports(tx, [port_id])
    elif planned is not None and _is_of(tx, port_id, server_id):
        front.release_port(tx, port_id)
    tx.delete(ServerPort, server_id=server_id, port_id=port_id)


def _is_of(tx: Tx, port_id: str, server_id: str) -> bool:
    port = tx.find(front.Port, id=port_id)
    return port is not None and port.device_id == server_id


def ports_of(tx: Tx, server_id: str) -> list[front.Port]:
    """In the order of the server's interfaces."""
    order = {port.port_id: port.position for port in tx.select(ServerPort, server_id=server_id)}
    return sorted(front.list_ports(tx, server_id), key=lambda port: order.get(port.id, len(order)))


class Interface(msgspec.Struct):
    """A port with what the server says of it."""

    port: front.Port
    tag: str | None


def interfaces(tx: Tx, server_id: str) -> list[Interface]:
    tags = {port.port_id: port.tag for port in tx.select(ServerPort, server_id=server_id)}
    return [Interface(port, tags.get(port.id)) for port in ports_of(tx, server_id)]


def nics(tx: Tx, server_id: str) -> list[p.Nic]:
    """A server's interfaces as its node needs them."""
    tags = {port.port_id: port.tag for port in tx.select(ServerPort, server_id=server_id)}
    return [
        p.Nic(
            port_id=vif.port_id, mac=vif.mac_address, network_id=vif.network_id, mtu=vif.mtu, tag=tags.get(vif.port_id),
            fixed_ips=[_fixed_ip(address) for address in vif.fixed_ips],
        )
        for vif in front.vifs(tx, ports_of(tx, server_id))
    ]  # fmt: skip


def _fixed_ip(address: dict[str, Any]) -> p.FixedIP:
    return p.FixedIP(
        address=address["ip_address"], prefix=address["prefixlen"], subnet_id=address["subnet_id"],
        gateway=address["gateway"], dns=list(address["dns"]), dhcp=address["dhcp"],
        routes=[p.Route(route["destination"], route["nexthop"]) for route in address["routes"]],
        ipv6_address_mode=address["ipv6_address_mode"],
    )  # fmt: skip


def listeners(tx: Tx, network_ids: list[str]) -> list[p.MetadataArgs]:
    """Where metadata is answered in these networks."""
    return [
        p.MetadataArgs(
            network_id=found.network_id, port_id=found.port_id, mac=found.mac_address, cidrs=found.addresses,
            mtu=_mtu(tx, found.network_id),
        )
        for found in front.metadata_ports(tx, network_ids).values()
    ]  # fmt: skip


def _mtu(tx: Tx, network_id: str) -> int:
    return tx.get(front.Network, id=network_id).mtu


# -- changes to a server's ports ---------------------------------------------------------------------------------------


def groups_of(tx: Tx, server_id: str) -> list[front.SecurityGroup]:
    return list(front.security_groups_of(tx, front.list_ports(tx, server_id)).values())


def add_group(tx: Tx, ctx: Context, server_id: str, name: str) -> None:
    """Raises NotFound for a group that is not there."""
    group = front.find_security_groups(tx, ctx, [name])[0]
    for port in front.list_ports(tx, server_id):
        if group.id not in port.security_groups and port.port_security_enabled and port.fixed_ips:
            front.update_port(tx, ctx, port, security_groups=[*port.security_groups, group.id])


def remove_group(tx: Tx, ctx: Context, server_id: str, name: str) -> bool:
    """False when no port of the server has it."""
    group = front.find_security_groups(tx, ctx, [name])[0]
    ports = [port for port in front.list_ports(tx, server_id) if group.id in port.security_groups]
    for port in ports:
        kept = [other for other in port.security_groups if other != group.id]
        front.update_port(tx, ctx, port, security_groups=kept)
    return bool(ports)


def add_fixed_ip(tx: Tx, ctx: Context, server_id: str, network_id: str) -> None:
    """One more address on the server's first port in a network. Raises NotFound."""
    port = next((port for port in ports_of(tx, server_id) if port.network_id == network_id), None)
    if port is None or not port.fixed_ips:
        raise NotFound(f"The server has no port on network {network_id}.")
    kept = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips]
    front.update_port(tx, ctx, port, fixed_ips=[*kept, {"subnet_id": port.fixed_ips[0].subnet_id}])


def remove_fixed_ip(tx: Tx, ctx: Context, server_id: str, address: str) -> None:
    """Raises BadRequest for an address the server does not have."""
    for port in ports_of(tx, server_id):
        kept = [ip for ip in port.fixed_ips if ip.ip_address != address]
        if len(kept) < len(port.fixed_ips):
            left = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in kept]
            front.update_port(tx, ctx, port, fixed_ips=left)
            return
    raise BadRequest(f"Fixed IP {address} not found on the server.")


# -- what is shown -----------------------------------------------------------------------------------------------------


def seen(tx: Tx, server_ids: list[str]) -> dict[str, Seen]:
    """Addresses and groups of many servers, in the same few queries as of one."""
    if not server_ids:
        return {}
    ports = front.list_ports(tx, server_ids)
    groups = front.security_groups_of(tx, ports)
    found: dict[str, Seen] = {}
    for port, vif in zip(ports, front.vifs(tx, ports), strict=True):
        entry = found.get(port.device_id)
        if entry is None:
            entry = found[port.device_id] = Seen({}, [])
        for group_id in port.security_groups:
            if (group := groups.get(group_id)) is not None and group.name not in entry.groups:
                entry.groups.append(group.name)
        addresses = entry.addresses.setdefault(vif.network_name or vif.network_id, [])
        for address in vif.fixed_ips:
            addresses.append(_shown(address["ip_address"], address["ip_version"], vif.mac_address, "fixed"))
            if floating := vif.floating_ips.get(address["ip_address"]):
                addresses.append(_shown(floating, 4, vif.mac_address, "floating"))
    return found


def _shown(address: str, version: int, mac: str, kind: str) -> dict[str, Any]:
    return {"version": version, "addr": address, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}


def public_ipv4(seen: Seen) -> str:
    """The first floating address, as EC2's metadata wants it."""
    return next(
        (a["addr"] for shown in seen.addresses.values() for a in shown if a["OS-EXT-IPS:type"] == "floating"), ""
    )


def floating_of_servers(tx: Tx) -> dict[str, str]:
    """The first floating address of every server on a host that has one."""
    owners: dict[str, str] = dict(tx.all(_PLUGGED))
    found: dict[str, str] = {}
    for port_id, address in sorted(front.floating_addresses(tx), key=lambda pair: pair[1]):
        if port_id in owners:
            found.setdefault(owners[port_id], address)
    return found


def servers_with_address(tx: Tx, text: str) -> list[str]:
    """Servers, and whatever else has ports, one of whose addresses has this in it."""
    return front.devices_with_address(tx, text)
