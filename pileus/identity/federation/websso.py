"""A log-in in the browser: what has to be remembered between sending a browser away and seeing it come back.

It is kept by the browser itself, sealed, so that any controller may see it come back. Half of it travels through the
identity provider and half stays as a cookie, or somebody could have another log in as them. With OpenID Connect what is
sealed travels, as the provider sends the browser back by a redirect. SAML's forms have room for 80 bytes (bindings, 3.5.3):
there the cookie is what is sealed.
"""

import hashlib
import hmac
import html
import secrets
import time
from urllib.parse import unquote_plus, urlsplit

import msgspec
from cryptography.fernet import InvalidToken

from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.wire import Request, Response
from pileus.identity.federation.shadow import refuse
from pileus.identity.tokens import keys

SECONDS = 600  # that somebody may take over logging in there
FOLDER = "keys-federation"
_COOKIE = "pileus-websso-"


class State(msgspec.Struct, array_like=True):
    idp_id: str
    protocol_id: str
    origin: str
    nonce: str
    verifier: str
    bound: str  # the digest of the half that is not this
    made: float

    @property
    def request_id(self) -> str:
        """What a SAML request is called."""
        return f"_{self.nonce}"


def origin(rq: Request, trusted: list[str]) -> str:
    """Where the token is to be sent. Raises BadRequest, and Unauthorized for a dashboard that is not trusted."""
    given = rq.query.get("origin")
    if not given:
        raise BadRequest("The request must have an origin query parameter.")
    address = unquote_plus(given)
    if not trusts(trusted, address):
        raise Unauthorized(f"{address[:200]} is not a trusted dashboard host.")
    return address


def trusts(trusted: list[str], address: str) -> bool:
    """Exactly so, save for capitals in a host's name."""
    return address in {_lowered(url) for url in trusted}


def _lowered(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.lower()).geturl()


def begin(sealer: keys.Fernets, idp_id: str, protocol_id: str, address: str) -> tuple[State, str, str]:
    """The state, sealed, and the cookie that goes with it."""
    bound = secrets.token_urlsafe(24)
    nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    state = State(idp_id, protocol_id, address, nonce, verifier, _digest(bound), time.time())
    return state, sealer.encrypt(msgspec.msgpack.encode(state)).decode(), bound


def cookie(rq: Request, bound: str, seconds: int = SECONDS, sealed: str = "") -> str:
    """With what is sealed in it, it has to come along with another site's form, which browsers allow only where asked to."""
    encrypted = rq.cloud.settings.url.startswith("https:")
    secure = "; Secure" if encrypted else ""
    site = "; SameSite=Lax" if not sealed else "; SameSite=None" if encrypted else ""
    name = _COOKIE + _digest(bound)[:12]
    return f"{name}={sealed or bound}; Path=/; Max-Age={seconds}; HttpOnly{site}{secure}"


def come_back(rq: Request, sealer: keys.Fernets, sealed: str) -> tuple[State, str]:
    """The state and the value of its cookie. Raises Unauthorized when it is none, too old, or another browser's."""
    state = unsealed(sealer, sealed)
    value = _kept(rq, state.bound)
    if not hmac.compare_digest(_digest(value), state.bound):
        raise refuse("the browser that came back is not the one that was sent away")
    return state, value


def come_back_by_form(rq: Request, sealer: keys.Fernets, bound: str) -> State:
    """The state in the cookie of what travelled. Raises Unauthorized, as `come_back`."""
    digest = _digest(bound)
    state = unsealed(sealer, _kept(rq, digest))
    if not hmac.compare_digest(digest, state.bound):
        raise refuse("the browser that came back is not the one that was sent away")
    return state


def unsealed(sealer: keys.Fernets, sealed: str) -> State:
    """Raises Unauthorized."""
    try:
        state = msgspec.msgpack.decode(sealer.decrypt(sealed.encode()), type=State)
    except (InvalidToken, msgspec.DecodeError, ValueError, TypeError):
        raise refuse("the state that came back is not ours, or too old") from None
    if time.time() - state.made > SECONDS:
        raise refuse("the log-in at the identity provider took too long")
    return state


def _kept(rq: Request, digest: str) -> str:
    """The value of the cookie that belongs to a digest; "" where there is none."""
    wanted = _COOKIE + digest[:12]
    for part in rq.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hand_over(address: str, token: str, set_cookie: str = "") -> Response:
    """A page that sends the token to the dashboard by itself, or at the press of a button where scripts are off."""
    nonce = secrets.token_urlsafe(16)
    page = f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Logging in</title></head>
<body>
<form id="sso" name="sso" method="post" action="{html.escape(address)}">
<input type="hidden" name="token" id="token" value="{html.escape(token)}">
<noscript><button type="submit">Continue</button></noscript>
</form>
<script nonce="{nonce}">document.getElementById("sso").submit()</script>
</body></html>
"""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-security-policy": f"default-src 'none'; script-src 'nonce-{nonce}'; frame-ancestors 'none'",
    }
    if set_cookie:
        headers["set-cookie"] = set_cookie
    return Response(page.encode(), 200, headers)
