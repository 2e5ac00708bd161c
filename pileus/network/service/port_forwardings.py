"""Port forwardings: a floating IP whose ports lead to addresses inside, each to its own."""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.network import rows
from pileus.network.service import floating_ips
from pileus.network.service.lookup import Viewer, get_port
from pileus.network.store import changes, queries


def bad(message: str) -> BadRequest:
    return BadRequest(f"Bad port_forwarding request: {message}", kind="BadRequest")


def get_forwarding(tx: Tx, floating_ip_id: str, id: str) -> rows.PortForwarding:
    found = tx.find(rows.PortForwarding, id=id, floating_ip_id=floating_ip_id)
    if found is None:
        raise NotFound(f"Port Forwarding {id[:60]} could not be found.", kind="PortForwardingNotFound")
    return found


def forwardings_of(tx: Tx, floating_ip_ids: list[str]) -> dict[str, list[rows.PortForwarding]]:
    """By floating IP, oldest first, in one query."""
    found: dict[str, list[rows.PortForwarding]] = {id: [] for id in floating_ip_ids}
    rows_ = queries.select_in(tx, rows.PortForwarding, "floating_ip_id", floating_ip_ids)
    for row in sorted(rows_, key=lambda row: (row.created_at, row.id)):
        found[row.floating_ip_id].append(row)
    return found


def create_forwarding(tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, **values: Any) -> rows.PortForwarding:
    """Raises BadRequest, NotFound (the port, or a way to it), Conflict (the floating IP leads elsewhere as a whole)."""
    if floating_ip.port_id is not None:
        raise Conflict(
            f"Floating IP {floating_ip.id} in use by port {floating_ip.port_id}: it cannot forward single ports too.",
            kind="FloatingIpInUse",
        )
    _fold_ports(values)
    for name in ("internal", "external"):
        if f"{name}_first" not in values:
            raise bad(f"{name}_port or {name}_port_range is needed.")
    row = rows.PortForwarding(id=clock.new_id(), project_id=floating_ip.project_id, floating_ip_id=floating_ip.id)
    values["internal_ip_address"] = values.get("internal_ip_address") or ""
    for name, value in values.items():
        setattr(row, name, value)
    _lead(tx, viewer, floating_ip, row)
    _check_ports(tx, row)
    tx.insert(queries.stamped(row))
    changes.touch(tx, "floatingip", floating_ip.id)
    return row


def _fold_ports(values: dict[str, Any]) -> None:
    """One port is a range of one."""
    for name in ("internal", "external"):
        one, several = values.pop(f"{name}_port", None), values.pop(f"{name}_port_range", None)
        if one is not None and several is not None and several != (one, one):
            raise bad(f"{name}_port and {name}_port_range cannot both be given.")
        if one is not None or several is not None:
            values[f"{name}_first"], values[f"{name}_last"] = several or (one, one)


def _lead(tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, row: rows.PortForwarding) -> None:
    """Check that the inner port can be led to, and which router does it."""
    port = get_port(tx, viewer, row.internal_port_id)
    if port.project_id != floating_ip.project_id:
        raise bad(f"Port {port.id} is of another project than floating IP {floating_ip.id}.")
    inner = [ip for ip in port.fixed_ips if ":" not in ip.ip_address]
    chosen = next((ip for ip in inner if row.internal_ip_address in ("", ip.ip_address)), None)
    if chosen is None:
        raise bad(f"Port {port.id} has no IPv4 address {row.internal_ip_address}".rstrip() + ".")
    row.internal_ip_address = chosen.ip_address
    other = tx.find(rows.FloatingIP, port_id=port.id, fixed_ip_address=chosen.ip_address)
    if other is not None:
        raise Conflict(f"Cannot create port forwarding to port {port.id}: it is bound to floating IP {other.id}.",
                       kind="PortHasBindingFloatingIP")  # fmt: skip
    router = floating_ips.router_between(tx, chosen.subnet_id, floating_ip.floating_network_id)
    if router is None:
        raise NotFound(
            f"External network {floating_ip.floating_network_id} is not reachable from subnet {chosen.subnet_id}. "
            f"Therefore, cannot forward ports of a floating IP to port {port.id}.",
            kind="ExternalGatewayForFloatingIPNotFound",
        )
    if floating_ip.router_id not in (None, router):
        raise bad(f"Port {port.id} is behind router {router}, floating IP {floating_ip.id} on {floating_ip.router_id}.")
    if floating_ip.router_id is None:
        queries.save(tx, floating_ip, router_id=router, status="ACTIVE")


def _check_ports(tx: Tx, row: rows.PortForwarding) -> None:
    """Raises BadRequest for ports that another forwarding has on either side."""
    inside, outside = row.internal_last - row.internal_first, row.external_last - row.external_first
    if inside not in (0, outside):
        raise bad("internal_port_range must have one port, or as many as external_port_range.")
    for other in tx.select(rows.PortForwarding, floating_ip_id=row.floating_ip_id, protocol=row.protocol):
        if (
            other.id != row.id
            and other.external_first <= row.external_last
            and row.external_first <= other.external_last
        ):
            raise bad(f"A duplicate port forwarding entry with same attributes already exists: external ports "
                      f"{other.external_first}:{other.external_last} lead to {other.internal_ip_address}.")  # fmt: skip
    inner = {"internal_port_id": row.internal_port_id, "internal_ip_address": row.internal_ip_address}
    for other in tx.select(rows.PortForwarding, protocol=row.protocol, **inner):
        if (
            other.id != row.id
            and other.internal_first <= row.internal_last
            and row.internal_first <= other.internal_last
        ):
            raise bad(f"A duplicate port forwarding entry with same attributes already exists: internal ports "
                      f"{other.internal_first}:{other.internal_last} are led to by {other.id}.")  # fmt: skip


def update_forwarding(
    tx: Tx, viewer: Viewer, floating_ip: rows.FloatingIP, row: rows.PortForwarding, **values: Any
) -> rows.PortForwarding:
    """Raises as `create_forwarding`."""
    _fold_ports(values)
    if "internal_port_id" in values and values["internal_port_id"] != row.internal_port_id:
        values.setdefault("internal_ip_address", "")
    for name, value in values.items():
        setattr(row, name, value)
    if "internal_port_id" in values or "internal_ip_address" in values:
        _lead(tx, viewer, floating_ip, row)
        values["internal_ip_address"] = row.internal_ip_address
    _check_ports(tx, row)
    changes.touch(tx, "floatingip", floating_ip.id)
    return queries.save(tx, row, **values)
