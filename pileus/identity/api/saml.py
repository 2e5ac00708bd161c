"""Assertions for other clouds about one's own users (OS-FEDERATION, "Generate assertions")."""

from typing import TYPE_CHECKING, Any

import msgspec

from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api.base import api

if TYPE_CHECKING:
    from pileus.identity.federation.saml import Said


class _Id(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class _Identity(msgspec.Struct, forbid_unknown_fields=True):
    token: _Id
    methods: list[str] = []


class _Scope(msgspec.Struct, forbid_unknown_fields=True):
    service_provider: _Id


class _Auth(msgspec.Struct, forbid_unknown_fields=True):
    identity: _Identity
    scope: _Scope


def _answer(rq: Request, enveloped: bool) -> Response:
    # XML is a library's weight, which only clouds that vouch for their users have to carry
    from pileus.identity.federation import saml

    try:
        auth = msgspec.convert(rq.unwrap("auth"), _Auth)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'auth': {error}") from None
    with rq.cloud.db.read() as tx:
        token = rq.cloud.tokens.load(tx, auth.identity.token.id)
        if token is None:
            raise Unauthorized("The request you have made requires authentication.")
        said: Said = saml.said(tx, token, auth.scope.service_provider.id)
    own = rq.cloud.drivers["identity"].federation.saml
    issuer = saml.entity_id(rq.cloud.settings, own)
    made: Any = saml.response(said, issuer, saml.signer(rq.cloud.settings.folder, issuer), own.assertion_seconds)
    if enveloped:
        made = saml.envelope(made, said)
    headers = {"content-type": "text/xml", "x-sp-url": said.provider.sp_url, "x-auth-url": said.provider.auth_url}
    return Response(saml.text(made), 200, headers)


@api.post("/v3/auth/OS-FEDERATION/saml2", policy=PUBLIC, tx="")
def create_assertion(rq: Request) -> Response:
    """Exchange a token of a project for a SAML assertion that a service provider believes."""
    return _answer(rq, enveloped=False)


@api.post("/v3/auth/OS-FEDERATION/saml2/ecp", policy=PUBLIC, tx="")
def create_ecp_assertion(rq: Request) -> Response:
    """Exchange a token of a project for a SAML assertion in the envelope that a client carries it in."""
    return _answer(rq, enveloped=True)


@api.get("/v3/OS-FEDERATION/saml2/metadata", policy=PUBLIC, tx="")
def show_metadata(rq: Request) -> Response:
    """Show the metadata by which other clouds check this one's assertions."""
    from pileus.identity.federation import saml

    own = rq.cloud.drivers["identity"].federation.saml
    issuer = saml.entity_id(rq.cloud.settings, own)
    found = saml.metadata(issuer, own, saml.signer(rq.cloud.settings.folder, issuer))
    return Response(saml.text(found), 200, {"content-type": "text/xml"})
