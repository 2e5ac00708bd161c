"""The tables of metadata definitions."""

from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import in_list, sql
from pileus.core.tables import Key, columns, shape, table

PUBLIC, PRIVATE = "public", "private"
VISIBILITIES = (PUBLIC, PRIVATE)
_OF_NAMESPACE: dict[str, Any] = {"references": {"namespace_id": "metadef_namespaces.id"}, "cascade": ["namespace_id"]}


@table("metadef_namespaces", unique=[("namespace",)], index=[("project_id",)])
class Namespace(msgspec.Struct):
    """Known by its name, which may change."""

    id: Key
    namespace: str
    project_id: str | None
    display_name: str | None
    description: str | None
    visibility: str
    protected: bool
    created_at: str
    updated_at: str

    @property
    def owner(self) -> str | None:
        """The API's and the policy's word for the project."""
        return self.project_id


@table("metadef_objects", unique=[("namespace_id", "name")], **_OF_NAMESPACE)
class Object(msgspec.Struct):
    """Properties that belong together."""

    id: Key
    namespace_id: str
    name: str
    description: str | None
    required: list[str]
    properties: dict[str, dict[str, Any]]
    created_at: str
    updated_at: str


@table("metadef_properties", unique=[("namespace_id", "name")], **_OF_NAMESPACE)
class Property(msgspec.Struct):
    """A property and what its values may be: `schema` is all that was said of it but its name."""

    id: Key
    namespace_id: str
    name: str
    schema: dict[str, Any]
    created_at: str
    updated_at: str


@table("metadef_tags", unique=[("namespace_id", "name")], **_OF_NAMESPACE)
class Tag(msgspec.Struct):
    id: Key
    namespace_id: str
    name: str
    created_at: str
    updated_at: str


@table("metadef_associations", index=[("name",)], **_OF_NAMESPACE)
class Association(msgspec.Struct):
    """The namespace is for resources of the type `name`, whose properties are called `prefix` + theirs."""

    namespace_id: Key
    name: Key
    prefix: str | None
    properties_target: str | None
    created_at: str
    updated_at: str


@table("metadef_resource_types")
class ResourceType(msgspec.Struct):
    """A type that was once associated: it stays known."""

    name: Key
    created_at: str
    updated_at: str


Part = Object | Property | Tag
PARTS: tuple[type[Part], ...] = (Object, Property, Tag)

_namespace, _association = columns(Namespace), columns(Association)
# values: caller (a project's id)
VISIBLE = sa.or_(
    _namespace.visibility == PUBLIC,
    _namespace.project_id.is_(None),
    _namespace.project_id == sa.bindparam("caller", type_=sa.Text()),
)
# values: resource_types (names)
FOR_TYPES = sa.exists(
    sa.select(sa.literal(1)).where(
        _association.namespace_id == _namespace.id, in_list(_association.name, "resource_types")
    )
)
# values: namespaces (ids)
ASSOCIATIONS = sql(
    sa.select(shape(Association).table)
    .where(in_list(_association.namespace_id, "namespaces"))
    .order_by(_association.created_at, _association.name)
)
