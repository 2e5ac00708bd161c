"""Routers (Networking API, "Routers")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.errors import BadRequest
from pileus.core.fields import Uuid
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, flag_clause, own_clause, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.routers import GATEWAYS
from pileus.network.resources.routers import router as ROUTER
from pileus.network.resources.standard import routes
from pileus.network.service import gateways, lookup, routers
from pileus.network.store import queries

ROUTES = routes("routes")
ADMINS_ONLY = ("enable_snat", "external_fixed_ips")


def router(rq: Request, id: str) -> rows.Router:
    return constrained(rq, lookup.get_own(rq.tx, viewer(rq), rows.Router, id))


def dress(rq: Request, found: list[rows.Router]) -> None:
    """The gateways' addresses are their ports'."""
    leading: dict[str, list[rows.Port]] = {row.id: [] for row in found}
    out = [row.id for row in found if row.gateway_port_id]
    for port in queries.select_in(rq.tx, rows.Port, "device_id", out, device_owner=rows.GATEWAY_OWNER):
        leading[port.device_id].append(port)
    for row in found:
        row.gateways = gateways.in_order(row, leading[row.id])  # type: ignore[attr-defined]


def clauses(rq: Request) -> list[Clause]:
    """All routers are highly available, and distributed as OVN does it: in Neutron's sense none is."""
    return [
        *own_clause(rq, rows.Router),
        *flag_clause(rq, "ha", sa.true()),
        *flag_clause(rq, "distributed", sa.false()),
    ]


def _check_ha(values: dict[str, Any]) -> None:
    """Every router's way out can move to another host; there is no other kind."""
    if values.pop("ha", True) is False:
        raise BadRequest("Bad router request: routers here are always highly available.", kind="BadRequest")


def _authorize_gateway(rq: Request, verb: str, values: dict[str, Any], project_id: str) -> None:
    info = values.get("external_gateway_info") or {}
    for name in ADMINS_ONLY:
        if name in info:
            rq.authorize(f"{verb}_router:external_gateway_info:{name}", {"project_id": project_id})


def make(rq: Request, values: dict[str, Any]) -> rows.Router:
    project_id = owner(rq, values)
    _check_ha(values)
    _authorize_gateway(rq, "create", values, project_id)
    return routers.create_router(rq.tx, viewer(rq), project_id, **values)


def change(rq: Request, found: rows.Router, values: dict[str, Any]) -> rows.Router:
    _check_ha(values)
    _authorize_gateway(rq, "update", values, found.project_id)
    return routers.update_router(rq.tx, viewer(rq), found, **values)


render = plain(
    ROUTER,
    rows.Router,
    "/routers",
    on=router,
    make=make,
    change=change,
    delete=lambda rq, found: routers.delete_router(rq.tx, found),
    clauses=clauses,
    dress=dress,
    also=["ha", "distributed"],
)


def _interface(rq: Request) -> tuple[str | None, str | None]:
    """The subnet and the port that a body names."""
    named = []
    for name in ("subnet_id", "port_id"):
        value = rq.json.get(name)
        named.append(None if value is None else Uuid(name).check(value))
    return named[0], named[1]


def _interface_view(found: rows.Router, port: rows.Port, subnet_ids: list[str]) -> dict[str, Any]:
    return {
        "id": found.id,
        "project_id": found.project_id,
        "tenant_id": found.project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
        "tags": found.tags,
    }


@api.put("/routers/{id}/add_router_interface", policy="add_router_interface", on=router)
def add_router_interface(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Plug a router into a subnet."""
    return _interface_view(found, *routers.add_interface(rq.tx, viewer(rq), found, *_interface(rq)))


@api.put("/routers/{id}/remove_router_interface", policy="remove_router_interface", on=router)
def remove_router_interface(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Unplug a router from a subnet."""
    return _interface_view(found, *routers.remove_interface(rq.tx, viewer(rq), found, *_interface(rq)))


def _routes(rq: Request) -> list[dict[str, str]]:
    body = rq.unwrap("router")
    if list(body) != ["routes"]:
        raise BadRequest("Invalid input for field/attribute router. It must have routes only.", kind="InvalidInput")
    found: list[dict[str, str]] = ROUTES.check(body["routes"])
    return found


@api.put("/routers/{id}/add_extraroutes", policy="add_extraroutes", on=router)
def add_extraroutes(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Add routes to a router."""
    return render(rq, routers.add_routes(rq.tx, found, _routes(rq)))


@api.put("/routers/{id}/remove_extraroutes", policy="remove_extraroutes", on=router)
def remove_extraroutes(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Remove routes from a router."""
    return render(rq, routers.remove_routes(rq.tx, found, _routes(rq)))


# -- several ways out --------------------------------------------------------------------------------------------------


def _gateways(rq: Request, found: rows.Router, verb: str) -> list[dict[str, Any]]:
    body = rq.unwrap("router")
    if list(body) != ["external_gateways"]:
        raise BadRequest("Invalid input for field/attribute router. It must have external_gateways only.",
                         kind="InvalidInput")  # fmt: skip
    infos: list[dict[str, Any]] = GATEWAYS.check(body["external_gateways"])
    for info in infos if verb != "remove" else []:
        for name in ADMINS_ONLY:
            if name in info:
                rq.authorize(f"{verb}_external_gateways:external_gateways:{name}", found)
    return infos


@api.put("/routers/{id}/add_external_gateways", policy="add_external_gateways", on=router)
def add_external_gateways(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Give a router further ways out."""
    return render(rq, gateways.add_gateways(rq.tx, viewer(rq), found, _gateways(rq, found, "add")))


@api.put("/routers/{id}/remove_external_gateways", policy="remove_external_gateways", on=router)
def remove_external_gateways(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Take ways out from a router."""
    return render(rq, gateways.remove_gateways(rq.tx, found, _gateways(rq, found, "remove")))


@api.put("/routers/{id}/update_external_gateways", policy="update_external_gateways", on=router)
def update_external_gateways(rq: Request, found: rows.Router) -> dict[str, Any]:
    """Say which ways out a router has."""
    return render(rq, gateways.update_gateways(rq.tx, viewer(rq), found, _gateways(rq, found, "update")))
