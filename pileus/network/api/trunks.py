"""Trunks (Networking API, "Trunk networking")."""

from typing import Any

from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, constrained, owner, viewer
from pileus.network.api.plain import plain
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


def make(rq: Request, values: dict[str, Any]) -> rows.Trunk:
    return trunks.create_trunk(rq.tx, viewer(rq), owner(rq, values), **values)


plain(
    TRUNK,
    rows.Trunk,
    "/trunks",
    on=trunk,
    make=make,
    change=lambda rq, found, values: trunks.update_trunk(rq.tx, found, **values),
    delete=lambda rq, found: trunks.delete_trunk(rq.tx, found),
    dress=dress,
)


def _carrying(rq: Request, row: rows.Trunk) -> dict[str, Any]:
    dress(rq, [row])
    return TRUNK.view(rq, row)


@api.get("/trunks/{id}/get_subports", policy="get_subports", on=trunk)
def get_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """List what a trunk carries."""
    return {"sub_ports": [sub_port_view(member) for member in trunks.members(rq.tx, [found.id])[found.id]]}


@api.put("/trunks/{id}/add_subports", policy="add_subports", on=trunk)
def add_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Let a trunk carry more."""
    changed = trunks.add_members(rq.tx, viewer(rq), found, SUB_PORTS.check(rq.json.get("sub_ports")))
    return _carrying(rq, changed)


@api.put("/trunks/{id}/remove_subports", policy="remove_subports", on=trunk)
def remove_subports(rq: Request, found: rows.Trunk) -> dict[str, Any]:
    """Let a trunk carry less."""
    changed = trunks.remove_members(rq.tx, found, SUB_PORTS.check(rq.json.get("sub_ports")))
    return _carrying(rq, changed)
