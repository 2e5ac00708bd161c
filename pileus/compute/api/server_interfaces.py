"""A server's addresses and interfaces (Compute API, "Servers IPs", "Port interfaces")."""

from typing import Any

from pileus.compute import networks, servers
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.resources.servers import TAG
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotBuilt, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Address, Items, Object, Text, Uuid
from pileus.core.microversions import Version
from pileus.core.resources import Resource
from pileus.core.wire import Request

ATTACHMENT = Resource(
    "interfaceAttachment",
    [
        Uuid("net_id", create=OPTIONAL),
        Uuid("port_id", create=OPTIONAL),
        Items("fixed_ips", Object("fixed_ips", [Address("ip_address", create=REQUIRED)]), max=1, create=OPTIONAL),
        Text("tag", create=OPTIONAL, min=1, max=60, pattern=TAG, since="2.49"),
    ],
)
IPS = "os_compute_api:ips"
POLICY = "os_compute_api:os-attach-interfaces"


def _addresses(rq: Request, found: Server) -> dict[str, list[dict[str, Any]]]:
    seen = networks.seen(rq.tx, [found.id]).get(found.id, networks.Seen())
    return {
        name: [{"version": address["version"], "addr": address["addr"]} for address in shown]
        for name, shown in seen.addresses.items()
    }


@api.get("/servers/{server_id}/ips", policy=f"{IPS}:index", on=server)
def list_addresses(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's addresses by network."""
    return {"addresses": _addresses(rq, found)}


@api.get("/servers/{server_id}/ips/{network}", policy=f"{IPS}:show", on=server)
def show_addresses(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's addresses on one network."""
    name, addresses = rq.params["network"], _addresses(rq, found)
    if name not in addresses:
        raise NotFound(f"Instance is not a member of specified network: {name[:255]}")
    return {name: addresses[name]}


def _shown(interface: networks.Interface, tagged: bool) -> dict[str, Any]:
    port = interface.port
    body = {
        "port_state": port.status,
        "port_id": port.id,
        "net_id": port.network_id,
        "mac_addr": port.mac_address,
        "fixed_ips": [{"subnet_id": ip.subnet_id, "ip_address": ip.ip_address} for ip in port.fixed_ips],
    }
    return {**body, "tag": interface.tag} if tagged else body


@api.get("/servers/{server_id}/os-interface", policy=f"{POLICY}:list", on=server, until="2.69")
def list_interfaces(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's interfaces."""
    return {"interfaceAttachments": [_shown(each, False) for each in networks.interfaces(rq.tx, found.id)]}


@api.get("/servers/{server_id}/os-interface", policy=f"{POLICY}:list", on=server, since="2.70")
def list_interfaces_with_tags(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's interfaces and their tags."""
    return {"interfaceAttachments": [_shown(each, True) for each in networks.interfaces(rq.tx, found.id)]}


def _interface(rq: Request, found: Server) -> networks.Interface:
    port_id = rq.params["port_id"]
    for each in networks.interfaces(rq.tx, found.id):
        if each.port.id == port_id:
            return each
    raise NotFound(f"Port {port_id} is not attached to server {found.id}.", kind="PortNotFound")


@api.get("/servers/{server_id}/os-interface/{port_id}", policy=f"{POLICY}:show", on=server, until="2.69")
def show_interface(rq: Request, found: Server) -> dict[str, Any]:
    """Show one of a server's interfaces."""
    return {"interfaceAttachment": _shown(_interface(rq, found), False)}


@api.get("/servers/{server_id}/os-interface/{port_id}", policy=f"{POLICY}:show", on=server, since="2.70")
def show_interface_with_tag(rq: Request, found: Server) -> dict[str, Any]:
    """Show one of a server's interfaces and its tag."""
    return {"interfaceAttachment": _shown(_interface(rq, found), True)}


@api.post("/servers/{server_id}/os-interface", policy=f"{POLICY}:create", on=server)
def attach_interface(rq: Request, found: Server) -> dict[str, Any]:
    """Give a server a further interface; it is plugged in while the guest runs."""
    given = ATTACHMENT.parse_create(rq)
    network_id, port_id, wanted = given.get("net_id"), given.get("port_id"), given.get("fixed_ips") or []
    if network_id and port_id:
        raise BadRequest("Must not input both network_id and port_id")
    if wanted and not network_id:
        raise BadRequest("Must input network_id when request IP address")
    item = {
        "uuid": network_id,
        "port": port_id,
        "tag": given.get("tag"),
        "fixed_ip": wanted[0]["ip_address"] if wanted else None,
    }
    made = servers.attach_interface(rq.tx, rq.ctx, found, item)
    for each in networks.interfaces(rq.tx, found.id):
        if each.port.id == made:
            return {"interfaceAttachment": _shown(each, rq.version >= Version(2, 70))}
    raise NotFound(f"Port {made} is not attached to server {found.id}.", kind="PortNotFound")


@api.delete("/servers/{server_id}/os-interface/{port_id}", policy=f"{POLICY}:delete", on=server, status=202)
def detach_interface(rq: Request, found: Server) -> None:
    """Take an interface from a server; the guest is asked to let go of it."""
    port = _interface(rq, found).port
    servers.detach_interface(rq.tx, rq.ctx, found, port.id, port.network_id)


@api.get("/servers/{server_id}/shares", policy="os_compute_api:os-server-shares:index", on=server, since="2.97")
def list_shares(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's shared file systems: none, as long as there is no service for them."""
    return {"shares": []}


@api.post("/servers/{server_id}/shares", policy="os_compute_api:os-server-shares:create", on=server, since="2.97")
def attach_share(rq: Request, found: Server) -> None:
    """Not built (501): give a server a shared file system."""
    raise NotBuilt("There is no service of shared file systems here.")


def _one_member(rq: Request, action: str, name: str) -> str:
    given = rq.unwrap(action)
    if list(given) != [name] or not isinstance(given[name], str):
        raise BadRequest(f"Invalid input for field/attribute {action}. It must have the one member {name!r}.")
    value: str = given[name]
    return value


# the guest is not told: it learns of its new address from DHCP or from its metadata
@api.do("/servers/{server_id}/action", "addFixedIp", policy="os_compute_api:os-multinic:add", on=server, until="2.43")
def add_fixed_ip(rq: Request, found: Server) -> None:
    """Give a server one more address on a network it is on."""
    networks.add_fixed_ip(rq.tx, rq.ctx, found.id, _one_member(rq, "addFixedIp", "networkId"))
    rq.tx.after_commit(lambda: servers.tell_guest(rq.cloud, found.id, addresses=True))


@api.do(
    "/servers/{server_id}/action", "removeFixedIp", policy="os_compute_api:os-multinic:remove", on=server, until="2.43"
)
def remove_fixed_ip(rq: Request, found: Server) -> None:
    """Take an address from a server."""
    networks.remove_fixed_ip(rq.tx, rq.ctx, found.id, _one_member(rq, "removeFixedIp", "address"))
    rq.tx.after_commit(lambda: servers.tell_guest(rq.cloud, found.id, addresses=True))
