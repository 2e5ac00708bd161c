"""A network for whoever asks for any (Networking API, "Auto allocated topologies")."""

from typing import Any

from pileus.core.errors import NotFound
from pileus.core.wire import Request
from pileus.network.api.base import api, viewer
from pileus.network.service import topologies

PATH = "/auto-allocated-topology/{project_id}"
MEANS_ME = ("null", "None")  # how clients write that they name no project


def project(rq: Request, project_id: str) -> dict[str, str]:
    """What rules are asked about: the caller's project, or the one an administrator names."""
    chosen = rq.ctx.project_id or "" if project_id in MEANS_ME else project_id
    if chosen != rq.ctx.project_id and not viewer(rq).admin:
        raise NotFound(f"Auto allocated topology of project {project_id[:60]} could not be found.",
                       kind="AutoAllocatedTopologyNotFound")  # fmt: skip
    return {"project_id": chosen, "tenant_id": chosen}


def _view(id: str, found: dict[str, str]) -> dict[str, Any]:
    return {"auto_allocated_topology": {"id": id, **found}}


@api.get(PATH, policy="get_auto_allocated_topology", on=project, tx="write")
def show_auto_allocated_topology(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Show the network made for a project, and make it if need be; `fields=dry-run` only checks whether that could be."""
    if "dry-run" in rq.query.all("fields"):
        topologies.check(rq.tx, found["project_id"])
        return _view("dry-run=pass", found)
    return _view(topologies.get_topology(rq.tx, viewer(rq), found["project_id"]), found)


@api.delete(PATH, policy="delete_auto_allocated_topology", on=project)
def delete_auto_allocated_topology(rq: Request, found: dict[str, str]) -> None:
    """Take away the network made for a project."""
    topologies.delete_topology(rq.tx, viewer(rq), found["project_id"])
