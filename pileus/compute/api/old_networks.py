"""Networks and floating IPs as compute once had them: older doors to the network service's, closed since 2.36."""

from typing import Any

from pileus import network as front
from pileus.compute import networks
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.core.wire import Request

RULE = "os_compute_api"
FLOATING = f"{RULE}:os-floating-ips"
UNTIL = "2.35"
# what nova-network told of a network; only these two are still known
UNKNOWN = dict.fromkeys(
    (
        "bridge", "vpn_public_port", "dhcp_start", "bridge_interface", "share_address", "updated_at", "cidr_v6",
        "deleted_at", "gateway", "rxtx_base", "priority", "project_id", "vpn_private_address", "deleted", "vlan",
        "broadcast", "netmask", "injected", "cidr", "vpn_public_address", "multi_host", "enable_dhcp", "dns1", "dns2",
        "created_at", "host", "gateway_v6", "netmask_v6", "dhcp_server", "mtu",
    )
)  # fmt: skip


def network(rq: Request, network_id: str) -> front.Network:
    return front.get_network(rq.tx, rq.ctx, network_id)


@api.get("/os-networks", policy=f"{RULE}:os-networks:list", until=UNTIL)
def list_old_networks(rq: Request) -> dict[str, Any]:
    """List networks."""
    found = front.list_networks(rq.tx, rq.ctx)
    return {"networks": [{**UNKNOWN, "id": each.id, "label": each.name} for each in found]}


@api.get("/os-networks/{network_id}", policy=f"{RULE}:os-networks:show", on=network, until=UNTIL)
def show_old_network(rq: Request, found: front.Network) -> dict[str, Any]:
    """Show a network."""
    return {"network": {**UNKNOWN, "id": found.id, "label": found.name}}


@api.get("/os-tenant-networks", policy=f"{RULE}:os-tenant-networks:list", until=UNTIL)
def list_tenant_networks(rq: Request) -> dict[str, Any]:
    """List networks, in fewer words."""
    found = front.list_networks(rq.tx, rq.ctx)
    return {"networks": [{"id": each.id, "cidr": None, "label": each.name} for each in found]}


@api.get("/os-tenant-networks/{network_id}", policy=f"{RULE}:os-tenant-networks:show", on=network, until=UNTIL)
def show_tenant_network(rq: Request, found: front.Network) -> dict[str, Any]:
    """Show a network, in fewer words."""
    return {"network": {"id": found.id, "cidr": None, "label": found.name}}


# -- floating IPs ------------------------------------------------------------------------------------------------------


def floating_ip(rq: Request, floating_ip_id: str) -> front.FloatingIP:
    return front.get_floating_ip(rq.tx, rq.ctx, floating_ip_id)


def _pools(rq: Request) -> list[front.Network]:
    return [each for each in front.list_networks(rq.tx, rq.ctx) if each.external]


def _shown(rq: Request, found: list[front.FloatingIP]) -> list[dict[str, Any]]:
    pools = {each.id: each.name for each in _pools(rq)} if found else {}
    ports = {each.port_id: rq.tx.find(front.Port, id=each.port_id) for each in found if each.port_id}
    return [
        {
            "id": each.id,
            "ip": each.floating_ip_address,
            "pool": pools.get(each.floating_network_id, each.floating_network_id),
            "fixed_ip": each.fixed_ip_address,
            "instance_id": port.device_id or None if (port := ports.get(each.port_id or "")) else None,
        }
        for each in found
    ]


@api.get("/os-floating-ip-pools", policy=f"{RULE}:os-floating-ip-pools", until=UNTIL)
def list_pools(rq: Request) -> dict[str, Any]:
    """List the networks that floating IPs come from."""
    return {"floating_ip_pools": [{"name": each.name or each.id} for each in _pools(rq)]}


@api.get("/os-floating-ips", policy=f"{FLOATING}:list", until=UNTIL)
def list_floating_ips(rq: Request) -> dict[str, Any]:
    """List a project's floating IPs."""
    return {"floating_ips": _shown(rq, front.list_floating_ips(rq.tx, rq.ctx))}


@api.get("/os-floating-ips/{floating_ip_id}", policy=f"{FLOATING}:show", on=floating_ip, until=UNTIL)
def show_floating_ip(rq: Request, found: front.FloatingIP) -> dict[str, Any]:
    """Show a floating IP."""
    return {"floating_ip": _shown(rq, [found])[0]}


@api.post("/os-floating-ips", policy=f"{FLOATING}:create", until=UNTIL)
def create_floating_ip(rq: Request) -> dict[str, Any]:
    """Take a floating IP from a pool."""
    wanted = rq.json.get("pool")
    if set(rq.json) - {"pool"} or not isinstance(wanted, str | None):
        raise BadRequest("Invalid input: the body may have the one member 'pool', a network's name or id.")
    pools = [each for each in _pools(rq) if wanted in (None, each.id, each.name)]
    if not pools:
        raise NotFound(f"Floating IP pool {(wanted or '')[:255]} not found.", kind="FloatingIpPoolNotFound")
    try:
        made = front.create_floating_ip(rq.tx, rq.ctx, pools[0])
    except Conflict as error:
        raise NotFound(f"No more floating IPs available: {error.message}", kind="NoMoreFloatingIps") from None
    return {"floating_ip": _shown(rq, [made])[0]}


@api.delete("/os-floating-ips/{floating_ip_id}", policy=f"{FLOATING}:delete", on=floating_ip, until=UNTIL, status=202)
def delete_floating_ip(rq: Request, found: front.FloatingIP) -> None:
    """Give a floating IP back."""
    front.delete_floating_ip(rq.tx, found)


def _address(rq: Request, action: str, *further: str) -> tuple[dict[str, Any], front.FloatingIP]:
    given = rq.unwrap(action)
    if (
        "address" not in given
        or set(given) - {"address", *further}
        or not all(isinstance(value, str) for value in given.values())
    ):
        raise BadRequest(f"Invalid input for field/attribute {action}. It must have the member 'address'.")
    for each in front.list_floating_ips(rq.tx, rq.ctx):
        if each.floating_ip_address == given["address"]:
            return given, each
    raise NotFound(f"Floating IP {given['address'][:64]} not found.", kind="FloatingIpNotFoundForAddress")


@api.do("/servers/{server_id}/action", "addFloatingIp", policy=f"{FLOATING}:add", on=server, until="2.43")
def add_floating_ip(rq: Request, found: Server) -> None:
    """Let a floating IP lead to a server."""
    given, address = _address(rq, "addFloatingIp", "fixed_address")
    for port in networks.ports_of(rq.tx, found.id):
        fixed = [ip.ip_address for ip in port.fixed_ips if ":" not in ip.ip_address]
        wanted = given.get("fixed_address", fixed[0] if fixed else None)
        if wanted in fixed:
            try:
                front.link_floating_ip(rq.tx, rq.ctx, address, port.id, wanted)
            except (Conflict, NotFound, Forbidden) as error:
                raise BadRequest(error.message, kind=error.kind) from None
            return
    raise BadRequest("Unable to associate floating IP with the server: it has no such fixed IPv4 address.")


@api.do("/servers/{server_id}/action", "removeFloatingIp", policy=f"{FLOATING}:remove", on=server, until="2.43")
def remove_floating_ip(rq: Request, found: Server) -> None:
    """Let a floating IP no longer lead to a server."""
    given, address = _address(rq, "removeFloatingIp")
    if address.port_id not in {port.id for port in networks.ports_of(rq.tx, found.id)}:
        raise Conflict(f"Floating IP {given['address'][:64]} is not associated with instance {found.id}.")
    front.link_floating_ip(rq.tx, rq.ctx, address, None, None)
