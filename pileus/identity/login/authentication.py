"""The way of a request for a token, and the scope it asks for (Identity API v3, "Authentication").

`log_in`: make a claim of each method, prove them outside any transaction (hashing is slow by design), then find the scope
and make the token. The methods themselves are in `methods/`.
"""

from functools import partial
from typing import Any

import msgspec

from pileus.core import clock, log
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.identity.access import grants
from pileus.identity.delegation import trusts
from pileus.identity.login import compliance, methods
from pileus.identity.login.methods import METHODS, Attempt, Claim
from pileus.identity.login.methods.claims import WRONG, DomainRef, find_domain
from pileus.identity.store import AccessToken, ApplicationCredential, Project, User, generation
from pileus.identity.tokens import receipts
from pileus.identity.tokens.provider import Payload, Token, Tokens, resolve
from pileus.identity.tokens.receipts import MoreWanted

_log = log.logger("pileus.identity")


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

    @property
    def kind(self) -> str:
        """Of the scope, in a word; "" when none is named."""
        if not isinstance(self.scope, ScopePart):
            return self.scope or ""
        return next(name for name in self.scope.__struct_fields__ if getattr(self.scope, name) is not None)


class Proof(msgspec.Struct):
    """A user that has proved to be who it says."""

    user: User
    methods: list[str]
    expires_at: str | None = None
    parent: Payload | None = None
    credential: ApplicationCredential | None = None
    access_token: AccessToken | None = None


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
        if {"application_credential", "oauth1"} & set(given):
            raise Unauthorized("An application credential or access token brings its own scope: none can be asked for.")
    return Auth(given, asked.scope)


def _converted(value: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'auth': {error}") from None


def log_in(
    cloud: Any,
    auth: Auth,
    headers: dict[str, str] | None = None,
    address: str = "",
    uri: str = "",
    answer: dict[str, str] | None = None,
) -> tuple[str, Token]:
    """`cloud` is what a request is served by; `answer` takes headers. Raises Unauthorized, in the same words whatever was
    wrong."""
    tokens: Tokens = cloud.tokens
    headers, answer = headers or {}, answer if answer is not None else {}
    with cloud.db.read() as tx:
        connections = cloud.drivers["identity"]
        attempt = Attempt(tx, tokens, cloud.settings, headers, address, uri, connections, answer, auth.kind)
        claims = [METHODS[name].claim(attempt, given) for name, given in auth.given.items()]
    proof = _prove(cloud, claims, address)
    if receipt := headers.get(receipts.HEADER):
        _add_receipt(cloud, proof, receipt)
    with cloud.db.read() as tx:
        changes = generation(tx)
        current = tx.find(User, id=proof.user.id)
        if current is None or current.password_hash != proof.user.password_hash or not usable(tx, current):
            raise Unauthorized(WRONG, detail=f"user {proof.user.id} changed meanwhile, or is disabled")
        wanting = not receipts.enough(current, proof.methods, methods.usable(cloud.settings))
        if not wanting:
            payload = _payload(tx, tokens, auth, proof)
            token = resolve(tx, payload)
        else:
            domain = tx.get(Project, id=current.domain_id)
        to_note = not wanting and compliance.to_note(tx, cloud.settings.security_compliance, current)
    noted = [claim.accepted for claim in claims if claim.accepted is not None]
    if to_note:
        fully = any(name in auth.given for name in ("password", "totp"))
        noted.append(partial(compliance.succeeded, user=current, fully=fully))
    if not wanting and token.trust is not None and token.trust.remaining_uses is not None:
        noted.append(partial(trusts.use, trust=token.trust))
    if noted:
        with cloud.db.write() as tx:
            for note in noted:
                note(tx)
    if wanting:
        raise MoreWanted(current, domain, *cloud.receipts.give(current.id, proof.methods))
    secret = tokens.seal(payload)
    tokens.remember(secret, token, changes)
    return secret, token


# -- who -----------------------------------------------------------------------------------------------------------------


def _prove(cloud: Any, claims: list[Claim], address: str) -> Proof:
    """Verify every claim. Unknown users take as long as wrong passwords."""
    for claim in claims:
        who = claim.named[:255]  # a name is sent by anybody, of any length
        cloud.failed_log_ins.check(who, address)
        right = claim.prove()
        if not right or claim.user is None:
            cloud.failed_log_ins.failed(who, address)
            _log.warning("a log-in failed", extra={"method": claim.method, "user": who, "address": address})
            if claim.refused is not None:
                with cloud.db.write() as tx:
                    claim.refused(tx)
            raise Unauthorized(WRONG, detail=f"log-in by {claim.method} refused")
        cloud.failed_log_ins.succeeded(who)
    user = claims[0].user
    assert user is not None
    if any(claim.user is None or claim.user.id != user.id for claim in claims):
        raise Unauthorized(WRONG, detail="the methods name different users")
    for claim in claims:
        if claim.objection:
            raise Unauthorized(claim.objection)
    parent = next((claim.parent for claim in claims if claim.parent), None)
    credential = next((claim.credential for claim in claims if claim.credential), None)
    access_token = next((claim.access_token for claim in claims if claim.access_token), None)
    proved = [*(parent.methods if parent else []), *(claim.method for claim in claims)]
    ends = [claim.expires_at for claim in claims if claim.expires_at]
    return Proof(user, list(dict.fromkeys(proved)), min(ends, default=None), parent, credential, access_token)


def _add_receipt(cloud: Any, proof: Proof, secret: str) -> None:
    """What the user proved in an earlier request counts too. Raises Unauthorized for a receipt that is not good."""
    receipt = cloud.receipts.read(secret)
    valid_after = proof.user.valid_after
    if receipt is None or receipt.user_id != proof.user.id or (valid_after and receipt.issued_at < valid_after):
        raise Unauthorized(WRONG, detail="the receipt is void, has expired, or is another user's")
    proof.methods = list(dict.fromkeys([*receipt.methods, *proof.methods]))


def check_password(cloud: Any, user_id: str, password: str, address: str) -> User:
    """The user whose password this is, expired or not: for changing it. Raises Unauthorized."""
    asked = METHODS["password"]
    given = msgspec.convert({"user": {"id": user_id, "password": password}}, asked.shape)
    with cloud.db.read() as tx:
        claim = asked.claim(Attempt(tx, cloud.tokens, cloud.settings, {}, address), given)
    claim.objection = ""
    return _prove(cloud, [claim], address).user


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
    elif proof.access_token is not None:
        scope, scope_id = "project", proof.access_token.project_id
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
        access_token_id=proof.access_token.id if proof.access_token else None,
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
