"""Security groups and rules (Networking API, "Security groups")."""

from typing import Any

import sqlalchemy as sa

from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import Clause, api, constrained, flag_clause, listing, mark_shared, owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.security_groups import group as GROUP
from pileus.network.resources.security_groups import rule as RULE
from pileus.network.service import lookup, security_groups
from pileus.network.store import queries

_group, _rule = columns(rows.SecurityGroup), columns(rows.SecurityGroupRule)
_OPENED = _group.id.in_(queries.opened_to("security_group"))


def group(rq: Request, id: str) -> rows.SecurityGroup:
    return constrained(rq, lookup.get_shareable(rq.tx, viewer(rq), rows.SecurityGroup, id))


def rule(rq: Request, id: str) -> rows.SecurityGroupRule:
    return lookup.get_own(rq.tx, viewer(rq), rows.SecurityGroupRule, id)


def visible(rq: Request) -> list[Clause]:
    if viewer(rq).admin:
        return []
    clause = sa.or_(_group.project_id == sa.bindparam("viewer", type_=sa.Text()), _OPENED)
    return [("visible", clause, {"viewer": rq.ctx.project_id or ""})]


def visible_rules(rq: Request) -> list[Clause]:
    """Own, and those which others wrote into own groups."""
    if viewer(rq).admin:
        return []
    me = sa.bindparam("viewer", type_=sa.Text())
    own_groups = sa.select(_group.id).where(_group.project_id == me)
    clause = sa.or_(_rule.project_id == me, _rule.security_group_id.in_(own_groups))
    return [("visible", clause, {"viewer": rq.ctx.project_id or ""})]


def dress(rq: Request, found: list[rows.SecurityGroup]) -> None:
    """The groups' rules, and whether they are opened to the caller."""
    mark_shared(rq, found)
    by_id = {row.id: row for row in found}
    for row in found:
        row.rules = []  # type: ignore[attr-defined]
    for member in queries.select_in(rq.tx, rows.SecurityGroupRule, "security_group_id", by_id):
        by_id[member.security_group_id].rules.append(member)  # type: ignore[attr-defined]


def dress_rules(rq: Request, found: list[rows.SecurityGroupRule]) -> None:
    groups = queries.by_id(rq.tx, rows.SecurityGroup, (row.security_group_id for row in found))
    for row in found:
        row.in_default = groups[row.security_group_id].is_default  # type: ignore[attr-defined]


def ensure_default(rq: Request) -> None:
    """A project's first look at its groups finds the default one: a list is a read, so it is made beside it."""
    project_id = rq.query.get("project_id") or rq.query.get("tenant_id") or rq.ctx.project_id
    if project_id and (project_id == rq.ctx.project_id or viewer(rq).admin):
        with rq.cloud.db.read() as tx:
            if tx.find(rows.DefaultSecurityGroup, project_id=project_id) is not None:
                return
        with rq.cloud.db.write() as tx:
            security_groups.default_group(tx, project_id)


@api.get("/security-groups", policy="get_security_group", tx="")
def list_security_groups(rq: Request) -> dict[str, Any]:
    """List security groups."""
    ensure_default(rq)
    with rq.cloud.db.read() as rq.tx:
        shared = flag_clause(rq, "shared", _OPENED, {"viewer": rq.ctx.project_id or ""})
        clauses = [*visible(rq), *shared]
        return listing(rq, GROUP, rows.SecurityGroup, clauses, lambda found: dress(rq, found), ["shared"])


plain(
    GROUP,
    rows.SecurityGroup,
    "/security-groups",
    on=group,
    make=lambda rq, values: security_groups.create_group(rq.tx, owner(rq, values), **values),
    change=lambda rq, found, values: security_groups.update_group(rq.tx, found, **values),
    delete=lambda rq, found: security_groups.delete_group(rq.tx, found, viewer(rq).admin),
    dress=dress,
    but=["list"],
)


@api.get("/security-group-rules", policy="get_security_group_rule", tx="")
def list_security_group_rules(rq: Request) -> dict[str, Any]:
    """List rules."""
    ensure_default(rq)
    with rq.cloud.db.read() as rq.tx:
        clauses = visible_rules(rq)
        return listing(rq, RULE, rows.SecurityGroupRule, clauses, lambda found: dress_rules(rq, found))


plain(
    RULE,
    rows.SecurityGroupRule,
    "/security-group-rules",
    on=rule,
    make=lambda rq, values: security_groups.create_rule(rq.tx, viewer(rq), owner(rq, values), **values),
    delete=lambda rq, found: security_groups.delete_rule(rq.tx, found),
    dress=dress_rules,
    but=["list"],
)
