"""Flavors, their extra specs and who may use private ones (Compute API, "Flavors")."""

from collections.abc import Callable
from typing import Any

from pileus.compute import flavors
from pileus.compute.api.base import api, links_of
from pileus.compute.resources.flavors import EXTRA_SPECS, FLAVOR, SORT_KEYS
from pileus.compute.store import Flavor
from pileus.core import paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import Text
from pileus.core.microversions import Version
from pileus.core.paging import Sort, Where
from pileus.core.wire import Request

READ = "os_compute_api:os-flavor-access"
MANAGE = "os_compute_api:os-flavor-manage"
SPECS = "os_compute_api:os-flavor-extra-specs"
ACCESS = "os_compute_api:os-flavor-access"
QUERY = {"limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"}
_PROJECT = Text("tenant", min=1)


def flavor(rq: Request, flavor_id: str, *_: str) -> Flavor:
    return flavors.get_flavor(rq.tx, flavor_id, rq.ctx.project_id, all_projects=rq.allows(f"{MANAGE}:create"))


def _viewer(rq: Request) -> Callable[[Flavor], dict[str, Any]]:
    view = FLAVOR.viewer(rq, only=None if rq.allows(f"{SPECS}:index") else set(FLAVOR.fields) - {"extra_specs"})
    return lambda row: {**view(row), "links": links_of(rq, "flavors", row.id)}


def _page(rq: Request) -> paging.Page:
    where = []
    for name, column in (("minRam", "ram"), ("minDisk", "disk")):
        try:
            least = rq.query.number(name, low=-(2**31))
        except BadRequest:
            raise BadRequest(f"Invalid {name} filter [{(rq.query.get(name) or '')[:100]}]") from None
        if least is not None:
            where.append(Where(column, "gte", min(least, 2**31)))
    clauses: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("usable", flavors.USABLE, {"viewer": rq.ctx.project_id or ""}),
    )
    public = rq.query.get("is_public")
    if public is not None and rq.allows(f"{MANAGE}:create"):
        clauses = ()
        if public.lower() != "none":
            where.append(Where("is_public", "eq", bool(rq.query.flag("is_public"))))
    elif rq.allows(f"{MANAGE}:create"):
        clauses, where = (), [*where, Where("is_public", "eq", True)]
    key = rq.query.get("sort_key") or "flavorid"
    if rq.version >= Version(2, 102):
        if wanted := rq.query.get("name"):
            where.append(Where("name", "eq", wanted))
        if key == "rxtx_factor":
            raise BadRequest("Flavors cannot be sorted by rxtx_factor.")
    direction = rq.query.get("sort_dir") or "asc"
    if key not in SORT_KEYS or direction not in ("asc", "desc"):
        raise BadRequest(f"Flavors cannot be sorted by {key[:100]} {direction[:100]}.")
    limit = rq.query.number("limit")
    return paging.page(
        rq, Flavor, where, [Sort(SORT_KEYS[key], direction == "desc")],
        limit=min(1000 if limit is None else limit, 1000), marker=rq.query.get("marker"), clauses=clauses,
    )  # fmt: skip


@api.get("/flavors", policy=READ, query=QUERY, until="2.101")
@api.get("/flavors", policy=READ, query={*QUERY, "name"}, since="2.102")
def list_flavors(rq: Request) -> dict[str, Any]:
    """List flavors."""
    found = _page(rq)
    view = FLAVOR.viewer(rq, only={"id", "name", "description"})
    body = {"flavors": [{**view(row), "links": links_of(rq, "flavors", row.id)} for row in found.rows]}
    return body | paging.links(rq, "flavors", found)


@api.get("/flavors/detail", policy=READ, query=QUERY, until="2.101")
@api.get("/flavors/detail", policy=READ, query={*QUERY, "name"}, since="2.102")
def list_flavors_detail(rq: Request) -> dict[str, Any]:
    """List flavors with all they say."""
    found = _page(rq)
    view = _viewer(rq)
    return {"flavors": [view(row) for row in found.rows]} | paging.links(rq, "flavors", found)


@api.get("/flavors/{flavor_id}", policy=READ, on=flavor)
def show_flavor(rq: Request, found: Flavor) -> dict[str, Any]:
    """Show a flavor."""
    return {"flavor": _viewer(rq)(found)}


@api.post("/flavors", policy=f"{MANAGE}:create")
def create_flavor(rq: Request) -> dict[str, Any]:
    """Create a flavor."""
    given = rq.unwrap("flavor")
    if isinstance(given.get("id"), int) and not isinstance(given["id"], bool):
        given = {**given, "id": str(given["id"])}
    if isinstance(given.get("rxtx_factor"), str):
        given = {**given, "rxtx_factor": _number(given["rxtx_factor"])}
    row = flavors.create_flavor(rq.tx, FLAVOR.parse_create(rq, given))
    return {"flavor": _viewer(rq)(row)}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


@api.put("/flavors/{flavor_id}", policy=f"{MANAGE}:update", on=flavor, since="2.55")
def update_flavor(rq: Request, found: Flavor) -> dict[str, Any]:
    """Change a flavor's description."""
    given = FLAVOR.parse_update(rq)
    if "description" not in given:
        raise BadRequest("Invalid input for field/attribute flavor. 'description' is a required property.")
    return {"flavor": _viewer(rq)(flavors.update_flavor(rq.tx, found, given["description"]))}


@api.delete("/flavors/{flavor_id}", policy=f"{MANAGE}:delete", on=flavor, status=202)
def delete_flavor(rq: Request, found: Flavor) -> None:
    """Delete a flavor."""
    flavors.delete_flavor(rq.tx, found)


# -- extra specs -------------------------------------------------------------------------------------------------------


@api.get("/flavors/{flavor_id}/os-extra_specs", policy=f"{SPECS}:index", on=flavor)
def list_extra_specs(rq: Request, found: Flavor) -> dict[str, Any]:
    """List a flavor's extra specs."""
    return {"extra_specs": found.extra_specs}


@api.post("/flavors/{flavor_id}/os-extra_specs", policy=f"{SPECS}:create", on=flavor)
def create_extra_specs(rq: Request, found: Flavor) -> dict[str, Any]:
    """Set several extra specs of a flavor."""
    given = EXTRA_SPECS.check(_texts(rq.unwrap("extra_specs")))
    if not given:
        raise BadRequest("Invalid input for field/attribute extra_specs. It must not be empty.")
    flavors.set_extra_specs(rq.tx, found, {**found.extra_specs, **given})
    return {"extra_specs": given}


@api.get("/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{SPECS}:show", on=flavor)
def show_extra_spec(rq: Request, found: Flavor) -> dict[str, Any]:
    """Show one extra spec of a flavor."""
    key = rq.params["key"]
    return {key: flavors.get_extra_spec(found, key)}


@api.put("/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{SPECS}:update", on=flavor)
def update_extra_spec(rq: Request, found: Flavor) -> dict[str, Any]:
    """Set one extra spec of a flavor."""
    key = rq.params["key"]
    if list(rq.json) != [key]:
        raise BadRequest("The body must have the one member that the URL names.")
    given = EXTRA_SPECS.check(_texts(rq.json))
    flavors.set_extra_specs(rq.tx, found, {**found.extra_specs, **given})
    return {key: given[key]}


@api.delete("/flavors/{flavor_id}/os-extra_specs/{key}", policy=f"{SPECS}:delete", on=flavor, status=200)
def delete_extra_spec(rq: Request, found: Flavor) -> None:
    """Delete one extra spec of a flavor."""
    key = rq.params["key"]
    flavors.get_extra_spec(found, key)
    flavors.set_extra_specs(rq.tx, found, {k: v for k, v in found.extra_specs.items() if k != key})


def _texts(given: dict[str, Any]) -> dict[str, Any]:
    """Numbers are taken as their text, as clients send them."""
    return {
        key: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in given.items()
    }


# -- access ------------------------------------------------------------------------------------------------------------


def _access(rq: Request, found: Flavor) -> dict[str, Any]:
    entries = flavors.list_access(rq.tx, found)
    return {"flavor_access": [{"flavor_id": row.flavor_id, "tenant_id": row.project_id} for row in entries]}


@api.get("/flavors/{flavor_id}/os-flavor-access", policy=f"{ACCESS}:list", on=flavor)
def list_flavor_access(rq: Request, found: Flavor) -> dict[str, Any]:
    """List the projects that may use a private flavor."""
    if found.is_public:
        raise NotFound("Access list not available for public flavors.")
    return _access(rq, found)


@api.do("/flavors/{flavor_id}/action", "addTenantAccess", policy=f"{ACCESS}:add_tenant_access", on=flavor, status=200)
def add_tenant_access(rq: Request, found: Flavor) -> dict[str, Any]:
    """Let a project use a private flavor."""
    flavors.add_access(rq.tx, found, _tenant(rq, "addTenantAccess"))
    return _access(rq, found)


@api.do(
    "/flavors/{flavor_id}/action", "removeTenantAccess", policy=f"{ACCESS}:remove_tenant_access", on=flavor, status=200
)
def remove_tenant_access(rq: Request, found: Flavor) -> dict[str, Any]:
    """Take a private flavor from a project."""
    flavors.remove_access(rq.tx, found, _tenant(rq, "removeTenantAccess"))
    return _access(rq, found)


def _tenant(rq: Request, action: str) -> str:
    given = rq.unwrap(action)
    if list(given) != ["tenant"]:
        raise BadRequest(f"Invalid input for field/attribute {action}. It must have the one member 'tenant'.")
    tenant: str = _PROJECT.check(given["tenant"])
    return tenant
