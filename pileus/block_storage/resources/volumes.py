"""A volume on the wire, and what may be asked of lists of them."""

from typing import Any, NamedTuple

from pileus.block_storage.resources.base import (
    Filter,
    at_least,
    boolean,
    by_ids,
    is_admin,
    links_of,
    metadata,
    number,
    words,
)
from pileus.block_storage.states import ATTACHED, DETACHING
from pileus.block_storage.store import Attachment, Volume, VolumeService, VolumeType
from pileus.core import clock
from pileus.core.fields import OPTIONAL, Boolean, Field, Integer, Text, Uuid
from pileus.core.resources import IGNORE, REFUSE, Resource
from pileus.core.wire import Request

# what clients of before 3.53 send without harm
LARGEST = 2**31 - 1
_CREATE: list[Field] = [
    words("name", create=OPTIONAL, default=None),
    words("description", create=OPTIONAL, default=None),
    words("display_name", create=OPTIONAL),
    words("display_description", create=OPTIONAL),
    Integer("size", create=OPTIONAL, null=True, min=1, max=LARGEST, default=None),
    Text("volume_type", create=OPTIONAL, null=True, default=None),
    metadata("metadata", create=OPTIONAL, null=True, default=None),
    Uuid("snapshot_id", create=OPTIONAL, null=True, default=None),
    Uuid("source_volid", create=OPTIONAL, null=True, default=None),
    Uuid("consistencygroup_id", create=OPTIONAL, null=True, default=None),
    Text("availability_zone", create=OPTIONAL, null=True, default=None),
    Boolean("multiattach", create=OPTIONAL, null=True, default=False),
    Text("image_id", create=OPTIONAL, null=True, default=None),
    Text("imageRef", create=OPTIONAL, null=True, default=None),
    Text("group_id", create=OPTIONAL, null=True, default=None, since="3.13"),
    Uuid("backup_id", create=OPTIONAL, null=True, default=None, since="3.47"),
]
NEW_VOLUME = Resource("volume", _CREATE, extra=REFUSE)
LOOSE_VOLUME = Resource("volume", _CREATE, extra=IGNORE)
CHANGED_VOLUME = Resource("volume", [
    words("name", update=True), words("description", update=True), words("display_name", update=True),
    words("display_description", update=True), metadata("metadata", update=True),
])  # fmt: skip

FILTERS = {
    "name": Filter("name", like=True), "display_name": Filter("name", like=True), "status": Filter("status", like=True),
    "description": Filter("description", like=True, everybody=False),
    "metadata": Filter("metadata", kind="metadata"),
    "glance_metadata": Filter("image_metadata", since=4, kind="metadata"),
    "bootable": Filter("bootable", boolean), "migration_status": Filter("migration_status", like=True),
    "availability_zone": Filter("availability_zone", like=True), "group_id": Filter("group_id", since=10),
    "size": Filter("size", number), "consumes_quota": Filter("consumes_quota", boolean, since=65),
    "created_at": Filter("created_at", since=60, kind="time"),
    "updated_at": Filter("updated_at", since=60, kind="time"),
    "volume_type_id": Filter("volume_type_id", everybody=False), "id": Filter("id", everybody=False),
    "host": Filter("host", everybody=False), "user_id": Filter("user_id", everybody=False),
    "project_id": Filter("project_id", everybody=False), "snapshot_id": Filter("snapshot_id", everybody=False),
    "source_volid": Filter("source_volid", everybody=False), "multiattach": Filter("multiattach", boolean, everybody=False),
    "encrypted": Filter("id", everybody=False),
}  # fmt: skip
SORTS = (
    "name", "status", "size", "availability_zone", "bootable", "updated_at", "host", "volume_type_id", "user_id",
    "project_id", "description",
)  # fmt: skip


class Seen(NamedTuple):
    """A volume with what is shown beside it."""

    volume: Volume
    kind: VolumeType | None
    attachments: list[Attachment]
    service_id: str | None


def seen(rq: Request, rows: list[Volume]) -> list[Seen]:
    """For any number of volumes, in three queries."""
    attachments: dict[str, list[Attachment]] = {}
    for one in by_ids(rq, Attachment, "volume_id", (row.id for row in rows)):
        attachments.setdefault(one.volume_id, []).append(one)
    kinds = {kind.id: kind for kind in by_ids(rq, VolumeType, "id", (row.volume_type_id or "" for row in rows))}
    services = {}
    if at_least(rq, 48):
        services = {one.host: one.id for one in rq.tx.select(VolumeService, binary="cinder-volume")}
    return [
        Seen(
            row, kinds.get(row.volume_type_id or ""), attachments.get(row.id, []),
            services.get((row.host or "").partition("#")[0]),
        )
        for row in rows
    ]  # fmt: skip


def summary(rq: Request, row: Volume) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "links": links_of(rq, "volumes", row.id)}


def detail(rq: Request, found: Seen) -> dict[str, Any]:
    row, admin = found.volume, is_admin(rq)
    shown_metadata = dict(row.metadata)
    if row.readonly is not None:
        shown_metadata["readonly"] = str(row.readonly)
    body: dict[str, Any] = {
        "id": row.id,
        "status": {"managing": "creating", "error_managing": "error"}.get(row.status, row.status),
        "size": row.size,
        "availability_zone": row.availability_zone,
        "created_at": clock.naive(row.created_at),
        "updated_at": clock.naive(row.updated_at),
        "name": row.name,
        "description": row.description,
        "volume_type": found.kind.name if found.kind else None,
        "snapshot_id": row.snapshot_id,
        "source_volid": row.source_volid,
        "metadata": shown_metadata,
        "links": links_of(rq, "volumes", row.id),
        "user_id": row.user_id,
        "bootable": str(row.bootable).lower(),
        "encrypted": False,
        "replication_status": row.replication_status,
        "consistencygroup_id": None,
        "multiattach": row.multiattach,
        "attachments": [
            _attachment(one, admin) for one in found.attachments if one.attach_status in (ATTACHED, DETACHING)
        ],
    }
    if admin:
        body["migration_status"] = row.migration_status
    return body | _newer(rq, found, admin)


def extended(rq: Request, found: Seen) -> dict[str, Any]:
    """As show and the detailed list have it; what create and update answer is shorter."""
    row, body = found.volume, detail(rq, found)
    if row.image_metadata and rq.allows("volume_extension:volume_image_metadata:show", row):
        body["volume_image_metadata"] = row.image_metadata
    if rq.allows("volume_extension:volume_tenant_attribute", row):
        body["os-vol-tenant-attr:tenant_id"] = row.project_id
    if rq.allows("volume_extension:volume_host_attribute", row):
        body["os-vol-host-attr:host"] = row.host
    if rq.allows("volume_extension:volume_mig_status_attribute", row):
        body["os-vol-mig-status-attr:migstat"] = row.migration_status
        body["os-vol-mig-status-attr:name_id"] = None
    return body


def _newer(rq: Request, found: Seen, admin: bool) -> dict[str, Any]:
    """What came with later versions."""
    row = found.volume
    body: dict[str, Any] = {}
    if at_least(rq, 13):
        body["group_id"] = row.group_id
    if admin and at_least(rq, 21):
        body["provider_id"] = None
    if at_least(rq, 48):
        body |= {"shared_targets": False, "service_uuid": found.service_id}
    if admin and at_least(rq, 61):
        body["cluster_name"] = None
    if at_least(rq, 63):
        body["volume_type_id"] = row.volume_type_id
    if at_least(rq, 65):
        body["consumes_quota"] = row.consumes_quota
    return body


def _attachment(one: Attachment, admin: bool) -> dict[str, Any]:
    return {
        "id": one.volume_id,
        "attachment_id": one.id,
        "volume_id": one.volume_id,
        "server_id": one.server_id or None,
        "host_name": one.attached_host if admin else None,
        "device": one.mountpoint,
        "attached_at": clock.naive(one.attached_at),
    }
