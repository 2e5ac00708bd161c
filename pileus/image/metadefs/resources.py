"""The wire shapes of metadata definitions, declared."""

from typing import Any
from urllib.parse import quote

from pileus.core import clock
from pileus.core.errors import Forbidden
from pileus.core.fields import REQUIRED, Boolean, Field, Integer, Items, Number, Object, Text
from pileus.image.metadefs import store

NAME, DESCRIPTION = 80, 65535
_TYPES = ("array", "boolean", "integer", "number", "object", "string")


class Open(Object):
    """An object of which the declared members are kept, and others dropped: files of definitions have some."""

    def convert(self, value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: item for key, item in value.items() if key in self.fields}
        return super().convert(value)


class Named(Field):
    """An object whose members, whatever their names, each pass `of`."""

    wanted = "an object"

    def __init__(self, name: str, of: Field, **options: Any):
        super().__init__(name, **options)
        self.of = of

    def convert(self, value: Any) -> Any:
        if not isinstance(value, dict):
            self.refuse(value)
        return {_name.check(name): self.of.check(item) for name, item in value.items()}


_name = Text("name", min=1, max=NAME, create=REQUIRED)
# what is said of a property: a part of JSON Schema
_SAID: list[Field] = [
    Text("title", max=None, create=REQUIRED),
    Text("type", choices=_TYPES, create=REQUIRED),
    Text("description", max=DESCRIPTION),
    Items("operators", of=Text("operator")),
    Items("required", of=Text("required"), unique=True),
    Field("default", null=True),
    Boolean("readonly", strict=True),
    Boolean("confidential", strict=True),
    Number("minimum"),
    Number("maximum"),
    Items("enum", of=Field("enum", null=True)),
    Text("pattern", max=DESCRIPTION),
    Integer("minLength", min=0, strict=True),
    Integer("maxLength", min=0, strict=True),
    Open("items", [Text("type", choices=_TYPES, create=REQUIRED), Items("enum", of=Field("enum", null=True))]),
    Integer("minItems", min=0, strict=True),
    Integer("maxItems", min=0, strict=True),
    Boolean("uniqueItems", strict=True),
    Boolean("additionalItems", strict=True),
]
_TIMES: list[Field] = [Text("created_at"), Text("updated_at")]
_LINKS: list[Field] = [Text("self"), Text("schema")]

PROPERTY = Object("property", [_name, *_SAID])
PROPERTY_UNNAMED = Open("property", [Text("name", max=NAME), *_SAID])
PROPERTIES = Named("properties", of=PROPERTY_UNNAMED)
OBJECT = Object(
    "object",
    [
        _name,
        Text("description", max=DESCRIPTION, null=True),
        Items("required", of=Text("required"), unique=True),
        PROPERTIES,
        *_TIMES,
        *_LINKS,
    ],
)
TAG = Object("tag", [_name, *_TIMES])
TAGS = Object("tags", [Items("tags", of=Object("tag", [_name]), create=REQUIRED)])
ASSOCIATION = Object(
    "resource_type_association",
    [_name, Text("prefix", max=NAME, null=True), Text("properties_target", max=NAME, null=True), *_TIMES],
)
RESOURCE_TYPE = Object("resource_type", [_name, *_TIMES])
NAMESPACE = Object(
    "namespace",
    [
        Text("namespace", min=1, max=NAME, create=REQUIRED),
        Text("display_name", max=NAME, null=True),
        Text("description", max=500, null=True),
        Text("visibility", choices=store.VISIBILITIES),
        Boolean("protected", strict=True),
        Text("owner", max=255),
        Items("resource_type_associations", of=Open("association", list(ASSOCIATION.fields.values()))),
        PROPERTIES,
        Items("objects", of=Open("object", list(OBJECT.fields.values()))),
        Items("tags", of=Open("tag", [_name])),
        *_TIMES,
        *_LINKS,
    ],
)
READ_ONLY = ("self", "schema", "created_at", "updated_at")


def check(shape: Object, body: dict[str, Any]) -> dict[str, Any]:
    """A body by its declaration; what is not given is missing. Raises BadRequest or Forbidden."""
    for name in READ_ONLY:
        if name in body:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    checked: dict[str, Any] = shape.check(body)
    return checked


def said(given: dict[str, Any]) -> dict[str, Any]:
    """What of a property's body is kept beside its name."""
    return {name: value for name, value in given.items() if name != "name"}


# -- out ---------------------------------------------------------------------------------------------------------------


def _times(row: Any) -> dict[str, Any]:
    return {"created_at": clock.seconds(row.created_at), "updated_at": clock.seconds(row.updated_at)}


def _known(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def link(namespace: store.Namespace, *below: str) -> str:
    return "/v2/metadefs/namespaces/" + "/".join(quote(part, safe=":") for part in (namespace.namespace, *below))


def namespace_view(row: store.Namespace) -> dict[str, Any]:
    return _known(
        {
            "namespace": row.namespace,
            "display_name": row.display_name,
            "description": row.description,
            "visibility": row.visibility,
            "protected": row.protected,
            "owner": row.project_id,
            **_times(row),
            "self": link(row),
            "schema": "/v2/schemas/metadefs/namespace",
        }
    )


def object_view(namespace: store.Namespace, row: store.Object, prefix: str = "") -> dict[str, Any]:
    return _known(
        {
            "name": row.name,
            "description": row.description,
            "required": [prefix + name for name in row.required],
            "properties": {prefix + name: schema for name, schema in row.properties.items()},
            **_times(row),
            "self": link(namespace, "objects", row.name),
            "schema": "/v2/schemas/metadefs/object",
        }
    )


def property_view(row: store.Property) -> dict[str, Any]:
    return {"name": row.name, **row.schema}


def tag_view(row: store.Tag) -> dict[str, Any]:
    return {"name": row.name, **_times(row)}


def association_view(row: store.Association) -> dict[str, Any]:
    return _known({"name": row.name, "prefix": row.prefix, "properties_target": row.properties_target, **_times(row)})
