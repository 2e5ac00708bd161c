"""RBAC policies (Networking API, "RBAC Policies")."""

from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, create, listing, own_clause, owner, show, viewer
from pileus.network.resources.rbac import rbac_policy as POLICY
from pileus.network.service import rbac


def rbac_policy(rq: Request, id: str) -> rows.RbacPolicy:
    return rbac.get_policy(rq.tx, viewer(rq), id)


@api.get("/rbac-policies", policy="get_rbac_policy")
def list_rbac_policies(rq: Request) -> dict[str, Any]:
    """List RBAC policies."""
    return listing(rq, POLICY, rows.RbacPolicy, own_clause(rq, rows.RbacPolicy))


@api.post("/rbac-policies", policy="create_rbac_policy", status=201)
def create_rbac_policy(rq: Request) -> dict[str, Any]:
    """Open an object to a project."""

    def make(values: dict[str, Any]) -> rows.RbacPolicy:
        project_id = owner(rq, values)
        if "target_tenant" not in values:
            raise BadRequest(
                "Invalid input for target_tenant. Reason: it is a required property.", kind="HTTPBadRequest"
            )
        target = {"project_id": project_id, "target_tenant": values["target_tenant"]}
        rq.authorize("create_rbac_policy:target_tenant", target)
        return rbac.create_policy(rq.tx, viewer(rq), project_id, **values)

    return create(rq, POLICY, make)


@api.get("/rbac-policies/{id}", policy="get_rbac_policy", on=rbac_policy)
def show_rbac_policy(rq: Request, found: rows.RbacPolicy) -> dict[str, Any]:
    """Show an RBAC policy."""
    return show(rq, POLICY, found)


@api.put("/rbac-policies/{id}", policy="update_rbac_policy", on=rbac_policy)
def update_rbac_policy(rq: Request, found: rows.RbacPolicy) -> dict[str, Any]:
    """Change whom an RBAC policy is for."""
    target = POLICY.parse_update(rq).get("target_tenant", found.target_tenant)
    rq.authorize("update_rbac_policy:target_tenant", {"project_id": found.project_id, "target_tenant": target})
    return show(rq, POLICY, rbac.update_policy(rq.tx, found, target))


@api.delete("/rbac-policies/{id}", policy="delete_rbac_policy", on=rbac_policy)
def delete_rbac_policy(rq: Request, found: rows.RbacPolicy) -> None:
    """Delete an RBAC policy."""
    rbac.delete_policy(rq.tx, found)
