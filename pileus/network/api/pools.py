"""Subnet pools and address scopes (Networking API, "Subnet pools extension", "Address scopes")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, mark_shared, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.networks import address_scope as SCOPE
from pileus.network.resources.networks import subnetpool as POOL
from pileus.network.service import lookup, pools
from pileus.network.store import queries


def pool(rq: Request, id: str) -> rows.SubnetPool:
    return constrained(rq, lookup.get_shareable(rq.tx, viewer(rq), rows.SubnetPool, id))


def scope(rq: Request, id: str) -> rows.AddressScope:
    return lookup.get_shareable(rq.tx, viewer(rq), rows.AddressScope, id)


def visible(rq: Request, struct: type[Any], kind: str) -> list[Clause]:
    """Own, shared with all, or opened to the caller."""
    if viewer(rq).admin:
        return []
    table = columns(struct)
    own = table.project_id == sa.bindparam("viewer", type_=sa.Text())
    clause = sa.or_(own, table.shared, table.id.in_(queries.opened_to(kind)))
    return [("visible", clause, {"viewer": rq.ctx.project_id or ""})]


plain(
    POOL,
    rows.SubnetPool,
    "/subnetpools",
    on=pool,
    make=lambda rq, values: pools.create_pool(rq.tx, viewer(rq), owner(rq, values), **values),
    change=lambda rq, found, values: pools.update_pool(rq.tx, viewer(rq), found, **values),
    delete=lambda rq, found: pools.delete_pool(rq.tx, found),
    clauses=lambda rq: visible(rq, rows.SubnetPool, "subnetpool"),
    dress=mark_shared,
    noun="subnet pool",
)


def change_scope(rq: Request, found: rows.AddressScope, values: dict[str, Any]) -> rows.AddressScope:
    if "shared" in values:
        rq.authorize("update_address_scope:shared", found)
    return pools.update_scope(rq.tx, found, **values)


plain(
    SCOPE,
    rows.AddressScope,
    "/address-scopes",
    on=scope,
    make=lambda rq, values: pools.create_scope(rq.tx, owner(rq, values), **values),
    change=change_scope,
    delete=lambda rq, found: pools.delete_scope(rq.tx, found),
    clauses=lambda rq: visible(rq, rows.AddressScope, "address_scope"),
    dress=mark_shared,
)


PREFIXES = POOL.fields["prefixes"]


@api.put("/subnetpools/{id}/add_prefixes", policy="add_prefixes", on=pool)
def add_prefixes(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Add prefixes to a subnet pool."""
    return {"prefixes": pools.add_prefixes(rq.tx, viewer(rq), found, PREFIXES.check(rq.json.get("prefixes"))).prefixes}


@api.put("/subnetpools/{id}/remove_prefixes", policy="remove_prefixes", on=pool)
def remove_prefixes(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Take prefixes from a subnet pool."""
    return {"prefixes": pools.remove_prefixes(rq.tx, found, PREFIXES.check(rq.json.get("prefixes"))).prefixes}
