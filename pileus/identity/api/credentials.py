"""Credentials kept for users (Identity API v3, "Credentials")."""

from typing import Any

from pileus.core.errors import Forbidden
from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity.api.base import Target, View, api, asked_for, creating, listing, updating, viewer
from pileus.identity.delegation import credentials, ec2
from pileus.identity.delegation.credentials import Vault
from pileus.identity.resources import CREDENTIAL
from pileus.identity.store import ApplicationCredential, Credential
from pileus.identity.users import get_user


def credential(rq: Request, credential_id: str) -> Target[Credential]:
    found = credentials.get_credential(rq.tx, credential_id)
    within_delegation(rq, found.project_id)
    return Target(found, credential=found)


def new_credential(rq: Request) -> Target[None]:
    return Target(None, credential={"user_id": asked_for(rq, "credential").get("user_id") or rq.ctx.user_id})


def within_delegation(rq: Request, project_id: str | None) -> None:
    """Who acts by delegation reaches only what belongs to the project it is for. Raises Forbidden."""
    if rq.ctx.token is not None and rq.ctx.token.delegated and project_id != rq.ctx.project_id:
        raise Forbidden("A token got by delegation reaches only the credentials of its project.")


def no_restricted_credential(rq: Request) -> None:
    """An EC2 credential would be one more way in. Raises Forbidden."""
    used = rq.ctx.token.application_credential_id if rq.ctx.token is not None else None
    found = rq.tx.find(ApplicationCredential, id=used) if used else None
    if found is not None and not found.unrestricted:
        raise Forbidden("A restricted application credential cannot make further credentials.")


def vault(rq: Request) -> Vault:
    return Vault(rq.cloud.settings.folder)


def _viewer(rq: Request) -> View:
    view, opener = viewer(rq, CREDENTIAL), vault(rq)
    return lambda row: {**view(row), "blob": opener.open(row)}


def own(rq: Request) -> Target[None]:
    """Everybody has a list: their own credentials."""
    return Target(None, credential={"user_id": rq.ctx.user_id})


@api.get("/v3/credentials", policy="identity:list_credentials", on=own)
def list_credentials(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List credentials: all of them for administrators, else one's own."""
    where = []
    if not rq.allows("identity:get_credential", Target(None, credential={"user_id": None})):
        where.append(Where("user_id", "eq", rq.ctx.user_id))
    if rq.ctx.token is not None and rq.ctx.token.delegated:
        where.append(Where("project_id", "eq", rq.ctx.project_id))
    return listing(rq, CREDENTIAL, Credential, where, view=_viewer(rq))


@api.post("/v3/credentials", policy="identity:create_credential", on=new_credential, status=201)
def create_credential(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Keep a credential for a user."""
    given = creating(rq, CREDENTIAL)
    within_delegation(rq, given.get("project_id"))
    if given["type"] == ec2.TYPE:
        no_restricted_credential(rq)
    user = get_user(rq.tx, given.get("user_id") or rq.ctx.user_id or "")
    row = credentials.create_credential(rq.tx, vault(rq), given, user.id, rq.ctx.token)
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
