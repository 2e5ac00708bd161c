"""Log-in by those whom an identity provider vouches for (OS-FEDERATION, "Request an unscoped token")."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound, Unauthorized
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api.base import api
from pileus.identity.api.tokens import render
from pileus.identity.drivers import Connections
from pileus.identity.federation import login, websso
from pileus.identity.federation.login import Vouched
from pileus.identity.federation.settings import Oidc, Saml
from pileus.identity.federation.shadow import refuse, settle
from pileus.identity.federation.store import Protocol
from pileus.identity.tokens import keys
from pileus.identity.tokens.provider import Token

if TYPE_CHECKING:
    from pileus.identity.federation.oidc import Provider
    from pileus.identity.federation.saml import Signer
    from pileus.identity.federation.saml_asking import Place

_PROTOCOL = "identity_providers/{idp_id}/protocols/{protocol_id}"
_AUTH = f"/v3/OS-FEDERATION/{_PROTOCOL}/auth"
_SSO = "/v3/auth/OS-FEDERATION/websso/{protocol_id}"
_SSO_OF_IDP = f"/v3/auth/OS-FEDERATION/{_PROTOCOL}/websso"
_METADATA = f"{_SSO_OF_IDP}/metadata"


def _connections(rq: Request) -> Connections:
    found: Connections = rq.cloud.drivers["identity"]
    return found


def _known(rq: Request, idp_id: str, protocol_id: str) -> None:
    """Before anybody is asked. Raises NotFound, Forbidden."""
    with rq.cloud.db.read() as tx:
        login.find(tx, idp_id, protocol_id)


def _provider(rq: Request, idp_id: str) -> "Provider":
    found = _connections(rq).provider(idp_id)
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


@api.get(_AUTH, policy=PUBLIC, tx="", status=201, slow=True)
def federated_auth(rq: Request) -> Response:
    """Issue an unscoped token to whoever brings a token or an assertion of an identity provider."""
    idp_id, protocol_id = rq.params["idp_id"], rq.params["protocol_id"]
    _known(rq, idp_id, protocol_id)
    how = _connections(rq).federation.identity_providers.get(idp_id)
    if isinstance(how, Saml):
        if not rq.body and "paos" in rq.headers and _PAOS_TYPE in rq.headers.get("accept", ""):
            return _send_envelope(rq, idp_id, protocol_id, how)
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
    """One that nobody asked for, or the answer to an envelope: the state that came along tells them apart."""
    # XML is a library's weight, which only clouds with such an identity provider have to carry
    from pileus.identity.federation import saml_reading
    from pileus.identity.federation.saml_reading import Meant

    if not rq.body:
        raise Unauthorized("The identity provider's assertion is expected in the body.")
    here = {f"{rq.cloud.settings.url}{prefix}{_filled(_AUTH, idp_id, protocol_id)}" for prefix in ("", "/identity")}
    place = _place(rq, idp_id, protocol_id, how)
    with _counted(rq):
        message = saml_reading.posted(rq.body, rq.headers.get("content-type", ""))
        answers = _asked(rq, idp_id, protocol_id, message.relay_state)
        meant = Meant(here, {place.entity_id} if answers else {*here, place.entity_id}, answers)
        secret, body = _believe(rq, idp_id, protocol_id, how, message, meant)
    return Response(body, 201, {"x-subject-token": secret, "vary": "X-Auth-Token"})


def _believe(
    rq: Request, idp_id: str, protocol_id: str, how: Saml, message: Any, meant: Any
) -> tuple[str, dict[str, Any]]:
    from pileus.identity.federation import saml_reading

    vouched, mark, until = saml_reading.read(message, how, meant)
    once = partial(saml_reading.use, mark=mark, until=until)
    secret, _, body = _log_in(rq, idp_id, protocol_id, vouched, once)
    return secret, body


api.post(_AUTH, policy=PUBLIC, tx="", status=201, slow=True)(federated_auth)


# -- asking for an assertion ---------------------------------------------------------------------------------------------

_PAOS_TYPE = "application/vnd.paos+xml"


def _filled(path: str, idp_id: str, protocol_id: str) -> str:
    """As an address has it: ids may be of any characters."""
    return path.replace("{idp_id}", quote(idp_id, safe="")).replace("{protocol_id}", quote(protocol_id, safe=""))


def _place(rq: Request, idp_id: str, protocol_id: str, how: Saml) -> "Place":
    """What this cloud is to a SAML identity provider."""
    from pileus.identity.federation.saml_asking import Place

    metadata, websso_, auth = (
        f"{rq.cloud.settings.url}{_filled(path, idp_id, protocol_id)}" for path in (_METADATA, _SSO_OF_IDP, _AUTH)
    )
    return Place(how.audience or metadata, websso_, auth)


def _signer(rq: Request) -> "Signer":
    """The key that requests are signed with: the one that this cloud vouches for its own users with."""
    from pileus.identity.federation import saml

    issuer = saml.entity_id(rq.cloud.settings, _connections(rq).federation.saml)
    return saml.signer(rq.cloud.settings.folder, issuer)


def _send_envelope(rq: Request, idp_id: str, protocol_id: str, how: Saml) -> Response:
    """To a client that will ask the identity provider itself (PAOS): the request, and the state to bring back."""
    from pileus.identity.federation import saml, saml_asking

    state, sealed, _ = websso.begin(_sealer(rq), idp_id, protocol_id, "")
    made = saml_asking.envelope(_place(rq, idp_id, protocol_id, how), state.request_id, sealed, _signer(rq))
    return Response(saml.text(made), 200, {"content-type": _PAOS_TYPE, "cache-control": "no-store"})


def _asked(rq: Request, idp_id: str, protocol_id: str, relay_state: str) -> str:
    """The id of the request in the envelope that this is the state of; "" where it is none of ours."""
    try:
        state = websso.unsealed(_sealer(rq), relay_state)
    except Unauthorized:
        return ""
    ours = (state.idp_id, state.protocol_id, state.origin) == (idp_id, protocol_id, "")
    return state.request_id if ours else ""


@api.get(_METADATA, policy=PUBLIC, tx="")
def show_service_metadata(rq: Request) -> Response:
    """Show what a SAML identity provider has to know of this cloud."""
    from pileus.identity.federation import saml, saml_asking

    idp_id, protocol_id = rq.params["idp_id"], rq.params["protocol_id"]
    _known(rq, idp_id, protocol_id)
    how = _connections(rq).federation.identity_providers.get(idp_id)
    if not isinstance(how, Saml):
        raise NotFound(f"The identity provider {idp_id} is not reached by SAML.")
    found = saml_asking.metadata(_place(rq, idp_id, protocol_id, how), _signer(rq))
    return Response(saml.text(found), 200, {"content-type": "application/samlmetadata+xml"})


# -- in the browser ------------------------------------------------------------------------------------------------------


@api.get(_SSO, policy=PUBLIC, tx="", slow=True)
def websso_by_protocol(rq: Request) -> Response:
    """Send a browser to the one identity provider of a protocol, to log in there."""
    protocol_id = rq.params["protocol_id"]
    with rq.cloud.db.read() as tx:
        named = [row.idp_id for row in tx.select(Protocol, order="idp_id", id=protocol_id)]
    known = _connections(rq).federation.identity_providers
    idps = [idp_id for idp_id in named if _by_browser(known.get(idp_id))]
    if not idps:
        raise NotFound(f"Could not find an identity provider with protocol {protocol_id}.")
    if len(idps) > 1:
        raise BadRequest(f"Several identity providers have protocol {protocol_id}: name one in the address.")
    return _send_away(rq, idps[0], protocol_id)


@api.get(_SSO_OF_IDP, policy=PUBLIC, tx="", slow=True)
def websso_of_provider(rq: Request) -> Response:
    """Send a browser to an identity provider to log in, and give the token to the dashboard when it comes back."""
    idp_id, protocol_id = rq.params["idp_id"], rq.params["protocol_id"]
    if "state" in rq.query:
        with _counted(rq):
            return _come_back(rq, idp_id, protocol_id)
    if rq.method == "POST" and b"SAMLResponse=" in rq.body:
        with _counted(rq):
            return _come_back_by_form(rq, idp_id, protocol_id)
    return _send_away(rq, idp_id, protocol_id)


def _by_browser(how: Oidc | Saml | None) -> bool:
    return isinstance(how, Oidc) or (isinstance(how, Saml) and bool(how.sso_url))


api.post(_SSO, policy=PUBLIC, tx="", slow=True)(websso_by_protocol)
api.post(_SSO_OF_IDP, policy=PUBLIC, tx="", slow=True)(websso_of_provider)


def _sealer(rq: Request) -> keys.Fernets:
    return keys.fernet(rq.cloud.settings.folder / websso.FOLDER)


def _address(rq: Request, idp_id: str, protocol_id: str) -> str:
    """As it has to be registered there. Not from the request's Host: whoever writes that would get the code."""
    return f"{rq.cloud.settings.url}{_filled(_SSO_OF_IDP, idp_id, protocol_id)}"


def _send_away(rq: Request, idp_id: str, protocol_id: str) -> Response:
    federation = _connections(rq).federation
    address = websso.origin(rq, federation.trusted_dashboards)
    _known(rq, idp_id, protocol_id)
    state, sealed, bound = websso.begin(_sealer(rq), idp_id, protocol_id, address)
    how = federation.identity_providers.get(idp_id)
    if isinstance(how, Saml):
        where, cookie = _saml_url(rq, how, state, bound), websso.cookie(rq, bound, sealed=sealed)
    else:
        registered = _address(rq, idp_id, protocol_id)
        where = _provider(rq, idp_id).authorization_url(registered, sealed, state.nonce, state.verifier)
        cookie = websso.cookie(rq, bound)
    return Response(None, 302, {"location": where, "set-cookie": cookie, "cache-control": "no-store"})


def _saml_url(rq: Request, how: Saml, state: websso.State, bound: str) -> str:
    from pileus.identity.federation import saml_asking

    if not how.sso_url:
        raise refuse(f"federation.json has no sso_url for identity provider {state.idp_id}")
    place = _place(rq, state.idp_id, state.protocol_id, how)
    return saml_asking.redirect(place, state.request_id, how.sso_url, bound, _signer(rq))


def _check_state(rq: Request, state: websso.State, idp_id: str, protocol_id: str) -> None:
    if (state.idp_id, state.protocol_id) != (idp_id, protocol_id):
        raise refuse("the state that came back is another identity provider's")
    if not websso.trusts(_connections(rq).federation.trusted_dashboards, state.origin):
        raise Forbidden("The dashboard is not trusted any more.")


def _come_back(rq: Request, idp_id: str, protocol_id: str) -> Response:
    state, bound = websso.come_back(rq, _sealer(rq), rq.query.get("state") or "")
    _check_state(rq, state, idp_id, protocol_id)
    code = rq.query.get("code")
    if not code:
        raise refuse(f"the identity provider refused: {(rq.query.get('error') or '')[:100]}")
    vouched = _provider(rq, idp_id).redeem(code, _address(rq, idp_id, protocol_id), state.nonce, state.verifier)
    secret, _, _ = _log_in(rq, idp_id, protocol_id, vouched)
    return websso.hand_over(state.origin, secret, websso.cookie(rq, bound, seconds=0))


def _come_back_by_form(rq: Request, idp_id: str, protocol_id: str) -> Response:
    """With the answer to our request, and by the browser that was sent with it."""
    from pileus.identity.federation import saml_reading
    from pileus.identity.federation.saml_reading import Meant

    _known(rq, idp_id, protocol_id)
    how = _connections(rq).federation.identity_providers.get(idp_id)
    if not isinstance(how, Saml):
        raise refuse(f"identity provider {idp_id} is not reached by SAML: see federation.json")
    message = saml_reading.posted(rq.body, rq.headers.get("content-type", ""))
    state = websso.come_back_by_form(rq, _sealer(rq), message.relay_state)
    _check_state(rq, state, idp_id, protocol_id)
    place = _place(rq, idp_id, protocol_id, how)
    meant = Meant({place.by_post}, {place.entity_id}, state.request_id)
    secret, _ = _believe(rq, idp_id, protocol_id, how, message, meant)
    return websso.hand_over(state.origin, secret, websso.cookie(rq, message.relay_state, seconds=0))
