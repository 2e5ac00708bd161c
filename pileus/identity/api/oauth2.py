"""OAuth 2.0: application credentials as clients that get a bearer token (RFC 6749, 4.4; Identity API v3, "OS-OAUTH2").

Certificates as clients' proof (RFC 8705) are not taken: this server does not end TLS, and cannot know whose they were.
"""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qs

from pileus.core import clock
from pileus.core.errors import Fault, Unauthorized
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api.base import api, here
from pileus.identity.login import authentication

_FRESH = {"cache-control": "no-store", "pragma": "no-cache"}


class Refused(Exception):
    """In the words of RFC 6749, 5.2."""

    def __init__(self, status: int, error: str, why: str):
        super().__init__(why)
        self.status, self.error, self.why = status, error, why


@api.post("/v3/OS-OAUTH2/token", policy=PUBLIC, tx="", slow=True)
def issue_access_token(rq: Request) -> Response:
    """Give a client a bearer token for its application credential."""
    try:
        secret, expires_at = _log_in(rq)
    except Refused as refused:
        headers = dict(_FRESH)
        if refused.status == 401:
            headers["www-authenticate"] = f'Keystone uri="{here(rq)}/v3"'
        return Response({"error": refused.error, "error_description": refused.why}, refused.status, headers)
    left = max(0, int(clock.epoch(expires_at) - clock.epoch(clock.now())))
    return Response({"access_token": secret, "token_type": "Bearer", "expires_in": left}, 200, dict(_FRESH))


def _log_in(rq: Request) -> tuple[str, str]:
    form = _form(rq)
    grant = form.get("grant_type")
    if not grant:
        raise Refused(400, "invalid_request", "The parameter grant_type is required.")
    if grant != "client_credentials":
        raise Refused(400, "unsupported_grant_type", "The parameter grant_type can only be client_credentials.")
    client_id, secret = _client(rq, form)
    method: dict[str, Any] = {"id": client_id, "secret": secret}
    body = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": method}}}
    try:
        sealed, token = authentication.log_in(rq.cloud, authentication.parse(body), {}, rq.client)
    except Unauthorized:
        raise _unknown() from None
    except Fault as error:
        raise Refused(
            error.status, "invalid_request" if error.status == 400 else "other_error", error.message
        ) from None
    return sealed, token.payload.expires_at


def _unknown() -> Refused:
    return Refused(401, "invalid_client", "Client authentication failed.")


def _form(rq: Request) -> dict[str, str]:
    """The body's parameters. A parameter is given once (RFC 6749, 3.2)."""
    try:
        found = parse_qs(rq.body.decode(), strict_parsing=True, max_num_fields=20, errors="strict") if rq.body else {}
    except ValueError:  # UnicodeDecodeError is one
        raise Refused(400, "invalid_request", "The body is no form that can be read.") from None
    if any(len(values) > 1 for values in found.values()):
        raise Refused(400, "invalid_request", "A parameter is given twice.")
    return {name: values[0] for name, values in found.items()}


def _client(rq: Request, form: dict[str, str]) -> tuple[str, str]:
    """Who the client says it is: by Basic authentication, or in the form."""
    kind, _, text = rq.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            name, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise _unknown() from None
        if colon and name and secret:
            return name, secret  # not form-encoded, as OpenStack's clients send them
    elif form.get("client_id") and form.get("client_secret"):
        return form["client_id"], form["client_secret"]
    raise _unknown()
