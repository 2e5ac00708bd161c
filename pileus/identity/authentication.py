"""The way of a request for a token, and the scope it asks for (Identity API v3, "Authentication").

`log_in`: make a claim of each method, prove them outside any transaction (hashing is slow by design), then find the scope
and make the token. The methods themselves are in `methods/`.
"""

from typing import Any

import msgspec

from pileus.core import clock
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.identity import grants, trusts
from pileus.identity.methods import METHODS, Attempt, Claim
from pileus.identity.methods.claims import WRONG, DomainRef, find_domain
from pileus.identity.store import ApplicationCredential, Project, User
from pileus.identity.tokens import Payload, Token, Tokens, resolve
from pileus.settings import Settings


class IdentityPart(msgspec.Struct):
    methods: list[str]


class ProjectRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class SystemRef(msgspec.Struct):
    all: bool = False


class TrustRef(msgspec.Struct):
    id: str


class ScopePart(msgspec.Struct):
    project: ProjectRef | None = None
    domain: DomainRef | None = None
    system: SystemRef | None = None
    trust: TrustRef | None = msgspec.field(default=None, name="OS-TRUST:trust")


class AuthPart(msgspec.Struct):
    identity: IdentityPart
    scope: ScopePart | str | None = None


class Auth(msgspec.Struct):
    """What is asked for: what was sent for each method, by its name, and the scope."""

    given: dict[str, Any]
    scope: ScopePart | str | None = None


class Proof(msgspec.Struct):
    """A user that has proved to be who it says."""

    user: User
    methods: list[str]
    expires_at: str | None = None
    parent: Payload | None = None
    credential: ApplicationCredential | None = None


def parse(body: dict[str, Any]) -> Auth:
    """Raises BadRequest, naming the member that is wrong."""
    if "auth" not in body:
        raise BadRequest("Expecting to find auth in request body.")
    asked = _converted(body["auth"], AuthPart)
    sent, given = body["auth"]["identity"], {}
    for name in asked.identity.methods:
        method = METHODS.get(name)
        if method is None:
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {name[:64]}.")
        if sent.get(name) is None:
            raise BadRequest(f"Expecting to find {name} in identity.")
        given[name] = _converted(sent[name], method.shape)
    if not given:
        raise BadRequest("Expecting at least one method in identity.")
    if isinstance(asked.scope, str) and asked.scope != "unscoped":
        raise BadRequest("Invalid input for field 'scope': it is an object or 'unscoped'.")
    if isinstance(asked.scope, ScopePart):
        part = asked.scope
        if sum(item is not None for item in (part.project, part.domain, part.system, part.trust)) != 1:
            raise BadRequest("A scope names one of project, domain, system and OS-TRUST:trust.")
        if part.system is not None and not part.system.all:
            raise BadRequest("A system scope is all.")
        if "application_credential" in given:
            raise Unauthorized("An application credential brings its own scope: none can be asked for.")
    return Auth(given, asked.scope)


def _converted(value: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'auth': {error}") from None


def log_in(
    db: Database, tokens: Tokens, settings: Settings, auth: Auth, headers: dict[str, str] | None = None
) -> tuple[str, Token]:
    """Raises Unauthorized, in the same words whatever was wrong."""
    with db.read() as tx:
        attempt = Attempt(tx, tokens, settings, headers or {})
        claims = [METHODS[name].claim(attempt, given) for name, given in auth.given.items()]
    proof = _prove(db, claims)
    with db.read() as tx:
        current = tx.find(User, id=proof.user.id)
        if current is None or current.password_hash != proof.user.password_hash or not usable(tx, current):
            raise Unauthorized(WRONG, detail=f"user {proof.user.id} changed meanwhile, or is disabled")
        payload = _payload(tx, tokens, auth, proof)
        token = resolve(tx, payload)
    accepted = [claim.accepted for claim in claims if claim.accepted is not None]
    counted = token.trust is not None and token.trust.remaining_uses is not None
    if accepted or counted:
        with db.write() as tx:
            for note in accepted:
                note(tx)
            if counted and token.trust is not None:
                trusts.use(tx, token.trust)
    return tokens.seal(payload), token


# -- who -----------------------------------------------------------------------------------------------------------------


def _prove(db: Database, claims: list[Claim]) -> Proof:
    """Verify every claim. Unknown users take as long as wrong passwords."""
    for claim in claims:
        right = claim.prove()
        if not right or claim.user is None:
            if claim.refused is not None:
                with db.write() as tx:
                    claim.refused(tx)
            raise Unauthorized(WRONG, detail=f"log-in by {claim.method} refused")
    user = claims[0].user
    assert user is not None
    if any(claim.user is None or claim.user.id != user.id for claim in claims):
        raise Unauthorized(WRONG, detail="the methods name different users")
    parent = next((claim.parent for claim in claims if claim.parent), None)
    credential = next((claim.credential for claim in claims if claim.credential), None)
    methods = [*(parent.methods if parent else []), *(claim.method for claim in claims)]
    ends = [claim.expires_at for claim in claims if claim.expires_at]
    return Proof(user, list(dict.fromkeys(methods)), min(ends, default=None), parent, credential)


def usable(tx: Tx, user: User) -> bool:
    """Are the user and its domain enabled?"""
    domain = tx.find(Project, id=user.domain_id)
    return user.enabled and domain is not None and domain.enabled


# -- for what ------------------------------------------------------------------------------------------------------------


def _payload(tx: Tx, tokens: Tokens, auth: Auth, proof: Proof) -> Payload:
    scope, scope_id, user_id = "", None, proof.user.id
    trust = None
    if proof.credential is not None:
        scope, scope_id = "project", proof.credential.project_id
    elif isinstance(auth.scope, ScopePart) and auth.scope.trust is not None:
        trust = trusts.redeem(tx, auth.scope.trust.id, proof.user)
        scope, scope_id = ("project", trust.project_id) if trust.project_id else ("", None)
        user_id = trust.trustor_user_id if trust.impersonation else proof.user.id
    else:
        scope, scope_id = _scope(tx, auth, proof)
    ends = [end for end in (proof.expires_at, trust and trust.expires_at) if end]
    return tokens.payload(
        user_id, proof.methods, scope, scope_id, parent=proof.parent,
        expires_at=min([clock.after(tokens.seconds), *ends]) if not proof.parent else min(ends),
        trust_id=trust.id if trust else None,
        application_credential_id=proof.credential.id if proof.credential else None,
    )  # fmt: skip


def _scope(tx: Tx, auth: Auth, proof: Proof) -> tuple[str, str | None]:
    """The scope asked for, as (kind, id); without one the user's default project if it may use it."""
    asked = auth.scope
    if asked == "unscoped":
        return "", None
    if isinstance(asked, ScopePart):
        if asked.system is not None:
            return "system", "system"
        if asked.domain is not None:
            domain = find_domain(tx, asked.domain)
            if domain is None:
                raise Unauthorized(WRONG, detail="no such domain")
            return "domain", domain.id
        assert asked.project is not None
        return "project", _project(tx, asked.project).id
    default = proof.user.default_project_id
    project = tx.find(Project, id=default) if default else None
    if project is None or not project.enabled or not grants.roles_on_project(tx, proof.user.id, project):
        return "", None
    return "project", project.id


def _project(tx: Tx, given: ProjectRef) -> Project:
    if given.id:
        project = tx.find(Project, id=given.id)
    elif given.name and given.domain:
        domain = find_domain(tx, given.domain)
        project = tx.find(Project, domain_id=domain.id, name=given.name) if domain else None
    else:
        raise BadRequest("Expecting to find id, or name and domain, in project.")
    if project is None:
        raise Unauthorized(WRONG, detail="no such project")
    return project
