"""Limits and quotas (Compute API, "Limits", "Quota sets", "Quota class set")."""

from typing import Any

from pileus.compute import quotas
from pileus.compute.api.base import api
from pileus.compute.resources.quotas import ABSOLUTE, QUOTA_CLASS_SET, QUOTA_SET, SHOWN
from pileus.core import quota
from pileus.core.errors import BadRequest
from pileus.core.wire import Request

SETS = "os_compute_api:os-quota-sets"
CLASSES = "os_compute_api:os-quota-class-sets"


@api.get("/limits", policy="os_compute_api:limits", query=("tenant_id", "reserved"))
def show_limits(rq: Request) -> dict[str, Any]:
    """Show what a project may have and has."""
    project_id = rq.ctx.project_id or ""
    named = rq.query.get("tenant_id")
    if named and named != project_id:
        rq.authorize("os_compute_api:limits:other_project", {"project_id": named})
        project_id = named
    used = {f"used_{name}": value for name, value in quotas.usage(rq.tx, project_id)._asdict().items()}
    found = {**quotas.limits(rq.tx, project_id), **used, "unlimited": -1}
    return {"limits": {"rate": [], "absolute": ABSOLUTE.view(rq, found)}}


# -- a project's quotas ------------------------------------------------------------------------------------------------


class Target:
    """A project whose quotas are asked for; it need not have any rows."""

    def __init__(self, rq: Request, project_id: str):
        self.id = self.project_id = project_id


def _shown(rq: Request, found: dict[str, Any]) -> dict[str, Any]:
    return QUOTA_SET.viewer(rq, only=SHOWN)(found)


@api.get("/os-quota-sets/{project_id}", policy=f"{SETS}:show", on=Target, query=("user_id",))
def show_quota_set(rq: Request, found: Target) -> dict[str, Any]:
    """Show a project's quotas."""
    return {"quota_set": {"id": found.id, **_shown(rq, quotas.limits(rq.tx, found.id))}}


@api.get("/os-quota-sets/{project_id}/detail", policy=f"{SETS}:detail", on=Target, query=("user_id",))
def show_quota_set_detail(rq: Request, found: Target) -> dict[str, Any]:
    """Show a project's quotas and what is used of them."""
    used = quotas.in_use(rq.tx, found.id)
    detail: dict[str, Any] = {
        name: {"limit": limit, "in_use": used[name], "reserved": 0}
        for name, limit in quotas.limits(rq.tx, found.id).items()
    }
    detail["*"] = {"limit": quota.UNLIMITED, "in_use": 0, "reserved": 0}
    return {"quota_set": {"id": found.id, **_shown(rq, detail)}}


@api.get("/os-quota-sets/{project_id}/defaults", policy=f"{SETS}:defaults", on=Target)
def show_quota_defaults(rq: Request, found: Target) -> dict[str, Any]:
    """Show what projects have by default."""
    return {"quota_set": {"id": found.id, **_shown(rq, quotas.defaults(rq.tx))}}


@api.put("/os-quota-sets/{project_id}", policy=f"{SETS}:update", on=Target, query=("user_id",))
def update_quota_set(rq: Request, found: Target) -> dict[str, Any]:
    """Change a project's quotas."""
    given = QUOTA_SET.parse_update(rq)
    force = given.pop("force", False)
    used = quotas.in_use(rq.tx, found.id)
    for name in quotas.DEFAULTS.keys() & given.keys():
        if not force and 0 <= given[name] < used[name]:
            raise BadRequest(
                f"Quota limit {given[name]} for {name} must be at least what is used already: {used[name]}."
            )
        quota.set_limit(rq.tx, quotas.SERVICE, found.id, name, given[name])
    return {"quota_set": _shown(rq, quotas.limits(rq.tx, found.id))}


@api.delete("/os-quota-sets/{project_id}", policy=f"{SETS}:delete", on=Target, status=202, query=("user_id",))
def delete_quota_set(rq: Request, found: Target) -> None:
    """Give a project the default quotas again."""
    quota.reset(rq.tx, quotas.SERVICE, found.id)


# -- the defaults ------------------------------------------------------------------------------------------------------


@api.get("/os-quota-class-sets/{quota_class}", policy=f"{CLASSES}:show")
def show_quota_class(rq: Request) -> dict[str, Any]:
    """Show the default quotas."""
    shown = QUOTA_CLASS_SET.view(rq, quotas.class_limits(rq.tx))
    return {"quota_class_set": {"id": rq.params["quota_class"], **shown}}


@api.put("/os-quota-class-sets/{quota_class}", policy=f"{CLASSES}:update")
def update_quota_class(rq: Request) -> dict[str, Any]:
    """Change the default quotas."""
    if rq.params["quota_class"] != "default":
        raise BadRequest("There is only one class of quotas: default.")
    given = QUOTA_CLASS_SET.parse_update(rq)
    for name in given:  # also what other services count by now: what an operator wrote is shown again
        quota.set_limit(rq.tx, quotas.SERVICE, quotas.CLASS, name, given[name])
    return {"quota_class_set": QUOTA_CLASS_SET.view(rq, quotas.class_limits(rq.tx))}
