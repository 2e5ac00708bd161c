"""A server's addresses and interfaces (Compute API, "Servers IPs", "Port interfaces")."""

from typing import Any

from pileus.compute import networks, servers
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, NotBuilt, NotFound
from pileus.core.wire import Request

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


@api.get("/servers/{server_id}/os-volume_attachments", policy="os_compute_api:os-volumes-attachments:index", on=server)
def list_volume_attachments(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's volumes: none, as long as there is no block storage."""
    return {"volumeAttachments": []}


@api.post("/servers/{server_id}/os-interface", policy=f"{POLICY}:create", on=server)
def attach_interface(rq: Request, found: Server) -> None:
    """Not built yet (501): give a server a further interface."""
    raise NotBuilt("Attaching interfaces to a server that is there is not built yet: name its networks at creation.")


@api.delete("/servers/{server_id}/os-interface/{port_id}", policy=f"{POLICY}:delete", on=server)
def detach_interface(rq: Request, found: Server) -> None:
    """Not built yet (501): take an interface from a server."""
    raise NotBuilt("Detaching interfaces from a server is not built yet.")


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
