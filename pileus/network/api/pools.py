"""Subnet pools and address scopes (Networking API, "Subnet pools extension", "Address scopes")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, create, listing, owner, show, viewer
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


@api.get("/subnetpools", policy="get_subnetpool")
def list_subnetpools(rq: Request) -> dict[str, Any]:
    """List subnet pools."""
    return listing(rq, POOL, rows.SubnetPool, visible(rq, rows.SubnetPool, "subnetpool"))


@api.post("/subnetpools", policy="create_subnetpool", status=201)
def create_subnetpool(rq: Request) -> dict[str, Any]:
    """Create a subnet pool, or several."""

    def make(values: dict[str, Any]) -> rows.SubnetPool:
        return pools.create_pool(rq.tx, viewer(rq), owner(rq, values), **values)

    return create(rq, POOL, make)


@api.get("/subnetpools/{id}", policy="get_subnetpool", on=pool)
def show_subnetpool(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Show a subnet pool."""
    return show(rq, POOL, found)


@api.put("/subnetpools/{id}", policy="update_subnetpool", on=pool)
def update_subnetpool(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Update a subnet pool."""
    return show(rq, POOL, pools.update_pool(rq.tx, viewer(rq), found, **POOL.parse_update(rq)))


@api.delete("/subnetpools/{id}", policy="delete_subnetpool", on=pool)
def delete_subnetpool(rq: Request, found: rows.SubnetPool) -> None:
    """Delete a subnet pool."""
    pools.delete_pool(rq.tx, found)


PREFIXES = POOL.fields["prefixes"]


@api.put("/subnetpools/{id}/add_prefixes", policy="add_prefixes", on=pool)
def add_prefixes(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Add prefixes to a subnet pool."""
    return {"prefixes": pools.add_prefixes(rq.tx, viewer(rq), found, PREFIXES.check(rq.json.get("prefixes"))).prefixes}


@api.put("/subnetpools/{id}/remove_prefixes", policy="remove_prefixes", on=pool)
def remove_prefixes(rq: Request, found: rows.SubnetPool) -> dict[str, Any]:
    """Take prefixes from a subnet pool."""
    return {"prefixes": pools.remove_prefixes(rq.tx, found, PREFIXES.check(rq.json.get("prefixes"))).prefixes}


@api.get("/address-scopes", policy="get_address_scope")
def list_address_scopes(rq: Request) -> dict[str, Any]:
    """List address scopes."""
    return listing(rq, SCOPE, rows.AddressScope, visible(rq, rows.AddressScope, "address_scope"))


@api.post("/address-scopes", policy="create_address_scope", status=201)
def create_address_scope(rq: Request) -> dict[str, Any]:
    """Create an address scope, or several."""

    def make(values: dict[str, Any]) -> rows.AddressScope:
        return pools.create_scope(rq.tx, owner(rq, values), **values)

    return create(rq, SCOPE, make)


@api.get("/address-scopes/{id}", policy="get_address_scope", on=scope)
def show_address_scope(rq: Request, found: rows.AddressScope) -> dict[str, Any]:
    """Show an address scope."""
    return show(rq, SCOPE, found)


@api.put("/address-scopes/{id}", policy="update_address_scope", on=scope)
def update_address_scope(rq: Request, found: rows.AddressScope) -> dict[str, Any]:
    """Update an address scope."""
    values = SCOPE.parse_update(rq)
    if "shared" in values:
        rq.authorize("update_address_scope:shared", found)
    return show(rq, SCOPE, pools.update_scope(rq.tx, found, **values))


@api.delete("/address-scopes/{id}", policy="delete_address_scope", on=scope)
def delete_address_scope(rq: Request, found: rows.AddressScope) -> None:
    """Delete an address scope."""
    pools.delete_scope(rq.tx, found)
