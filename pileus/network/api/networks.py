"""Networks (Networking API, "Networks")."""

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, constrained, flag_clause, mark_shared, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.networks import network as NETWORK
from pileus.network.service import lookup, networks, pools
from pileus.network.store import queries

_network, _rbac = columns(rows.Network), columns(rows.RbacPolicy)
_OPENED = _network.id.in_(queries.opened_to("network"))
_OUTWARD = sa.and_(_network.external, _network.id.in_(queries.opened_to("network", "access_as_external")))


def network(rq: Request, id: str) -> rows.Network:
    return constrained(rq, lookup.get_network(rq.tx, viewer(rq), id))


def visible(rq: Request) -> list[Clause]:
    """Own, shared with the caller, or external."""
    if viewer(rq).admin:
        return []
    own = _network.project_id == sa.bindparam("viewer", type_=sa.Text())
    return [("visible", sa.or_(own, _network.shared, _OPENED, _OUTWARD), {"viewer": rq.ctx.project_id or ""})]


def dress(rq: Request, found: list[rows.Network]) -> None:
    """What a network's view says beyond its row: its subnets, their address scopes, shared with this caller."""
    by_id = {row.id: row for row in found}
    for row in found:
        row.subnet_ids = []  # type: ignore[attr-defined]
        row.scopes = {}  # type: ignore[attr-defined]
    for subnet in queries.select_in(rq.tx, rows.Subnet, "network_id", by_id):
        row = by_id[subnet.network_id]
        row.subnet_ids.append(subnet.id)  # type: ignore[attr-defined]
        if scope := pools.get_scope_of(rq.tx, subnet.subnetpool_id):
            row.scopes[subnet.ip_version] = scope.id  # type: ignore[attr-defined]
    mark_shared(rq, found)


def clauses(rq: Request) -> list[Clause]:
    shared = sa.or_(_network.shared, _OPENED)
    return [*visible(rq), *flag_clause(rq, "shared", shared, {"viewer": rq.ctx.project_id or ""})]


plain(
    NETWORK,
    rows.Network,
    "/networks",
    on=network,
    make=lambda rq, values: networks.create_network(rq.tx, viewer(rq), owner(rq, values), **values),
    change=lambda rq, found, values: networks.update_network(rq.tx, viewer(rq), found, **values),
    delete=lambda rq, found: networks.delete_network(rq.tx, found),
    clauses=clauses,
    dress=dress,
    also=["shared"],
)
