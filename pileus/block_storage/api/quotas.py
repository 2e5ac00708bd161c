"""Limits and quotas (Block Storage API, "Limits", "Quota sets extension", "Quota class set extension")."""

from typing import Any

from pileus.block_storage import quotas
from pileus.block_storage.api.base import api
from pileus.block_storage.resources.base import at_least, flag, is_admin
from pileus.core import quota
from pileus.core.errors import BadRequest
from pileus.core.fields import Integer
from pileus.core.wire import Request

SETS, CLASSES = "volume_extension:quotas", "volume_extension:quota_classes"
NUMBER = Integer("limit", min=-1)
MAXIMA = {
    "maxTotalVolumeGigabytes": "gigabytes", "maxTotalBackupGigabytes": "backup_gigabytes", "maxTotalVolumes": "volumes",
    "maxTotalSnapshots": "snapshots", "maxTotalBackups": "backups",
}  # fmt: skip
USED = {
    "totalVolumesUsed": "volumes", "totalGigabytesUsed": "gigabytes", "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups", "totalBackupGigabytesUsed": "backup_gigabytes",
}  # fmt: skip


@api.get("/limits", policy="volume:limits")
def show_limits(rq: Request) -> dict[str, Any]:
    """Show what a project may have and has."""
    project_id = rq.ctx.project_id or ""
    if at_least(rq, 39) and is_admin(rq):
        project_id = rq.query.get("project_id") or rq.query.get("tenant_id") or project_id
    allowed = quotas.limits(rq.tx, project_id)
    absolute = {shown: allowed[name] for shown, name in MAXIMA.items()}
    if rq.allows("limits_extension:used_limits"):
        used = quotas.in_use(rq.tx, project_id)
        absolute |= {shown: used[name] for shown, name in USED.items()}
    return {"limits": {"rate": [], "absolute": absolute}}


class Target:
    """A project whose quotas are asked for; it need not have any rows."""

    def __init__(self, rq: Request, project_id: str):
        self.id = self.project_id = project_id


@api.get("/os-quota-sets/{project_id}", policy=f"{SETS}:show", on=Target)
def show_quota_set(rq: Request, found: Target) -> dict[str, Any]:
    """Show a project's quotas; with `usage` also what is used of them."""
    allowed = quotas.limits(rq.tx, found.id)
    if "usage" in rq.query and flag(rq.query.get("usage"), "usage"):
        used = quotas.in_use(rq.tx, found.id)
        shown: dict[str, Any] = {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in allowed.items()
        }
        return {"quota_set": {**shown, "id": found.id}}
    return {"quota_set": {**allowed, "id": found.id}}


@api.get("/os-quota-sets/{project_id}/defaults", policy=f"{SETS}:show", on=Target)
def show_quota_defaults(rq: Request, found: Target) -> dict[str, Any]:
    """Show what projects have by default."""
    return {"quota_set": {**quotas.defaults(rq.tx), "id": found.id}}


def _given(rq: Request, name: str) -> dict[str, int]:
    known = quotas.names(rq.tx)
    given = {key: value for key, value in rq.unwrap(name).items() if key not in ("tenant_id", "id")}
    unknown = sorted(given.keys() - known.keys())
    if unknown or not given:
        raise BadRequest(
            f"Bad key(s) in quota set: {', '.join(unknown)[:255]}" if unknown else "The quota set is empty."
        )
    return {key: NUMBER.check(value) for key, value in given.items()}


@api.put("/os-quota-sets/{project_id}", policy=f"{SETS}:update", on=Target)
def update_quota_set(rq: Request, found: Target) -> dict[str, Any]:
    """Change a project's quotas."""
    if len(found.id) > 255:
        raise BadRequest("Invalid input received: a project's id has at most 255 characters.")
    given = _given(rq, "quota_set")
    used = quotas.in_use(rq.tx, found.id)
    for name, value in given.items():
        if name != "per_volume_gigabytes" and 0 <= value < used.get(name, 0):
            raise BadRequest(
                f"Quota {name} limit must be equal or greater than existing resources. Current usage is {used[name]} and "
                f"the requested limit is {value}."
            )
        quota.set_limit(rq.tx, quotas.SERVICE, found.id, name, value)
    return {"quota_set": quotas.limits(rq.tx, found.id)}


@api.delete("/os-quota-sets/{project_id}", policy=f"{SETS}:delete", on=Target, status=200)
def delete_quota_set(rq: Request, found: Target) -> None:
    """Give a project the default quotas again."""
    quota.reset(rq.tx, quotas.SERVICE, found.id)


@api.get("/os-quota-class-sets/{quota_class}", policy=f"{CLASSES}:get")
def show_quota_class(rq: Request) -> dict[str, Any]:
    """Show the default quotas."""
    return {"quota_class_set": {**quotas.defaults(rq.tx), "id": rq.params["quota_class"]}}


@api.put("/os-quota-class-sets/{quota_class}", policy=f"{CLASSES}:update")
def update_quota_class(rq: Request) -> dict[str, Any]:
    """Change the default quotas."""
    if rq.params["quota_class"] != "default":
        raise BadRequest("There is only one class of quotas: default.")
    for name, value in _given(rq, "quota_class_set").items():
        quota.set_limit(rq.tx, quotas.SERVICE, quotas.CLASS, name, value)
    return {"quota_class_set": quotas.defaults(rq.tx)}
