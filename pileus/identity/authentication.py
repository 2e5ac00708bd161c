"""What a client presents to get a token, and the scope it asks for (Identity API v3, "Authentication").

`log_in` is the way of a request for a token: look up who it says it is, verify secrets outside any transaction (hashing is
slow by design), then find the scope and make the token.
"""

from typing import Any

import msgspec

from pileus.core import clock
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Forbidden, Unauthorized
from pileus.identity import grants, passwords, trusts
from pileus.identity.store import ApplicationCredential, Project, User
from pileus.identity.tokens import Payload, Token, Tokens, resolve

_WRONG = "The request you have made requires authentication."


class DomainRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None


class UserRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None
    password: str | None = None


class PasswordMethod(msgspec.Struct):
    user: UserRef


class TokenMethod(msgspec.Struct):
    id: str


class ApplicationCredentialMethod(msgspec.Struct):
    secret: str
    id: str | None = None
    name: str | None = None
    user: UserRef | None = None


class IdentityPart(msgspec.Struct):
    methods: list[str]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: ApplicationCredentialMethod | None = None


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


class Auth(msgspec.Struct):
    identity: IdentityPart
    scope: ScopePart | str | None = None


class Claim(msgspec.Struct):
    """Who somebody says they are, with what proves it: a secret against its hash, or a token already checked."""

    method: str
    user: User | None
    secret: str | None = None
    hashed: str | None = None
    parent: Payload | None = None
    credential: ApplicationCredential | None = None


class Proof(msgspec.Struct):
    """A user that has proved to be who it says."""

    user: User
    methods: list[str]
    expires_at: str | None = None
    parent: Payload | None = None
    credential: ApplicationCredential | None = None


METHODS = ("password", "token", "application_credential")


def parse(body: dict[str, Any]) -> Auth:
    """Raises BadRequest, naming the member that is wrong."""
    if "auth" not in body:
        raise BadRequest("Expecting to find auth in request body.")
    try:
        auth = msgspec.convert(body["auth"], Auth)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'auth': {error}") from None
    for method in auth.identity.methods:
        if method not in METHODS:
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method[:64]}.")
        if getattr(auth.identity, method) is None:
            raise BadRequest(f"Expecting to find {method} in identity.")
    if not auth.identity.methods:
        raise BadRequest("Expecting at least one method in identity.")
    if isinstance(auth.scope, str) and auth.scope != "unscoped":
        raise BadRequest("Invalid input for field 'scope': it is an object or 'unscoped'.")
    if isinstance(auth.scope, ScopePart):
        part = auth.scope
        if sum(item is not None for item in (part.project, part.domain, part.system, part.trust)) != 1:
            raise BadRequest("A scope names one of project, domain, system and OS-TRUST:trust.")
        if part.system is not None and not part.system.all:
            raise BadRequest("A system scope is all.")
        if "application_credential" in auth.identity.methods:
            raise Unauthorized("An application credential brings its own scope: none can be asked for.")
    return auth


def log_in(db: Database, tokens: Tokens, auth: Auth) -> tuple[str, Token]:
    """Raises Unauthorized, in the same words whatever was wrong."""
    with db.read() as tx:
        claims = [_claim(tx, tokens, auth, method) for method in auth.identity.methods]
    proof = _prove(claims)
    with db.read() as tx:
        current = tx.find(User, id=proof.user.id)
        if current is None or current.password_hash != proof.user.password_hash or not usable(tx, current):
            raise Unauthorized(_WRONG, detail=f"user {proof.user.id} changed meanwhile, or is disabled")
        payload = _payload(tx, tokens, auth, proof)
        token = resolve(tx, payload)
    if token.trust is not None and token.trust.remaining_uses is not None:
        with db.write() as tx:
            trusts.use(tx, token.trust)
    return tokens.seal(payload), token


# -- who -----------------------------------------------------------------------------------------------------------------


def _claim(tx: Tx, tokens: Tokens, auth: Auth, method: str) -> Claim:
    identity = auth.identity
    if method == "password" and identity.password:
        given = identity.password.user
        user = _user(tx, given)
        return Claim(method, user, given.password or "", user.password_hash if user else None)
    if method == "application_credential" and identity.application_credential:
        return _by_credential(tx, identity.application_credential)
    assert identity.token is not None
    token = tokens.load(tx, identity.token.id)
    if token is None:
        raise Unauthorized(_WRONG)
    if token.payload.trust_id or token.payload.application_credential_id:
        raise Forbidden("A token got by delegation cannot be exchanged for another.")
    return Claim(method, token.user, parent=token.payload)


def _by_credential(tx: Tx, given: ApplicationCredentialMethod) -> Claim:
    found = None
    if given.id:
        found = tx.find(ApplicationCredential, id=given.id)
    elif given.name and given.user:
        owner = _user(tx, given.user)
        found = tx.find(ApplicationCredential, user_id=owner.id, name=given.name) if owner else None
    else:
        raise BadRequest("Expecting to find id, or name and user, in application_credential.")
    if found is not None and found.expires_at is not None and found.expires_at <= clock.now():
        found = None
    user = tx.find(User, id=found.user_id) if found else None
    hashed = found.secret_hash if found else None
    return Claim("application_credential", user, given.secret, hashed, credential=found)


def _user(tx: Tx, given: UserRef) -> User | None:
    if given.id:
        return tx.find(User, id=given.id)
    if given.name and given.domain:
        domain = _domain(tx, given.domain)
        return tx.find(User, domain_id=domain.id, name=given.name) if domain else None
    raise BadRequest("Expecting to find id, or name and domain, in user.")


def _prove(claims: list[Claim]) -> Proof:
    """Verify every claim. Unknown users take as long as wrong passwords."""
    proofs: list[Claim] = []
    for claim in claims:
        right = claim.secret is None or passwords.verify(claim.secret, claim.hashed)
        if not right or claim.user is None:
            raise Unauthorized(_WRONG, detail=f"log-in by {claim.method} refused")
        proofs.append(claim)
    user = proofs[0].user
    assert user is not None
    if any(claim.user is None or claim.user.id != user.id for claim in proofs):
        raise Unauthorized(_WRONG, detail="the methods name different users")
    parent = next((claim.parent for claim in proofs if claim.parent), None)
    credential = next((claim.credential for claim in proofs if claim.credential), None)
    methods = [*(parent.methods if parent else []), *(claim.method for claim in proofs)]
    ends = [end for end in (parent and parent.expires_at, credential and credential.expires_at) if end]
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
            domain = _domain(tx, asked.domain)
            if domain is None:
                raise Unauthorized(_WRONG, detail="no such domain")
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
        domain = _domain(tx, given.domain)
        project = tx.find(Project, domain_id=domain.id, name=given.name) if domain else None
    else:
        raise BadRequest("Expecting to find id, or name and domain, in project.")
    if project is None:
        raise Unauthorized(_WRONG, detail="no such project")
    return project


def _domain(tx: Tx, given: DomainRef) -> Project | None:
    if given.id:
        domain = tx.find(Project, id=given.id)
    elif given.name:
        domain = tx.find(Project, domain_id=None, name=given.name)
    else:
        raise BadRequest("Expecting to find id or name in domain.")
    return domain if domain is not None and domain.is_domain else None
