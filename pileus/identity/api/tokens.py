"""Tokens: issue, validate, revoke, and what a token's owner may reach (Identity API v3, "Authentication")."""

from typing import Any

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.routes import PUBLIC
from pileus.core.wire import JSON, Request, Response
from pileus.identity.access import grants
from pileus.identity.api.base import Untraceable, api, many, viewer
from pileus.identity.catalog.entries import catalog
from pileus.identity.federation import providers, shadow
from pileus.identity.login import authentication
from pileus.identity.resources import DOMAIN, PROJECT
from pileus.identity.store import changed
from pileus.identity.tokens import revocations
from pileus.identity.tokens.provider import EXPIRED_WINDOW, Payload, Token
from pileus.identity.tokens.receipts import MoreWanted


@api.post("/v3/auth/tokens", policy=PUBLIC, tx="", status=201, slow=True)
def issue_token(rq: Request) -> Response:
    """Authenticate and issue a token."""
    try:
        auth = authentication.parse(rq.json)
        secret, token = authentication.log_in(rq.cloud, auth, rq.headers, rq.client, rq.link(), rq.out_headers)
    except MoreWanted as wanted:
        return Response(wanted.body, wanted.status, wanted.headers)
    with rq.cloud.db.read() as tx:
        body = render(tx, token, with_catalog="nocatalog" not in rq.query)
    return Response(body, 201, {"x-subject-token": secret, "vary": "X-Auth-Token"})


def subject(rq: Request) -> dict[str, Any]:
    """The token that a request is about. A service may ask for one that has ended: `allow_expired`."""
    secret, tokens = rq.headers.get("x-subject-token", ""), rq.cloud.tokens
    found = tokens.find(secret) if secret else None
    if found is None and secret and rq.query.flag("allow_expired") and "service" in rq.ctx.roles:
        with rq.cloud.db.read() as tx:
            found = tokens.load(tx, secret, EXPIRED_WINDOW)
    if found is None or (found.access_rules is not None and not _keeps_access_rules(rq)):
        raise Untraceable("The token asked about is missing, void or expired.")
    return {"target": {"token": {"user_id": found.user.id}}, "token": found, "secret": secret, "id": ""}


def _keeps_access_rules(rq: Request) -> bool:
    """A service says so: to one that does not, a token that is good for some calls would be good for all."""
    try:
        return rq.method == "DELETE" or float(rq.headers.get("openstack-identity-access-rules", "")) >= 1
    except ValueError:
        return False


@api.get("/v3/auth/tokens", policy="identity:validate_token", on=subject, tx="")
def validate_token(rq: Request, found: dict[str, Any]) -> Response:
    """Validate a token and say what it stands for."""
    token, secret, whole = found["token"], found["secret"], "nocatalog" not in rq.query

    def encoded() -> bytes:
        with rq.cloud.db.read() as tx:
            return msgspec.json.encode(render(tx, token, with_catalog=whole))

    body = rq.cloud.tokens.encoded(secret, whole, encoded)
    headers = {"x-subject-token": secret, "vary": "X-Auth-Token", "content-type": JSON}
    return Response(body, 200, headers)


@api.route("HEAD", "/v3/auth/tokens", policy="identity:check_token", on=subject, tx="")
def check_token(rq: Request, found: dict[str, Any]) -> Response:
    """Check that a token is valid."""
    return Response(None, 200, {"x-subject-token": found["secret"], "vary": "X-Auth-Token"})


@api.delete("/v3/auth/tokens", policy="identity:revoke_token", on=subject)
def revoke_token(rq: Request, found: dict[str, Any]) -> None:
    """Revoke a token."""
    payload: Payload = found["token"].payload
    revocations.note(rq.tx, audit_id=payload.audit_ids[0])
    changed(rq.tx)


@api.get("/v3/auth/catalog", policy="identity:get_auth_catalog")
def show_catalog(rq: Request) -> dict[str, Any]:
    """Show the catalog of the caller's token."""
    if not (rq.ctx.project_id or rq.ctx.domain_id or rq.ctx.system):
        raise BadRequest("An unscoped token has no catalog.")
    return {"catalog": catalog(rq.tx, rq.ctx.project_id, rq.ctx.user_id), "links": {"self": rq.link()}}


@api.get("/v3/auth/projects", policy="identity:get_auth_projects")
def list_projects(rq: Request) -> dict[str, Any]:
    """List the projects the caller could scope a token to."""
    rows = grants.projects_of(rq.tx, rq.ctx.user_id or "")
    view = viewer(rq, PROJECT)
    return many(rq, "projects", [view(row) for row in rows if row.enabled])


@api.get("/v3/auth/domains", policy="identity:get_auth_domains")
def list_domains(rq: Request) -> dict[str, Any]:
    """List the domains the caller could scope a token to."""
    rows = grants.domains_of(rq.tx, rq.ctx.user_id or "")
    view = viewer(rq, DOMAIN)
    return many(rq, "domains", [view(row) for row in rows if row.enabled])


@api.get("/v3/auth/system", policy="identity:get_auth_system")
def list_system(rq: Request) -> dict[str, Any]:
    """List the system scopes the caller could have."""
    roles = grants.roles_on_system(rq.tx, rq.ctx.user_id or "")
    return many(rq, "system", [{"all": True}] if roles else [])


def render(tx: Tx, token: Token, with_catalog: bool) -> dict[str, Any]:
    """A token's body."""
    payload = token.payload
    body: dict[str, Any] = {
        "methods": payload.methods,
        "user": {
            "id": token.user.id,
            "name": token.user.name,
            "domain": {"id": token.user_domain.id, "name": token.user_domain.name},
            "password_expires_at": token.user.password_expires_at,
        },
        "audit_ids": payload.audit_ids,
        "issued_at": payload.issued_at,
        "expires_at": payload.expires_at,
    }
    if token.project and token.project_domain:
        domain = {"id": token.project_domain.id, "name": token.project_domain.name}
        body["project"] = {"id": token.project.id, "name": token.project.name, "domain": domain}
        body["is_domain"] = token.project.is_domain
    if token.domain:
        body["domain"] = {"id": token.domain.id, "name": token.domain.name}
    if payload.scope == "system":
        body["system"] = {"all": True}
    if token.trust:
        trust = token.trust
        body["OS-TRUST:trust"] = {
            "id": trust.id,
            "impersonation": trust.impersonation,
            "trustor_user": {"id": trust.trustor_user_id},
            "trustee_user": {"id": trust.trustee_user_id},
        }
    if token.credential:
        credential = token.credential
        body["application_credential"] = {
            "id": credential.id,
            "name": credential.name,
            "restricted": not credential.unrestricted,
        }
        if token.access_rules is not None:
            body["application_credential"]["access_rules"] = [
                {"id": rule.id, "service": rule.service, "method": rule.method, "path": rule.path}
                for rule in token.access_rules
            ]
    if payload.federation:
        body["user"]["OS-FEDERATION"] = shadow.described(tx, token)
        del body["user"]["password_expires_at"]
    if sps := providers.in_tokens(tx):
        body["service_providers"] = sps
    if token.access_token:
        access = token.access_token
        body["OS-OAUTH1"] = {"consumer_id": access.consumer_id, "access_token_id": access.id}
    if payload.scope:
        body["roles"] = [{"id": role.id, "name": role.name} for role in token.roles]
        if with_catalog:
            body["catalog"] = catalog(tx, payload.scope_id if payload.scope == "project" else None, token.user.id)
    return {"token": body}
