"""Users (Identity API v3, "Users"). Passwords are hashed before the writing transaction begins: that takes long."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Unauthorized
from pileus.core.fields import Text
from pileus.core.paging import Where
from pileus.core.routes import PUBLIC
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.identity import users
from pileus.identity.access import grants
from pileus.identity.api.base import (
    Target,
    api,
    asked_for,
    creating,
    domain_of,
    in_domain,
    in_scope,
    listing,
    many,
    one,
    updating,
    viewer,
)
from pileus.identity.federation import shadow
from pileus.identity.federation.store import FederatedUser
from pileus.identity.login import authentication, compliance, passwords
from pileus.identity.login.methods.claims import WRONG
from pileus.identity.resources import GROUP, PROJECT, USER
from pileus.identity.store import Membership, User

_PASSWORD = Text("password", min=1, max=4096, secret=True)


def user(rq: Request, user_id: str) -> Target[User]:
    return _target(users.get_user(rq.tx, user_id))


def _target(found: User) -> Target[User]:
    return Target(found, user=found, user_id=found.id)


def new_user(rq: Request) -> Target[None]:
    """The rules ask about the domain that is named: for who manages one, none is another than theirs, as in OpenStack."""
    return Target(None, user=asked_for(rq, "user"))


@api.get("/v3/users", policy="identity:list_users", on=in_scope)
def list_users(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List users."""
    return listing(rq, USER, User, [*in_domain(rq), *expiring(rq)], clauses=_vouched_for(rq))


def _vouched_for(rq: Request) -> list[tuple[str, Any, dict[str, Any]]]:
    """`idp_id`, `protocol_id` and `unique_id`: users that an identity provider knows."""
    given = {name: rq.query.get(name) for name in ("idp_id", "protocol_id", "unique_id") if name in rq.query}
    if not given:
        return []
    known = columns(FederatedUser)
    matching = [getattr(known, name) == sa.bindparam(f"federated_{name}") for name in given]
    inside = columns(User).id.in_(sa.select(known.user_id).where(*matching))
    return [("federated " + " ".join(given), inside, {f"federated_{name}": value for name, value in given.items()})]


def _one(rq: Request, tx: Tx, row: User) -> dict[str, Any]:
    body = one(rq, USER, row)
    if federated := shadow.links_of(tx, row.id):
        body["user"]["federated"] = federated
    return body


_COMPARISONS = {"eq": "eq", "neq": "ne", "lt": "lt", "lte": "lte", "gt": "gt", "gte": "gte"}


def expiring(rq: Request) -> list[Where]:
    """`password_expires_at=lt:2030-01-01T00:00:00Z`: users whose password ends before then. Raises BadRequest."""
    found = []
    for text in rq.query.all("password_expires_at"):
        word, _, moment = text.partition(":")
        if word not in _COMPARISONS:
            word, moment = "eq", text
        try:
            found.append(Where("password_expires_at", _COMPARISONS[word], clock.canonical(moment)))
        except (ValueError, OverflowError):
            raise BadRequest(
                "Invalid input for query parameter password_expires_at: it is a comparison and a time, "
                f"as in lt:2030-01-01T00:00:00Z; the comparisons are {', '.join(_COMPARISONS)}."
            ) from None
    return found


@api.post("/v3/users", policy="identity:create_user", on=new_user, status=201, tx="", slow=True)
def create_user(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Create a user."""
    given = creating(rq, USER)
    password = _hashed(rq, given.pop("password", None), given.get("options") or {})
    with rq.cloud.db.write() as tx:
        row = users.create_user(tx, given, domain_of(rq, given), password)
        shadow.link(tx, row, given.get("federated"))
        return _one(rq, tx, row)


def _hashed(rq: Request, password: str | None, options: dict[str, Any], own: bool = False) -> dict[str, Any]:
    """The columns of a new password, hashed here, outside any transaction. Raises BadRequest for a weak one."""
    rules = rq.cloud.settings.security_compliance
    hashed = None
    if password is not None:
        compliance.check_strength(rules, _PASSWORD.check(password))
        hashed = passwords.hash_password(password)
    return compliance.new_password(rules, options, hashed, own)


@api.get("/v3/users/{user_id}", policy="identity:get_user", on=user)
def show_user(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Show a user."""
    return _one(rq, rq.tx, found.row)


def user_before(rq: Request, user_id: str) -> Target[User]:
    """As `user`, in a transaction of its own."""
    with rq.cloud.db.read() as tx:
        return _target(users.get_user(tx, user_id))


@api.patch("/v3/users/{user_id}", policy="identity:update_user", on=user_before, tx="", slow=True)
def update_user(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Change a user; a new password, or being disabled, voids the user's tokens."""
    values = updating(rq, USER, found.row)
    federated = values.pop("federated", None)
    if "password" in values:
        values |= _hashed(rq, values.pop("password"), {**found.row.options, **values.get("options", {})})
    rules = rq.cloud.settings.security_compliance
    with rq.cloud.db.write() as tx:
        current = users.get_user(tx, found.row.id)
        shadow.link(tx, current, federated)
        if "password_hash" in values:
            compliance.remember(tx, rules, current)
        if values.get("enabled"):
            compliance.enabled_again(tx, rules, current)
        return _one(rq, tx, users.update_user(tx, current, values))


@api.delete("/v3/users/{user_id}", policy="identity:delete_user", on=user)
def delete_user(rq: Request, found: Target[User]) -> None:
    """Delete a user with its assignments, memberships, credentials and trusts."""
    users.delete_user(rq.tx, found.row)


@api.post("/v3/users/{user_id}/password", policy=PUBLIC, status=204, tx="", slow=True)
def change_password(rq: Request) -> None:
    """Change one's own password; the old one is what proves who asks."""
    given = rq.unwrap("user")
    for name in ("original_password", "password"):
        if not isinstance(given.get(name), str):
            raise BadRequest(f"Invalid input for field {name!r}: it is required and must be a string.")
    new = _PASSWORD.check(given["password"])
    rules = rq.cloud.settings.security_compliance
    with rq.cloud.db.read() as tx:
        found = tx.find(User, id=rq.params["user_id"])
        usable = found is not None and authentication.usable(tx, found)
        former = compliance.former(tx, rules, found) if found else []
    user = authentication.check_password(rq.cloud, rq.params["user_id"], given["original_password"], rq.client)
    if found is None or not usable or user.password_hash != found.password_hash:
        raise Unauthorized(WRONG, detail="the user is disabled, or changed meanwhile")
    if found.options.get("lock_password"):
        raise BadRequest("The password of this user is locked.")
    compliance.check_age(rules, found)
    if any(passwords.verify(new, hashed) for hashed in former):
        raise BadRequest(f"The new password must differ from the last {rules.unique_last_password_count} of the user.")
    values = _hashed(rq, new, found.options, own=True)
    with rq.cloud.db.write() as tx:
        current = users.get_user(tx, found.id)
        if current.password_hash != found.password_hash:
            raise Conflict("The password has just been changed by another request.")
        compliance.remember(tx, rules, current)
        users.update_user(tx, current, values)


@api.get("/v3/users/{user_id}/projects", policy="identity:list_user_projects", on=user)
def list_user_projects(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List the projects a user has a role on."""
    rows = grants.projects_of(rq.tx, found.row.id)
    view = viewer(rq, PROJECT)
    kept = [row for row in rows if _matches(rq, row, ("name", "domain_id", "enabled"))]
    return many(rq, "projects", [view(row) for row in kept])


@api.get("/v3/users/{user_id}/groups", policy="identity:list_groups_for_user", on=user)
def list_user_groups(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List the groups a user is in, and until when where an identity provider said so."""
    view = viewer(rq, GROUP)
    kept = [row for row in users.groups_of(rq.tx, found.row.id) if _matches(rq, row, ("name", "domain_id"))]
    seen = [row for row in kept if rq.ctx.domain_id in (None, row.domain_id)]
    ends = {row.group_id: row.expires_at for row in rq.tx.select(Membership, user_id=found.row.id)}
    return many(rq, "groups", [{**view(row), "membership_expires_at": ends.get(row.id)} for row in seen])


def _matches(rq: Request, row: Any, names: tuple[str, ...]) -> bool:
    return all(
        getattr(row, name) == (rq.query.flag(name) if name == "enabled" else rq.query.get(name))
        for name in names
        if name in rq.query
    )
