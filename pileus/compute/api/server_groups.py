"""Server groups (Compute API, "Server groups")."""

from typing import Any

from pileus.compute import server_groups
from pileus.compute.api.base import api
from pileus.compute.resources.server_groups import GROUP
from pileus.compute.store import ServerGroup
from pileus.core.errors import BadRequest
from pileus.core.microversions import Version
from pileus.core.wire import Request

POLICY = "os_compute_api:os-server-groups"


def group(rq: Request, group_id: str) -> ServerGroup:
    return server_groups.get_group(rq.tx, group_id)


def _shown(rq: Request, rows: list[ServerGroup]) -> list[dict[str, Any]]:
    view = GROUP.viewer(rq)
    return [{**view(row), "members": server_groups.members(rq.tx, row.id)} for row in rows]


@api.get("/os-server-groups", policy=f"{POLICY}:index", query=("all_projects", "limit", "offset"))
def list_server_groups(rq: Request) -> dict[str, Any]:
    """List server groups."""
    everybody = "all_projects" in rq.query and rq.allows(f"{POLICY}:index:all_projects")
    offset, limit = rq.query.number("offset") or 0, rq.query.number("limit")
    mine = {} if everybody else {"project_id": rq.ctx.project_id or ""}
    rows = rq.tx.select(ServerGroup, order="created_at", **mine)[offset:]
    return {"server_groups": _shown(rq, rows[: limit or 1000])}


@api.post("/os-server-groups", policy=f"{POLICY}:create")
def create_server_group(rq: Request) -> dict[str, Any]:
    """Create a server group."""
    given = GROUP.parse_create(rq)
    policy = given["policy"] if "policy" in given else given["policies"][0]
    if policy.startswith("soft-") and rq.version < Version(2, 15):
        raise BadRequest(f"Invalid input for field/attribute policies. Value: {policy}. It came with version 2.15.")
    rules = given.get("rules") or {}
    if rules and policy != "anti-affinity":
        raise BadRequest(f"Only anti-affinity policy supports rules, not {policy}.")
    row = server_groups.create_group(rq.tx, rq.ctx, given["name"], policy, rules)
    return {"server_group": _shown(rq, [row])[0]}


@api.get("/os-server-groups/{group_id}", policy=f"{POLICY}:show", on=group)
def show_server_group(rq: Request, found: ServerGroup) -> dict[str, Any]:
    """Show a server group."""
    return {"server_group": _shown(rq, [found])[0]}


@api.delete("/os-server-groups/{group_id}", policy=f"{POLICY}:delete", on=group)
def delete_server_group(rq: Request, found: ServerGroup) -> None:
    """Delete a server group; its servers stay."""
    rq.tx.delete(ServerGroup, id=found.id)
