"""OAuth 1.0 (RFC 5849): a user lets a consumer act with some roles on a project, without giving its password away.

A consumer gets a request token, the user authorizes it, and the consumer exchanges it for an access token, with which it
logs in. oauthlib checks the signatures; a nonce is remembered as long as its timestamp would be taken.
"""

import hashlib
import secrets
import string
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from oauthlib import oauth1

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound, Unauthorized
from pileus.identity.access import grants
from pileus.identity.delegation.credentials import Vault
from pileus.identity.projects import get_project
from pileus.identity.store import AccessToken, Consumer, Nonce, RequestToken, Role, changed
from pileus.identity.tokens import revocations

REQUEST_SECONDS, ACCESS_SECONDS = 8 * 3600, 24 * 3600
_LIFETIME = 600  # seconds that a client's clock may be wrong
_KEY = set("abcdef0123456789")
_VERIFIER = "".join(sorted(set(string.ascii_letters + string.digits) - set("jiIl1oO0")))  # what people tell apart
_NOBODY = "0" * 32
_WRONG = "The OAuth signature is not right, or what it was made with is gone."


class Signed(NamedTuple):
    """A request as its signer saw it; `alias` is where the API answers too, which keystoneclient signs for."""

    uri: str
    headers: dict[str, str]
    body: str = ""
    alias: str = ""


# -- consumers -----------------------------------------------------------------------------------------------------------


def get_consumer(tx: Tx, consumer_id: str) -> Consumer:
    """Raises NotFound."""
    found = tx.find(Consumer, id=consumer_id)
    if found is None:
        raise NotFound(f"Could not find consumer: {consumer_id[:64]}.")
    return found


def create_consumer(tx: Tx, vault: Vault, given: dict[str, Any]) -> tuple[Consumer, str]:
    """The consumer, and its secret, which is shown this once."""
    secret = secrets.token_hex(16)
    row = Consumer(clock.new_hex_id(), given.get("description"), vault.close(secret), given.get("extra", {}))
    tx.insert(row)
    return row, secret


def delete_consumer(tx: Tx, consumer: Consumer) -> None:
    """With all it was let do."""
    changed(tx)
    revocations.note(tx, consumer_id=consumer.id)
    tx.delete(Consumer, id=consumer.id)


# -- request tokens ------------------------------------------------------------------------------------------------------


def get_request_token(tx: Tx, token_id: str) -> RequestToken:
    """Raises NotFound, or Unauthorized for one that has expired."""
    found = tx.find(RequestToken, id=token_id)
    if found is None:
        raise NotFound(f"Could not find request token: {token_id[:64]}.")
    if found.expires_at <= clock.now():
        raise Unauthorized("The request token has expired.")
    return found


def request_token(tx: Tx, vault: Vault, signed: Signed, project_id: str) -> str:
    """A new request token, form-encoded. Raises BadRequest, Unauthorized, or NotFound for a project that is gone."""
    validator = _Validator(tx, vault, project_id)
    endpoint = oauth1.RequestTokenEndpoint(validator, token_generator=_token)
    return _answer(tx, validator, endpoint.create_request_token_response, signed, REQUEST_SECONDS)


def authorize(tx: Tx, token: RequestToken, user_id: str, role_ids: list[str]) -> str:
    """Let a consumer have these roles; returns the verifier. Raises Unauthorized for roles the user does not have."""
    held = {role.id for role in grants.roles_on_project(tx, user_id, get_project(tx, token.project_id))}
    if not set(role_ids) <= held:
        raise Unauthorized("The user does not have all of these roles on the project of the request token.")
    verifier = "".join(secrets.choice(_VERIFIER) for _ in range(8))
    tx.update(RequestToken, token.id, user_id=user_id, role_ids=role_ids, verifier=verifier)
    return verifier


# -- access tokens -------------------------------------------------------------------------------------------------------


def access_token(tx: Tx, vault: Vault, signed: Signed) -> str:
    """The access token that an authorized request token is exchanged for, form-encoded. Raises as `request_token`."""
    validator = _Validator(tx, vault)
    endpoint = oauth1.AccessTokenEndpoint(validator, token_generator=_token)
    return _answer(tx, validator, endpoint.create_access_token_response, signed, ACCESS_SECONDS)


def find_access_token(tx: Tx, token_id: str | None) -> AccessToken | None:
    """One that has not expired."""
    found = tx.find(AccessToken, id=token_id) if token_id else None
    return found if found is not None and found.expires_at > clock.now() else None


def get_access_token(tx: Tx, user_id: str, token_id: str) -> AccessToken:
    """Raises NotFound, also for another user's."""
    found = tx.find(AccessToken, id=token_id, user_id=user_id)
    if found is None:
        raise NotFound(f"Could not find access token: {token_id[:64]}.")
    return found


def roles_of(tx: Tx, token: AccessToken) -> list[Role]:
    return [role for role_id in token.role_ids if (role := tx.find(Role, id=role_id))]


def delete_access_token(tx: Tx, token: AccessToken) -> None:
    """The tokens got by it are void at once."""
    changed(tx)
    revocations.note(tx, user_id=token.user_id, access_token_id=token.id)
    tx.delete(AccessToken, id=token.id)


def verify(tx: Tx, vault: Vault, signed: Signed) -> tuple[AccessToken, Nonce]:
    """Who signed a request with an access token; the nonce is for the caller to keep. Raises BadRequest, Unauthorized."""
    validator = _Validator(tx, vault)
    endpoint = oauth1.ResourceEndpoint(validator)
    try:
        right, request = endpoint.validate_protected_resource_request(
            signed.uri, http_method="POST", body=signed.body, headers=signed.headers
        )
    except oauth1.OAuth1Error as error:
        raise BadRequest(f"The OAuth parameters are not right: {error.description}.") from None
    except ValueError:
        raise BadRequest("The Authorization header cannot be read.") from None
    found = find_access_token(tx, request.resource_owner_key) if right else None
    if found is None or validator.nonce is None:
        raise Unauthorized(_WRONG)
    return found, validator.nonce


def remember(tx: Tx, nonce: Nonce) -> None:
    """Raises Unauthorized when another request has just used it."""
    if tx.find(Nonce, id=nonce.id):
        raise Unauthorized(_WRONG, detail="the nonce has been used")
    tx.insert(nonce)


def _token() -> str:
    return secrets.token_hex(16)


def _answer(tx: Tx, validator: "_Validator", respond: Any, signed: Signed, seconds: int) -> str:
    """oauthlib checks the request, and has the validator save what it makes."""
    validator.expires_at = clock.after(seconds)
    try:
        _, body, status = respond(signed.uri, http_method="POST", body=signed.body, headers=signed.headers)
        if status == 401 and signed.alias:
            _, body, status = respond(signed.alias, http_method="POST", body=signed.body, headers=signed.headers)
    except ValueError:
        raise BadRequest("The Authorization header cannot be read.") from None
    if status not in (200, 401):
        why = dict(parse_qsl(body or "")).get("error_description") or "the request is invalid"
        raise BadRequest(f"The OAuth parameters are not right: {why}.")
    if status == 401 or validator.nonce is None:
        raise Unauthorized(_WRONG)
    remember(tx, validator.nonce)
    return f"{body}&oauth_expires_at={validator.expires_at}"


class _Validator(oauth1.RequestValidator):  # type: ignore[misc]
    """What oauthlib asks about our rows. Unknown consumers and tokens cost the time of known ones."""

    # RSA would need keys that consumers do not have. PLAINTEXT sends the secrets themselves, as a password is sent here: TLS
    # has to hide either
    allowed_signature_methods = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "PLAINTEXT")
    enforce_ssl = False  # TLS ends before us; a trial cloud on loopback has none
    timestamp_lifetime = _LIFETIME
    dummy_client = dummy_request_token = dummy_access_token = _NOBODY

    def __init__(self, tx: Tx, vault: Vault, project_id: str = ""):
        super().__init__()
        self.tx = tx
        self.vault = vault
        self.project_id = project_id
        self.expires_at = ""
        self.nonce: Nonce | None = None

    # -- forms

    def check_client_key(self, client_key: str) -> bool:
        return len(client_key) == 32 and set(client_key) <= _KEY

    check_request_token = check_access_token = check_client_key

    def check_nonce(self, nonce: str) -> bool:
        return 8 <= len(nonce) <= 64 and nonce.isascii() and nonce.isalnum()

    def check_verifier(self, verifier: str) -> bool:
        return len(verifier) == 8 and set(verifier) <= set(_VERIFIER)

    # -- what there is

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return self.tx.find(Consumer, id=client_key) is not None

    def validate_request_token(self, client_key: str, token: str, request: Any) -> bool:
        found = self.tx.find(RequestToken, id=token, consumer_id=client_key)
        return found is not None and found.expires_at > clock.now()

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        found = find_access_token(self.tx, token)
        return found is not None and found.consumer_id == client_key

    def validate_verifier(self, client_key: str, token: str, verifier: str, request: Any) -> bool:
        found = self.tx.find(RequestToken, id=token)
        right = found.verifier if found is not None and found.user_id is not None else None
        return secrets.compare_digest((right or "-" * 8).encode(), verifier.encode())

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, request: Any, request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:  # fmt: skip
        """The timestamp has been looked at; the nonce is new for this consumer, token and second."""
        whole = "\n".join((client_key, request_token or access_token or "", timestamp, nonce))
        # a timestamp may lie as far ahead as behind
        self.nonce = Nonce(hashlib.sha256(whole.encode()).hexdigest(), clock.after(2 * _LIFETIME + 60))
        return self.tx.find(Nonce, id=self.nonce.id) is None

    # -- secrets

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return self._secret(self.tx.find(Consumer, id=client_key))

    def get_request_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self._secret(self.tx.find(RequestToken, id=token))

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return self._secret(self.tx.find(AccessToken, id=token))

    def _secret(self, row: Consumer | RequestToken | AccessToken | None) -> str:
        if row is None:
            return secrets.token_hex(16)
        return self.vault.reveal(row.encrypted_secret, f"{type(row).__name__} {row.id}")

    # -- what is made

    def save_request_token(self, token: dict[str, str], request: Any) -> None:
        project = get_project(self.tx, self.project_id)
        self.tx.insert(
            RequestToken(
                id=token["oauth_token"],
                consumer_id=request.client_key,
                project_id=project.id,
                encrypted_secret=self.vault.close(token["oauth_token_secret"]),
                expires_at=self.expires_at,
            )
        )

    def save_access_token(self, token: dict[str, str], request: Any) -> None:
        """The request token is spent."""
        found = self.tx.get(RequestToken, id=request.resource_owner_key)
        if not self.tx.delete(RequestToken, id=found.id):
            raise Unauthorized(_WRONG, detail="the request token has just been used")
        self.tx.insert(
            AccessToken(
                id=token["oauth_token"],
                consumer_id=found.consumer_id,
                user_id=found.user_id or "",
                project_id=found.project_id,
                role_ids=found.role_ids,
                encrypted_secret=self.vault.close(token["oauth_token_secret"]),
                expires_at=self.expires_at,
            )
        )

    def invalidate_request_token(self, client_key: str, request_token: str, request: Any) -> None:
        """Done where the access token is saved."""

    # -- what OpenStack has no use for

    def get_default_realms(self, client_key: str, request: Any) -> list[str]:
        return []

    def get_realms(self, token: str, request: Any) -> list[str]:
        return []

    def validate_requested_realms(self, client_key: str, realms: list[str], request: Any) -> bool:
        return True

    def validate_realms(
        self, client_key: str, token: str, request: Any, uri: str | None = None, realms: Any = None
    ) -> bool:
        return True

    def validate_redirect_uri(self, client_key: str, redirect_uri: str, request: Any) -> bool:
        return True
