"""Port forwardings (Networking API, "Floating IPs port forwarding")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, listing, show, viewer
from pileus.network.api.floating_ips import floating_ip
from pileus.network.resources.port_forwardings import port_forwarding as FORWARDING
from pileus.network.service import port_forwardings, ports

MANY = "/floatingips/{id}/port_forwardings"
ONE = MANY + "/{forwarding_id}"
RULE = "floatingip_port_forwarding"
_OF = columns(rows.PortForwarding).floating_ip_id == sa.bindparam("floating_ip", type_=sa.Text())


def of(rq: Request, id: str, forwarding_id: str = "") -> rows.FloatingIP:
    """Whoever may look at a floating IP or change it may do so with where its ports lead."""
    return floating_ip(rq, id)


def _asked(rq: Request, found: rows.FloatingIP) -> rows.PortForwarding:
    return port_forwardings.get_forwarding(rq.tx, found.id, rq.params["forwarding_id"])


@api.get(MANY, policy=f"get_{RULE}", on=of)
def list_port_forwardings(rq: Request, found: rows.FloatingIP) -> dict[str, Any]:
    """List the port forwardings of a floating IP."""
    return listing(rq, FORWARDING, rows.PortForwarding, [("of", _OF, {"floating_ip": found.id})])


@api.post(MANY, policy=f"create_{RULE}", on=of, status=201)
def create_port_forwarding(rq: Request, found: rows.FloatingIP) -> dict[str, Any]:
    """Let a port of a floating IP lead inside."""
    values = FORWARDING.parse_create(rq)
    return show(rq, FORWARDING, port_forwardings.create_forwarding(rq.tx, viewer(rq), found, **values))


@api.get(ONE, policy=f"get_{RULE}", on=of)
def show_port_forwarding(rq: Request, found: rows.FloatingIP) -> dict[str, Any]:
    """Show a port forwarding."""
    return show(rq, FORWARDING, _asked(rq, found))


@api.put(ONE, policy=f"update_{RULE}", on=of)
def update_port_forwarding(rq: Request, found: rows.FloatingIP) -> dict[str, Any]:
    """Change a port forwarding."""
    row, values = _asked(rq, found), FORWARDING.parse_update(rq)
    return show(rq, FORWARDING, port_forwardings.update_forwarding(rq.tx, viewer(rq), found, row, **values))


@api.delete(ONE, policy=f"delete_{RULE}", on=of)
def delete_port_forwarding(rq: Request, found: rows.FloatingIP) -> None:
    """Delete a port forwarding."""
    ports.delete_forwarding(rq.tx, _asked(rq, found))
