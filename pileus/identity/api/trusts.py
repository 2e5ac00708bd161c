"""Trusts (Identity API v3, "OS-TRUST")."""

from typing import Any

from pileus.core.errors import BadRequest, Forbidden
from pileus.core.wire import Request
from pileus.identity.api.base import Target, api, asked_for, creating, here, many, told, viewer
from pileus.identity.api.roles import named_roles
from pileus.identity.delegation import trusts
from pileus.identity.resources import ROLE, TRUST
from pileus.identity.store import Trust


def trust(rq: Request, trust_id: str, *_: str) -> Target[Trust]:
    with told():
        found = trusts.get_trust(rq.tx, trust_id)
    return Target(found, trust=found)


def new_trust(rq: Request) -> Target[None]:
    return Target(None, trust=asked_for(rq, "trust"))


def _no_delegation(rq: Request) -> None:
    """A trust alone can be handed on. Raises Forbidden."""
    token = rq.ctx.token
    if token is not None and (token.application_credential_id or token.access_token_id):
        raise Forbidden("A token got by delegation, other than by a trust, cannot manage trusts.")


def _view(rq: Request, row: Trust) -> dict[str, Any]:
    view = viewer(rq, ROLE)
    links = {"self": f"{here(rq)}/v3/OS-TRUST/trusts/{row.id}/roles", "next": None, "previous": None}
    roles = [view(role) for role in trusts.roles_of(rq.tx, row)]
    return {"trust": {**viewer(rq, TRUST)(row), "roles": roles, "roles_links": links}}


@api.get("/v3/OS-TRUST/trusts", policy="identity:list_trusts_of_anybody")
def list_trusts(rq: Request) -> dict[str, Any]:
    """List trusts: all, those a trustor gave, or those a trustee has."""
    equal = {name: rq.query.get(name) or "" for name in ("trustor_user_id", "trustee_user_id") if name in rq.query}
    rule = next((f"list_trusts_for_{name.partition('_')[0]}" for name in equal), "list_trusts")
    rq.authorize(f"identity:{rule}", Target(None, trust=equal))
    _no_delegation(rq)
    view = viewer(rq, TRUST)
    return many(rq, "trusts", [view(row) for row in trusts.list_trusts(rq.tx, **equal)])


@api.post("/v3/OS-TRUST/trusts", policy="identity:create_trust", on=new_trust, status=201)
def create_trust(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Trust another user with some of one's roles."""
    _no_delegation(rq)
    body = dict(rq.unwrap("trust"))
    role_ids = named_roles(rq, body.pop("roles", []))
    redelegating = body.pop("allow_redelegation", False)
    if not isinstance(redelegating, bool):
        raise BadRequest("Invalid input for field 'allow_redelegation': it must be a boolean.")
    given = {**creating(rq, TRUST, body), "allow_redelegation": redelegating}
    if given["trustor_user_id"] != rq.ctx.user_id:
        raise Forbidden("Only the trustor can create a trust.")
    source = trusts.get_trust(rq.tx, rq.ctx.token.trust_id) if rq.ctx.token and rq.ctx.token.trust_id else None
    return _view(rq, trusts.create_trust(rq.tx, given, role_ids, source))


@api.get("/v3/OS-TRUST/trusts/{trust_id}", policy="identity:get_trust", on=trust)
def show_trust(rq: Request, found: Target[Trust]) -> dict[str, Any]:
    """Show a trust."""
    _no_delegation(rq)
    return _view(rq, found.row)


@api.delete("/v3/OS-TRUST/trusts/{trust_id}", policy="identity:delete_trust", on=trust)
def delete_trust(rq: Request, found: Target[Trust]) -> None:
    """Take a trust back, with those handed on from it."""
    _no_delegation(rq)
    trusts.delete_trust(rq.tx, found.row)


@api.get("/v3/OS-TRUST/trusts/{trust_id}/roles", policy="identity:list_roles_for_trust", on=trust)
def list_trust_roles(rq: Request, found: Target[Trust]) -> dict[str, Any]:
    """List the roles a trust gives."""
    _no_delegation(rq)
    view = viewer(rq, ROLE)
    return many(rq, "roles", [view(role) for role in trusts.roles_of(rq.tx, found.row)])


@api.get("/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}", policy="identity:get_role_for_trust", on=trust)
def show_trust_role(rq: Request, found: Target[Trust]) -> dict[str, Any]:
    """Show a role that a trust gives."""
    _no_delegation(rq)
    return {"role": viewer(rq, ROLE)(trusts.role_of(rq.tx, found.row, rq.params["role_id"]))}
