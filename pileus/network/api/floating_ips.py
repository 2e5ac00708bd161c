"""Floating IPs (Networking API, "Floating IPs")."""

from typing import Any

from pileus.core import paging
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api import networks
from pileus.network.api.base import api, constrained, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.routers import floatingip as FLOATINGIP
from pileus.network.service import floating_ips, lookup, port_forwardings
from pileus.network.store import queries


def floating_ip(rq: Request, id: str) -> rows.FloatingIP:
    return constrained(rq, lookup.get_own(rq.tx, viewer(rq), rows.FloatingIP, id))


def dress(rq: Request, found: list[rows.FloatingIP]) -> None:
    """About the port each leads to, and where single ports of it lead."""
    ports = queries.by_id(rq.tx, rows.Port, (row.port_id for row in found if row.port_id))
    forwardings = port_forwardings.forwardings_of(rq.tx, [row.id for row in found])
    for row in found:
        row.forwardings = forwardings[row.id]  # type: ignore[attr-defined]
        port = ports.get(row.port_id or "")
        row.port_details = port and {  # type: ignore[attr-defined]
            "name": port.name,
            "network_id": port.network_id,
            "mac_address": port.mac_address,
            "admin_state_up": port.admin_state_up,
            "status": port.status,
            "device_id": port.device_id,
            "device_owner": port.device_owner,
        }


plain(
    FLOATINGIP,
    rows.FloatingIP,
    "/floatingips",
    on=floating_ip,
    make=lambda rq, values: floating_ips.create_floating_ip(rq.tx, viewer(rq), owner(rq, values), **values),
    change=lambda rq, found, values: floating_ips.update_floating_ip(rq.tx, viewer(rq), found, **values),
    delete=lambda rq, found: floating_ips.delete_floating_ip(rq.tx, found),
    dress=dress,
    noun="floating IP",
)


@api.get("/floatingip_pools", policy="get_floatingip_pool")
@api.get("/floatingip-pools", policy="get_floatingip_pool")
def list_floatingip_pools(rq: Request) -> dict[str, Any]:
    """List the subnets that floating IPs are taken from."""
    found = paging.page(rq, rows.Network, [paging.Where("external", "eq", True)], clauses=tuple(networks.visible(rq)))
    outside = {network.id: network for network in found.rows}
    return {
        "floatingip_pools": [
            {
                "network_id": subnet.network_id,
                "network_name": outside[subnet.network_id].name,
                "subnet_id": subnet.id,
                "subnet_name": subnet.name,
                "cidr": subnet.cidr,
                "project_id": rq.ctx.project_id,
                "tenant_id": rq.ctx.project_id,
            }
            for subnet in queries.select_in(rq.tx, rows.Subnet, "network_id", outside)
        ]
    }
