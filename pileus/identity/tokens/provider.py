"""Tokens: Fernet or JWS, holding only who, how, for what and until when; roles are looked up, so a change counts at once.

A validated token's meaning is kept in memory together with the generation of identity's data it was made from: while the
generation stands, validation is a dictionary look-up and one integer compare.
"""

import base64
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from cryptography.fernet import InvalidToken

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Database, Tx
from pileus.core.errors import Unauthorized
from pileus.identity import store
from pileus.identity.access import grants
from pileus.identity.delegation import access_rules, chains
from pileus.identity.federation.store import IdentityProvider
from pileus.identity.ldap import store as _entries  # noqa: F401  its table is known wherever identity is
from pileus.identity.store import (
    AccessRule,
    AccessToken,
    ApplicationCredential,
    Project,
    RevocationEvent,
    Role,
    Trust,
    User,
    generation,
)
from pileus.identity.tokens import keys

if TYPE_CHECKING:
    from pileus.identity.tokens.jws import Signatures

FOLDER, JWS_FOLDER = "keys", "keys-jws"  # in the state folder
PROVIDERS = ("fernet", "jws")
EXPIRED_WINDOW = 2 * 86_400  # seconds: how long services may go on with work that a token began while it was good
_MOST = 20_000  # tokens remembered
_MOST_BODIES = 2_000  # encoded, with their catalogs: some KiB each
_POLL = 0.25  # seconds between looks at the generation where asking costs a round trip


class Payload(msgspec.Struct, array_like=True):
    """What is inside a token. scope: "", "project", "domain" or "system"."""

    user_id: str
    methods: list[str]
    scope: str
    scope_id: str | None
    issued_at: str
    expires_at: str
    audit_ids: list[str]
    trust_id: str | None = None
    application_credential_id: str | None = None
    access_token_id: str | None = None
    federation: tuple[str, str] | None = None  # the identity provider and the protocol that the user came by

    @property
    def delegated(self) -> bool:
        """Is it by a trust, an application credential or an OAuth access token, and not by the user's own right?"""
        return bool(self.trust_id or self.application_credential_id or self.access_token_id)


class Token(msgspec.Struct):
    """A valid token with all it means now."""

    payload: Payload
    user: User
    user_domain: Project
    roles: list[Role]
    project: Project | None = None
    project_domain: Project | None = None
    domain: Project | None = None
    trust: Trust | None = None
    credential: ApplicationCredential | None = None
    access_token: AccessToken | None = None
    access_rules: list[AccessRule] | None = None  # all it may be used for, where the credential says


class Known(NamedTuple):
    """What is remembered of a token: true while the generation stands and the token has not ended."""

    generation: int
    context: Context
    token: Token


class Tokens:
    """Issues and validates. The keys are in folders below `state`.

    Both kinds are read, whichever is made: a cloud may change its `provider` without turning anybody away.
    """

    def __init__(self, db: Database, state: Path, seconds: int, provider: str = PROVIDERS[0]):
        if provider not in PROVIDERS:
            raise ValueError(f"token_provider is {provider!r}: it can be {' or '.join(PROVIDERS)}")
        self.db = db
        self.seconds = seconds
        self._fernet = keys.Fernets(state / FOLDER)
        self._signatures = _signatures(state, provider)
        self._signing = provider == "jws"
        self._keys = -1
        self._known: dict[str, Known] = {}
        self._bodies: dict[tuple[str, bool], tuple[int, bytes]] = {}
        self._generation = -1
        self._asked = 0.0
        self._seen = -1
        self._thread = threading.local()

    def payload(
        self, user_id: str, methods: Iterable[str], scope: str = "", scope_id: str | None = None, *,
        expires_at: str | None = None, parent: Payload | None = None, trust_id: str | None = None,
        application_credential_id: str | None = None, access_token_id: str | None = None,
        federation: tuple[str, str] | None = None,
    ) -> Payload:  # fmt: skip
        """What a new token says. `parent` is the token it is made from: the audit chain goes on."""
        audit_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        chain = [audit_id] if parent is None else [audit_id, parent.audit_ids[-1]]
        return Payload(
            user_id=user_id, methods=list(dict.fromkeys(methods)), scope=scope, scope_id=scope_id,
            issued_at=clock.now(), expires_at=expires_at or clock.after(self.seconds), audit_ids=chain,
            trust_id=trust_id, application_credential_id=application_credential_id, access_token_id=access_token_id,
            federation=federation or (parent.federation if parent else None),
        )  # fmt: skip

    def seal(self, payload: Payload) -> str:
        """The token itself."""
        if self._signing and self._signatures is not None:
            issued, expires = int(clock.epoch(payload.issued_at)), int(clock.epoch(payload.expires_at))
            said = msgspec.to_builtins(payload)
            return self._signatures.sign({"sub": payload.user_id, "iat": issued, "exp": expires, _CLAIM: said})
        return self._fernet.encrypt(msgspec.msgpack.encode(payload)).decode().rstrip("=")

    def issue(
        self, user_id: str, methods: Iterable[str], scope: str = "", scope_id: str | None = None
    ) -> tuple[str, Payload]:
        """A token for somebody known, without asking for anything: for the cloud's own use."""
        payload = self.payload(user_id, methods, scope, scope_id)
        return self.seal(payload), payload

    def read(self, secret: str, expired: float = 0) -> Payload | None:
        """What a token says, if it is ours and has not expired, or not longer ago than this."""
        payload = self._signed(secret) if secret.startswith(_JWS) else self._encrypted(secret)
        return payload if payload is not None and payload.expires_at > clock.after(-expired) else None

    def _encrypted(self, secret: str) -> Payload | None:
        try:
            data = self._fernet.decrypt(secret.encode() + b"=" * (-len(secret) % 4))
            return msgspec.msgpack.decode(data, type=Payload)
        except (InvalidToken, msgspec.DecodeError, ValueError):
            return None

    def _signed(self, secret: str) -> Payload | None:
        claims = self._signatures.verify(secret) if self._signatures is not None else None
        try:
            return msgspec.convert(claims[_CLAIM], Payload) if claims else None
        except (msgspec.ValidationError, KeyError):
            return None

    def authenticate(self, secret: str) -> Context | None:
        """The caller a token stands for, or None."""
        known = self._lookup(secret)
        return msgspec.structs.replace(known.context) if known is not None else None

    def find(self, secret: str) -> Token | None:
        """As `load`, from memory where it is known. What is found is shared: it is not to be changed."""
        known = self._lookup(secret)
        return known.token if known is not None else None

    def _lookup(self, secret: str) -> "Known | None":
        current = self._current()
        known = self._known.get(secret)
        if known is not None and known.generation == current and known.token.payload.expires_at > clock.now():
            return known
        with self.db.read() as tx:
            current = generation(tx)
            found = self.load(tx, secret)
        if found is None:
            self._known.pop(secret, None)
            return None
        return self.remember(secret, found, current)

    def remember(self, secret: str, token: Token, current: int) -> "Known":
        """Keep what a token means in the generation `current`, so that its first use is as quick as the others."""
        context = _context(token)
        _ = context.credentials  # made here, once, for all requests that bring this token
        if len(self._known) >= _MOST:
            self._known.clear()
        known = self._known[secret] = Known(current, context, token)
        return known

    def encoded(self, secret: str, whole: bool, make: Callable[[], bytes]) -> bytes:
        """What `make` says of a token that `find` has just found; made once in a generation."""
        key = (secret, whole)
        found = self._bodies.get(key)
        if found is not None and found[0] == self._generation:
            return found[1]
        current = self._generation  # before `make` looks: what changes meanwhile makes it anew next time
        body = make()
        if len(self._bodies) >= _MOST_BODIES:
            self._bodies.clear()
        self._bodies[key] = (current, body)
        return body

    def load(self, tx: Tx, secret: str, expired: float = 0) -> Token | None:
        """A token with everything it means now, or None when it is void; it may have ended `expired` seconds ago."""
        payload = self.read(secret, expired)
        if payload is None or tx.find(RevocationEvent, audit_id=payload.audit_ids[0]) is not None:
            return None
        try:
            token = resolve(tx, payload)
        except Unauthorized:
            return None
        return (
            None if any(row.valid_after and payload.issued_at < row.valid_after for row in _subjects(token)) else token
        )

    def _current(self) -> int:
        """The generation; what is remembered is forgotten when a key was dropped, or else it would outlive the key."""
        version = self._fernet.current() + (self._signatures.current() if self._signatures is not None else 0)
        if version != self._keys:
            self._known.clear()
            self._keys = version
        now, seen = time.monotonic(), store.changes_here
        if self.db.sqlite:  # one word of the engine's tells whether anybody has written; each connection has its own
            written = self.db.generation()
            stale = written != getattr(self._thread, "written", None)
            self._thread.written = written
        else:
            stale = now - self._asked > _POLL
        if stale or seen != self._seen:
            with self.db.read() as tx:
                self._generation = generation(tx)
            self._asked, self._seen = now, seen
        return self._generation


_JWS = "eyJ"  # how the encoded header of every JWS begins; a Fernet token begins with gAAAA
_CLAIM = "pileus"


def _signatures(state: Path, provider: str) -> "Signatures | None":
    """Where no token was ever signed, the library is not even loaded."""
    if provider != "jws" and not (state / JWS_FOLDER).exists():
        return None
    from pileus.identity.tokens.jws import Signatures

    return Signatures(state / JWS_FOLDER)


def _subjects(token: Token) -> list[User | Project]:
    """All whose disabling voids a token for good."""
    rows = (token.user, token.user_domain, token.project, token.project_domain, token.domain)
    return [row for row in rows if row is not None]


def resolve(tx: Tx, payload: Payload) -> Token:
    """Look up all that a payload names. Raises Unauthorized when user or scope are gone, disabled or without a role."""
    user = tx.find(User, id=payload.user_id)
    domain = tx.find(Project, id=user.domain_id) if user else None
    if user is None or domain is None or not user.enabled or not domain.enabled:
        raise Unauthorized("The user or its domain is gone or disabled.")
    token = Token(payload, user, domain, [])
    if payload.federation:
        idp = tx.find(IdentityProvider, id=payload.federation[0])
        if idp is None or not idp.enabled:
            raise Unauthorized("The identity provider that the user came by is gone or disabled.")
    holder, limit = _delegation(tx, token)
    if payload.scope == "project":
        project = tx.find(Project, id=payload.scope_id)
        above = tx.find(Project, id=project.domain_id or project.id) if project else None
        if project is None or above is None or not project.enabled or not above.enabled:
            raise Unauthorized("The project or its domain is gone or disabled.")
        token.project, token.project_domain = project, above
        token.roles = grants.roles_on_project(tx, holder, project)
    elif payload.scope == "domain":
        scoped = tx.find(Project, id=payload.scope_id)
        if scoped is None or not scoped.enabled or not scoped.is_domain:
            raise Unauthorized("The domain is gone or disabled.")
        token.domain = scoped
        token.roles = grants.roles_on_domain(tx, user.id, scoped.id)
    elif payload.scope == "system":
        token.roles = grants.roles_on_system(tx, user.id)
    if limit is not None:
        allowed = grants.imply(tx, set(limit))
        token.roles = [role for role in token.roles if role.id in allowed]
    if payload.scope and not token.roles:
        raise Unauthorized(f"User {user.id} has no access to the {payload.scope} asked for.")
    return token


def _delegation(tx: Tx, token: Token) -> tuple[str, list[str] | None]:
    """Whose roles count, and to which of them they are limited by what was delegated; None: to none.

    Raises Unauthorized when what delegated them is gone, spent, or its people are disabled.
    """
    payload, now = token.payload, clock.now()
    if payload.trust_id:
        token.trust = trust = tx.find(Trust, id=payload.trust_id)
        if trust is None:
            raise Unauthorized("The trust is gone or has expired.")
        if why := chains.broken(tx, trust):
            raise Unauthorized(why)
        return chains.chain(tx, trust)[-1].trustor_user_id, trust.role_ids
    if payload.application_credential_id:
        token.credential = found = tx.find(ApplicationCredential, id=payload.application_credential_id)
        if found is None or (found.expires_at is not None and found.expires_at <= now):
            raise Unauthorized("The application credential is gone or has expired.")
        if found.access_rule_ids:
            token.access_rules = access_rules.of(tx, found)
        return found.user_id, found.role_ids
    if payload.access_token_id:
        token.access_token = access = tx.find(AccessToken, id=payload.access_token_id)
        if access is None or access.expires_at <= now:
            raise Unauthorized("The OAuth access token is gone or has expired.")
        return access.user_id, access.role_ids
    return payload.user_id, None


def _context(token: Token) -> Context:
    project, domain = token.project, token.domain
    return Context(
        user_id=token.user.id,
        user_name=token.user.name,
        user_domain_id=token.user_domain.id,
        user_domain_name=token.user_domain.name,
        project_id=project.id if project else None,
        project_name=project.name if project else None,
        project_domain_id=token.project_domain.id if token.project_domain else None,
        project_domain_name=token.project_domain.name if token.project_domain else None,
        domain_id=domain.id if domain else None,
        domain_name=domain.name if domain else None,
        system=token.payload.scope == "system",
        roles=frozenset(role.name.lower() for role in token.roles),
        role_ids=frozenset(role.id for role in token.roles),
        token=token.payload,
        access_rules=token.access_rules,
    )
