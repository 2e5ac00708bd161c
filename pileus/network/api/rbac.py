"""RBAC policies (Networking API, "RBAC Policies")."""

from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import owner, viewer
from pileus.network.api.plain import plain
from pileus.network.resources.rbac import rbac_policy as POLICY
from pileus.network.service import rbac


def rbac_policy(rq: Request, id: str) -> rows.RbacPolicy:
    return rbac.get_policy(rq.tx, viewer(rq), id)


def make(rq: Request, values: dict[str, Any]) -> rows.RbacPolicy:
    project_id = owner(rq, values)
    if "target_tenant" not in values:
        raise BadRequest("Invalid input for target_tenant. Reason: it is a required property.", kind="HTTPBadRequest")
    target = {"project_id": project_id, "target_tenant": values["target_tenant"]}
    rq.authorize("create_rbac_policy:target_tenant", target)
    return rbac.create_policy(rq.tx, viewer(rq), project_id, **values)


def change(rq: Request, found: rows.RbacPolicy, values: dict[str, Any]) -> rows.RbacPolicy:
    target = values.get("target_tenant", found.target_tenant)
    rq.authorize("update_rbac_policy:target_tenant", {"project_id": found.project_id, "target_tenant": target})
    return rbac.update_policy(rq.tx, found, target)


plain(
    POLICY,
    rows.RbacPolicy,
    "/rbac-policies",
    on=rbac_policy,
    make=make,
    change=change,
    delete=lambda rq, found: rbac.delete_policy(rq.tx, found),
    noun="RBAC policy",
)
