"""The image service's wire shapes: an image's declared attributes, beside which any property of its own may stand."""

from collections.abc import Callable
from typing import Any

from pileus.core import clock
from pileus.core.errors import Forbidden
from pileus.core.fields import OPTIONAL, Boolean, Field, Integer, Items, Text, Uuid
from pileus.core.resources import KEEP, Resource
from pileus.image import store

CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
DISK_FORMATS = (
    "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop", "gpt", "luks",
)  # fmt: skip


def _once_active(name: str) -> Callable[[store.Image], Any]:
    """What bytes say of an image is shown once it has them for good."""
    return lambda row: getattr(row, name) if row.status in (store.ACTIVE, store.DEACTIVATED) else None


IMAGE = Resource(
    "image",
    [
        Uuid("id", create=OPTIONAL, sort=True),
        Text("name", create=OPTIONAL, update=True, null=True, default=None, sort=True),
        Text("status", sort=True),
        Text("visibility", create=OPTIONAL, update=True, choices=store.VISIBILITIES, default=store.SHARED, sort=True),
        Boolean("protected", create=OPTIONAL, update=True, default=False, strict=True, sort=True),
        Boolean("os_hidden", create=OPTIONAL, update=True, default=False, strict=True),
        Text("owner", create=OPTIONAL, update=True, null=True, source="project_id", sort=True),
        Text(
            "container_format", create=OPTIONAL, update=True, null=True, default=None, choices=CONTAINER_FORMATS,
            sort=True,
        ),
        Text("disk_format", create=OPTIONAL, update=True, null=True, default=None, choices=DISK_FORMATS, sort=True),
        Integer("min_disk", create=OPTIONAL, update=True, default=0, min=0, strict=True, sort=True),
        Integer("min_ram", create=OPTIONAL, update=True, default=0, min=0, strict=True, sort=True),
        Integer("size", show=_once_active("size"), sort=True),
        Integer("virtual_size", show=_once_active("virtual_size"), sort=True),
        Text("checksum", show=_once_active("checksum"), sort=True),
        Text("os_hash_algo", show=_once_active("os_hash_algo")),
        Text("os_hash_value", show=_once_active("os_hash_value")),
        Items("tags", of=Text("tag"), create=OPTIONAL, update=True, default=list),
        Text("created_at", show=lambda row: clock.seconds(row.created_at), sort=True),
        Text("updated_at", show=lambda row: clock.seconds(row.updated_at), sort=True),
        Text("self", show=lambda row: f"/v2/images/{row.id}"),
        Text("file", show=lambda row: f"/v2/images/{row.id}/file"),
        Text("schema", show=lambda row: "/v2/schemas/image"),
    ],
    extra=KEEP,
)  # fmt: skip

# set by the service alone; the API answers 403 to whoever tries
READ_ONLY = frozenset(name for name, field in IMAGE.fields.items() if not field.create) | {"stores", "direct_url"}
# no property may be called so; `locations` would say where bytes are, which here is nobody's to say
RESERVED = frozenset({"location", "locations", "deleted", "deleted_at", "is_public"})
RESERVED_PREFIX = "os_glance"

PROPERTY_NAME = Text("property name", min=1)
PROPERTY_VALUE: Field = Text("property", max=None)


def check_settable(name: str) -> None:
    """Raises Forbidden for an attribute that is not the client's to set."""
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        raise Forbidden(f"Attribute '{name}' is reserved.")


def check_property(name: str, value: Any) -> str:
    """A property of the client's own: its value is text. Raises BadRequest or Forbidden."""
    check_settable(name)
    PROPERTY_NAME.check(name)
    checked: str = Text(name[:255], max=65535).check(value)
    return checked


def member_view(row: store.Member) -> dict[str, Any]:
    return {
        "image_id": row.image_id,
        "member_id": row.member_id,
        "status": row.status,
        "created_at": clock.seconds(row.created_at),
        "updated_at": clock.seconds(row.updated_at),
        "schema": "/v2/schemas/member",
    }


def task_view(row: store.Task) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "owner": row.project_id,
        "owner_id": row.project_id,
        "user_id": row.user_id,
        "request_id": row.request_id,
        "image_id": row.image_id,
        "input": row.input,
        "result": row.result,
        "message": row.message,
        "created_at": clock.seconds(row.created_at),
        "updated_at": clock.seconds(row.updated_at),
        "expires_at": clock.seconds(row.expires_at),
        "self": f"/v2/tasks/{row.id}",
        "schema": "/v2/schemas/task",
    }
