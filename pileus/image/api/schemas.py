"""JSON schemas of what the API shows (Image API, "Image schemas"), made from the declared fields."""

from typing import Any

from pileus.core.fields import Boolean, Field, Integer, Items, Text, Uuid
from pileus.core.wire import Request
from pileus.image.api.base import api
from pileus.image.resources import IMAGE
from pileus.image.store import MEMBER_STATUSES

_TEXT = {"type": "string"}
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_UNKNOWN_AT_FIRST = ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value")


def _property(field: Field) -> dict[str, Any]:
    kind: dict[str, Any] = {"type": "string"}
    if isinstance(field, Boolean):
        kind = {"type": "boolean"}
    elif isinstance(field, Integer):
        kind = {"type": "integer"}
    elif isinstance(field, Items):
        kind = {"type": "array", "items": {"type": "string", "maxLength": 255}}
    elif isinstance(field, Uuid):
        kind["pattern"] = _UUID
    elif isinstance(field, Text):
        if field.choices:
            kind["enum"] = list(field.choices)
        elif field.create:
            kind["maxLength"] = field.max
    if field.null or field.name in _UNKNOWN_AT_FIRST:
        kind["type"] = ["null", kind["type"]]
        if "enum" in kind:
            kind["enum"] = [None, *kind["enum"]]
    if not field.create:
        kind["readOnly"] = True
    return kind


def _list_of(plural: str, schema: dict[str, Any], *links: str) -> dict[str, Any]:
    return {
        "name": plural,
        "properties": {plural: {"type": "array", "items": schema}, **dict.fromkeys((*links, "schema"), _TEXT)},
        "links": [
            *({"rel": name, "href": f"{{{name}}}"} for name in links),
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


_IMAGE = {
    "name": "image",
    "properties": {name: _property(field) for name, field in IMAGE.fields.items()},
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}
_MEMBER = {
    "name": "member",
    "properties": {
        "created_at": _TEXT,
        "image_id": {"type": "string", "pattern": _UUID},
        "member_id": _TEXT,
        "schema": {"readOnly": True, "type": "string"},
        "status": {"type": "string", "enum": list(MEMBER_STATUSES)},
        "updated_at": _TEXT,
    },
}


@api.get("/v2/schemas/image", policy="get_images", tx="")
def image_schema(rq: Request) -> dict[str, Any]:
    """Show the schema of an image."""
    return _IMAGE


@api.get("/v2/schemas/images", policy="get_images", tx="")
def images_schema(rq: Request) -> dict[str, Any]:
    """Show the schema of a list of images."""
    return _list_of("images", _IMAGE, "first", "next")


@api.get("/v2/schemas/member", policy="get_images", tx="")
def member_schema(rq: Request) -> dict[str, Any]:
    """Show the schema of a member."""
    return _MEMBER


@api.get("/v2/schemas/members", policy="get_images", tx="")
def members_schema(rq: Request) -> dict[str, Any]:
    """Show the schema of a list of members."""
    return _list_of("members", _MEMBER)
