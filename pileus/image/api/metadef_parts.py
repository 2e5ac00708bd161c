"""What is in a namespace of metadata definitions: objects, properties and tags (Image API, "Metadata definitions")."""

from typing import Any

from pileus.core import paging
from pileus.core.errors import NotFound
from pileus.core.fields import TRUE
from pileus.core.wire import Request, Response
from pileus.image.api.base import api
from pileus.image.api.metadefs import NAMESPACES, check_visibility, namespace, sort
from pileus.image.metadefs import namespaces, parts, resources
from pileus.image.metadefs.store import Namespace, Object, Property, Tag

OBJECTS, PROPERTIES, TAGS = (f"{NAMESPACES}/{{namespace}}/{kind}" for kind in ("objects", "properties", "tags"))
OBJECT, PROPERTY, TAG = f"{OBJECTS}/{{object_name}}", f"{PROPERTIES}/{{property_name}}", f"{TAGS}/{{tag_name}}"
_SORT_KEYS = {name: name for name in ("id", "name", "created_at", "updated_at")}


def _page(rq: Request, found: Namespace, kind: type[parts.Row], least: int) -> list[parts.Row]:
    """All of them unless there is a limit; the marker is a name."""
    check_visibility(rq, ("public", "private", "shared"))
    marker = rq.query.get("marker")
    keys = {**_SORT_KEYS, "description": "description"} if kind is Object else _SORT_KEYS
    return paging.page(
        rq,
        kind,
        [paging.Where("namespace_id", "eq", found.id)],
        sort(rq, keys),
        limit=rq.query.number("limit", low=least),
        marker=parts.get_part(rq.tx, found, kind, marker).id if marker else None,
    ).rows


# -- objects -----------------------------------------------------------------------------------------------------------


@api.get(OBJECTS, policy="get_metadef_objects", on=namespace)
def list_objects(rq: Request, found: Namespace) -> dict[str, Any]:
    """List a namespace's objects."""
    rows = _page(rq, found, Object, 1)
    # no slash in front: so it is told, and so clients compare it
    return {"objects": [resources.object_view(found, row) for row in rows], "schema": "v2/schemas/metadefs/objects"}


@api.post(OBJECTS, policy="add_metadef_object", on=namespace, status=201)
def create_object(rq: Request, found: Namespace) -> dict[str, Any]:
    """Add an object to a namespace."""
    given = resources.check(resources.OBJECT, rq.json)
    return resources.object_view(found, parts.add_object(rq.tx, found, given))


@api.get(OBJECT, policy="get_metadef_object", on=namespace)
def show_object(rq: Request, found: Namespace) -> dict[str, Any]:
    """Show an object."""
    return resources.object_view(found, parts.get_part(rq.tx, found, Object, rq.params["object_name"]))


@api.put(OBJECT, policy="modify_metadef_object", on=namespace)
def update_object(rq: Request, found: Namespace) -> dict[str, Any]:
    """Say anew what an object is."""
    given = resources.check(resources.OBJECT, rq.json)
    row = parts.get_part(rq.tx, found, Object, rq.params["object_name"])
    return resources.object_view(found, parts.update_object(rq.tx, found, row, given))


@api.delete(OBJECT, policy="delete_metadef_object", on=namespace)
def delete_object(rq: Request, found: Namespace) -> None:
    """Delete an object."""
    _delete(rq, found, parts.get_part(rq.tx, found, Object, rq.params["object_name"]))


@api.delete(OBJECTS, policy="delete_metadef_namespace", on=namespace)
def delete_objects(rq: Request, found: Namespace) -> None:
    """Delete all objects of a namespace."""
    namespaces.delete_parts(rq.tx, found, Object)


# -- properties --------------------------------------------------------------------------------------------------------


@api.get(PROPERTIES, policy="get_metadef_properties", on=namespace)
def list_properties(rq: Request, found: Namespace) -> dict[str, Any]:
    """List a namespace's properties, by name."""
    rows = rq.tx.select(Property, order="name", namespace_id=found.id)
    return {"properties": {row.name: row.schema for row in rows}}


@api.post(PROPERTIES, policy="add_metadef_property", on=namespace, status=201)
def create_property(rq: Request, found: Namespace) -> dict[str, Any]:
    """Add a property to a namespace."""
    given = resources.check(resources.PROPERTY, rq.json)
    return resources.property_view(parts.add_property(rq.tx, found, given["name"], resources.said(given)))


@api.get(PROPERTY, policy="get_metadef_property", on=namespace)
def show_property(rq: Request, found: Namespace) -> dict[str, Any]:
    """Show a property; for a type of resources, by the name it has there."""
    name, resource_type = rq.params["property_name"], rq.query.get("resource_type")
    if resource_type:
        rq.authorize("get_metadef_resource_type", found)
        prefix = parts.get_association(rq.tx, found, resource_type).prefix
        if not prefix or not name.startswith(prefix):
            raise NotFound(f"The property {name[:255]} does not begin with the prefix of {resource_type}: {prefix}.")
        name = name.removeprefix(prefix)
    return resources.property_view(parts.get_part(rq.tx, found, Property, name))


@api.put(PROPERTY, policy="modify_metadef_property", on=namespace)
def update_property(rq: Request, found: Namespace) -> dict[str, Any]:
    """Say anew what a property is."""
    given = resources.check(resources.PROPERTY, rq.json)
    row = parts.get_part(rq.tx, found, Property, rq.params["property_name"])
    return resources.property_view(parts.update_property(rq.tx, found, row, given))


@api.delete(PROPERTY, policy="remove_metadef_property", on=namespace)
def delete_property(rq: Request, found: Namespace) -> None:
    """Delete a property."""
    _delete(rq, found, parts.get_part(rq.tx, found, Property, rq.params["property_name"]))


@api.delete(PROPERTIES, policy="delete_metadef_namespace", on=namespace)
def delete_properties(rq: Request, found: Namespace) -> None:
    """Delete all properties of a namespace."""
    namespaces.delete_parts(rq.tx, found, Property)


# -- tags --------------------------------------------------------------------------------------------------------------


@api.get(TAGS, policy="get_metadef_tags", on=namespace)
def list_tags(rq: Request, found: Namespace) -> dict[str, Any]:
    """List a namespace's tags."""
    return {"tags": [{"name": row.name} for row in _page(rq, found, Tag, 0)]}


@api.post(TAGS, policy="add_metadef_tags", on=namespace, status=201)
def create_tags(rq: Request, found: Namespace) -> Response:
    """Say which tags a namespace has, instead of those it had, or beside them (X-OpenStack-Append)."""
    tags = [tag["name"] for tag in resources.check(resources.TAGS, rq.json)["tags"]]
    append = rq.headers.get("x-openstack-append", "").strip().lower() in TRUE
    parts.add_tags(rq.tx, found, tags, append)
    return Response({"tags": [{"name": name} for name in tags]}, 201)


@api.get(TAG, policy="get_metadef_tag", on=namespace)
def show_tag(rq: Request, found: Namespace) -> dict[str, Any]:
    """Show a tag."""
    return resources.tag_view(parts.get_part(rq.tx, found, Tag, rq.params["tag_name"]))


@api.post(TAG, policy="add_metadef_tag", on=namespace, status=201)
def create_tag(rq: Request, found: Namespace) -> dict[str, Any]:
    """Add a tag to a namespace."""
    given = resources.check(resources.TAG, {"name": rq.params["tag_name"]})
    return resources.tag_view(parts.add_tag(rq.tx, found, given["name"]))


@api.put(TAG, policy="modify_metadef_tag", on=namespace)
def update_tag(rq: Request, found: Namespace) -> dict[str, Any]:
    """Rename a tag."""
    given = resources.check(resources.TAG, rq.json)
    row = parts.get_part(rq.tx, found, Tag, rq.params["tag_name"])
    return resources.tag_view(parts.update_tag(rq.tx, found, row, given["name"]))


@api.delete(TAG, policy="delete_metadef_tag", on=namespace)
def delete_tag(rq: Request, found: Namespace) -> None:
    """Delete a tag."""
    _delete(rq, found, parts.get_part(rq.tx, found, Tag, rq.params["tag_name"]))


@api.delete(TAGS, policy="delete_metadef_tags", on=namespace)
def delete_tags(rq: Request, found: Namespace) -> None:
    """Delete all tags of a namespace."""
    rq.authorize("delete_metadef_namespace", found)
    namespaces.delete_parts(rq.tx, found, Tag)


def _delete(rq: Request, found: Namespace, row: Object | Property | Tag) -> None:
    namespaces.check_unprotected(found)
    parts.delete_part(rq.tx, row)
