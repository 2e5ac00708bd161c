"""Usage reports (Compute API, "Usage reports")."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pileus.compute import usage
from pileus.compute.api.base import api
from pileus.compute.api.limits import Target
from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.wire import Request

PERIOD = ("start", "end")
POLICY = "os_compute_api:os-simple-tenant-usage"


def _times(rq: Request) -> tuple[datetime, datetime, datetime]:
    now = clock.parse(clock.now())
    found = []
    for name, default in (("start", now - timedelta(weeks=4)), ("end", now)):
        text = rq.query.get(name)
        try:
            found.append(clock.parse(text) if text else default)
        except (ValueError, OverflowError):
            shown = (text or "")[:100]
            raise BadRequest(f"Invalid input for query parameter {name}. Value: {shown}. It must be a time.") from None
    start, stop = (moment.astimezone(UTC) for moment in found)
    if stop < start:
        raise BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return start, stop, now


def _usage(rq: Request, project_id: str, servers: list[Any], detailed: bool) -> dict[str, Any]:
    start, stop, now = _times(rq)
    usages = [usage.server_usage(server, start, stop, now) for server in servers]
    body = usage.total(project_id, usages, start, stop)
    return {**body, "server_usages": usages} if detailed else body


@api.get("/os-simple-tenant-usage", policy=f"{POLICY}:list", query=(*PERIOD, "detailed", "limit", "marker"))
def list_usage(rq: Request) -> dict[str, Any]:
    """Sum up what each project used."""
    start, stop, _ = _times(rq)
    detailed = rq.query.get("detailed") == "1"
    found = usage.by_project(rq.tx, start, stop)
    return {"tenant_usages": [_usage(rq, project, servers, detailed) for project, servers in sorted(found.items())]}


@api.get(
    "/os-simple-tenant-usage/{project_id}",
    policy=f"{POLICY}:show",
    on=Target,
    query=(*PERIOD, "limit", "marker"),
)
def show_usage(rq: Request, found: Target) -> dict[str, Any]:
    """Sum up what a project used, server by server."""
    start, stop, _ = _times(rq)
    servers = usage.by_project(rq.tx, start, stop, found.id).get(found.id, [])
    return {"tenant_usage": _usage(rq, found.id, servers, True) if servers else {}}
