"""What operators look at: agents, availability zones, service providers, addresses in use."""

import ipaddress
import uuid
from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import sql
from pileus.core.errors import Conflict, NotFound
from pileus.core.fields import FALSE, TRUE, Boolean, Object, Text
from pileus.core.tables import columns, shape
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api
from pileus.network.api.routers import router
from pileus.network.desired import gateway_hosts
from pileus.network.drivers.base import Chassis
from pileus.network.drivers.translate.ports import rank_gateway_hosts
from pileus.network.resources.routers import router as ROUTER
from pileus.network.store import queries

ZONE = "nova"
KINDS = (("OVN Controller agent", "ovn-controller"), ("OVN Metadata agent", "pileus-node"))
_allocation = columns(rows.IPAllocation)
_USED = sql(sa.select(_allocation.subnet_id, sa.func.count()).group_by(_allocation.subnet_id))


def _agents(rq: Request) -> list[dict[str, Any]]:
    """Two of each host: what forwards packets, and what answers for metadata."""
    agents = [_agent(host, *kind) for host in rq.cloud.drivers["network"].chassis() for kind in KINDS]
    with rq.cloud.db.read() as tx:
        notes = queries.notes(tx)
    for agent in agents:
        if note := notes.get(agent["id"]):
            agent.update(description=note.description, admin_state_up=note.admin_state_up)
    return agents


def _agent(host: Chassis, kind: str, binary: str) -> dict[str, Any]:
    seen = clock.at(host.last_seen) if host.last_seen else clock.now()
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{host.name}")),
        "agent_type": kind,
        "binary": binary,
        "host": host.hostname,
        "alive": host.alive,
        "admin_state_up": True,
        "availability_zone": ZONE if kind == KINDS[0][0] else "",
        "topic": "n/a",
        "description": "",
        "created_at": _shown(seen),
        "started_at": _shown(seen),
        "heartbeat_timestamp": _shown(seen),
        "resources_synced": None,
        "configurations": {
            "chassis_name": host.name,
            "bridge-mappings": ",".join(host.physnets),
            "encap_ip": host.encap_ip,
        },
    }


def _shown(stamp: str) -> str:
    return stamp[:19].replace("T", " ")


def _matches(rq: Request, found: dict[str, Any], names: tuple[str, ...]) -> bool:
    for name in names:
        wanted = rq.query.all(name)
        value = found[name]
        if wanted and isinstance(value, bool):
            if not any(text.lower() in (TRUE if value else FALSE) for text in wanted):
                return False
        elif wanted and str(value) not in wanted:
            return False
    return True


@api.get("/agents", policy="get_agents", tx="")
def list_agents(rq: Request) -> dict[str, Any]:
    """List agents."""
    names = ("id", "agent_type", "binary", "host", "alive", "admin_state_up", "availability_zone")
    only = rq.query.all("fields")
    seen = _agents(rq) if rq.allows("get_agent") else []
    found = [agent for agent in seen if _matches(rq, agent, names)]
    return {"agents": [{k: v for k, v in agent.items() if not only or k in only} for agent in found]}


@api.get("/agents/{id}", policy="get_agent", tx="")
def show_agent(rq: Request) -> dict[str, Any]:
    """Show an agent."""
    only = rq.query.all("fields")
    return {"agent": {k: v for k, v in _asked(rq).items() if not only or k in only}}


def _asked(rq: Request) -> dict[str, Any]:
    for agent in _agents(rq):
        if agent["id"] == rq.params["id"]:
            return agent
    raise NotFound(f"Agent {rq.params['id'][:60]} could not be found.", kind="AgentNotFound")


NOTES = [Text("description"), Boolean("admin_state_up")]


@api.put("/agents/{id}", policy="update_agent")
def update_agent(rq: Request) -> dict[str, Any]:
    """Describe an agent."""
    agent = _asked(rq)
    values = Object("agent", NOTES).check(rq.unwrap("agent"))
    note = rows.AgentNote(agent["id"], agent["description"], agent["admin_state_up"])
    rq.tx.delete(rows.AgentNote, id=agent["id"])
    for name, value in values.items():
        setattr(note, name, value)
    rq.tx.insert(note)
    return {"agent": {**agent, **values}}


@api.delete("/agents/{id}", policy="delete_agent")
def delete_agent(rq: Request) -> None:
    """Forget an agent whose host is gone."""
    agent = _asked(rq)
    if agent["alive"]:
        raise Conflict(f"Agent {agent['id']} is alive: stop its host first.", kind="AgentInUse")
    rq.cloud.drivers["network"].forget_chassis(agent["configurations"]["chassis_name"])
    rq.tx.delete(rows.AgentNote, id=agent["id"])


@api.get("/agents/{id}/l3-routers", policy="get_l3-routers")
def list_l3_routers(rq: Request) -> dict[str, Any]:
    """List the routers whose way out may lead over a host."""
    agent = _asked(rq)
    found = queries.by_id(
        rq.tx, rows.Router, (port.device_id for port in _gateways(rq) if agent["host"] in _hosts(rq, port))
    )
    view = ROUTER.viewer(rq)
    return {"routers": [view(row) for row in found.values()]}


@api.get("/routers/{id}/l3-agents", policy="get_l3-agents", on=router)
def list_l3_agents(rq: Request, found: rows.Router) -> dict[str, Any]:
    """List the hosts over which a router's way out may lead; the first is in use."""
    port = rq.tx.find(rows.Port, id=found.gateway_port_id) if found.gateway_port_id else None
    hosts = _hosts(rq, port) if port else []
    agents = {agent["host"]: agent for agent in _agents(rq) if agent["agent_type"] == KINDS[0][0]}
    states = ["active", *["standby"] * len(hosts)]
    return {"agents": [{**agents[host], "ha_state": state} for host, state in zip(hosts, states, strict=False)]}


def _gateways(rq: Request) -> list[rows.Port]:
    return rq.tx.select(rows.Port, device_owner=rows.GATEWAY_OWNER)


def _hosts(rq: Request, port: rows.Port) -> list[str]:
    network = rq.tx.get(rows.Network, id=port.network_id)
    chassis = rq.cloud.drivers["network"].chassis()
    return rank_gateway_hosts(port.device_id, gateway_hosts(network, chassis))


@api.get("/availability_zones", policy="get_availability_zone", tx="")
def list_availability_zones(rq: Request) -> dict[str, Any]:
    """List availability zones."""
    zones = [{"name": ZONE, "resource": kind, "state": "available"} for kind in ("network", "router")]
    names = ("name", "resource", "state")
    return {"availability_zones": [zone for zone in zones if _matches(rq, zone, names)]}


@api.get("/service-providers", policy="get_service_provider", tx="")
def list_service_providers(rq: Request) -> dict[str, Any]:
    """List who provides services of the network."""
    return {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": True}]}


@api.get("/network-ip-availabilities", policy="get_network_ip_availability")
def list_network_ip_availabilities(rq: Request) -> dict[str, Any]:
    """List how many addresses of each network are in use."""
    counts = _counts(rq)
    found = [_availability(network, *counts) for network in rq.tx.select(rows.Network, order="id")]
    aliases = {"tenant_id": "project_id"}
    shown = []
    for one in found:
        names = ("network_id", "network_name", "project_id")
        version = rq.query.get("ip_version")
        if version is not None:
            one = _only_version(one, version)
        if _matches(rq, one, names) and all(
            not rq.query.all(alias) or one[name] in rq.query.all(alias) for alias, name in aliases.items()
        ):
            shown.append(one)
    return {"network_ip_availabilities": shown}


@api.get("/network-ip-availabilities/{id}", policy="get_network_ip_availability")
def show_network_ip_availability(rq: Request) -> dict[str, Any]:
    """Show how many addresses of a network are in use."""
    network = rq.tx.find(rows.Network, id=rq.params["id"])
    if network is None:
        raise NotFound(f"Network {rq.params['id'][:60]} could not be found.", kind="NetworkNotFound")
    return {"network_ip_availability": _availability(network, *_counts(rq))}


def _counts(rq: Request) -> tuple[dict[str, list[rows.Subnet]], dict[str, int]]:
    """Subnets by network, and the addresses in use of each."""
    subnets: dict[str, list[rows.Subnet]] = {}
    for subnet in rq.tx.rows(rows.Subnet, _ALL_SUBNETS):
        subnets.setdefault(subnet.network_id, []).append(subnet)
    return subnets, {row[0]: int(row[1]) for row in rq.tx.all(_USED)}


_ALL_SUBNETS = sql(sa.select(shape(rows.Subnet).table).order_by(columns(rows.Subnet).created_at))


def _total(subnet: rows.Subnet) -> int:
    return sum(
        int(ipaddress.ip_address(pool["end"])) - int(ipaddress.ip_address(pool["start"])) + 1
        for pool in subnet.allocation_pools
    )


def _availability(network: rows.Network, subnets: dict[str, list[rows.Subnet]], used: dict[str, int]) -> dict[str, Any]:
    parts = [
        {
            "subnet_id": subnet.id,
            "subnet_name": subnet.name,
            "cidr": subnet.cidr,
            "ip_version": subnet.ip_version,
            "total_ips": _total(subnet),
            "used_ips": used.get(subnet.id, 0),
        }
        for subnet in subnets.get(network.id, [])
    ]
    return {
        "network_id": network.id,
        "network_name": network.name,
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "total_ips": sum(part["total_ips"] for part in parts),
        "used_ips": sum(part["used_ips"] for part in parts),
        "subnet_ip_availability": parts,
    }


def _only_version(one: dict[str, Any], version: str) -> dict[str, Any]:
    parts = [part for part in one["subnet_ip_availability"] if str(part["ip_version"]) == version]
    return {
        **one,
        "subnet_ip_availability": parts,
        "total_ips": sum(part["total_ips"] for part in parts),
        "used_ips": sum(part["used_ips"] for part in parts),
    }
