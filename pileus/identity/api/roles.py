"""Roles and what they imply (Identity API v3, "Roles")."""

from typing import Any

from pileus.core.errors import BadRequest, NotFound
from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity.access import roles
from pileus.identity.api.base import Target, api, asked_for, creating, here, listing, many, one, told, updating
from pileus.identity.resources import ROLE, ROLES
from pileus.identity.store import Role

Pair = tuple[Role, Role]


def role(rq: Request, role_id: str) -> Target[Role]:
    with told():
        found = roles.get_role(rq.tx, role_id)
    return Target(found, role=found)


def new_role(rq: Request) -> Target[None]:
    return Target(None, role=asked_for(rq, "role"))


def named_roles(rq: Request, given: Any) -> list[str]:
    """The ids of roles that a body names by id or by name. Raises BadRequest, NotFound."""
    found = []
    for item in ROLES.check(given):
        if not item.get("id") and not item.get("name"):
            raise BadRequest("Invalid input for field 'roles': each has an id or a name.")
        row = (
            roles.get_role(rq.tx, item["id"]) if item.get("id") else rq.tx.find(Role, name=item["name"], domain_id=None)
        )
        if row is None:
            raise NotFound(f"Could not find role: {item['name']}.")
        found.append(row.id)
    return list(dict.fromkeys(found))


def _of_domain(rq: Request, rule: str, domain_id: Any) -> None:
    """Roles inside a domain have rules of their own, asked besides."""
    if domain_id is not None:
        rq.authorize(f"identity:{rule}", rq.target)


@api.get("/v3/roles", policy="identity:list_roles")
def list_roles(rq: Request) -> dict[str, Any]:
    """List roles; those inside a domain only when it is named."""
    if rq.query.get("domain_id"):
        rq.authorize("identity:list_domain_roles")
        return listing(rq, ROLE, Role)
    return listing(rq, ROLE, Role, [Where("domain_id", "null")])


@api.post("/v3/roles", policy="identity:create_role", on=new_role, status=201)
def create_role(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Create a role."""
    given = creating(rq, ROLE)
    _of_domain(rq, "create_domain_role", given.get("domain_id"))
    return one(rq, ROLE, roles.create_role(rq.tx, given))


@api.get("/v3/roles/{role_id}", policy="identity:get_role", on=role)
def show_role(rq: Request, found: Target[Role]) -> dict[str, Any]:
    """Show a role."""
    _of_domain(rq, "get_domain_role", found.row.domain_id)
    return one(rq, ROLE, found.row)


@api.patch("/v3/roles/{role_id}", policy="identity:update_role", on=role)
def update_role(rq: Request, found: Target[Role]) -> dict[str, Any]:
    """Change a role."""
    _of_domain(rq, "update_domain_role", found.row.domain_id)
    return one(rq, ROLE, roles.update_role(rq.tx, found.row, updating(rq, ROLE, found.row)))


@api.delete("/v3/roles/{role_id}", policy="identity:delete_role", on=role)
def delete_role(rq: Request, found: Target[Role]) -> None:
    """Delete a role with its assignments."""
    _of_domain(rq, "delete_domain_role", found.row.domain_id)
    roles.delete_role(rq.tx, found.row)


# -- implied roles -------------------------------------------------------------------------------------------------------


def pair(rq: Request, role_id: str, implied_role_id: str) -> Target[Pair]:
    with told():
        prior, below = roles.get_role(rq.tx, role_id), roles.get_role(rq.tx, implied_role_id)
    return Target((prior, below), role=prior)


def _brief(rq: Request, row: Role) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": {"self": f"{here(rq)}/v3/roles/{row.id}"}}


def _inference(rq: Request, found: Pair) -> dict[str, Any]:
    prior, below = found
    link = f"{here(rq)}/v3/roles/{prior.id}/implies/{below.id}"
    inference = {"prior_role": _brief(rq, prior), "implies": _brief(rq, below)}
    return {"role_inference": inference, "links": {"self": link}}


@api.get("/v3/roles/{role_id}/implies", policy="identity:list_implied_roles", on=role)
def list_implied(rq: Request, found: Target[Role]) -> dict[str, Any]:
    """List the roles a role implies directly."""
    implied = [_brief(rq, row) for row in roles.implied(rq.tx, found.row)]
    link = f"{here(rq)}/v3/roles/{found.row.id}/implies"
    return {"role_inference": {"prior_role": _brief(rq, found.row), "implies": implied}, "links": {"self": link}}


@api.put("/v3/roles/{role_id}/implies/{implied_role_id}", policy="identity:create_implied_role", on=pair, status=201)
def create_implied(rq: Request, found: Target[Pair]) -> dict[str, Any]:
    """Let a role imply another."""
    roles.imply(rq.tx, *found.row)
    return _inference(rq, found.row)


@api.route("HEAD", "/v3/roles/{role_id}/implies/{implied_role_id}", policy="identity:check_implied_role", on=pair,
           status=204)  # fmt: skip
def check_implied(rq: Request, found: Target[Pair]) -> None:
    """Check that a role implies another."""
    roles.get_implied(rq.tx, *found.row)


@api.get("/v3/roles/{role_id}/implies/{implied_role_id}", policy="identity:get_implied_role", on=pair)
def show_implied(rq: Request, found: Target[Pair]) -> dict[str, Any]:
    """Show that a role implies another."""
    roles.get_implied(rq.tx, *found.row)
    return _inference(rq, found.row)


@api.delete("/v3/roles/{role_id}/implies/{implied_role_id}", policy="identity:delete_implied_role", on=pair)
def delete_implied(rq: Request, found: Target[Pair]) -> None:
    """Let a role imply another no more."""
    roles.forget_implied(rq.tx, *found.row)


@api.get("/v3/role_inferences", policy="identity:list_role_inference_rules")
def list_inferences(rq: Request) -> dict[str, Any]:
    """List every role that implies others, with those."""
    bodies = [
        {"prior_role": _brief(rq, prior), "implies": [_brief(rq, row) for row in below]}
        for prior, below in roles.inferences(rq.tx)
    ]
    return many(rq, "role_inferences", bodies)
