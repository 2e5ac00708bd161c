"""Log-in by those whom an identity provider vouches for (OS-FEDERATION, "Request an unscoped token")."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotBuilt, NotFound, Unauthorized
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api.base import api
from pileus.identity.api.tokens import render
from pileus.identity.drivers import Connections
from pileus.identity.federation import login, websso
from pileus.identity.federation.login import Vouched
from pileus.identity.federation.settings import Saml
from pileus.identity.federation.shadow import refuse, settle
from pileus.identity.federation.store import Protocol
from pileus.identity.tokens import keys
from pileus.identity.tokens.provider import Token

if TYPE_CHECKING:
    from pileus.identity.federation.oidc import Provider

_PROTOCOL = "identity_providers/{idp_id}/protocols/{protocol_id}"
_AUTH = f"/v3/OS-FEDERATION/{_PROTOCOL}/auth"
_SSO = "/v3/auth/OS-FEDERATION/websso/{protocol_id}"
_SSO_OF_IDP = f"/v3/auth/OS-FEDERATION/{_PROTOCOL}/websso"


def _connections(rq: Request) -> Connections:
    found: Connections = rq.cloud.drivers["identity"]
    return found


def _known(rq: Request, idp_id: str, protocol_id: str) -> None:
    """Before anybody is asked. Raises NotFound, Forbidden."""
    with rq.cloud.db.read() as tx:
        login.find(tx, idp_id, protocol_id)


def _provider(rq: Request, idp_id: str) -> "Provider":
    found = _connections(rq).provider(idp_id)
    if found is None and idp_id in _connections(rq).federation.identity_providers:
        raise NotBuilt("Log-in in the browser is built for OpenID Connect, and not for SAML.")
    if found is None:
        raise refuse(f"nothing says how identity provider {idp_id} is reached: see federation.json")
    return found


@contextlib.contextmanager
def _counted(rq: Request) -> Iterator[None]:
    """What failed counts against the address it came from. Raises TooManyRequests before any work is done."""
    limits = rq.cloud.failed_log_ins
    limits.check("", rq.client)
    try:
        yield
    except Unauthorized:
        limits.failed("", rq.client)
        raise


def _log_in(
    rq: Request, idp_id: str, protocol_id: str, vouched: Vouched, once: Callable[[Tx], None] | None = None
) -> tuple[str, Token, dict[str, Any]]:
    def work(tx: Tx) -> tuple[str, Token, dict[str, Any]]:
        if once is not None:
            once(tx)
        secret, token = login.log_in(tx, rq.cloud.tokens, idp_id, protocol_id, vouched)
        return secret, token, render(tx, token, with_catalog=False)

    return settle(rq.cloud.db, work)


@api.get(_AUTH, policy=PUBLIC, tx="", status=201)
def federated_auth(rq: Request) -> Response:
    """Issue an unscoped token to whoever brings a token or an assertion of an identity provider."""
    idp_id, protocol_id = rq.params["idp_id"], rq.params["protocol_id"]
    _known(rq, idp_id, protocol_id)
    how = _connections(rq).federation.identity_providers.get(idp_id)
    if isinstance(how, Saml):
        return _by_assertion(rq, idp_id, protocol_id, how)
    kind, _, bearer = rq.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not bearer.strip():
        raise Unauthorized(
            "The identity provider's token is expected in the Authorization header.",
            headers={"www-authenticate": "Bearer"},
        )
    with _counted(rq):
        vouched = _provider(rq, idp_id).accept(bearer.strip())
        secret, _, body = _log_in(rq, idp_id, protocol_id, vouched)
    return Response(body, 201, {"x-subject-token": secret, "vary": "X-Auth-Token"})


def _by_assertion(rq: Request, idp_id: str, protocol_id: str, how: Saml) -> Response:
    # XML is a library's weight, which only clouds with such an identity provider have to carry
    from pileus.identity.federation import saml_reading

    if not rq.body:
        raise Unauthorized("The identity provider's assertion is expected in the body.")
    path = _PROTOCOL.replace("{idp_id}", idp_id).replace("{protocol_id}", protocol_id)
    here = {f"{rq.cloud.settings.url}{prefix}/v3/OS-FEDERATION/{path}/auth" for prefix in ("", "/identity")}
    with _counted(rq):
        data = saml_reading.posted(rq.body, rq.headers.get("content-type", ""))
        vouched, mark, until = saml_reading.read(data, how, here)
        once = partial(saml_reading.use, mark=mark, until=until)
        secret, _, body = _log_in(rq, idp_id, protocol_id, vouched, once)
    return Response(body, 201, {"x-subject-token": secret, "vary": "X-Auth-Token"})


api.post(_AUTH, policy=PUBLIC, tx="", status=201)(federated_auth)


# -- in the browser ------------------------------------------------------------------------------------------------------


@api.get(_SSO, policy=PUBLIC, tx="")
def websso_by_protocol(rq: Request) -> Response:
    """Send a browser to the one identity provider of a protocol, to log in there."""
    protocol_id = rq.params["protocol_id"]
    with rq.cloud.db.read() as tx:
        named = [row.idp_id for row in tx.select(Protocol, order="idp_id", id=protocol_id)]
    connections = _connections(rq)
    idps = [idp_id for idp_id in named if connections.provider(idp_id) is not None]
    if not idps:
        raise NotFound(f"Could not find an identity provider with protocol {protocol_id}.")
    if len(idps) > 1:
        raise BadRequest(f"Several identity providers have protocol {protocol_id}: name one in the address.")
    return _send_away(rq, idps[0], protocol_id)


@api.get(_SSO_OF_IDP, policy=PUBLIC, tx="")
def websso_of_provider(rq: Request) -> Response:
    """Send a browser to an identity provider to log in, and give the token to the dashboard when it comes back."""
    idp_id, protocol_id = rq.params["idp_id"], rq.params["protocol_id"]
    if "state" in rq.query:
        with _counted(rq):
            return _come_back(rq, idp_id, protocol_id)
    return _send_away(rq, idp_id, protocol_id)


api.post(_SSO, policy=PUBLIC, tx="")(websso_by_protocol)
api.post(_SSO_OF_IDP, policy=PUBLIC, tx="")(websso_of_provider)


def _sealer(rq: Request) -> keys.Fernets:
    return keys.Fernets(rq.cloud.settings.folder / websso.FOLDER)


def _address(rq: Request, idp_id: str, protocol_id: str) -> str:
    """As it has to be registered there. Not from the request's Host: whoever writes that would get the code."""
    path = _SSO_OF_IDP.replace("{idp_id}", idp_id).replace("{protocol_id}", protocol_id)
    return f"{rq.cloud.settings.url}{path}"


def _send_away(rq: Request, idp_id: str, protocol_id: str) -> Response:
    address = websso.origin(rq, _connections(rq).federation.trusted_dashboards)
    _known(rq, idp_id, protocol_id)
    state, sealed, bound = websso.begin(_sealer(rq), idp_id, protocol_id, address)
    where = _provider(rq, idp_id).authorization_url(
        _address(rq, idp_id, protocol_id), sealed, state.nonce, state.verifier
    )
    headers = {"location": where, "set-cookie": websso.cookie(rq, bound), "cache-control": "no-store"}
    return Response(None, 302, headers)


def _come_back(rq: Request, idp_id: str, protocol_id: str) -> Response:
    state, bound = websso.come_back(rq, _sealer(rq), rq.query.get("state") or "")
    if (state.idp_id, state.protocol_id) != (idp_id, protocol_id):
        raise refuse("the state that came back is another identity provider's")
    if not websso.trusts(_connections(rq).federation.trusted_dashboards, state.origin):
        raise Forbidden("The dashboard is not trusted any more.")
    code = rq.query.get("code")
    if not code:
        raise refuse(f"the identity provider refused: {(rq.query.get('error') or '')[:100]}")
    vouched = _provider(rq, idp_id).redeem(code, _address(rq, idp_id, protocol_id), state.nonce, state.verifier)
    secret, _, _ = _log_in(rq, idp_id, protocol_id, vouched)
    return websso.hand_over(state.origin, secret, websso.cookie(rq, bound, seconds=0))
