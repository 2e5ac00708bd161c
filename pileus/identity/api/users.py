"""Users (Identity API v3, "Users"). Passwords are hashed before the writing transaction begins: that takes long."""

from typing import Any

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Unauthorized
from pileus.core.fields import Text
from pileus.core.paging import Where
from pileus.core.routes import PUBLIC
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.identity import authentication, grants, passwords, users
from pileus.identity.api.base import (
    Target,
    api,
    asked_for,
    creating,
    domain_of,
    in_scope,
    listing,
    many,
    one,
    updating,
    viewer,
)
from pileus.identity.federation import shadow
from pileus.identity.federation.store import FederatedUser
from pileus.identity.resources import GROUP, PROJECT, USER
from pileus.identity.store import User

_PASSWORD = Text("password", min=1, max=4096, secret=True)


def user(rq: Request, user_id: str) -> Target[User]:
    return _target(users.get_user(rq.tx, user_id))


def _target(found: User) -> Target[User]:
    return Target(found, user=found, user_id=found.id)


def new_user(rq: Request) -> Target[None]:
    given = asked_for(rq, "user")
    return Target(None, user={**given, "domain_id": domain_of(rq, given)})


@api.get("/v3/users", policy="identity:list_users", on=in_scope)
def list_users(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List users."""
    where = [Where("domain_id", "eq", rq.ctx.domain_id)] if rq.ctx.domain_id else []
    return listing(rq, USER, User, where, clauses=_vouched_for(rq))


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


@api.post("/v3/users", policy="identity:create_user", on=new_user, status=201, tx="")
def create_user(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Create a user."""
    given = creating(rq, USER)
    password = given.get("password")
    hashed = None if password is None else passwords.hash_password(_PASSWORD.check(password))
    with rq.cloud.db.write() as tx:
        row = users.create_user(tx, given, domain_of(rq, given), hashed)
        shadow.link(tx, row, given.get("federated"))
        return _one(rq, tx, row)


@api.get("/v3/users/{user_id}", policy="identity:get_user", on=user)
def show_user(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Show a user."""
    return _one(rq, rq.tx, found.row)


def user_before(rq: Request, user_id: str) -> Target[User]:
    """As `user`, in a transaction of its own."""
    with rq.cloud.db.read() as tx:
        return _target(users.get_user(tx, user_id))


@api.patch("/v3/users/{user_id}", policy="identity:update_user", on=user_before, tx="")
def update_user(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Change a user; a new password, or being disabled, voids the user's tokens."""
    values = updating(rq, USER, found.row)
    federated = values.pop("federated", None)
    if "password" in values:
        password = values.pop("password")
        values["password_hash"] = None if password is None else passwords.hash_password(_PASSWORD.check(password))
    with rq.cloud.db.write() as tx:
        shadow.link(tx, found.row, federated)
        return _one(rq, tx, users.update_user(tx, users.get_user(tx, found.row.id), values))


@api.delete("/v3/users/{user_id}", policy="identity:delete_user", on=user)
def delete_user(rq: Request, found: Target[User]) -> None:
    """Delete a user with its assignments, memberships, credentials and trusts."""
    users.delete_user(rq.tx, found.row)


@api.post("/v3/users/{user_id}/password", policy=PUBLIC, status=204, tx="")
def change_password(rq: Request) -> None:
    """Change one's own password; the old one is what proves who asks."""
    given = rq.unwrap("user")
    for name in ("original_password", "password"):
        if not isinstance(given.get(name), str):
            raise BadRequest(f"Invalid input for field {name!r}: it is required and must be a string.")
    new = _PASSWORD.check(given["password"])
    with rq.cloud.db.read() as tx:
        found = tx.find(User, id=rq.params["user_id"])
        usable = found is not None and authentication.usable(tx, found)
    if (
        not passwords.verify(given["original_password"], found.password_hash if found else None)
        or not usable
        or not found
    ):
        raise Unauthorized(
            "The request you have made requires authentication.", detail="the original password is wrong"
        )
    if found.options.get("lock_password"):
        raise BadRequest("The password of this user is locked.")
    hashed = passwords.hash_password(new)
    with rq.cloud.db.write() as tx:
        current = users.get_user(tx, found.id)
        if current.password_hash != found.password_hash:
            raise Conflict("The password has just been changed by another request.")
        users.update_user(tx, current, {"password_hash": hashed})


@api.get("/v3/users/{user_id}/projects", policy="identity:list_user_projects", on=user)
def list_user_projects(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List the projects a user has a role on."""
    rows = grants.projects_of(rq.tx, found.row.id)
    view = viewer(rq, PROJECT)
    kept = [row for row in rows if _matches(rq, row, ("name", "domain_id", "enabled"))]
    return many(rq, "projects", [view(row) for row in kept])


@api.get("/v3/users/{user_id}/groups", policy="identity:list_groups_for_user", on=user)
def list_user_groups(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List the groups a user is in."""
    view = viewer(rq, GROUP)
    kept = [row for row in users.groups_of(rq.tx, found.row.id) if _matches(rq, row, ("name", "domain_id"))]
    return many(rq, "groups", [view(row) for row in kept])


def _matches(rq: Request, row: Any, names: tuple[str, ...]) -> bool:
    return all(
        getattr(row, name) == (rq.query.flag(name) if name == "enabled" else rq.query.get(name))
        for name in names
        if name in rq.query
    )
