"""Ports (Networking API, "Ports")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.db import in_list
from pileus.core.errors import BadRequest
from pileus.core.paging import like_escape
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, create, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.ports import port as PORT
from pileus.network.resources.trunks import sub_port_view
from pileus.network.service import lookup, ports, trunks
from pileus.network.store import queries

_port, _network = columns(rows.Port), columns(rows.Network)
_allocation, _member = columns(rows.IPAllocation), columns(rows.PortSecurityGroup)
_OWN_NETWORKS = sa.select(_network.id).where(_network.project_id == sa.bindparam("viewer", type_=sa.Text()))
# Attributes that only the network's owner decides on, and the rule's name for each.
GUARDED = ("mac_address", "port_security_enabled", "allowed_address_pairs", "binding:host_id", "binding:profile")


def port(rq: Request, id: str) -> rows.Port:
    return constrained(rq, lookup.get_port(rq.tx, viewer(rq), id))


def visible(rq: Request) -> list[Clause]:
    """Own, or on own networks."""
    if viewer(rq).admin:
        return []
    clause = sa.or_(_port.project_id == sa.bindparam("viewer", type_=sa.Text()), _port.network_id.in_(_OWN_NETWORKS))
    return [("visible", clause, {"viewer": rq.ctx.project_id or ""})]


def dress(rq: Request, found: list[rows.Port]) -> None:
    """The domain of its names, and what a trunk's port carries."""
    zone = rq.cloud.settings.dns_domain.rstrip(".")
    for row in found:
        row.zone = zone  # type: ignore[attr-defined]
    carriers = {
        trunk.port_id: trunk for trunk in queries.select_in(rq.tx, rows.Trunk, "port_id", (row.id for row in found))
    }
    if not carriers:
        return
    members = trunks.members(rq.tx, [trunk.id for trunk in carriers.values()])
    carried = queries.by_id(rq.tx, rows.Port, (member.port_id for each in members.values() for member in each))
    for row in found:
        if trunk := carriers.get(row.id):
            row.trunk_details = {  # type: ignore[attr-defined]
                "trunk_id": trunk.id,
                "sub_ports": [
                    {**sub_port_view(member), "mac_address": carried[member.port_id].mac_address}
                    for member in members[trunk.id]
                ],
            }


def _address_clauses(rq: Request) -> list[Clause]:
    """`fixed_ips=subnet_id=X`, `fixed_ips=ip_address=Y`, `fixed_ips=ip_address_substr=Z`: each kind any of its values."""
    wanted: dict[str, list[str]] = {}
    for text in rq.query.all("fixed_ips"):
        kind, equals, value = text.partition("=")
        if not equals or kind not in ("subnet_id", "ip_address", "ip_address_substr"):
            raise BadRequest("Invalid input for query parameter fixed_ips. It must be subnet_id=X or ip_address=Y.",
                             kind="InvalidInput")  # fmt: skip
        wanted.setdefault(kind, []).append(value)
    if not wanted:
        return []
    matches = sa.select(_allocation.port_id)
    values: dict[str, Any] = {}
    for kind in ("subnet_id", "ip_address"):
        if kind in wanted:
            matches = matches.where(in_list(_allocation[kind], f"fixed_{kind}"))
            values[f"fixed_{kind}"] = wanted[kind]
    if "ip_address_substr" in wanted:
        pattern = sa.bindparam("fixed_part", type_=sa.Text())
        matches = matches.where(_allocation.ip_address.like(pattern, escape="\\"))
        values["fixed_part"] = f"%{like_escape(wanted['ip_address_substr'][0])}%"
    return [("fixed_ips " + " ".join(sorted(wanted)), _port.id.in_(matches), values)]


def _group_clauses(rq: Request) -> list[Clause]:
    wanted = rq.query.all("security_groups")
    if not wanted:
        return []
    members = sa.select(_member.port_id).where(in_list(_member.security_group_id, "groups"))
    return [("security_groups", _port.id.in_(members), {"groups": wanted})]


def _authorize(rq: Request, verb: str, network: rows.Network, project_id: str, body: dict[str, Any]) -> None:
    """On another project's network a port takes what it is given."""
    target = {
        "project_id": project_id, "tenant_id": project_id, "network_project_id": network.project_id,
        "shared": network.shared,
    }  # fmt: skip
    for name in GUARDED:
        if body.get(name) not in (None, "", [], {}) or (name == "port_security_enabled" and name in body):
            rq.authorize(f"{verb}_port:{name}", target)
    if str(body.get("device_owner") or "").startswith("network:"):
        rq.authorize(f"{verb}_port:device_owner", target)
    for entry in body.get("fixed_ips") or []:
        kind = "ip_address" if isinstance(entry, dict) and entry.get("ip_address") else "subnet_id"
        rq.authorize(f"{verb}_port:fixed_ips:{kind}", target)


def _changed(found: rows.Port, body: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What of the body is not as it is already: clients send whole ports back."""
    return {
        name: value
        for name, value in body.items()
        if (field := PORT.fields.get(name)) and values.get(field.source) != getattr(found, field.source, None)
    }


@api.post("/ports", policy="create_port", status=201)
def create_port(rq: Request) -> dict[str, Any]:
    """Create a port, or several."""
    bodies = iter(rq.json.get(PORT.plural) or [rq.json.get(PORT.name)])

    def make(values: dict[str, Any]) -> rows.Port:
        network = lookup.get_network(rq.tx, viewer(rq), values.pop("network_id"))
        project_id = owner(rq, values)
        _authorize(rq, "create", network, project_id, next(bodies) or {})
        made = ports.create_port(rq.tx, viewer(rq), project_id, network, **values)
        dress(rq, [made])
        return made

    return create(rq, PORT, make)


def change(rq: Request, found: rows.Port, values: dict[str, Any]) -> rows.Port:
    network = rq.tx.get(rows.Network, id=found.network_id)
    _authorize(rq, "update", network, found.project_id, _changed(found, rq.unwrap(PORT.name), values))
    return ports.update_port(rq.tx, viewer(rq), found, **values)


plain(
    PORT,
    rows.Port,
    "/ports",
    on=port,
    change=change,
    delete=lambda rq, found: ports.delete_port(rq.tx, found),
    clauses=lambda rq: [*visible(rq), *_address_clauses(rq), *_group_clauses(rq)],
    dress=dress,
    also=["fixed_ips", "security_groups"],
)
