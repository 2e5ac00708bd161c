"""Granting roles to users and groups on projects, domains and the system (Identity API v3, "Roles", "OS-INHERIT").

One set of handlers for every form of the path: what is granted to whom on what is read from the path's parameters.
"""

from typing import Any

import msgspec

from pileus.core.wire import Request
from pileus.identity import users
from pileus.identity.access import grants, roles
from pileus.identity.api.base import Target, api, many, viewer
from pileus.identity.projects import get_domain, get_project
from pileus.identity.resources import ROLE
from pileus.identity.store import Group, Project, Role, User


class Grant(msgspec.Struct):
    """What a path names; without a target it is the system, without a role the path is a list."""

    actor: User | Group
    target: Project | None
    role: Role | None
    inherited: bool


def grant(rq: Request, *_: str) -> Target[Grant]:
    params, tx = rq.params, rq.tx
    actor: User | Group
    actor = users.get_user(tx, params["user_id"]) if "user_id" in params else users.get_group(tx, params["group_id"])
    role = roles.get_role(tx, params["role_id"]) if "role_id" in params else None
    target = None
    if "project_id" in params:
        target = get_project(tx, params["project_id"])
    elif "domain_id" in params:
        target = get_domain(tx, params["domain_id"])
    named: dict[str, Any] = {
        "user" if isinstance(actor, User) else "group": actor,
        "domain" if "domain_id" in params else "project": target,
        "role": role,
    }
    return Target(Grant(actor, target, role, rq.path.endswith("/inherited_to_projects")), **named)


def _parts(found: Target[Grant]) -> tuple[User | Group, Project | None, Role, bool]:
    row = found.row
    assert row.role is not None
    return row.actor, row.target, row.role, row.inherited


def list_grants(rq: Request, found: Target[Grant]) -> dict[str, Any]:
    """List the roles granted here."""
    row, view = found.row, viewer(rq, ROLE)
    return many(rq, "roles", [view(role) for role in grants.granted(rq.tx, row.actor, row.target, row.inherited)])


def check_grant(rq: Request, found: Target[Grant]) -> None:
    """Check that a role is granted here."""
    grants.get_grant(rq.tx, *_parts(found))


def create_grant(rq: Request, found: Target[Grant]) -> None:
    """Grant a role here."""
    grants.grant(rq.tx, *_parts(found))


def revoke_grant(rq: Request, found: Target[Grant]) -> None:
    """Revoke a role here."""
    grants.revoke(rq.tx, *_parts(found))


def _declare(path: str, rules: tuple[str, str, str, str], inherited: str = "") -> None:
    listed, checked, created, revoked = rules
    api.get(f"{path}/roles{inherited}", policy=listed, on=grant)(list_grants)
    one = f"{path}/roles/{{role_id}}{inherited}"
    api.get(one, policy=checked, on=grant, status=204)(check_grant)
    api.put(one, policy=created, on=grant, status=204)(create_grant)
    api.delete(one, policy=revoked, on=grant)(revoke_grant)


_RULES = ("identity:list_grants", "identity:check_grant", "identity:create_grant", "identity:revoke_grant")
for _actor in ("users/{user_id}", "groups/{group_id}"):
    for _target in ("projects/{project_id}", "domains/{domain_id}"):
        _declare(f"/v3/{_target}/{_actor}", _RULES)
        _declare(f"/v3/OS-INHERIT/{_target}/{_actor}", _RULES, "/inherited_to_projects")
    _kind = "user" if _actor.startswith("users") else "group"
    _declare(
        f"/v3/system/{_actor}",
        (
            f"identity:list_system_grants_for_{_kind}",
            f"identity:check_system_grant_for_{_kind}",
            f"identity:create_system_grant_for_{_kind}",
            f"identity:revoke_system_grant_for_{_kind}",
        ),
    )
