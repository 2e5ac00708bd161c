"""OpenID Connect: a provider's metadata and keys, and what makes its tokens believable (OpenID Connect Core 1.0).

Two ways lead here: a bearer token that a client got from the provider itself, and the authorization code of a browser's
log-in. Nothing of a token is believed before its signature, or the provider itself, says so.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from pileus.core import log, tls
from pileus.core.errors import Unauthorized, Unavailable
from pileus.identity.drivers.patience import Patience
from pileus.identity.federation.login import Vouched
from pileus.identity.federation.settings import Oidc
from pileus.identity.federation.shadow import refuse

_log = log.logger("pileus.identity")
# never `none`, and nothing symmetric: with those the public key would be the secret
ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_KEEP = 3600.0  # seconds that metadata and keys are believed
_AGAIN = 10.0  # seconds before a provider that did not answer, or had no such key, is asked again
_LARGEST = 1 << 20
_LONGEST = 32768
_LEEWAY = 30
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


class Provider:
    """One provider, as its settings say. Raises Unauthorized for what is not to be believed, Unavailable for silence."""

    def __init__(self, settings: Oidc):
        self.settings = settings
        verify = tls.trust(settings.ca_file or None)
        self._http = httpx.Client(timeout=_TIMEOUT, verify=verify, follow_redirects=False, trust_env=False)
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: list[dict[str, Any]] = []
        self._read = self._keys_read = float("-inf")
        self._patience = Patience(_silent, _AGAIN)

    def close(self) -> None:
        self._http.close()

    # -- a log-in in the browser -----------------------------------------------------------------------------------

    def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser is sent."""
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        with self._patience.waiting():
            endpoint = self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def redeem(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Vouched:
        """What the provider says of whoever came back from it with this code."""
        with self._patience.waiting():
            return self._redeem(code, redirect_uri, nonce, verifier)

    def _redeem(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> Vouched:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = self._ask_as_client("token_endpoint", form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise refuse("the identity provider answered without an ID token")
        claims = self._verified(token, audience=self.settings.client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise refuse("the ID token is not of this log-in: its nonce differs")
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self.settings.client_id:
            raise refuse("the ID token is for several, and was not made for this cloud")
        access_token = answer.get("access_token")
        return self._vouched(claims, access_token if isinstance(access_token, str) else "")

    # -- a bearer token --------------------------------------------------------------------------------------------

    def accept(self, token: str) -> Vouched:
        """What the provider says of whoever brings this token: a signed one, or one that it is asked about."""
        if len(token) > _LONGEST or not token.isascii():
            raise refuse("the bearer token is no token")
        with self._patience.waiting():
            return self._accept(token)

    def _accept(self, token: str) -> Vouched:
        claims = self._signed(token) if _COMPACT.fullmatch(token) else None
        if claims is None:
            claims = self._introspected(token)
        if not self._meant_for_us(claims):
            raise refuse(f"the bearer token is for {claims.get('aud')}, got by {claims.get('azp')}, and not for us")
        return self._vouched(claims, token)

    def _signed(self, token: str) -> dict[str, Any] | None:
        """The claims of a token with a signature. None where only the provider could tell, if it lets itself be asked."""
        try:
            claims = self._verified(token)
        except Unauthorized:
            if "introspection_endpoint" in self._known():
                return None
            raise
        if "events" in claims:  # logout tokens have the same issuer, key and audience
            raise refuse("the bearer token is a logout token")
        return claims

    def _introspected(self, token: str) -> dict[str, Any]:
        """RFC 7662."""
        if "introspection_endpoint" not in self._known():
            raise refuse("the bearer token has no signature, and the identity provider cannot be asked about it")
        claims = self._ask_as_client("introspection_endpoint", {"token": token})
        expires = claims.get("exp")
        if claims.get("active") is not True or (isinstance(expires, int | float) and expires < time.time()):
            raise refuse("the identity provider says that the bearer token is not active")
        if claims.setdefault("iss", self.settings.issuer) != self.settings.issuer:
            raise refuse(f"the bearer token is of another issuer: {claims['iss']}")
        if "azp" not in claims and "client_id" in claims:
            claims["azp"] = claims["client_id"]
        return claims

    def _meant_for_us(self, claims: dict[str, Any]) -> bool:
        wanted = {self.settings.client_id, *self.settings.audiences}
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        return any(isinstance(name, str) and name in wanted for name in [*named, claims.get("azp")])

    # -- claims ----------------------------------------------------------------------------------------------------

    def _verified(self, token: str, audience: str | None = None) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise refuse(f"a token is signed by {str(algorithm)[:20]}, which is not accepted")
            key = jwt.PyJWK(self._key(header.get("kid"), algorithm), algorithm=algorithm)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self.settings.issuer,
                audience=audience,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "sub", "aud"], "verify_aud": audience is not None},
            )
            return claims
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise refuse(f"a token of {self.settings.issuer} is not believable: {error}") from None

    def _key(self, kid: Any, algorithm: str) -> dict[str, Any]:
        """The key that a token names. A name that is new is reason to look again, though not for everybody's asking."""
        for fresh in (False, True):
            keys = [key for key in self._known_keys(fresh) if key.get("use", "sig") == "sig"]
            keys = [
                key
                for key in keys
                if key.get("alg", algorithm) == algorithm and key.get("kty") in _KINDS[algorithm[:2]]
            ]
            found = keys if kid is None else [key for key in keys if key.get("kid") == kid]
            if len(found) == 1:
                return found[0]
        raise refuse(f"the identity provider has no key {str(kid)[:100]!r} for {algorithm}")

    def _vouched(self, claims: dict[str, Any], access_token: str) -> Vouched:
        if access_token and self.settings.userinfo and "userinfo_endpoint" in self._known():
            claims = {**self._user_info(access_token, claims.get("sub")), **claims}
        attributes: dict[str, list[str]] = {}
        for name, value in claims.items():
            found = _texts(value)
            # as Apache's module calls them, by which most mappings are written
            attributes[name] = attributes[f"OIDC-{name}"] = attributes[f"HTTP_OIDC_{name.upper()}"] = found
            if isinstance(value, dict):
                attributes.update((f"{name}.{inner}", _texts(item)) for inner, item in value.items())
        attributes["HTTP_OIDC_ISS"] = [self.settings.issuer]
        return Vouched(self.settings.issuer, attributes, str(claims.get("sub", "")), "HTTP_OIDC_ISS")

    def _user_info(self, access_token: str, subject: Any) -> dict[str, Any]:
        """Further claims. They may be missing, but never be about somebody else."""
        headers = {"authorization": f"Bearer {access_token}"}
        status, found = self._ask("GET", self._endpoint("userinfo_endpoint"), headers=headers)
        if status != 200 or found.get("sub") != subject:
            _log.info("an identity provider gave no user information", extra={"status": status})
            return {}
        return found

    # -- the provider ----------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, Any]:
        """Its metadata (OpenID Connect Discovery 1.0)."""
        with self._lock:
            if time.monotonic() - self._read > _KEEP:
                issuer = self.settings.issuer
                found = self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise Unavailable("The identity provider calls itself differently than its settings here do.")
                self._metadata, self._read = found, time.monotonic()
            return self._metadata

    def _known_keys(self, fresh: bool) -> list[dict[str, Any]]:
        endpoint = self._endpoint("jwks_uri")
        with self._lock:
            if time.monotonic() - self._keys_read > (_AGAIN if fresh else _KEEP):
                found = self._fetch(endpoint).get("keys")
                self._keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
                self._keys_read = time.monotonic()
            return self._keys

    def _fetch(self, url: str) -> dict[str, Any]:
        status, found = self._ask("GET", _safe(url, self.settings.issuer))
        if status != 200:
            self._patience.silent()
            raise _silent(f"{url} answered {status}")
        return found

    def _endpoint(self, name: str) -> str:
        url = self._known().get(name)
        if not isinstance(url, str):
            raise Unavailable(f"The identity provider has no {name}.")
        return _safe(url, self.settings.issuer)

    def _ask_as_client(self, endpoint: str, form: dict[str, str]) -> dict[str, Any]:
        """A request in which this cloud has to say, and to show, who it is."""
        settings = self.settings
        methods = self._known().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        auth = None
        if not settings.client_secret or "client_secret_basic" not in methods:
            secret = {"client_secret": settings.client_secret} if settings.client_secret else {}
            form = {**form, "client_id": settings.client_id, **secret}
        else:
            auth = httpx.BasicAuth(_quoted(settings.client_id), _quoted(settings.client_secret))
        status, found = self._ask("POST", self._endpoint(endpoint), data=form, auth=auth)
        if status != 200:
            raise refuse(f"{endpoint} answered {status}: {str(found.get('error'))[:100]}")
        return found

    def _ask(self, method: str, url: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON."""
        self._patience.check()
        try:
            with self._http.stream(method, url, headers=options.pop("headers", {}), **options) as response:
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > _LARGEST:
                        raise _silent(f"{url} sends too much")
                found = json.loads(data) if data else {}
        except httpx.HTTPError as error:
            self._patience.silent()
            raise _silent(f"{url}: {error!r}") from None
        except (ValueError, RecursionError):
            found = {}
        return response.status_code, found if isinstance(found, dict) else {}


_KINDS = {"RS": ("RSA",), "PS": ("RSA",), "ES": ("EC",), "Ed": ("OKP",)}


def _silent(detail: str) -> Unavailable:
    return Unavailable("The identity provider does not answer as it should; try again.", detail=detail)


def _safe(url: str, issuer: str) -> str:
    """Metadata may send us elsewhere, but not from an encrypted issuer to a place in the clear."""
    kind = urlsplit(url).scheme
    if kind not in ("https", "http") or (kind == "http" and urlsplit(issuer).scheme == "https"):
        raise Unavailable("The identity provider's metadata names an address that is not to be trusted.")
    return url


def _quoted(text: str) -> str:
    """RFC 6749, 2.3.1: form encoding, before Basic's own."""
    return urlencode({"": text})[1:]


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if value is None:
        return []
    return [value if isinstance(value, str) else json.dumps(value)]
