"""What is in a namespace: objects, properties, tags, and the types of resources it is for."""

from typing import Any, TypeVar

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import Conflict, NotFound
from pileus.image.metadefs.resources import said
from pileus.image.metadefs.store import Association, Namespace, Object, Part, Property, ResourceType, Tag

# known without anybody having said so
RESOURCE_TYPES = (
    "OS::Cinder::Volume",
    "OS::Glance::Image",
    "OS::Nova::Aggregate",
    "OS::Nova::Flavor",
    "OS::Nova::Server",
)
Row = TypeVar("Row", Object, Property, Tag)


def get_part(tx: Tx, namespace: Namespace, kind: type[Row], name: str) -> Row:
    """Raises NotFound."""
    found = tx.find(kind, namespace_id=namespace.id, name=name)
    if found is None:
        raise NotFound(
            f"There is no {kind.__name__.lower()} {name[:255]} in the metadata definition namespace "
            f"{namespace.namespace}."
        )
    return found


def add_object(tx: Tx, namespace: Namespace, given: dict[str, Any]) -> Object:
    """Raises Conflict for a name in use, as all that add do."""
    said_of = {**_of_object(given), **_now()}
    return _add(tx, namespace, Object(*_new(namespace, given["name"]), **said_of))


def add_property(tx: Tx, namespace: Namespace, name: str, schema: dict[str, Any]) -> Property:
    return _add(tx, namespace, Property(*_new(namespace, name), schema=schema, **_now()))


def add_tag(tx: Tx, namespace: Namespace, name: str) -> Tag:
    return _add(tx, namespace, Tag(*_new(namespace, name), **_now()))


def add_tags(tx: Tx, namespace: Namespace, names: list[str], append: bool) -> None:
    """Instead of those there are, or beside them."""
    if not append:
        tx.delete(Tag, namespace_id=namespace.id)
    for name in names:
        add_tag(tx, namespace, name)


def update_object(tx: Tx, namespace: Namespace, row: Object, given: dict[str, Any]) -> Object:
    return _change(tx, namespace, row, given["name"], **_of_object(given))


def update_property(tx: Tx, namespace: Namespace, row: Property, given: dict[str, Any]) -> Property:
    return _change(tx, namespace, row, given["name"], schema=said(given))


def update_tag(tx: Tx, namespace: Namespace, row: Tag, name: str) -> Tag:
    return _change(tx, namespace, row, name)


def delete_part(tx: Tx, row: Part) -> None:
    tx.delete(type(row), id=row.id)


def associate(tx: Tx, namespace: Namespace, given: dict[str, Any]) -> Association:
    """The namespace is for this type of resources too. Raises Conflict."""
    name = given["name"]
    if tx.find(Association, namespace_id=namespace.id, name=name):
        raise Conflict(f"The resource type {name} is already associated with the namespace {namespace.namespace}.")
    row = Association(namespace.id, name, given.get("prefix"), given.get("properties_target"), **_now())
    if tx.find(ResourceType, name=name) is None:
        tx.insert(ResourceType(name, **_now()))
    tx.insert(row)
    return row


def get_association(tx: Tx, namespace: Namespace, name: str) -> Association:
    """Raises NotFound."""
    found = tx.find(Association, namespace_id=namespace.id, name=name)
    if found is None:
        raise NotFound(f"The resource type {name[:255]} is not associated with the namespace {namespace.namespace}.")
    return found


def dissociate(tx: Tx, row: Association) -> None:
    tx.delete(Association, namespace_id=row.namespace_id, name=row.name)


def resource_types(tx: Tx) -> list[dict[str, Any]]:
    """All that are known."""
    rows = {row.name: row for row in tx.select(ResourceType)}
    return [
        {"name": name, "created_at": clock.seconds(row.created_at), "updated_at": clock.seconds(row.updated_at)}
        if (row := rows.get(name))
        else {"name": name}
        for name in sorted({*rows, *RESOURCE_TYPES})
    ]


def fill(tx: Tx, namespace: Namespace, given: dict[str, Any]) -> None:
    """Put the parts of a checked namespace's body into it."""
    for association in given.get("resource_type_associations", ()):
        associate(tx, namespace, association)
    for item in given.get("objects", ()):
        add_object(tx, namespace, item)
    for tag in given.get("tags", ()):
        add_tag(tx, namespace, tag["name"])
    for name, schema in given.get("properties", {}).items():
        add_property(tx, namespace, name, said(schema))


def _of_object(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": given.get("description"),
        "required": given.get("required", []),
        "properties": {name: said(schema) for name, schema in given.get("properties", {}).items()},
    }


def _new(namespace: Namespace, name: str) -> tuple[str, str, str]:
    return clock.new_id(), namespace.id, name


def _now() -> dict[str, Any]:
    now = clock.now()
    return {"created_at": now, "updated_at": now}


def _add(tx: Tx, namespace: Namespace, row: Row) -> Row:
    _name_is_free(tx, namespace, type(row), row.name)
    tx.insert(row)
    return row


def _change(tx: Tx, namespace: Namespace, row: Row, name: str, **columns: Any) -> Row:
    if name != row.name:
        _name_is_free(tx, namespace, type(row), name)
    tx.update(type(row), row.id, name=name, updated_at=clock.now(), **columns)
    return tx.get(type(row), id=row.id)


def _name_is_free(tx: Tx, namespace: Namespace, kind: type[Part], name: str) -> None:
    if tx.find(kind, namespace_id=namespace.id, name=name):
        raise Conflict(
            f"There is already a {kind.__name__.lower()} {name} in the metadata definition namespace "
            f"{namespace.namespace}.",
            kind="Duplicate",
        )
