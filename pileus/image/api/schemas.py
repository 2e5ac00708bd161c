"""JSON schemas of what the API shows (Image API, "Image schemas"), made from the declared fields."""

from typing import Any

from pileus.core.fields import Boolean, Field, Integer, Items, Number, Object, Text, Uuid
from pileus.core.wire import Request
from pileus.image.api.base import api
from pileus.image.metadefs import resources as metadefs
from pileus.image.resources import IMAGE
from pileus.image.store import MEMBER_STATUSES

_TEXT = {"type": "string"}
_TIME = {"type": "string", "readOnly": True, "format": "date-time"}
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_UNKNOWN_AT_FIRST = ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value")


def _kind(field: Field) -> dict[str, Any]:
    """What a field's values are."""
    if isinstance(field, metadefs.Named):
        return {"type": "object", "additionalProperties": _kind(field.of)}
    if isinstance(field, Object):
        kind: dict[str, Any] = {
            "type": "object",
            "properties": {name: _kind(part) for name, part in field.fields.items()},
        }
        if required := [name for name, part in field.fields.items() if part.create == "required"]:
            kind["required"] = required
        return kind
    if isinstance(field, Items):
        kind = {"type": "array", "items": _kind(field.of)}
        return {**kind, "uniqueItems": True} if field.unique else kind
    if isinstance(field, Uuid):
        return {"type": "string", "pattern": _UUID}
    if isinstance(field, Text):
        if field.choices:
            return {"type": "string", "enum": list(field.choices)}
        return {"type": "string", "maxLength": field.max} if field.max else {"type": "string"}
    simple = next((name for kind, name in _SIMPLE.items() if isinstance(field, kind)), None)
    return {"type": simple} if simple else {}


_SIMPLE: dict[type[Field], str] = {Boolean: "boolean", Integer: "integer", Number: "number"}


def _of_image(field: Field) -> dict[str, Any]:
    kind = _kind(field)
    if not field.create:
        kind.pop("maxLength", None)
        kind["readOnly"] = True
    if field.null or field.name in _UNKNOWN_AT_FIRST:
        kind["type"] = ["null", kind["type"]]
        if "enum" in kind:
            kind["enum"] = [None, *kind["enum"]]
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


def _metadef(shape: Object) -> dict[str, Any]:
    kind = _kind(shape)
    for name in metadefs.READ_ONLY:
        if name in kind["properties"]:
            kind["properties"][name] = _TIME if name.endswith("_at") else {**_TEXT, "readOnly": True}
    return {
        "name": shape.name,
        "properties": kind["properties"],
        "additionalProperties": False,
        "required": kind["required"],
    }


_IMAGE = {
    "name": "image",
    "properties": {
        **{name: _of_image(field) for name, field in IMAGE.fields.items()},
        "direct_url": {"type": "string", "readOnly": True},
        "stores": {"type": "string", "readOnly": True},
    },
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
_NULL_TEXT = {"type": ["null", "string"]}
_TASK = {
    "name": "task",
    "properties": {
        "id": {"type": "string", "pattern": _UUID},
        "type": {"type": "string", "enum": ["import", "api_image_import", "location_import"]},
        "status": {"type": "string", "enum": ["pending", "processing", "success", "failure"]},
        "input": {"type": ["null", "object"]},
        "result": {"type": ["null", "object"]},
        "owner": _TEXT,
        "message": _NULL_TEXT,
        "image_id": _NULL_TEXT,
        "request_id": _NULL_TEXT,
        "user_id": _NULL_TEXT,
        **dict.fromkeys(("expires_at", "created_at", "updated_at"), _NULL_TEXT),
        "self": {"type": "string", "readOnly": True},
        "schema": {"type": "string", "readOnly": True},
    },
}
_LIST_LINKS = ("first", "next")
_PROPERTY = _metadef(metadefs.PROPERTY)
_SCHEMAS = {
    "image": ("an image", _IMAGE),
    "images": ("a list of images", _list_of("images", _IMAGE, *_LIST_LINKS)),
    "member": ("a member", _MEMBER),
    "members": ("a list of members", _list_of("members", _MEMBER)),
    "task": ("a task", _TASK),
    "tasks": ("a list of tasks", _list_of("tasks", _TASK, *_LIST_LINKS)),
    "metadefs/property": ("a property", _PROPERTY),
    "metadefs/properties": (
        "properties by name",
        {
            **_list_of("properties", _PROPERTY, *_LIST_LINKS),
            "properties": {
                "properties": {"type": "object", "additionalProperties": {**_PROPERTY, "required": ["title", "type"]}},
                **dict.fromkeys((*_LIST_LINKS, "schema"), _TEXT),
            },
        },
    ),
}
for _word, _plural, _shape in (
    ("namespace", "namespaces", metadefs.NAMESPACE),
    ("object", "objects", metadefs.OBJECT),
    ("tag", "tags", metadefs.TAG),
    ("resource_type", "resource_types", metadefs.ASSOCIATION),
):
    _one = _metadef(_shape)
    _SCHEMAS[f"metadefs/{_word}"] = (f"a {_word.replace('_', ' ')} of metadata definitions", _one)
    _SCHEMAS[f"metadefs/{_plural}"] = (
        f"a list of {_plural.replace('_', ' ')} of metadata definitions",
        _list_of(f"{_shape.name}s", _one, *_LIST_LINKS),
    )


def _declare(name: str, what: str, schema: dict[str, Any]) -> None:
    def show(rq: Request) -> dict[str, Any]:
        return schema

    show.__doc__ = f"Show the schema of {what}."
    api.get(f"/v2/schemas/{name}", policy="default", tx="")(show)


for _name, (_what, _schema) in _SCHEMAS.items():
    _declare(_name, _what, _schema)
