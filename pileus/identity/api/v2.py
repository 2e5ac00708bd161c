"""The Identity API v2.0, as far as clients that still log in by it need: tokens, the projects they can be for, discovery.

A project is a tenant here, and all names are of the default domain: users of other domains are not seen. What is asked is
translated into version 3, so that every rule about log-ins holds for both.
"""

from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound, Unauthorized
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request
from pileus.identity.access import grants
from pileus.identity.api.base import Untraceable, api, here
from pileus.identity.api.tokens import revoke_token
from pileus.identity.catalog.entries import catalog
from pileus.identity.login import authentication
from pileus.identity.login.methods.claims import WRONG
from pileus.identity.store import DEFAULT_DOMAIN, Project
from pileus.identity.tokens.provider import Token

EXTENSIONS = [
    {
        "name": "OpenStack Keystone Endpoint API",
        "namespace": "https://docs.openstack.org/identity/api/ext/OS-KSEP/v1.0",
        "alias": "OS-KSEP",
        "updated": "2013-07-11T17:14:00-00:00",
        "description": "Lists the endpoints that a token reaches.",
        "links": [],
    }
]


def version(rq: Request) -> dict[str, Any]:
    """The entry of this version in lists of versions."""
    return {
        "id": "v2.0",
        "status": "deprecated",
        "updated": "2016-08-04T00:00:00Z",
        "links": [{"rel": "self", "href": f"{here(rq)}/v2.0/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}],
    }


@api.get("/v2.0", policy=PUBLIC, tx="")
def show_v2(rq: Request) -> dict[str, Any]:
    """Show the identity API's version 2.0."""
    return {"version": version(rq)}


@api.get("/v2.0/extensions", policy=PUBLIC, tx="")
def list_extensions(rq: Request) -> dict[str, Any]:
    """List the extensions of version 2.0."""
    return {"extensions": {"values": EXTENSIONS}}


@api.get("/v2.0/extensions/{alias}", policy=PUBLIC, tx="")
def show_extension(rq: Request) -> dict[str, Any]:
    """Show an extension of version 2.0."""
    for extension in EXTENSIONS:
        if extension["alias"] == rq.params["alias"]:
            return {"extension": extension}
    raise NotFound(f"Could not find extension: {rq.params['alias'][:64]}.")


@api.post("/v2.0/tokens", policy=PUBLIC, tx="", slow=True)
def issue_v2_token(rq: Request) -> dict[str, Any]:
    """Authenticate and issue a token in the form of version 2.0."""
    asked = authentication.parse({"auth": _lifted(rq.unwrap("auth"))})
    secret, token = authentication.log_in(rq.cloud, asked, rq.headers, rq.client)
    if not of_default_domain(token):
        raise Unauthorized(WRONG, detail="version 2.0 knows the default domain only")
    with rq.cloud.db.read() as tx:
        return access(tx, secret, token)


def _lifted(auth: dict[str, Any]) -> dict[str, Any]:
    """Version 3's words for what version 2.0 asks. Raises BadRequest, naming the member that is wrong."""
    default = {"id": DEFAULT_DOMAIN}
    for name in ("tenantName", "tenantId", "trust_id"):
        if auth.get(name) is not None and not isinstance(auth[name], str):
            raise BadRequest(f"Invalid input for field {name!r}: it must be a string.")
    if isinstance(given := auth.get("passwordCredentials"), dict):
        named = {"id": given["userId"]} if given.get("userId") else {"name": given.get("username"), "domain": default}
        identity = {"methods": ["password"], "password": {"user": {**named, "password": given.get("password")}}}
    elif isinstance(given := auth.get("token"), dict):
        identity = {"methods": ["token"], "token": {"id": given.get("id")}}
    else:
        raise BadRequest("Expecting to find passwordCredentials or token in auth.")
    lifted: dict[str, Any] = {"identity": identity}
    if auth.get("trust_id"):
        lifted["scope"] = {"OS-TRUST:trust": {"id": auth["trust_id"]}}
    elif auth.get("tenantId"):
        lifted["scope"] = {"project": {"id": auth["tenantId"]}}
    elif auth.get("tenantName"):
        lifted["scope"] = {"project": {"name": auth["tenantName"], "domain": default}}
    return lifted


def of_default_domain(token: Token) -> bool:
    """Is this a token that version 2.0 can tell of?"""
    return token.user_domain.id == DEFAULT_DOMAIN and token.payload.scope in ("", "project")


def subject(rq: Request, token_id: str) -> dict[str, Any]:
    """The token that the path names."""
    found = rq.cloud.tokens.load(rq.tx, token_id)
    wanted = rq.query.get("belongsTo")
    if found is None or not of_default_domain(found) or (wanted and found.payload.scope_id != wanted):
        raise Untraceable("The token asked about is missing, void, expired, or not of version 2.0.")
    return {"target": {"token": {"user_id": found.user.id}}, "token": found, "secret": token_id, "id": ""}


@api.get("/v2.0/tokens/{token_id}", policy="identity:validate_token", on=subject)
def validate_v2_token(rq: Request, found: dict[str, Any]) -> dict[str, Any]:
    """Validate a token and say what it stands for, in the form of version 2.0."""
    return access(rq.tx, found["secret"], found["token"])


@api.route("HEAD", "/v2.0/tokens/{token_id}", policy="identity:check_token", on=subject)
def check_v2_token(rq: Request, found: dict[str, Any]) -> None:
    """Check that a token is valid, by version 2.0."""


@api.delete("/v2.0/tokens/{token_id}", policy="identity:revoke_token", on=subject)
def revoke_v2_token(rq: Request, found: dict[str, Any]) -> None:
    """Revoke a token, by version 2.0."""
    revoke_token(rq, found)


@api.get("/v2.0/tokens/{token_id}/endpoints", policy="identity:validate_token", on=subject)
def list_token_endpoints(rq: Request, found: dict[str, Any]) -> dict[str, Any]:
    """List the endpoints that a token reaches."""
    services = _services(rq.tx, found["token"])
    listed = [
        {"type": service["type"], "name": service["name"], **endpoint}
        for service in services
        for endpoint in service["endpoints"]
    ]
    return {"endpoints": listed, "endpoints_links": []}


@api.get("/v2.0/tenants", policy="identity:get_auth_projects")
def list_tenants(rq: Request) -> dict[str, Any]:
    """List the projects the caller could scope a token to, as version 2.0 shows them."""
    rows = [row for row in grants.projects_of(rq.tx, rq.ctx.user_id or "") if row.enabled and not row.is_domain]
    limit, marker = rq.query.number("limit", 1), rq.query.get("marker")
    if marker is not None:
        if marker not in (ids := [row.id for row in rows]):
            raise BadRequest(f"marker [{marker[:100]}] not found")
        rows = rows[ids.index(marker) + 1 :]
    return {"tenants": [_tenant(row) for row in rows[:limit]], "tenants_links": []}


# -- views ---------------------------------------------------------------------------------------------------------------


def _tenant(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "enabled": project.enabled,
    }


def access(tx: Tx, secret: str, token: Token) -> dict[str, Any]:
    """A token's body."""
    payload = token.payload
    shown: dict[str, Any] = {
        "id": secret,
        "issued_at": payload.issued_at,
        "expires": clock.seconds(payload.expires_at),
        "audit_ids": payload.audit_ids,
    }
    if token.project:
        shown["tenant"] = _tenant(token.project)
    user = {
        "id": token.user.id,
        "name": token.user.name,
        "username": token.user.name,
        "roles": [{"name": role.name} for role in token.roles],
        "roles_links": [],
    }
    access = {
        "token": shown,
        "user": user,
        "serviceCatalog": _services(tx, token),
        "metadata": {"is_admin": 0, "roles": [role.id for role in token.roles]},
    }
    if token.trust:
        access["trust"] = {
            "id": token.trust.id,
            "trustor_user_id": token.trust.trustor_user_id,
            "trustee_user_id": token.trust.trustee_user_id,
            "impersonation": token.trust.impersonation,
        }
    return {"access": access}


def _services(tx: Tx, token: Token) -> list[dict[str, Any]]:
    """The catalog, with the three interfaces of a region in one entry."""
    if not token.project:
        return []
    found = []
    for service in catalog(tx, token.project.id, token.user.id):
        regions: dict[str | None, dict[str, Any]] = {}
        for endpoint in service["endpoints"]:
            entry = regions.setdefault(endpoint["region"], {"region": endpoint["region"], "id": endpoint["id"]})
            entry[f"{endpoint['interface']}URL"] = endpoint["url"]
        found.append(
            {
                "type": service["type"],
                "name": service["name"],
                "endpoints": list(regions.values()),
                "endpoints_links": [],
            }
        )
    return found
