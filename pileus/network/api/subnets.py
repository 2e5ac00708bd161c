"""Subnets (Networking API, "Subnets")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.errors import BadRequest
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, constrained, flag_clause, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.networks import subnet as SUBNET
from pileus.network.service import lookup, pools, subnets
from pileus.network.store import queries

_subnet, _network = columns(rows.Subnet), columns(rows.Network)
_SHARED_NETWORKS = sa.select(_network.id).where(sa.or_(_network.shared, _network.id.in_(queries.opened_to("network"))))
_OUTWARD_NETWORKS = sa.select(_network.id).where(
    _network.external, _network.id.in_(queries.opened_to("network", "access_as_external"))
)
_EXTERNAL_NETWORKS = sa.select(_network.id).where(_network.external)
_OWN_NETWORKS = sa.select(_network.id).where(_network.project_id == sa.bindparam("viewer", type_=sa.Text()))


def subnet(rq: Request, id: str) -> rows.Subnet:
    return constrained(rq, lookup.get_subnet(rq.tx, viewer(rq), id))


def visible(rq: Request) -> list[Clause]:
    """Own, of own networks, or of networks that are shared with the caller or external."""
    if viewer(rq).admin:
        return []
    own = _subnet.project_id == sa.bindparam("viewer", type_=sa.Text())
    clause = sa.or_(
        own,
        _subnet.network_id.in_(_OWN_NETWORKS),
        _subnet.network_id.in_(_SHARED_NETWORKS),
        _subnet.network_id.in_(_OUTWARD_NETWORKS),
    )
    return [("visible", clause, {"viewer": rq.ctx.project_id or ""})]


def dress(rq: Request, found: list[rows.Subnet]) -> None:
    networks = queries.by_id(rq.tx, rows.Network, (row.network_id for row in found))
    for row in found:
        row.external = networks[row.network_id].external  # type: ignore[attr-defined]


def clauses(rq: Request) -> list[Clause]:
    shared = _subnet.network_id.in_(_SHARED_NETWORKS)
    return [
        *visible(rq),
        *flag_clause(rq, "shared", shared, {"viewer": rq.ctx.project_id or ""}),
        *flag_clause(rq, "router:external", _subnet.network_id.in_(_EXTERNAL_NETWORKS)),
    ]


def make(rq: Request, values: dict[str, Any]) -> rows.Subnet:
    network = lookup.get_network(rq.tx, viewer(rq), values.pop("network_id"))
    project_id = owner(rq, values)
    rq.authorize("create_subnet", {"project_id": network.project_id, "network_project_id": network.project_id})
    _choose_cidr(rq, values)
    return subnets.create_subnet(rq.tx, project_id, network, **values)


def _choose_cidr(rq: Request, values: dict[str, Any]) -> None:
    """The CIDR that is given, or one from a pool."""
    if values.pop("use_default_subnetpool", False):
        if values.get("subnetpool_id"):
            raise BadRequest("Bad subnet request: subnetpool_id and use_default_subnetpool cannot both be specified.",
                             kind="BadRequest")  # fmt: skip
        values["subnetpool_id"] = pools.default_pool(rq.tx, values.get("ip_version"))
    if values.get("subnetpool_id"):
        if values.get("cidr") and values.get("prefixlen") is not None:
            raise BadRequest("Bad subnet request: cidr and prefixlen cannot both be specified.", kind="BadRequest")
        values["cidr"] = pools.choose_prefix(rq.tx, viewer(rq), values)
    elif not values.get("cidr"):
        raise BadRequest(
            "Bad subnets request: a subnetpool must be specified in the absence of a cidr.", kind="BadRequest"
        )
    values.pop("prefixlen", None)


plain(
    SUBNET,
    rows.Subnet,
    "/subnets",
    on=subnet,
    make=make,
    change=lambda rq, found, values: subnets.update_subnet(rq.tx, found, **values),
    delete=lambda rq, found: subnets.delete_subnet(rq.tx, found),
    clauses=clauses,
    dress=dress,
    also=["shared", "router:external"],
)
