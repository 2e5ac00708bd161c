"""Tokens: Fernet, holding only who, how, for what and until when; roles are looked up, so a change counts at once.

A validated token's meaning is kept in memory together with the generation of identity's data it was made from: while the
generation stands, validation is a dictionary look-up and one integer compare.
"""

import base64
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Database, Tx
from pileus.core.errors import Unauthorized
from pileus.identity import grants, store
from pileus.identity.store import Project, Revocation, Role, User, generation

_MOST = 20_000  # tokens remembered
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


class Token(msgspec.Struct):
    """A valid token with all it means now."""

    payload: Payload
    user: User
    user_domain: Project
    roles: list[Role]
    project: Project | None = None
    project_domain: Project | None = None
    domain: Project | None = None


class Tokens:
    """Issues and validates. `folder` holds the keys, one file each, the newest first by name."""

    def __init__(self, db: Database, folder: Path, seconds: int):
        self.db = db
        self.seconds = seconds
        self._fernet = MultiFernet([Fernet(key) for key in _keys(folder)])
        self._known: dict[str, tuple[int, str, Context]] = {}
        self._generation = -1
        self._asked = 0.0
        self._seen = -1

    def issue(
        self, user_id: str, methods: Iterable[str], scope: str = "", scope_id: str | None = None,
        expires_at: str | None = None, parent: Payload | None = None,
    ) -> tuple[str, Payload]:  # fmt: skip
        """A new token. `parent` is the token it was made from: the audit chain goes on and its expiry holds."""
        audit_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        chain = [audit_id] if parent is None else [audit_id, parent.audit_ids[-1]]
        payload = Payload(
            user_id=user_id, methods=list(dict.fromkeys(methods)), scope=scope, scope_id=scope_id,
            issued_at=clock.now(), expires_at=expires_at or clock.after(self.seconds), audit_ids=chain,
        )  # fmt: skip
        return self._fernet.encrypt(msgspec.msgpack.encode(payload)).decode().rstrip("="), payload

    def read(self, secret: str) -> Payload | None:
        """What a token says, if it is ours and has not expired."""
        try:
            data = self._fernet.decrypt(secret.encode() + b"=" * (-len(secret) % 4))
            payload = msgspec.msgpack.decode(data, type=Payload)
        except (InvalidToken, msgspec.DecodeError, ValueError):
            return None
        return payload if payload.expires_at > clock.now() else None

    def authenticate(self, secret: str) -> Context | None:
        """The caller a token stands for, or None."""
        current = self._current()
        known = self._known.get(secret)
        if known is not None and known[0] == current and known[1] > clock.now():
            return msgspec.structs.replace(known[2])
        with self.db.read() as tx:
            current = generation(tx)
            found = self.load(tx, secret)
        if found is None:
            self._known.pop(secret, None)
            return None
        context = _context(found)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[secret] = (current, found.payload.expires_at, context)
        return msgspec.structs.replace(context)

    def load(self, tx: Tx, secret: str) -> Token | None:
        """A token with everything it means now, or None when it is void."""
        payload = self.read(secret)
        if payload is None or any(tx.find(Revocation, audit_id=audit_id) for audit_id in payload.audit_ids[:1]):
            return None
        try:
            token = resolve(tx, payload)
        except Unauthorized:
            return None
        voided = token.user.valid_after is not None and payload.issued_at < token.user.valid_after
        return None if voided else token

    def _current(self) -> int:
        now = time.monotonic()
        seen = store.changes_here
        if self.db.sqlite or now - self._asked > _POLL or seen != self._seen:
            with self.db.read() as tx:
                self._generation = generation(tx)
            self._asked, self._seen = now, seen
        return self._generation


def resolve(tx: Tx, payload: Payload) -> Token:
    """Look up all that a payload names. Raises Unauthorized when user or scope are gone, disabled or without a role."""
    user = tx.find(User, id=payload.user_id)
    domain = tx.find(Project, id=user.domain_id) if user else None
    if user is None or domain is None or not user.enabled or not domain.enabled:
        raise Unauthorized("The user or its domain is gone or disabled.")
    if payload.scope == "project":
        project = tx.find(Project, id=payload.scope_id)
        above = tx.find(Project, id=project.domain_id or project.id) if project else None
        if project is None or above is None or not project.enabled or not above.enabled:
            raise Unauthorized("The project or its domain is gone or disabled.")
        roles = grants.roles_on_project(tx, user.id, project)
        token = Token(payload, user, domain, roles, project=project, project_domain=above)
    elif payload.scope == "domain":
        scoped = tx.find(Project, id=payload.scope_id)
        if scoped is None or not scoped.enabled or not scoped.is_domain:
            raise Unauthorized("The domain is gone or disabled.")
        token = Token(payload, user, domain, grants.roles_on_domain(tx, user.id, scoped.id), domain=scoped)
    elif payload.scope == "system":
        token = Token(payload, user, domain, grants.roles_on_system(tx, user.id))
    else:
        return Token(payload, user, domain, [])
    if not token.roles:
        raise Unauthorized(f"User {user.id} has no access to the {payload.scope} asked for.")
    return token


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
    )


def _keys(folder: Path) -> list[bytes]:
    """The keys, newest first; a first one is made when there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: -int(path.name))
    if not files:
        first: Any = folder / "0"
        handle = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key())
        files = [first]
    return [path.read_bytes().strip() for path in files]
