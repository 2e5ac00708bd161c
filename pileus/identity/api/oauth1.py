"""OAuth 1.0: consumers, and the way from a request token to an access token (Identity API v3, "OS-OAUTH1")."""

from typing import Any

from pileus.core.errors import BadRequest, Forbidden, NotFound
from pileus.core.paging import Where
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.access.roles import get_role
from pileus.identity.api.base import Target, View, api, creating, here, listing, many, one, viewer
from pileus.identity.api.credentials import vault
from pileus.identity.api.plain import plain
from pileus.identity.api.roles import named_roles
from pileus.identity.delegation import oauth1
from pileus.identity.delegation.oauth1 import Signed
from pileus.identity.projects import get_project
from pileus.identity.resources import ACCESS_TOKEN, CONSUMER, ROLE
from pileus.identity.store import AccessToken, Consumer, RequestToken

_FORM = "application/x-www-form-urlencoded"
_AT = "/v3/users/{user_id}/OS-OAUTH1/access_tokens"

plain(CONSUMER, Consumer, get=oauth1.get_consumer, delete=oauth1.delete_consumer, but=["create"])


@api.post("/v3/OS-OAUTH1/consumers", policy="identity:create_consumer", status=201)
def create_consumer(rq: Request) -> dict[str, Any]:
    """Create a consumer; its secret is shown this once."""
    row, secret = oauth1.create_consumer(rq.tx, vault(rq), creating(rq, CONSUMER))
    shown = one(rq, CONSUMER, row)
    shown["consumer"]["secret"] = secret
    return shown


def _signed(rq: Request) -> Signed:
    """The request as its signer saw it. Raises BadRequest without an OAuth header."""
    header = rq.headers.get("authorization", "")
    if not header.lower().startswith("oauth "):
        raise BadRequest("The request needs an Authorization header of OAuth 1.0.")
    kind = rq.headers.get("content-type", "")
    form = rq.body.decode("utf-8", "replace") if _FORM in kind else ""
    uri, root = rq.link(), rq.root
    other = root if here(rq) != root else f"{root}/identity"
    return Signed(uri, {"Authorization": header, "Content-Type": kind}, form, uri.replace(here(rq), other, 1))


def _form(text: str) -> Response:
    return Response(text.encode(), 201, {"content-type": _FORM})


@api.post("/v3/OS-OAUTH1/request_token", policy=PUBLIC, status=201)
def create_request_token(rq: Request) -> Response:
    """Give a consumer a request token for a project."""
    project_id = rq.headers.get("requested-project-id", "")
    if not project_id:
        raise BadRequest("The request needs the header Requested-Project-Id.")
    return _form(oauth1.request_token(rq.tx, vault(rq), _signed(rq), project_id))


@api.post("/v3/OS-OAUTH1/access_token", policy=PUBLIC, status=201)
def create_access_token(rq: Request) -> Response:
    """Give a consumer an access token for an authorized request token."""
    return _form(oauth1.access_token(rq.tx, vault(rq), _signed(rq)))


def request_token(rq: Request, request_token_id: str) -> Target[RequestToken]:
    return Target(oauth1.get_request_token(rq.tx, request_token_id))


def _no_delegation(rq: Request) -> None:
    if rq.ctx.token is not None and rq.ctx.token.delegated:
        raise Forbidden("A token got by delegation cannot manage OAuth tokens.")


@api.put("/v3/OS-OAUTH1/authorize/{request_token_id}", policy="identity:authorize_request_token", on=request_token)
def authorize_request_token(rq: Request, found: Target[RequestToken]) -> dict[str, Any]:
    """Let the consumer of a request token have some of one's roles."""
    _no_delegation(rq)
    get_project(rq.tx, found.row.project_id)
    role_ids = named_roles(rq, rq.json.get("roles", []))
    verifier = oauth1.authorize(rq.tx, found.row, rq.ctx.user_id or "", role_ids)
    return {"token": {"oauth_verifier": verifier}}


# -- what users have let consumers do ------------------------------------------------------------------------------------


def access_token(rq: Request, user_id: str, access_token_id: str, *_: str) -> Target[AccessToken]:
    return Target(oauth1.get_access_token(rq.tx, user_id, access_token_id), user_id=user_id)


def _viewer(rq: Request) -> View:
    view, base = viewer(rq, ACCESS_TOKEN), f"{here(rq)}/v3/users/"

    def show(row: AccessToken) -> dict[str, Any]:
        at = f"{base}{row.user_id}/OS-OAUTH1/access_tokens/{row.id}"
        return {**view(row), "links": {"self": at, "roles": f"{at}/roles"}}

    return show


@api.get(_AT, policy="identity:list_access_tokens")
def list_access_tokens(rq: Request) -> dict[str, Any]:
    """List the access tokens a user has authorized."""
    _no_delegation(rq)
    return listing(rq, ACCESS_TOKEN, AccessToken, [Where("user_id", "eq", rq.params["user_id"])], view=_viewer(rq))


@api.get(_AT + "/{access_token_id}", policy="identity:get_access_token", on=access_token)
def show_access_token(rq: Request, found: Target[AccessToken]) -> dict[str, Any]:
    """Show an access token, without its secret."""
    _no_delegation(rq)
    return {"access_token": _viewer(rq)(found.row)}


@api.delete(_AT + "/{access_token_id}", policy="identity:delete_access_token", on=access_token)
def delete_access_token(rq: Request, found: Target[AccessToken]) -> None:
    """Take an access token back; the tokens got by it are void at once."""
    _no_delegation(rq)
    oauth1.delete_access_token(rq.tx, found.row)


@api.get(_AT + "/{access_token_id}/roles", policy="identity:list_access_token_roles", on=access_token)
def list_access_token_roles(rq: Request, found: Target[AccessToken]) -> dict[str, Any]:
    """List the roles of an access token."""
    view = viewer(rq, ROLE)
    return many(rq, "roles", [view(role) for role in oauth1.roles_of(rq.tx, found.row)])


@api.get(_AT + "/{access_token_id}/roles/{role_id}", policy="identity:get_access_token_role", on=access_token)
def show_access_token_role(rq: Request, found: Target[AccessToken]) -> dict[str, Any]:
    """Show a role of an access token."""
    role_id = rq.params["role_id"]
    if role_id not in found.row.role_ids:
        raise NotFound(f"Could not find role {role_id} in access token {found.row.id}.")
    return one(rq, ROLE, get_role(rq.tx, role_id))
