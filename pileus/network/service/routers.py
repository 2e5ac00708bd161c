"""Routers: their way out, what hangs on them, and the routes they know besides."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import ports, quotas
from pileus.network.service.gateways import (
    bad,
    clear_gateway,
    clear_gateways,
    gateway_ports,
    interfaces,
    refuse_overlapping,
    set_gateway,
    subnets_of,
)
from pileus.network.service.lookup import Viewer, get_port, get_subnet
from pileus.network.service.networks import check_zones
from pileus.network.store import changes, queries

MAX_ROUTES = 30
Routes = list[dict[str, str]]


def create_router(tx: Tx, viewer: Viewer, project_id: str, **values: Any) -> rows.Router:
    """Raises OverQuota, and what `set_gateway` raises."""
    quotas.spend(tx, project_id, "router")
    router = rows.Router(id=clock.new_id(), project_id=project_id)
    gateway = values.pop("external_gateway_info", None)
    for name, value in values.items():
        setattr(router, name, value)
    check_zones(router.availability_zone_hints)
    tx.insert(queries.stamped(router))
    if gateway:
        set_gateway(tx, viewer, router, gateway)
    changes.touch(tx, "router", router.id)
    return router


def update_router(tx: Tx, viewer: Viewer, router: rows.Router, **values: Any) -> rows.Router:
    if "external_gateway_info" in values:
        gateway = values.pop("external_gateway_info")
        set_gateway(tx, viewer, router, gateway) if gateway else clear_gateway(tx, router)
    if "routes" in values:
        values["routes"] = values["routes"] or []
        _check_routes(tx, router, values["routes"])
    if values:
        queries.save(tx, router, **values)
    changes.touch(tx, "router", router.id)
    return router


def delete_router(tx: Tx, router: rows.Router) -> None:
    """Raises Conflict while something hangs on it."""
    if interfaces(tx, router):
        raise Conflict(f"Router {router.id} still has ports.", kind="RouterInUse")
    clear_gateways(tx, router)
    queries.drop_row(tx, router)
    changes.touch(tx, "router", router.id)


# -- interfaces ------------------------------------------------------------------------


def add_interface(tx: Tx, viewer: Viewer, router: rows.Router, subnet_id: str | None, port_id: str | None
                  ) -> tuple[rows.Port, list[str]]:  # fmt: skip
    """By subnet (its gateway address) or by a port made before. The port, and the subnets that were added."""
    if subnet_id and port_id:
        raise bad("Cannot specify both subnet-id and port-id.")
    if port_id:
        added = _add_port(tx, router, get_port(tx, viewer, port_id))
    elif subnet_id:
        added = _add_subnet(tx, viewer, router, get_subnet(tx, viewer, subnet_id))
    else:
        raise bad("Either subnet_id or port_id must be specified.")
    queries.save(tx, router)
    return added


def _check_interface(tx: Tx, router: rows.Router, new: Sequence[rows.Subnet]) -> list[rows.Port]:
    members = interfaces(tx, router)
    existing = subnets_of(tx, [*members, *gateway_ports(tx, router)])
    for subnet in new:
        if any(subnet.id == other.id for other in existing):
            raise bad(f"Router already has a port on subnet {subnet.id}.")
        refuse_overlapping(existing, subnet)
    return members


def _add_subnet(tx: Tx, viewer: Viewer, router: rows.Router, subnet: rows.Subnet) -> tuple[rows.Port, list[str]]:
    members = _check_interface(tx, router, [subnet])
    if not subnet.gateway_ip:
        raise bad("Subnet for router interface must have a gateway IP.")
    wanted = {"subnet_id": subnet.id, "ip_address": subnet.gateway_ip}
    if subnet.ip_version == 6:  # IPv6 subnets of one network share a port
        for port in members:
            if port.network_id == subnet.network_id and all(":" in ip.ip_address for ip in port.fixed_ips):
                kept = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips]
                ports.update_port(tx, viewer, port, fixed_ips=[*kept, wanted])
                return port, [subnet.id]
    network = tx.get(rows.Network, id=subnet.network_id)
    port = ports.create_port(tx, viewer, router.project_id, network, device_id=router.id,
                             device_owner=rows.INTERFACE_OWNER, fixed_ips=[wanted])  # fmt: skip
    return port, [subnet.id]


def _add_port(tx: Tx, router: rows.Router, port: rows.Port) -> tuple[rows.Port, list[str]]:
    if port.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. "
            f"Port already has an attached device {port.device_id}.",
            kind="PortInUse",
        )
    if not port.fixed_ips:
        raise bad("Router port must have at least one fixed IP.")
    new = subnets_of(tx, [port])
    if sum(subnet.ip_version == 4 for subnet in new) > 1:
        raise bad("Cannot have multiple IPv4 subnets on router port.")
    _check_interface(tx, router, new)
    tx.delete(rows.PortSecurityGroup, port_id=port.id)
    queries.save(tx, port, device_id=router.id, device_owner=rows.INTERFACE_OWNER, port_security_enabled=False,
                 security_groups=[], allowed_address_pairs=[])  # fmt: skip
    changes.touch(tx, "port", port.id)
    changes.touch(tx, "router", router.id)
    return port, [subnet.id for subnet in new]


def remove_interface(tx: Tx, viewer: Viewer, router: rows.Router, subnet_id: str | None, port_id: str | None
                     ) -> tuple[rows.Port, list[str]]:  # fmt: skip
    """Raises NotFound when it is not there, Conflict while a floating IP or a route needs it."""
    if not subnet_id and not port_id:
        raise bad("Either subnet_id or port_id must be specified.")
    members = interfaces(tx, router)
    if port_id:
        port = next((port for port in members if port.id == port_id), None)
        if port is None:
            raise NotFound(
                f"Router {router.id} does not have an interface with id {port_id}.", kind="RouterInterfaceNotFound"
            )
        if subnet_id and all(ip.subnet_id != subnet_id for ip in port.fixed_ips):
            raise Conflict(f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.",
                           kind="SubnetMismatchForPort")  # fmt: skip
        leaving = [ip.subnet_id for ip in port.fixed_ips]
    else:
        get_subnet(tx, viewer, subnet_id or "")
        port = next((port for port in members if any(ip.subnet_id == subnet_id for ip in port.fixed_ips)), None)
        if port is None:
            raise NotFound(f"Router {router.id} has no interface on subnet {subnet_id}.",
                           kind="RouterInterfaceNotFoundForSubnet")  # fmt: skip
        leaving = [subnet_id or ""]
    _refuse_needed(tx, router, leaving)
    staying = [ip for ip in port.fixed_ips if ip.subnet_id not in leaving]
    if staying:
        kept = [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in staying]
        ports.update_port(tx, viewer, port, fixed_ips=kept)
    else:
        ports.delete_port(tx, port, checked=False)
    queries.save(tx, router)
    changes.touch(tx, "router", router.id)
    return port, leaving


def _refuse_needed(tx: Tx, router: rows.Router, leaving: list[str]) -> None:
    subnets = queries.by_id(tx, rows.Subnet, leaving).values()
    nets = [ipaddress.ip_network(subnet.cidr) for subnet in subnets]
    led_to: list[tuple[str | None, str | None]] = []
    for floating_ip in tx.select(rows.FloatingIP, router_id=router.id):
        led_to.append((floating_ip.port_id, floating_ip.fixed_ip_address))
        forwardings = tx.select(rows.PortForwarding, floating_ip_id=floating_ip.id)
        led_to += [(each.internal_port_id, each.internal_ip_address) for each in forwardings]
    for port_id, address in led_to:
        port = tx.find(rows.Port, id=port_id) if port_id else None
        inside = {ip.subnet_id for ip in (port.fixed_ips if port else []) if ip.ip_address == address}
        if inside & set(leaving):
            raise Conflict(
                f"Router interface for subnet {leaving[0]} on router {router.id} cannot be deleted, "
                "as it is required by one or more floating IPs.",
                kind="RouterInterfaceInUseByFloatingIP",
            )
    for route in router.routes:
        if any(ipaddress.ip_address(route["nexthop"]) in net for net in nets):
            raise Conflict(
                f"Router interface for subnet {leaving[0]} on router {router.id} cannot be deleted, "
                "as it is required by one or more routes.",
                kind="RouterInterfaceInUseByRoute",
            )


# -- extra routes ----------------------------------------------------------------------


def _check_routes(tx: Tx, router: rows.Router, routes: Routes) -> None:
    if len(routes) > MAX_ROUTES:
        raise BadRequest(f"Unable to complete operation for {router.id}. The number of routes exceeds the maximum "
                         f"{MAX_ROUTES}.", kind="RoutesExhausted")  # fmt: skip
    members = [*interfaces(tx, router), *gateway_ports(tx, router)]
    nets = [ipaddress.ip_network(subnet.cidr) for subnet in subnets_of(tx, members)]
    own = {ip.ip_address for port in members for ip in port.fixed_ips}
    for route in routes:
        nexthop = ipaddress.ip_address(route["nexthop"])
        if nexthop.version != ipaddress.ip_network(route["destination"]).version or not any(
            nexthop in net for net in nets
        ):
            raise BadRequest(f"Invalid format for routes: {routes}, the nexthop is not connected with router",
                             kind="InvalidRoutes")  # fmt: skip
        if route["nexthop"] in own:
            raise BadRequest(
                f"Invalid format for routes: {routes}, the nexthop is used by router", kind="InvalidRoutes"
            )


def add_routes(tx: Tx, router: rows.Router, routes: Routes) -> rows.Router:
    """Routes it has already stay as they are."""
    merged = router.routes + [route for route in routes if route not in router.routes]
    _check_routes(tx, router, merged)
    queries.save(tx, router, routes=merged)
    changes.touch(tx, "router", router.id)
    return router


def remove_routes(tx: Tx, router: rows.Router, routes: Routes) -> rows.Router:
    """Routes it does not have are gone already."""
    queries.save(tx, router, routes=[route for route in router.routes if route not in routes])
    changes.touch(tx, "router", router.id)
    return router
