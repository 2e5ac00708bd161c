"""A backup on the wire, and what may be asked of lists of them."""

from typing import Any

from pileus.block_storage.resources.base import Filter, at_least, links_of, metadata, words
from pileus.block_storage.store import Backup
from pileus.core import clock
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Text, Uuid
from pileus.core.resources import Resource
from pileus.core.wire import Request

NEW_BACKUP = Resource("backup", [
    Uuid("volume_id", create=REQUIRED), Text("container", create=OPTIONAL, null=True), words("name", create=OPTIONAL),
    words("description", create=OPTIONAL), Boolean("incremental", create=OPTIONAL), Boolean("force", create=OPTIONAL),
    Uuid("snapshot_id", create=OPTIONAL, null=True), metadata("metadata", create=OPTIONAL, null=True, since="3.43"),
    Text("availability_zone", create=OPTIONAL, null=True, since="3.51"),
])  # fmt: skip
CHANGED_BACKUP = Resource("backup", [
    words("name", update=True), words("description", update=True), metadata("metadata", update=True, since="3.43"),
])  # fmt: skip
FILTERS = {
    "name": Filter("name", like=True), "status": Filter("status", like=True), "volume_id": Filter("volume_id", like=True),
    "project_id": Filter("project_id", everybody=False), "id": Filter("id", everybody=False),
    "snapshot_id": Filter("snapshot_id", everybody=False), "parent_id": Filter("parent_id", everybody=False),
    "user_id": Filter("user_id", everybody=False), "container": Filter("container", everybody=False),
}  # fmt: skip
SORTS = ("name", "status", "size", "volume_id", "updated_at", "container", "data_timestamp")


def summary(rq: Request, row: Backup) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": links_of(rq, "backups", row.id)}


def detail(rq: Request, row: Backup, dependents: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        **summary(rq, row),
        "status": row.status,
        "size": row.size,
        "object_count": row.object_count,
        "availability_zone": row.availability_zone,
        "container": row.container,
        "created_at": clock.naive(row.created_at),
        "updated_at": clock.naive(row.updated_at),
        "description": row.description,
        "fail_reason": row.fail_reason,
        "volume_id": row.volume_id,
        "is_incremental": row.parent_id is not None,
        "has_dependent_backups": dependents,
        "snapshot_id": row.snapshot_id,
        "data_timestamp": clock.naive(row.data_timestamp),
    }
    if at_least(rq, 43):
        body["metadata"] = row.metadata
    if at_least(rq, 18) and rq.allows("backup:backup_project_attribute", row):
        body["os-backup-project-attr:project_id"] = row.project_id
        if at_least(rq, 56):
            body["user_id"] = row.user_id
    return body
