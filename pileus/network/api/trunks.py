"""Trunks (Networking API, "Trunk networking")."""

from typing import Any

from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, constrained, create, listing, own_clause, owner, show, viewer
from pileus.network.resources.trunks import SUB_PORTS, sub_port_view
from pileus.network.resources.trunks import trunk as TRUNK
from pileus.network.service import lookup, trunks
from pileus.network.store import queries


def trunk(rq: Request, id: str) -> rows.Trunk:
    return constrained(rq, lookup.get_own(rq.tx, viewer(rq), rows.Trunk, id))


def dress(rq: Request, found: list[rows.Trunk]) -> None:
    """What each carries; it is up when its port is."""
    members = trunks.members(rq.tx, [row.id for row in found])
    parents = queries.by_id(rq.tx, rows.Port, (row.port_id for row in found))
    for row in found:
        row.members = members[row.id]  # type: ignore[attr-defined]
        row.status = parents[row.port_id].status


def dressed(rq: Request, row: rows.Trunk) -> rows.Trunk:
    dress(rq, [row])
    return row


@api.get("/trunks", policy="get_trunk")
def list_trunks(rq: Request) -> dict[str, Any]:
    """List trunks."""
    return listing(rq, TRUNK, rows.Trunk, own_clause(rq, rows.Trunk), lambda found: dress(rq, found))


@api.post("/trunks", policy="create_trunk", status=201)
def create_trunk(rq: Request) -> dict[str, Any]:
    """Create a trunk."""

    def make(values: dict[str, Any]) -> rows.Trunk:
        return dressed(rq, trunks.create_trunk(rq.tx, viewer(rq), owner(rq, values), **values))

    return create(rq, TRUNK, make)


@api.get("/trunks/{id}", policy="get_trunk", on=trunk)
def show_trunk(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Show a trunk."""
    return show(rq, TRUNK, dressed(rq, found))


@api.put("/trunks/{id}", policy="update_trunk", on=trunk)
def update_trunk(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Update a trunk."""
    return show(rq, TRUNK, dressed(rq, trunks.update_trunk(rq.tx, found, **TRUNK.parse_update(rq))))


@api.delete("/trunks/{id}", policy="delete_trunk", on=trunk)
def delete_trunk(rq: Request, found: rows.Trunk) -> None:
    """Delete a trunk that no guest uses."""
    trunks.delete_trunk(rq.tx, found)


@api.get("/trunks/{id}/get_subports", policy="get_subports", on=trunk)
def get_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """List what a trunk carries."""
    return {"sub_ports": [sub_port_view(member) for member in trunks.members(rq.tx, [found.id])[found.id]]}


@api.put("/trunks/{id}/add_subports", policy="add_subports", on=trunk)
def add_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Let a trunk carry more."""
    changed = trunks.add_members(rq.tx, viewer(rq), found, SUB_PORTS.check(rq.json.get("sub_ports")))
    return TRUNK.view(rq, dressed(rq, changed))


@api.put("/trunks/{id}/remove_subports", policy="remove_subports", on=trunk)
def remove_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Let a trunk carry less."""
    changed = trunks.remove_members(rq.tx, found, SUB_PORTS.check(rq.json.get("sub_ports")))
    return TRUNK.view(rq, dressed(rq, changed))
