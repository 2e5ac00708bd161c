"""Metadata definitions: namespaces and types of resources (Image API, "Metadata definitions")."""

from typing import Any

from pileus.core import paging
from pileus.core.errors import BadRequest
from pileus.core.paging import Sort, Where
from pileus.core.wire import Request, Response
from pileus.image.api.base import api
from pileus.image.api.listing import DEFAULT_LIMIT, MAX_LIMIT, link
from pileus.image.metadefs import namespaces, parts, resources, store
from pileus.image.metadefs.store import Namespace

NAMESPACES = "/v2/metadefs/namespaces"
# which rule each part of a new namespace asks for
_RULES = {
    "resource_type_associations": "add_metadef_resource_type_association",
    "objects": "add_metadef_object",
    "properties": "add_metadef_property",
    "tags": "add_metadef_tag",
}
_SORT_KEYS = {
    "id": "id", "namespace": "namespace", "display_name": "display_name", "description": "description",
    "visibility": "visibility", "protected": "protected", "owner": "project_id", "created_at": "created_at",
    "updated_at": "updated_at",
}  # fmt: skip


def namespace(rq: Request, name: str, *_: str) -> Namespace:
    return namespaces.get_namespace(rq.tx, rq.ctx, name)


def sort(rq: Request, keys: dict[str, str]) -> list[Sort]:
    """One key, created_at unless another is named; newest first unless said otherwise. Raises BadRequest."""
    key, direction = rq.query.get("sort_key") or "created_at", rq.query.get("sort_dir") or "desc"
    if direction not in ("asc", "desc"):
        raise BadRequest(f"Invalid sort direction: {direction[:100]!r}; it is asc or desc.")
    if key not in keys:
        raise BadRequest(f"Unsupported sort key: {key[:100]!r}. There are {', '.join(keys)}.")
    return [Sort(name, direction == "desc") for name in dict.fromkeys((keys[key], "created_at", "id"))]


def check_visibility(rq: Request, known: tuple[str, ...]) -> None:
    """Raises BadRequest."""
    asked = rq.query.get("visibility")
    if asked and asked not in known:
        raise BadRequest(f"Invalid visibility value: {asked[:100]!r}; there are {', '.join(known)}.")


@api.get(NAMESPACES, policy="get_metadef_namespaces")
def list_namespaces(rq: Request) -> dict[str, Any]:
    """List namespaces: public ones and the project's own."""
    rq.authorize("list_metadef_resource_types")
    check_visibility(rq, store.VISIBILITIES)
    where: list[Where] = []
    clauses: list[tuple[str, Any, dict[str, Any]]] = []
    if asked := rq.query.get("visibility"):
        where.append(Where("visibility", "eq", asked))
    if "admin" not in rq.ctx.roles:
        clauses.append(("visible", store.VISIBLE, {"caller": rq.ctx.project_id or ""}))
    if types := rq.query.get("resource_types"):
        clauses.append(("types", store.FOR_TYPES, {"resource_types": types.split(",")}))
    limit, marker = rq.query.number("limit"), rq.query.get("marker")
    found = paging.page(
        rq,
        Namespace,
        where,
        sort(rq, _SORT_KEYS),
        limit=DEFAULT_LIMIT if limit is None else min(limit, MAX_LIMIT),
        marker=namespace(rq, marker).id if marker else None,
        clauses=tuple(clauses),
    )
    associated = namespaces.associations(rq.tx, found.rows)
    body: dict[str, Any] = {
        "namespaces": [_with_types(row, associated[row.id]) for row in found.rows],
        "first": link(rq, marker=None),
        "schema": "/v2/schemas/metadefs/namespaces",
    }
    if found.more and found.rows:
        body["next"] = link(rq, marker=found.rows[-1].namespace)
    return body


@api.post(NAMESPACES, policy="add_metadef_namespace", status=201)
def create_namespace(rq: Request) -> Response:
    """Create a namespace, with what is to be in it."""
    given = resources.check(resources.NAMESPACE, rq.json)
    for part, rule in _RULES.items():
        if given.get(part):
            rq.authorize(rule)
    made = namespaces.create_namespace(rq.tx, rq.ctx.project_id, given)
    return Response(_whole(rq, made), 201, {"location": rq.base + resources.link(made)})


@api.get(f"{NAMESPACES}/{{namespace}}", policy="get_metadef_namespace", on=namespace)
def show_namespace(rq: Request, found: Namespace) -> dict[str, Any]:
    """Show a namespace with all that is in it."""
    for kind in ("list_metadef_resource_types", *(f"get_metadef_{part}" for part in ("objects", "properties", "tags"))):
        rq.authorize(kind, found)
    return _whole(rq, found, rq.query.get("resource_type"))


@api.put(f"{NAMESPACES}/{{namespace}}", policy="modify_metadef_namespace", on=namespace)
def update_namespace(rq: Request, found: Namespace) -> dict[str, Any]:
    """Say anew what a namespace is; what is in it stays."""
    given = resources.check(resources.NAMESPACE, rq.json)
    return resources.namespace_view(namespaces.update_namespace(rq.tx, found, rq.ctx.project_id, given))


@api.delete(f"{NAMESPACES}/{{namespace}}", policy="delete_metadef_namespace", on=namespace)
def delete_namespace(rq: Request, found: Namespace) -> None:
    """Delete a namespace with all that is in it."""
    namespaces.delete_namespace(rq.tx, found)


@api.get("/v2/metadefs/resource_types", policy="list_metadef_resource_types")
def list_resource_types(rq: Request) -> dict[str, Any]:
    """List the types of resources that namespaces can be for."""
    return {"resource_types": parts.resource_types(rq.tx)}


@api.get(f"{NAMESPACES}/{{namespace}}/resource_types", policy="get_metadef_resource_type", on=namespace)
def list_associations(rq: Request, found: Namespace) -> dict[str, Any]:
    """List the types of resources a namespace is for."""
    rq.authorize("list_metadef_resource_types", found)
    rows = namespaces.associations(rq.tx, [found])[found.id]
    return {"resource_type_associations": [resources.association_view(row) for row in rows]}


@api.post(
    f"{NAMESPACES}/{{namespace}}/resource_types", policy="add_metadef_resource_type_association", on=namespace,
    status=201,
)  # fmt: skip
def associate(rq: Request, found: Namespace) -> dict[str, Any]:
    """Say that a namespace is for a type of resources."""
    given = resources.check(resources.ASSOCIATION, rq.json)
    return resources.association_view(parts.associate(rq.tx, found, given))


@api.delete(
    f"{NAMESPACES}/{{namespace}}/resource_types/{{resource_type}}",
    policy="remove_metadef_resource_type_association",
    on=namespace,
)
def dissociate(rq: Request, found: Namespace) -> None:
    """Say that a namespace is not for a type of resources."""
    association = parts.get_association(rq.tx, found, rq.params["resource_type"])
    namespaces.check_unprotected(found)
    parts.dissociate(rq.tx, association)


def _with_types(row: Namespace, associated: list[store.Association]) -> dict[str, Any]:
    body = resources.namespace_view(row)
    if associated:
        body["resource_type_associations"] = [resources.association_view(one) for one in associated]
    return body


def _whole(rq: Request, row: Namespace, resource_type: str | None = None) -> dict[str, Any]:
    """For a type of resources, properties are called as they are there: by the association's prefix and their name."""
    associated = namespaces.associations(rq.tx, [row])[row.id]
    body = _with_types(row, associated)
    prefix = next((one.prefix or "" for one in associated if one.name == resource_type), "")
    if objects := rq.tx.select(store.Object, order="name", namespace_id=row.id):
        body["objects"] = [resources.object_view(row, one, prefix) for one in objects]
    if properties := rq.tx.select(store.Property, order="name", namespace_id=row.id):
        body["properties"] = {prefix + one.name: one.schema for one in properties}
    if tags := rq.tx.select(store.Tag, order="name", namespace_id=row.id):
        body["tags"] = [{"name": one.name} for one in tags]
    return body
