"""Credentials kept for users (Identity API v3, "Credentials")."""

from typing import Any

from pileus.core.errors import Forbidden
from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity import credentials
from pileus.identity.api.base import Target, View, api, asked_for, creating, many, updating, viewer
from pileus.identity.credentials import Vault
from pileus.identity.resources import CREDENTIAL
from pileus.identity.store import Credential
from pileus.identity.users import get_user


def credential(rq: Request, credential_id: str) -> Target[Credential]:
    found = credentials.get_credential(rq.tx, credential_id)
    _within_delegation(rq, found.project_id)
    return Target(found, credential=found)


def new_credential(rq: Request) -> Target[None]:
    return Target(None, credential={"user_id": asked_for(rq, "credential").get("user_id") or rq.ctx.user_id})


def _within_delegation(rq: Request, project_id: str | None) -> None:
    """Who acts by delegation reaches only what belongs to the project it is for. Raises Forbidden."""
    token = rq.ctx.token
    if token is not None and (token.trust_id or token.application_credential_id) and project_id != rq.ctx.project_id:
        raise Forbidden("A token got by delegation reaches only the credentials of its project.")


def vault(rq: Request) -> Vault:
    return Vault(rq.cloud.settings.folder)


def _viewer(rq: Request) -> View:
    view, opener = viewer(rq, CREDENTIAL), vault(rq)
    return lambda row: {**view(row), "blob": opener.open(row)}


def own(rq: Request) -> Target[None]:
    return Target(None, credential={"user_id": rq.query.get("user_id") or rq.ctx.user_id})


@api.get("/v3/credentials", policy="identity:list_credentials", on=own)
def list_credentials(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List credentials: all of them for administrators, else one's own."""
    where = [Where(name, "eq", rq.query.get(name)) for name in ("user_id", "type") if name in rq.query]
    rows = rq.tx.select(Credential, order="id", **{item.column: item.value for item in where})
    token = rq.ctx.token
    delegated = token is not None and (token.trust_id or token.application_credential_id)
    view = _viewer(rq)
    return many(
        rq,
        "credentials",
        [
            view(row)
            for row in rows
            if rq.allows("identity:get_credential", Target(None, credential={"user_id": row.user_id}))
            and (not delegated or row.project_id == rq.ctx.project_id)
        ],
    )


@api.post("/v3/credentials", policy="identity:create_credential", on=new_credential, status=201)
def create_credential(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Keep a credential for a user."""
    given = creating(rq, CREDENTIAL)
    _within_delegation(rq, given.get("project_id"))
    user = get_user(rq.tx, given.get("user_id") or rq.ctx.user_id or "")
    row = credentials.create_credential(rq.tx, vault(rq), given, user.id)
    return {"credential": _viewer(rq)(row)}


@api.get("/v3/credentials/{credential_id}", policy="identity:get_credential", on=credential)
def show_credential(rq: Request, found: Target[Credential]) -> dict[str, Any]:
    """Show a credential."""
    return {"credential": _viewer(rq)(found.row)}


@api.patch("/v3/credentials/{credential_id}", policy="identity:update_credential", on=credential)
def update_credential(rq: Request, found: Target[Credential]) -> dict[str, Any]:
    """Change what a credential says; whose it is and for what stays."""
    values = updating(rq, CREDENTIAL, found.row, ("type", "user_id", "project_id"))
    return {"credential": _viewer(rq)(credentials.update_credential(rq.tx, vault(rq), found.row, values))}


@api.delete("/v3/credentials/{credential_id}", policy="identity:delete_credential", on=credential)
def delete_credential(rq: Request, found: Target[Credential]) -> None:
    """Delete a credential."""
    rq.tx.delete(Credential, id=found.row.id)
