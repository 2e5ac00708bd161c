"""The list of role assignments (Identity API v3, "List role assignments")."""

from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.wire import Request
from pileus.identity.access import assignments
from pileus.identity.access.assignments import Found, Wanted
from pileus.identity.api.base import Target, api, here, many
from pileus.identity.projects import get_project


def tree(rq: Request) -> Target[None]:
    """For a whole tree the rules ask where its top is; else what the caller's own domain is."""
    project_id = rq.query.get("scope.project.id")
    if not rq.query.flag("include_subtree") or not project_id:
        return Target(None, domain_id=rq.ctx.domain_id)
    project = get_project(rq.tx, project_id)
    return Target(None, project=project, domain_id=project.domain_id)


@api.get("/v3/role_assignments", policy="identity:list_role_assignments", on=tree)
def list_role_assignments(rq: Request, found: Target[None]) -> dict[str, Any]:
    """List role assignments, as granted or effective."""
    wanted = _wanted(rq)
    if wanted.subtree:
        rq.authorize("identity:list_role_assignments_for_tree", found)
    listed = assignments.list_assignments(rq.tx, wanted)
    named = assignments.names(rq.tx, listed) if rq.query.flag("include_names") else None
    root = here(rq) + "/v3"
    return many(rq, "role_assignments", [_view(root, item, named) for item in listed])


def _wanted(rq: Request) -> Wanted:
    """Raises BadRequest for filters that exclude each other."""
    query = rq.query
    wanted = Wanted(
        user_id=query.get("user.id"),
        group_id=query.get("group.id"),
        role_id=query.get("role.id"),
        project_id=query.get("scope.project.id"),
        domain_id=query.get("scope.domain.id"),
        system=bool(query.get("scope.system")),
        inherited=(
            query.get("scope.OS-INHERIT:inherited_to") == "projects"
            if "scope.OS-INHERIT:inherited_to" in query
            else None
        ),
        effective=bool(query.flag("effective")),
        subtree=bool(query.flag("include_subtree")),
        within=rq.ctx.domain_id,
    )
    if wanted.user_id and wanted.group_id:
        raise BadRequest("Specify a user or a group, not both.")
    if (wanted.project_id is not None) + (wanted.domain_id is not None) + wanted.system > 1:
        raise BadRequest("Specify one of scope.project.id, scope.domain.id and scope.system.")
    if wanted.effective and wanted.group_id:
        raise BadRequest("Effective assignments are users': group.id would always find none.")
    if wanted.effective and wanted.inherited and wanted.domain_id:
        raise BadRequest(
            "What a domain's projects inherit is no assignment on the domain: this would always find none."
        )
    if wanted.subtree and not wanted.project_id:
        raise BadRequest("include_subtree needs scope.project.id.")
    return wanted


def _view(root: str, item: Found, named: dict[str, Any] | None) -> dict[str, Any]:
    if item.target_type == "system":
        scope: dict[str, Any] = {"system": {"all": True}}
    else:
        scope = {item.target_type: _named(item.target_id, named)}
    if item.inherited or item.via_target:
        scope["OS-INHERIT:inherited_to"] = "projects"
    body: dict[str, Any] = {
        "role": _named(item.role_id, named),
        item.actor_type: _named(item.actor_id, named),
        "scope": scope,
        "links": {"assignment": root + _link(item)},
    }
    if item.via_group:
        body["links"]["membership"] = f"{root}/groups/{item.via_group}/users/{item.actor_id}"
    if item.via_role:
        body["links"]["prior_role"] = f"{root}/prior_role/{item.via_role}/implies/{item.role_id}"
    return body


def _link(item: Found) -> str:
    """The grant that an assignment is, or comes from."""
    target_type, target_id = item.via_target or (item.target_type, item.target_id)
    actor_type, actor_id = ("group", item.via_group) if item.via_group else (item.actor_type, item.actor_id)
    target = "/system" if target_type == "system" else f"/{target_type}s/{target_id}"
    path = f"{target}/{actor_type}s/{actor_id}/roles/{item.via_role or item.role_id}"
    inherited = item.inherited or item.via_target is not None
    return f"/OS-INHERIT{path}/inherited_to_projects" if inherited else path


def _named(id: str, named: dict[str, Any] | None) -> dict[str, Any]:
    row = named.get(id) if named is not None else None
    if row is None or named is None:
        return {"id": id}
    body = {"id": id, "name": row.name}
    domain = named.get(row.domain_id) if row.domain_id else None
    return {**body, "domain": {"id": domain.id, "name": domain.name}} if domain is not None else body
