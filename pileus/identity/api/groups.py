"""Groups and who is in them (Identity API v3, "Groups")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.identity import users
from pileus.identity.api.base import Target, api, asked_for, creating, domain_of, in_domain, listing, one
from pileus.identity.api.plain import plain
from pileus.identity.api.users import expiring
from pileus.identity.resources import GROUP, USER
from pileus.identity.store import Group, Membership, User

group = plain(
    GROUP,
    Group,
    get=users.get_group,
    update=users.update_group,
    delete=users.delete_group,
    fixed=["domain_id"],
    but=["list", "create"],
    told=["delete"],
)
_m = columns(Membership)
_MEMBERS = sa.select(_m.user_id).where(_m.group_id == sa.bindparam("group_id"))


def member(rq: Request, group_id: str, user_id: str) -> Target[tuple[Group, User]]:
    found, user = users.get_group(rq.tx, group_id), users.get_user(rq.tx, user_id)
    return Target((found, user), group=found, user=user, user_id=user.id)


def new_group(rq: Request) -> Target[None]:
    return Target(None, group=asked_for(rq, "group"))


def groups_in_scope(rq: Request) -> Target[None]:
    return Target(None, group={"domain_id": rq.ctx.domain_id})


@api.get("/v3/groups", policy="identity:list_groups", on=groups_in_scope)
def list_groups(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List groups."""
    return listing(rq, GROUP, Group, in_domain(rq))


@api.post("/v3/groups", policy="identity:create_group", on=new_group, status=201)
def create_group(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Create a group."""
    given = creating(rq, GROUP)
    return one(rq, GROUP, users.create_group(rq.tx, given, domain_of(rq, given)))


@api.get("/v3/groups/{group_id}/users", policy="identity:list_users_in_group", on=group)
def list_members(rq: Request, found: Target[Group]) -> dict[str, Any]:
    """List the users in a group."""
    inside = columns(User).id.in_(_MEMBERS)
    return listing(rq, USER, User, [*in_domain(rq), *expiring(rq)], [("members", inside, {"group_id": found.row.id})])


@api.put("/v3/groups/{group_id}/users/{user_id}", policy="identity:add_user_to_group", on=member, status=204)
def add_member(rq: Request, found: Target[tuple[Group, User]]) -> None:
    """Put a user into a group."""
    users.add_member(rq.tx, *found.row)


@api.get("/v3/groups/{group_id}/users/{user_id}", policy="identity:check_user_in_group", on=member, status=204)
def check_member(rq: Request, found: Target[tuple[Group, User]]) -> None:
    """Check that a user is in a group."""
    users.get_member(rq.tx, *found.row)


@api.delete("/v3/groups/{group_id}/users/{user_id}", policy="identity:remove_user_from_group", on=member)
def remove_member(rq: Request, found: Target[tuple[Group, User]]) -> None:
    """Take a user out of a group."""
    users.remove_member(rq.tx, *found.row)
