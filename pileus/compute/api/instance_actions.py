"""A server's action log (Compute API, "Servers actions")."""

from collections.abc import Callable
from typing import Any

from pileus.compute import instance_actions
from pileus.compute.api.base import api
from pileus.compute.resources.instance_actions import ACTION, EVENT
from pileus.compute.resources.servers import host_id
from pileus.compute.store import Server, ServerAction
from pileus.core import clock, paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.microversions import Version
from pileus.core.paging import Sort, Where
from pileus.core.wire import Request

QUERY = ("limit", "marker", "changes-since", "changes-before")
POLICY = "os_compute_api:os-instance-actions"


def _subject(rq: Request, server_id: str, *_: str) -> Server | ServerAction:
    """The server, or since 2.21 what is remembered of one that is gone."""
    found = rq.tx.find(Server, id=server_id)
    if found is not None:
        return found
    past = rq.tx.find(ServerAction, server_id=server_id) if rq.version >= Version(2, 21) else None
    if past is None:
        raise NotFound(f"Instance {server_id} could not be found.", kind="InstanceNotFound")
    return past


@api.get(
    "/servers/{server_id}/os-instance-actions",
    policy=f"{POLICY}:list",
    on=_subject,
    query=QUERY,
)
def list_actions(rq: Request, found: Server | ServerAction) -> dict[str, Any]:
    """List what was asked of a server, newest first."""
    where = [Where("server_id", "eq", rq.params["server_id"])]
    for name, operator, since in (("changes-since", "gte", (2, 58)), ("changes-before", "lte", (2, 66))):
        text = rq.query.get(name)
        if text is not None and rq.version >= Version(*since):
            try:
                where.append(Where("updated_at", operator, clock.canonical(text)))
            except (ValueError, OverflowError):
                raise BadRequest(f"Invalid filter field: {name}. Value: {text[:100]}. It must be a time.") from None
    paged = rq.version >= Version(2, 58)
    limit = rq.query.number("limit") if paged else None
    page = paging.page(
        rq, ServerAction, where, [Sort("started_at", True)], limit=min(1000 if limit is None else limit, 1000),
        marker=rq.query.get("marker") if paged else None, marker_column="request_id",
    )  # fmt: skip
    view = ACTION.viewer(rq)
    body: dict[str, Any] = {"instanceActions": [view(row) for row in page.rows]}
    return body | _links(rq, page)


def _links(rq: Request, page: paging.Page) -> dict[str, Any]:
    found = paging.links(rq, "", page, id_of=lambda row: row.request_id) if rq.version >= Version(2, 58) else {}
    return {"links": found["_links"]} if found else {}


@api.get("/servers/{server_id}/os-instance-actions/{request_id}", policy=f"{POLICY}:show", on=_subject)
def show_action(rq: Request, found: Server | ServerAction) -> dict[str, Any]:
    """Show one action of a server, with its events."""
    action = instance_actions.get_action(rq.tx, rq.params["server_id"], rq.params["request_id"])
    body = ACTION.view(rq, action)
    all_of_it = rq.allows(f"{POLICY}:events")
    if all_of_it or rq.version >= Version(2, 51):
        view = _event_viewer(rq, action, all_of_it)
        body["events"] = [view(event) for event in instance_actions.list_events(rq.tx, action)]
    return {"instanceAction": body}


def _event_viewer(rq: Request, action: ServerAction, all_of_it: bool) -> Callable[[Any], dict[str, Any]]:
    hidden: set[str] = set() if all_of_it else {"traceback", "host"}
    if not rq.allows(f"{POLICY}:events:details"):
        hidden.add("details")
    view = EVENT.viewer(rq, only=set(EVENT.fields) - hidden)

    def shown(event: Any) -> dict[str, Any]:
        body = view(event)
        if "hostId" in body:
            body["hostId"] = host_id(action.project_id, event.host)
        return body

    return shown
