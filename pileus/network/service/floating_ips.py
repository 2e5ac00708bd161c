"""Floating IPs: an address outside that leads to a port inside."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import ports, qos, quotas
from pileus.network.service.gateways import leads_to
from pileus.network.service.lookup import Viewer, get_network, get_own, get_port
from pileus.network.store import changes, queries


def bad(message: str) -> BadRequest:
    return BadRequest(f"Bad floatingip request: {message}", kind="BadRequest")


def create_floating_ip(tx: Tx, viewer: Viewer, project_id: str, **values: Any) -> rows.FloatingIP:
    """Takes an address of an external network, any or a given one. Raises OverQuota, NotFound, BadRequest, Conflict."""
    network = get_network(tx, viewer, values.pop("floating_network_id"))
    if not network.external:
        raise bad(f"Network {network.id} is not a valid external network.")
    quotas.spend(tx, project_id, "floatingip")
    floating_ip = rows.FloatingIP(id=clock.new_id(), project_id=project_id, floating_network_id=network.id)
    asked, subnet_id = values.pop("floating_ip_address", None), values.pop("subnet_id", None)
    target, fixed = values.pop("port_id", None), values.pop("fixed_ip_address", None)
    through = values.pop("router_id", None)
    if target is None and fixed is not None:
        raise bad("fixed_ip_address cannot be specified without a port_id.")
    for name, value in values.items():
        setattr(floating_ip, name, value)
    qos.check_policy(tx, viewer, floating_ip.qos_policy_id)
    port = ports.create_port(tx, viewer, "", network, device_id=floating_ip.id, device_owner=rows.FLOATING_IP_OWNER,
                             fixed_ips=_where(tx, network, asked, subnet_id))  # fmt: skip
    address = next((ip.ip_address for ip in port.fixed_ips if ":" not in ip.ip_address), None)
    if address is None:
        raise bad(f"Network {network.id} does not contain any IPv4 subnet.")
    floating_ip.floating_port_id, floating_ip.floating_ip_address = port.id, address
    tx.insert(queries.stamped(floating_ip))
    if target is not None:
        associate(tx, viewer, floating_ip, target, fixed, through)
    changes.touch(tx, "floatingip", floating_ip.id)
    return floating_ip


def _where(tx: Tx, network: rows.Network, address: str | None, subnet_id: str | None) -> list[dict[str, Any]]:
    if address is not None:
        return [{"ip_address": address, **({"subnet_id": subnet_id} if subnet_id else {})}]
    if subnet_id is not None:
        return [{"subnet_id": subnet_id}]
    for subnet in tx.select(rows.Subnet, order="created_at", network_id=network.id):
        if subnet.ip_version == 4 and (not subnet.service_types or rows.FLOATING_IP_OWNER in subnet.service_types):
            return [{"subnet_id": subnet.id}]
    raise bad(f"Network {network.id} does not contain any IPv4 subnet.")


def update_floating_ip(tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, **values: Any) -> rows.FloatingIP:
    """A port to lead to, null to lead nowhere. Raises as `associate`."""
    fixed = values.pop("fixed_ip_address", None)
    if values.get("port_id"):
        refuse_forwarding(tx, floating_ip)
    if not values and fixed is None:
        values["port_id"] = None  # to ask for nothing is to ask for no port
    if "port_id" in values:
        target = values.pop("port_id")
        if target is None:
            if fixed is not None:
                raise bad("fixed_ip_address cannot be specified without a port_id.")
            if floating_ip.port_id is not None:
                ports.unlink_floating_ip(tx, floating_ip)
        else:
            associate(tx, viewer, floating_ip, target, fixed)
    elif fixed is not None:
        if floating_ip.port_id is None:
            raise bad("fixed_ip_address cannot be specified without a port_id.")
        associate(tx, viewer, floating_ip, floating_ip.port_id, fixed)
    if values:
        qos.check_change(tx, viewer, floating_ip.qos_policy_id, values)
        queries.save(tx, floating_ip, **values)
        changes.touch(tx, "floatingip", floating_ip.id)
    return floating_ip


def associate(
    tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, port_id: str, fixed: str | None, through: str | None = None
) -> None:
    """Raises NotFound (the port, or a router to it), BadRequest (the address), Conflict (taken by another).

    `through` names the router, for a port that lies behind further routers.
    """
    port = get_port(tx, viewer, port_id)
    if port.project_id != floating_ip.project_id:
        raise bad(f"Port {port_id} is associated with a different tenant than Floating IP {floating_ip.id}.")
    chosen = _fixed_ip(port, fixed)
    other = tx.find(rows.FloatingIP, port_id=port.id, fixed_ip_address=chosen.ip_address,
                    floating_network_id=floating_ip.floating_network_id)  # fmt: skip
    if other is not None and other.id != floating_ip.id:
        raise Conflict(
            f"Cannot associate floating IP {floating_ip.floating_ip_address} ({floating_ip.id}) with port {port.id} "
            f"using fixed IP {chosen.ip_address}, as that fixed IP already has a floating IP on external network "
            f"{floating_ip.floating_network_id}.",
            kind="FloatingIPPortAlreadyAssociated",
        )
    forwarding = tx.find(rows.PortForwarding, internal_port_id=port.id, internal_ip_address=chosen.ip_address)
    if forwarding is not None:
        raise Conflict(f"Cannot associate floating IP {floating_ip.id} with port {port.id} using fixed IP "
                       f"{chosen.ip_address}: port forwarding {forwarding.id} leads there.",
                       kind="PortHasPortForwarding")  # fmt: skip
    router: str | None
    if through:
        router = _named_router(tx, viewer, floating_ip, through)
    else:
        router = router_between(tx, chosen.subnet_id, floating_ip.floating_network_id)
    if router is None:
        raise NotFound(
            f"External network {floating_ip.floating_network_id} is not reachable from subnet {chosen.subnet_id}. "
            f"Therefore, cannot associate Port {port.id} with a Floating IP.",
            kind="ExternalGatewayForFloatingIPNotFound",
        )
    queries.save(
        tx, floating_ip, port_id=port.id, fixed_ip_address=chosen.ip_address, router_id=router, status="ACTIVE"
    )
    changes.touch(tx, "floatingip", floating_ip.id)


def _named_router(tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, router_id: str) -> str:
    router = get_own(tx, viewer, rows.Router, router_id)
    if not leads_to(tx, router, floating_ip.floating_network_id):
        raise Conflict(
            f"Router {router_id} has no gateway on external network {floating_ip.floating_network_id}.",
            kind="ExternalGatewayForFloatingIPNotFound",
        )
    return router.id


def _fixed_ip(port: rows.Port, wanted: str | None) -> rows.FixedIP:
    candidates = [ip for ip in port.fixed_ips if ":" not in ip.ip_address]
    if wanted is not None:
        found = next((ip for ip in candidates if ip.ip_address == wanted), None)
        if found is None:
            raise bad(f"Port {port.id} does not have fixed ip {wanted}.")
        return found
    if not candidates:
        raise bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses.")
    if len(candidates) > 1:
        raise bad(f"Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address.")
    return candidates[0]


def router_between(tx: Tx, subnet_id: str, external_network_id: str) -> str | None:
    """A router with an interface on the subnet and its gateway on the external network."""
    subnet = tx.get(rows.Subnet, id=subnet_id)
    found = []
    for port in tx.select(rows.Port, network_id=subnet.network_id, device_owner=rows.INTERFACE_OWNER):
        address = next((ip.ip_address for ip in port.fixed_ips if ip.subnet_id == subnet_id), None)
        router = tx.find(rows.Router, id=port.device_id) if address else None
        if router is not None and leads_to(tx, router, external_network_id):
            found.append((address != subnet.gateway_ip, router.id))
    return min(found)[1] if found else None


def refuse_forwarding(tx: Tx, floating_ip: rows.FloatingIP) -> None:
    """Raises Conflict while single ports of it lead somewhere."""
    if tx.find(rows.PortForwarding, floating_ip_id=floating_ip.id) is not None:
        raise Conflict(f"Floating IP {floating_ip.id} in use by port forwarding resources.",
                       kind="FipInUseByPortForwarding")  # fmt: skip


def delete_floating_ip(tx: Tx, floating_ip: rows.FloatingIP) -> None:
    """Raises Conflict while single ports of it lead somewhere."""
    refuse_forwarding(tx, floating_ip)
    port = tx.find(rows.Port, id=floating_ip.floating_port_id)
    queries.drop_row(tx, floating_ip)
    changes.touch(tx, "floatingip", floating_ip.id)
    if port is not None:
        ports.delete_port(tx, port, checked=False)
