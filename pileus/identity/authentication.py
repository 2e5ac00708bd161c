"""What a client presents to get a token, and the scope it asks for (Identity API v3, "Authentication")."""

from typing import Any

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Unauthorized
from pileus.identity import grants, passwords
from pileus.identity.store import Project, User
from pileus.identity.tokens import Payload, Tokens

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


class IdentityPart(msgspec.Struct):
    methods: list[str]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None


class ProjectRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class SystemRef(msgspec.Struct):
    all: bool = False


class ScopePart(msgspec.Struct):
    project: ProjectRef | None = None
    domain: DomainRef | None = None
    system: SystemRef | None = None


class Auth(msgspec.Struct):
    identity: IdentityPart
    scope: ScopePart | str | None = None


class Found(msgspec.Struct):
    """A user that has proved to be who it says."""

    user: User
    methods: list[str]
    expires_at: str | None = None
    parent: Payload | None = None


def parse(body: dict[str, Any]) -> Auth:
    """Raises BadRequest, naming the member that is wrong."""
    if "auth" not in body:
        raise BadRequest("Expecting to find auth in request body.")
    try:
        auth = msgspec.convert(body["auth"], Auth)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid input for field 'auth': {error}") from None
    for method in auth.identity.methods:
        if method not in ("password", "token"):
            raise Unauthorized(f"Attempted to authenticate with an unsupported method: {method[:64]}.")
        if getattr(auth.identity, method) is None:
            raise BadRequest(f"Expecting to find {method} in identity.")
    if not auth.identity.methods:
        raise BadRequest("Expecting at least one method in identity.")
    if isinstance(auth.scope, str) and auth.scope != "unscoped":
        raise BadRequest("Invalid input for field 'scope': it is an object or 'unscoped'.")
    return auth


def authenticate(tx: Tx, tokens: Tokens, auth: Auth) -> Found:
    """Raises Unauthorized, in the same words whatever was wrong."""
    found: Found | None = None
    for method in auth.identity.methods:
        if method == "password" and auth.identity.password:
            current = Found(_by_password(tx, auth.identity.password.user), ["password"])
        elif auth.identity.token:
            current = _by_token(tx, tokens, auth.identity.token.id)
        if found is not None and found.user.id != current.user.id:
            raise Unauthorized(_WRONG, detail="the methods name different users")
        methods = [*(found.methods if found else []), *current.methods]
        found = Found(current.user, list(dict.fromkeys(methods)), current.expires_at, current.parent)
    assert found is not None
    return found


def _by_password(tx: Tx, given: UserRef) -> User:
    user: User | None = None
    if given.id:
        user = tx.find(User, id=given.id)
    elif given.name and given.domain:
        domain = _domain(tx, given.domain)
        user = tx.find(User, domain_id=domain.id, name=given.name) if domain else None
    else:
        raise BadRequest("Expecting to find id, or name and domain, in user.")
    right = passwords.verify(given.password or "", user.password_hash if user else None)
    if not right or user is None or not usable(tx, user):
        raise Unauthorized(_WRONG, detail=f"password log-in refused for {given.id or given.name!r}")
    return user


def usable(tx: Tx, user: User) -> bool:
    """Are the user and its domain enabled?"""
    domain = tx.find(Project, id=user.domain_id)
    return user.enabled and domain is not None and domain.enabled


def _by_token(tx: Tx, tokens: Tokens, secret: str) -> Found:
    token = tokens.load(tx, secret)
    if token is None:
        raise Unauthorized(_WRONG)
    methods = [*token.payload.methods, "token"]
    return Found(token.user, methods, token.payload.expires_at, token.payload)


def scope(tx: Tx, auth: Auth, found: Found) -> tuple[str, str | None]:
    """The scope asked for, as (kind, id); without one the user's default project if it may use it."""
    asked = auth.scope
    if asked == "unscoped":
        return "", None
    if isinstance(asked, ScopePart):
        if sum(part is not None for part in (asked.project, asked.domain, asked.system)) != 1:
            raise BadRequest("A scope names one of project, domain and system.")
        if asked.system is not None:
            if not asked.system.all:
                raise BadRequest("A system scope is all.")
            return "system", "system"
        if asked.domain is not None:
            domain = _domain(tx, asked.domain)
            if domain is None:
                raise Unauthorized(_WRONG, detail="no such domain")
            return "domain", domain.id
        assert asked.project is not None
        return "project", _project(tx, asked.project).id
    default = found.user.default_project_id
    project = tx.find(Project, id=default) if default else None
    if project is None or not project.enabled or not grants.roles_on_project(tx, found.user.id, project):
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


def projects_of(tx: Tx, user_id: str) -> list[Project]:
    """The projects a user has a role on, also by inheritance."""
    direct, inherited = set(), set()
    for id, kind, below in grants.targets(tx, user_id):
        if kind == "project" and not below:
            direct.add(id)
        elif below:
            inherited.add(id)
    found = [project for id in direct if (project := tx.find(Project, id=id))]
    if inherited:
        for project in tx.select(Project, is_domain=False):
            if project.id not in direct and inherited & set(grants.ancestors(tx, project)):
                found.append(project)
    return sorted(found, key=lambda project: project.name)
