"""A volume type on the wire."""

from typing import Any

from pileus.block_storage.resources.base import metadata
from pileus.block_storage.store import VolumeType
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Object, Strings, Text
from pileus.core.resources import Resource
from pileus.core.wire import Request

NEW_TYPE = Resource("volume_type", [
    Text("name", create=REQUIRED, min=1, strip=True), Text("description", create=OPTIONAL, null=True, default=None),
    metadata("extra_specs", create=OPTIONAL, null=True, default=None),
    Boolean("os-volume-type-access:is_public", create=OPTIONAL, default=True, source="is_public"),
])  # fmt: skip
CHANGED_TYPE = Resource("volume_type", [
    Text("name", update=True, min=1, null=True, strip=True), Text("description", update=True, null=True),
    Boolean("is_public", update=True),
])  # fmt: skip
SPECS = Strings("extra_specs", key=r"[a-zA-Z0-9\-_:.]+")
ENCRYPTION = Object("encryption", [
    Text("provider", create=REQUIRED), Text("control_location", create=REQUIRED, choices=["front-end", "back-end"]),
    Text("cipher", create=OPTIONAL, null=True), Integer("key_size", create=OPTIONAL, null=True, min=0),
])  # fmt: skip
CHANGED_ENCRYPTION = Object("encryption", [
    Text("provider", create=OPTIONAL), Text("control_location", create=OPTIONAL, choices=["front-end", "back-end"]),
    Text("cipher", create=OPTIONAL, null=True), Integer("key_size", create=OPTIONAL, null=True, min=0),
])  # fmt: skip
# extra specs that tell users what volumes can do; others tell of backends, which are the operator's
VISIBLE = ("RESKEY:availability_zones", "multiattach", "replication_enabled")
SENSITIVE = "volume_extension:types_extra_specs:read_sensitive"


def specs(rq: Request, row: VolumeType) -> dict[str, str]:
    """As much of a type's extra specs as the caller may see."""
    if rq.allows(SENSITIVE):
        return row.extra_specs
    return {name: value for name, value in row.extra_specs.items() if name in VISIBLE}


def made(rq: Request, row: VolumeType) -> dict[str, Any]:
    """As create answers it."""
    body = shown(rq, row)
    body.pop("qos_specs_id", None)
    return body


def changed(rq: Request, row: VolumeType) -> dict[str, Any]:
    """As update answers it."""
    body = made(rq, row)
    body.pop("os-volume-type-access:is_public", None)
    return body


def shown(rq: Request, row: VolumeType) -> dict[str, Any]:
    body: dict[str, Any] = {"id": row.id, "name": row.name, "is_public": row.is_public, "description": row.description}
    if rq.allows("volume_extension:access_types_extra_specs"):
        body["extra_specs"] = specs(rq, row)
    if rq.allows("volume_extension:access_types_qos_specs_id"):
        body["qos_specs_id"] = row.qos_specs_id
    if rq.allows("volume_extension:volume_type_access"):
        body["os-volume-type-access:is_public"] = row.is_public
    return body
