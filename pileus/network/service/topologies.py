"""A network for whoever asks for any: made once for a project, with a way out."""

from typing import Any, NamedTuple

from pileus.core.db import Tx
from pileus.core.errors import Conflict
from pileus.network import rows
from pileus.network.service import networks, pools, routers, subnets
from pileus.network.service.gateways import interfaces
from pileus.network.service.lookup import Viewer
from pileus.network.store import queries


class Needed(NamedTuple):
    outside: rows.Network
    pools: list[rows.SubnetPool]


def check(tx: Tx, project_id: str) -> Needed:
    """What a topology is made of. Raises Conflict when an administrator has not provided it."""
    outside = tx.find(rows.Network, is_default=True, external=True)
    if outside is None:
        raise _failed("there is no default router:external network.")
    found = [
        pool
        for pool in tx.select(rows.SubnetPool, order="ip_version", is_default=True)
        if pool.shared or pool.project_id == project_id or queries.is_open_to(tx, pool.id, project_id)
    ]
    if not found:
        raise _failed("no default pools specified.")
    return Needed(outside, found)


def _failed(why: str) -> Conflict:
    return Conflict(f"Deployment error: {why}", kind="AutoAllocationFailure")


def get_topology(tx: Tx, viewer: Viewer, project_id: str) -> str:
    """The project's network, made when it is first asked for. Raises Conflict, OverQuota."""
    found = tx.find(rows.AutoAllocated, project_id=project_id)
    if found is not None:
        return found.network_id
    needed = check(tx, project_id)
    network = networks.create_network(tx, viewer, project_id, name="auto_allocated_network")
    gateway: dict[str, Any] = {"network_id": needed.outside.id}
    router = routers.create_router(tx, viewer, project_id, name="auto_allocated_router", external_gateway_info=gateway)
    for pool in needed.pools:
        subnet = _subnet(tx, viewer, project_id, network, pool)
        routers.add_interface(tx, viewer, router, subnet.id, None)
    tx.insert(rows.AutoAllocated(project_id, network.id, router.id))
    return network.id


def _subnet(tx: Tx, viewer: Viewer, project_id: str, network: rows.Network, pool: rows.SubnetPool) -> rows.Subnet:
    cidr = pools.choose_prefix(tx, viewer, {"subnetpool_id": pool.id})
    values: dict[str, Any] = {
        "name": f"auto_allocated_subnet_v{pool.ip_version}",
        "cidr": cidr,
        "subnetpool_id": pool.id,
    }
    if pool.ip_version == 6:
        values |= {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    return subnets.create_subnet(tx, project_id, network, **values)


def delete_topology(tx: Tx, viewer: Viewer, project_id: str) -> None:
    """Raises Conflict while it is in use. Gone already is fine."""
    found = tx.find(rows.AutoAllocated, project_id=project_id)
    if found is None:
        return
    router = tx.find(rows.Router, id=found.router_id)
    if router is not None:
        for port in interfaces(tx, router):
            routers.remove_interface(tx, viewer, router, None, port.id)
        routers.delete_router(tx, router)
    network = tx.find(rows.Network, id=found.network_id)
    if network is not None:
        networks.delete_network(tx, network)
    tx.delete(rows.AutoAllocated, project_id=project_id)
