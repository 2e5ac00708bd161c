"""Routers' ways out: none, one, or several. The first is the one that `external_gateway_info` tells of."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import ports
from pileus.network.service.lookup import Viewer, get_network
from pileus.network.store import changes, queries

MAX_GATEWAYS = 10
Info = dict[str, Any]


def bad(message: str, resource: str = "router") -> BadRequest:
    return BadRequest(f"Bad {resource} request: {message}", kind="BadRequest")


def interfaces(tx: Tx, router: rows.Router) -> list[rows.Port]:
    return tx.select(rows.Port, device_id=router.id, device_owner=rows.INTERFACE_OWNER)


def gateway_ports(tx: Tx, router: rows.Router) -> list[rows.Port]:
    """The first way out first."""
    return in_order(router, tx.select(rows.Port, device_id=router.id, device_owner=rows.GATEWAY_OWNER))


def in_order(router: rows.Router, found: Sequence[rows.Port]) -> list[rows.Port]:
    return sorted(found, key=lambda port: (port.id != router.gateway_port_id, port.created_at, port.id))


def leads_to(tx: Tx, router: rows.Router, network_id: str) -> bool:
    """Has it a way out to this network?"""
    if router.gateway_network_id == network_id:
        return True
    known = {"device_id": router.id, "device_owner": rows.GATEWAY_OWNER, "network_id": network_id}
    return tx.find(rows.Port, **known) is not None


# -- one ---------------------------------------------------------------------------------------------------------------


def set_gateway(tx: Tx, viewer: Viewer, router: rows.Router, info: Info) -> None:
    """Plug the router into an external network, or change how. Raises NotFound, BadRequest, Conflict."""
    network = get_network(tx, viewer, info["network_id"])
    if router.gateway_network_id not in (None, network.id):
        clear_gateway(tx, router)
    fresh = router.gateway_network_id is None
    enable_snat = info.get("enable_snat", True if fresh else router.enable_snat)
    port = next(iter(gateway_ports(tx, router)), None)
    if port is None:
        port = _plug(tx, viewer, router, network, info)
    else:
        _replug(tx, viewer, port, info)
    _refuse_overlap(tx, router, port)
    queries.save(tx, router, gateway_network_id=network.id, gateway_port_id=port.id, enable_snat=enable_snat)
    _touch(tx, router)


def _plug(tx: Tx, viewer: Viewer, router: rows.Router, network: rows.Network, info: Info) -> rows.Port:
    if not network.external:
        raise bad(f"Network {network.id} is not an external network.")
    return ports.create_port(
        tx, viewer, "", network, device_id=router.id, device_owner=rows.GATEWAY_OWNER,
        fixed_ips=info.get("external_fixed_ips") or None, qos_policy_id=info.get("qos_policy_id"),
    )  # fmt: skip


def _replug(tx: Tx, viewer: Viewer, port: rows.Port, info: Info) -> None:
    values = {"qos_policy_id": info["qos_policy_id"]} if "qos_policy_id" in info else {}
    if info.get("external_fixed_ips") is not None:
        values["fixed_ips"] = info["external_fixed_ips"]
    if values:
        ports.update_port(tx, viewer, port, **values)


def _touch(tx: Tx, router: rows.Router) -> None:
    """What is told over which way out it goes, or where its ways out are."""
    changes.touch(tx, "router", router.id)
    changes.touch(tx, "port", *(port.id for port in gateway_ports(tx, router)))
    changes.touch(tx, "floatingip", *(each.id for each in tx.select(rows.FloatingIP, router_id=router.id)))


def _refuse_overlap(tx: Tx, router: rows.Router, port: rows.Port) -> None:
    others = [other for other in interfaces(tx, router) if other.id != port.id]
    inside = subnets_of(tx, others)
    for outer in subnets_of(tx, [port]):
        refuse_overlapping(inside, outer)


def refuse_overlapping(existing: Sequence[rows.Subnet], new: rows.Subnet) -> None:
    net = ipaddress.ip_network(new.cidr)
    for subnet in existing:
        other = ipaddress.ip_network(subnet.cidr)
        if subnet.id != new.id and other.version == net.version and other.overlaps(net):
            raise bad(f"Cidr {new.cidr} of subnet {new.id} overlaps with cidr {subnet.cidr} of subnet {subnet.id}.")


def subnets_of(tx: Tx, members: Sequence[rows.Port]) -> list[rows.Subnet]:
    return list(queries.by_id(tx, rows.Subnet, (ip.subnet_id for port in members for ip in port.fixed_ips)).values())


def clear_gateway(tx: Tx, router: rows.Router) -> None:
    """Take the first way out away; the next is the first then. Raises Conflict while floating IPs need it."""
    found = gateway_ports(tx, router)
    if found:
        _unplug(tx, router, found[0])


def clear_gateways(tx: Tx, router: rows.Router) -> None:
    for port in reversed(gateway_ports(tx, router)):
        _unplug(tx, router, port)


def _unplug(tx: Tx, router: rows.Router, port: rows.Port) -> None:
    left = [other for other in gateway_ports(tx, router) if other.id != port.id]
    if all(other.network_id != port.network_id for other in left):
        known = {"router_id": router.id, "floating_network_id": port.network_id}
        if tx.find(rows.FloatingIP, **known) is not None:
            raise Conflict(
                f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
                f"{port.network_id} is required by one or more floating IPs.",
                kind="RouterExternalGatewayInUseByFloatingIp",
            )
    if port.id == router.gateway_port_id:
        if left:
            queries.save(tx, router, gateway_network_id=left[0].network_id, gateway_port_id=left[0].id)
        else:
            queries.save(tx, router, gateway_network_id=None, gateway_port_id=None, enable_snat=True)
    ports.delete_port(tx, port, checked=False)
    _touch(tx, router)


# -- several -----------------------------------------------------------------------------------------------------------


def add_gateways(tx: Tx, viewer: Viewer, router: rows.Router, infos: list[Info]) -> rows.Router:
    """Further ways out, to the same network or others. Raises as `set_gateway`."""
    for info in infos:
        if router.gateway_network_id is None:
            set_gateway(tx, viewer, router, info)
            continue
        if info.get("enable_snat", router.enable_snat) != router.enable_snat:
            raise bad("enable_snat is the same for all gateways of a router.")
        if len(gateway_ports(tx, router)) >= MAX_GATEWAYS:
            raise Conflict(f"Router {router.id} has {MAX_GATEWAYS} gateways already.", kind="RouterGatewaysExhausted")
        port = _plug(tx, viewer, router, get_network(tx, viewer, info["network_id"]), info)
        _refuse_overlap(tx, router, port)
    _touch(tx, router)
    return queries.save(tx, router)


def remove_gateways(tx: Tx, router: rows.Router, infos: list[Info]) -> rows.Router:
    """Each by its network, and by its addresses where several lead there. Raises NotFound, Conflict."""
    for info in infos:
        _unplug(tx, router, _meant(tx, router, info))
    return queries.save(tx, router)


def _meant(tx: Tx, router: rows.Router, info: Info) -> rows.Port:
    for port in gateway_ports(tx, router):
        if _matches(port, info):
            return port
    raise NotFound(f"Router {router.id} has no gateway {info.get('external_fixed_ips') or ''} to external network "
                   f"{info['network_id']}.", kind="RouterGatewayNotFound")  # fmt: skip


def _matches(port: rows.Port, info: Info) -> bool:
    addresses = {each["ip_address"] for each in info.get("external_fixed_ips") or [] if each.get("ip_address")}
    own = {ip.ip_address for ip in port.fixed_ips}
    return port.network_id == info["network_id"] and (not addresses or bool(addresses & own))


def update_gateways(tx: Tx, viewer: Viewer, router: rows.Router, infos: list[Info]) -> rows.Router:
    """These and no others: those that are there stay, in this order as far as the first is concerned."""
    if len({info.get("enable_snat", router.enable_snat) for info in infos}) > 1:
        raise bad("enable_snat is the same for all gateways of a router.")
    there = gateway_ports(tx, router)
    kept: list[rows.Port | None] = []
    for info in infos:
        match = next((port for port in there if port not in kept and _matches(port, info)), None)
        kept.append(match)
        if match is not None:
            _replug(tx, viewer, match, info)
    if infos and "enable_snat" in infos[0] and there:
        queries.save(tx, router, enable_snat=infos[0]["enable_snat"])
    new = [info for info, port in zip(infos, kept, strict=True) if port is None]
    for port in there:
        if port not in kept:
            _unplug(tx, router, port)
    if new:
        add_gateways(tx, viewer, router, new)
    first = next((port for port in kept if port is not None), None)
    if first is not None and first.id != router.gateway_port_id:
        queries.save(tx, router, gateway_network_id=first.network_id, gateway_port_id=first.id)
    _touch(tx, router)
    return queries.save(tx, router)
