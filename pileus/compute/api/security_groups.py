"""Security groups as compute once had them: an older door to the network service's, closed since 2.36."""

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Any

from pileus import network as front
from pileus.compute import networks
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.fields import REQUIRED, Integer, Text, Uuid
from pileus.core.resources import Resource
from pileus.core.wire import Request

POLICY = "os_compute_api:os-security-groups"
UNTIL = "2.35"

GROUP = Resource(
    "security_group",
    [
        Text("name", create=REQUIRED, update=True, min=1, pattern=r"(?s).*\S.*"),
        Text("description", create=REQUIRED, update=True, null=True),
    ],
)
_PORT = Integer("port", min=-1, max=65535)


@contextlib.contextmanager
def _worded() -> Iterator[None]:
    """What the network service calls a conflict was a bad request at this door."""
    try:
        yield
    except Conflict as error:
        raise BadRequest(error.message, kind=error.kind) from None


def group(rq: Request, group_id: str) -> front.SecurityGroup:
    return front.get_security_group(rq.tx, rq.ctx, group_id)


def rule(rq: Request, rule_id: str) -> front.SecurityGroupRule:
    return front.get_security_group_rule(rq.tx, rq.ctx, rule_id)


def _groups(rq: Request, found: list[front.SecurityGroup]) -> list[dict[str, Any]]:
    rules = front.rules_of(rq.tx, [each.id for each in found])
    names = {each.id: each for each in found}
    return [
        {
            "id": each.id,
            "name": each.name,
            "tenant_id": each.project_id,
            "description": each.description,
            "rules": [_rule(rq, line, names) for line in rules.get(each.id, []) if line.direction == "ingress"],
        }
        for each in found
    ]


def _rule(rq: Request, found: front.SecurityGroupRule, names: dict[str, front.SecurityGroup]) -> dict[str, Any]:
    remote: dict[str, Any] = {}
    cidr: dict[str, Any] = {}
    if found.remote_group_id:
        source = names.get(found.remote_group_id) or front.get_security_group(rq.tx, rq.ctx, found.remote_group_id)
        remote = {"name": source.name, "tenant_id": source.project_id}
    else:
        cidr = {"cidr": found.remote_ip_prefix or ("0.0.0.0/0" if found.ethertype == "IPv4" else "::/0")}
    whole = {"icmp": (-1, -1), "tcp": (1, 65535), "udp": (1, 65535)}.get(found.protocol or "", (None, None))
    return {
        "id": found.id,
        "parent_group_id": found.security_group_id,
        "ip_protocol": found.protocol,
        "from_port": whole[0] if found.port_range_min is None else found.port_range_min,
        "to_port": whole[1] if found.port_range_max is None else found.port_range_max,
        "group": remote,
        "ip_range": cidr,
    }


@api.get("/os-security-groups", policy=f"{POLICY}:get", until=UNTIL, tx="write")
def list_groups(rq: Request) -> dict[str, Any]:
    """List security groups."""
    everybody = "all_tenants" in rq.query and rq.allows("os_compute_api:servers:index:get_all_tenants")
    found = rq.tx.select(front.SecurityGroup, order="name") if everybody else None
    return {"security_groups": _groups(rq, found or front.list_security_groups(rq.tx, rq.ctx))}


@api.post("/os-security-groups", policy=f"{POLICY}:create", until=UNTIL)
def create_group(rq: Request) -> dict[str, Any]:
    """Create a security group."""
    given = GROUP.parse_create(rq)
    with _worded():
        made = front.create_security_group(rq.tx, rq.ctx, given["name"], given["description"] or "")
    return {"security_group": _groups(rq, [made])[0]}


@api.get("/os-security-groups/{group_id}", policy=f"{POLICY}:show", on=group, until=UNTIL)
def show_group(rq: Request, found: front.SecurityGroup) -> dict[str, Any]:
    """Show a security group."""
    return {"security_group": _groups(rq, [found])[0]}


@api.put("/os-security-groups/{group_id}", policy=f"{POLICY}:update", on=group, until=UNTIL)
def update_group(rq: Request, found: front.SecurityGroup) -> dict[str, Any]:
    """Rename or describe a security group."""
    given = GROUP.parse_update(rq)
    with _worded():
        changed = front.update_security_group(rq.tx, found, **given)
    return {"security_group": _groups(rq, [changed])[0]}


@api.delete("/os-security-groups/{group_id}", policy=f"{POLICY}:delete", on=group, until=UNTIL, status=202)
def delete_group(rq: Request, found: front.SecurityGroup) -> None:
    """Delete a security group."""
    with _worded():
        front.delete_security_group(rq.tx, rq.ctx, found)


@api.post("/os-security-group-rules", policy=f"{POLICY}:rule:create", until=UNTIL)
def create_rule(rq: Request) -> dict[str, Any]:
    """Let something in."""
    given = rq.unwrap("security_group_rule")
    parent = str(given.get("parent_group_id"))
    Uuid("parent_group_id").check(parent)
    found = front.get_security_group(rq.tx, rq.ctx, parent)
    values = _values(rq, given)
    with _worded():
        made = front.create_security_group_rule(rq.tx, rq.ctx, found, **values)
    return {"security_group_rule": _rule(rq, made, {found.id: found})}


def _values(rq: Request, given: dict[str, Any]) -> dict[str, Any]:
    """A rule in the network service's words."""
    protocol = given.get("ip_protocol")
    if not isinstance(protocol, str) or protocol.lower() not in ("tcp", "udp", "icmp"):
        raise BadRequest("Invalid IP protocol: it must be tcp, udp or icmp.")
    ports = [_PORT.check(given.get(name)) for name in ("from_port", "to_port")]
    if protocol.lower() != "icmp" and (min(ports) < 1 or ports[0] > ports[1]):
        raise BadRequest(f"Invalid port range {ports[0]}:{ports[1]}.")
    values: dict[str, Any] = {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol.lower()}
    for name, port in zip(("port_range_min", "port_range_max"), ports, strict=True):
        values[name] = None if port == -1 else port
    if given.get("group_id"):
        remote = front.get_security_group(rq.tx, rq.ctx, str(given["group_id"]))
        return {**values, "remote_group_id": remote.id}
    try:
        cidr = ipaddress.ip_network(given.get("cidr") or "0.0.0.0/0", strict=False)
    except (ValueError, TypeError):
        raise BadRequest("Invalid cidr: it must be a network.") from None
    return {**values, "remote_ip_prefix": str(cidr), "ethertype": f"IPv{cidr.version}"}


@api.delete("/os-security-group-rules/{rule_id}", policy=f"{POLICY}:rule:delete", on=rule, until=UNTIL, status=202)
def delete_rule(rq: Request, found: front.SecurityGroupRule) -> None:
    """Delete a security group's rule."""
    front.delete_security_group_rule(rq.tx, found)


# -- a server's groups -------------------------------------------------------------------------------------------------


@api.get("/servers/{server_id}/os-security-groups", policy=f"{POLICY}:list", on=server)
def list_server_groups(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's security groups."""
    return {"security_groups": _groups(rq, networks.groups_of(rq.tx, found.id))}


def _named(rq: Request, action: str) -> str:
    given = rq.unwrap(action)
    if list(given) != ["name"] or not isinstance(given["name"], str) or not given["name"].strip():
        raise BadRequest(f"Invalid input for field/attribute {action}. It must have the one member 'name'.")
    return given["name"]


@api.do("/servers/{server_id}/action", "addSecurityGroup", policy=f"{POLICY}:add", on=server)
def add_group(rq: Request, found: Server) -> None:
    """Give all ports of a server a security group."""
    networks.add_group(rq.tx, rq.ctx, found.id, _named(rq, "addSecurityGroup"))


@api.do("/servers/{server_id}/action", "removeSecurityGroup", policy=f"{POLICY}:remove", on=server)
def remove_group(rq: Request, found: Server) -> None:
    """Take a security group from all ports of a server."""
    name = _named(rq, "removeSecurityGroup")
    if not networks.remove_group(rq.tx, rq.ctx, found.id, name):
        raise NotFound(f"Security group {name[:255]} is not associated with the instance {found.id}")
