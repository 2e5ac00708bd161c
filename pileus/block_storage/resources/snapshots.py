"""A snapshot on the wire, and what may be asked of lists of them."""

from typing import Any

from pileus.block_storage.resources.base import Filter, at_least, boolean, metadata, words
from pileus.block_storage.store import Snapshot
from pileus.core import clock
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Text
from pileus.core.resources import REFUSE, Resource
from pileus.core.wire import Request

NEW_SNAPSHOT = Resource("snapshot", [
    words("name", create=OPTIONAL), words("description", create=OPTIONAL), words("display_name", create=OPTIONAL),
    words("display_description", create=OPTIONAL), Text("volume_id", create=REQUIRED, null=True),
    Boolean("force", create=OPTIONAL, null=True), metadata("metadata", create=OPTIONAL, null=True),
], extra=REFUSE)  # fmt: skip
CHANGED_SNAPSHOT = Resource("snapshot", [
    words("name", update=True), words("description", update=True), words("display_name", update=True),
    words("display_description", update=True),
])  # fmt: skip
FILTERS = {
    "name": Filter("name", like=True), "display_name": Filter("name", like=True), "status": Filter("status", like=True),
    "volume_id": Filter("volume_id", like=True), "metadata": Filter("metadata", since=22, kind="metadata"),
    "consumes_quota": Filter("consumes_quota", boolean, since=65),
    "created_at": Filter("created_at", since=60, kind="time"), "updated_at": Filter("updated_at", since=60, kind="time"),
    "project_id": Filter("project_id", everybody=False), "id": Filter("id", everybody=False),
    "user_id": Filter("user_id", everybody=False), "volume_type_id": Filter("volume_type_id", everybody=False),
}  # fmt: skip
SORTS = ("name", "status", "volume_id", "volume_size", "updated_at", "description")


def summary(rq: Request, row: Snapshot) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": clock.naive(row.created_at),
        "updated_at": clock.naive(row.updated_at),
        "name": row.name,
        "description": row.description,
        "volume_id": row.volume_id,
        "status": row.status,
        "size": row.volume_size,
        "metadata": row.metadata,
    }


def detail(rq: Request, row: Snapshot) -> dict[str, Any]:
    body = summary(rq, row)
    if at_least(rq, 14):
        body["group_snapshot_id"] = row.group_snapshot_id
    if at_least(rq, 41):
        body["user_id"] = row.user_id
    if at_least(rq, 65):
        body["consumes_quota"] = row.consumes_quota
    return body


def extended(rq: Request, row: Snapshot) -> dict[str, Any]:
    """As show and the detailed list have it; what create and update answer is shorter."""
    body = detail(rq, row)
    if rq.allows("volume_extension:extended_snapshot_attributes", row):
        body |= {
            "os-extended-snapshot-attributes:project_id": row.project_id,
            "os-extended-snapshot-attributes:progress": row.progress,
        }
    return body


def renamed(given: dict[str, Any]) -> dict[str, Any]:
    """Older clients' words for a name and a description."""
    for older, name in (("display_name", "name"), ("display_description", "description")):
        if older in given:
            given[name] = given.pop(older)
    return given
