"""A small OpenID Connect provider on loopback, for tests: it conforms, and can be told to misbehave.

Everybody is logged in at once as `user`; `claims` are what it says of people, by name.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.outside import Answer, Asked, Outside


class Key:
    def __init__(self, kid: str):
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def public(self) -> dict[str, Any]:
        jwk: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig"}


_KEY = Key("first")  # made once: it takes a tenth of a second


class Provider:
    def __init__(self, client_id: str = "pileus", client_secret: str = "shared & secret"):
        self.client_id, self.client_secret = client_id, client_secret
        self.keys = [_KEY]
        self.user = "alice"
        self.passwords = {"alice": "wonder land"}
        self.claims: dict[str, dict[str, Any]] = {"alice": {"preferred_username": "alice", "email": "alice@op.test"}}
        self.opaque = False  # access tokens without a signature, good for introspection only
        self.wrong: dict[str, Any] = {}  # what ID tokens say instead of the truth
        self.down = False
        self.asked: list[str] = []
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}

    def settings(self, **more: Any) -> dict[str, Any]:
        """What pileus has to be told of it."""
        secret = {"client_id": self.client_id, "client_secret": self.client_secret}
        return {"type": "oidc", "issuer": self.issuer, **secret, **more}

    def token(
        self, user: str, key: Key | None = None, algorithm: str = "RS256", secret: Any = None, **change: Any
    ) -> str:
        """A signed token about somebody; members that are None are left out."""
        now, key = int(time.time()), key or self.keys[0]
        said = {
            "iss": self.issuer, "sub": f"id-of-{user}", "aud": self.client_id, "iat": now, "exp": now + 300,
            **self.claims.get(user, {}), **change,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, secret if secret is not None else key.private, algorithm, headers={"kid": key.kid})

    def access_token(self, user: str) -> str:
        claims = {"sub": f"id-of-{user}", "aud": self.client_id, "exp": int(time.time()) + 300}
        token = secrets.token_urlsafe(20) if self.opaque else self.token(user, typ="Bearer", jti=secrets.token_hex(4))
        self._tokens[token] = {**claims, "user": user}
        return token

    # -- endpoints ---------------------------------------------------------------------------------------------------

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "grant_types_supported": ["authorization_code", "password"],
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes next."""
        assert asked["response_type"] == "code" and asked["client_id"] == self.client_id and "openid" in asked["scope"]
        code = secrets.token_urlsafe(12)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def redeem(self, form: dict[str, str], client: str) -> tuple[int, dict[str, Any]]:
        user, nonce = self.user, None
        if form.get("grant_type") == "password":
            user = form["username"]
            if self.passwords.get(user) != form["password"]:
                return 400, {"error": "invalid_grant"}
        else:
            asked = self._codes.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
                return 400, {"error": "invalid_grant"}
            nonce = asked["nonce"]
        identity = self.token(user, **{"nonce": nonce, **self.wrong})
        return 200, {"access_token": self.access_token(user), "id_token": identity, "token_type": "Bearer"}

    def introspect(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._tokens.get(form.get("token", ""))
        if found is None:
            return {"active": False}
        return {"active": True, "iss": self.issuer, "username": found["user"], **found, **self.wrong}

    def user_info(self, bearer: str) -> dict[str, Any] | None:
        found = self._tokens.get(bearer)
        return found and {"sub": found["sub"], **self.claims.get(found["user"], {})}


class _Served(Outside):
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        super().__init__()

    def answer(self, asked: Asked) -> Answer:
        self.provider.asked.append(asked.path)
        if asked.verb == "GET" and self.provider.down:
            return 500, "", {}
        status, body, headers = self.posted(asked) if asked.verb == "POST" else self.shown(asked)
        return status, json.dumps(body), headers

    def shown(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        provider = self.provider
        if asked.path == "/.well-known/openid-configuration":
            return 200, provider.metadata(), {}
        if asked.path == "/jwks":
            return 200, {"keys": [key.public() for key in provider.keys]}, {}
        if asked.path == "/authorize":
            return 302, None, {"location": provider.authorize(asked.query)}
        if asked.path == "/userinfo":
            found = provider.user_info(asked.headers.get("authorization", "").removeprefix("Bearer "))
            return 200 if found else 401, found, {}
        return 404, None, {}

    def posted(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        client = self.client(asked, form)
        if client is None:
            return 401, {"error": "invalid_client"}, {}
        if asked.path == "/token":
            return *self.provider.redeem(form, client), {}
        if asked.path == "/introspect":
            return 200, self.provider.introspect(form), {}
        return 404, None, {}

    def client(self, asked: Asked, form: dict[str, str]) -> str | None:
        shared = self.provider.client_secret
        scheme, _, encoded = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return form.get("client_id") if form.get("client_secret") == shared else None
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return name if shared in (unquote_plus(secret), secret) and name == self.provider.client_id else None


@contextmanager
def running(**options: Any) -> Iterator[Provider]:
    """A provider at an address of its own on loopback."""
    provider = Provider(**options)
    served = _Served(provider)
    provider.issuer = served.url
    try:
        yield provider
    finally:
        served.stop()
