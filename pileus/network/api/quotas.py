"""Quotas (Networking API, "Quotas extension", "Quotas details extension")."""

from typing import Any

from pileus.core import quota
from pileus.core.errors import BadRequest
from pileus.core.fields import Integer
from pileus.core.wire import Request, Response
from pileus.network.api.base import api
from pileus.network.service import quotas

LIMIT = {name: Integer(name, min=-1) for name in quotas.DEFAULTS}


def project(rq: Request, project_id: str) -> dict[str, str]:
    """What rules are asked about."""
    return {"project_id": project_id, "tenant_id": project_id, "id": project_id}


def _limits(rq: Request, project_id: str) -> dict[str, int]:
    return quota.limits(rq.tx, quotas.SERVICE, project_id, quotas.defaults(rq.tx))


@api.get("/quotas", policy="update_quota")
def list_quotas(rq: Request) -> dict[str, Any]:
    """List the quotas of projects that have their own."""
    own = sorted({row.project_id for row in rq.tx.select(quota.QuotaRow, service=quotas.SERVICE)})
    return {"quotas": [{**_limits(rq, one), "project_id": one, "tenant_id": one} for one in own]}


@api.get("/quotas/{project_id}", policy="get_quota", on=project)
def show_quota(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Show a project's quotas."""
    return {"quota": _limits(rq, found["project_id"])}


@api.get("/quotas/{project_id}/default", policy="get_quota", on=project)
def show_default_quota(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Show the quotas a project has when none are set."""
    return {"quota": dict(quotas.defaults(rq.tx))}


@api.get("/quotas/{project_id}/details.json", policy="get_quota", on=project)
def show_quota_details(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Show how much of its quotas a project uses."""
    return {"quota": quotas.usage(rq.tx, found["project_id"])}


@api.get("/quotas/{project_id}/details", policy="get_quota", on=project)
def show_quota_details_too(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Show how much of its quotas a project uses."""
    return {"quota": quotas.usage(rq.tx, found["project_id"])}


@api.put("/quotas/{project_id}", policy="update_quota", on=project)
def update_quota(rq: Request, found: dict[str, str]) -> dict[str, Any]:
    """Set a project's quotas."""
    project_id = found["project_id"]
    if len(project_id) > 255:
        raise BadRequest("Invalid input for project_id: it is too long.", kind="InvalidInput")
    body = rq.unwrap("quota")
    force = body.get("force") in (True, "true", "True")
    for name, value in body.items():
        if name in ("project_id", "tenant_id", "force", "check_limit"):
            continue
        if name not in LIMIT:
            raise BadRequest(f"Unrecognized attribute(s) '{name[:60]}'", kind="HTTPBadRequest")
        limit = LIMIT[name].check(value)
        used = rq.tx.count(quotas.COUNTED[name], project_id=project_id)
        if not force and 0 <= limit < used:
            raise BadRequest(
                f"Quota limit {limit} for {name} is lower than what is used: {used}.", kind="InvalidQuotaValue"
            )
        quota.set_limit(rq.tx, quotas.SERVICE, project_id, name, limit)
    return {"quota": _limits(rq, project_id)}


@api.delete("/quotas/{project_id}", policy="delete_quota", on=project)
def delete_quota(rq: Request, found: dict[str, str]) -> Response:
    """Give a project the default quotas again."""
    quota.reset(rq.tx, quotas.SERVICE, found["project_id"])
    return Response(None, 204)
