"""Logs of security groups (Networking API, "Logging")."""

from typing import Any

from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.api.base import api, constrained, owner
from pileus.network.api.plain import plain
from pileus.network.resources.logs import log as LOG
from pileus.network.service import logs


def log(rq: Request, id: str) -> rows.Log:
    return constrained(rq, logs.get_log(rq.tx, id))


plain(
    LOG,
    rows.Log,
    "/log/logs",
    on=log,
    make=lambda rq, values: logs.create_log(rq.tx, owner(rq, values), **values),
    change=lambda rq, found, values: logs.update_log(rq.tx, found, **values),
    delete=lambda rq, found: logs.delete_log(rq.tx, found),
)


@api.get("/log/loggable-resources", policy="get_loggable_resource", tx="")
def list_loggable_resources(rq: Request) -> dict[str, Any]:
    """List what can be logged."""
    return {"loggable_resources": [{"type": kind} for kind in logs.KINDS]}
