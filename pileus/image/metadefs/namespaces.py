"""Namespaces: who sees them, and how they are made with all that is in them, changed and deleted."""

from typing import Any

import msgspec

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import Conflict, Forbidden, NotFound
from pileus.image.metadefs import parts
from pileus.image.metadefs.store import ASSOCIATIONS, PARTS, PRIVATE, PUBLIC, Association, Namespace, Part


def get_namespace(tx: Tx, ctx: Context, name: str) -> Namespace:
    """A namespace the caller may see. Raises NotFound."""
    found = tx.find(Namespace, namespace=name)
    if found is None or not is_visible(ctx, found):
        raise NotFound(f"Metadata definition namespace {name[:255]} was not found.", kind="MetadefNamespaceNotFound")
    return found


def is_visible(ctx: Context, namespace: Namespace) -> bool:
    """To its project and administrators; to all when it is public."""
    if ctx.system or ctx.domain_id is not None:
        return False  # as images, they are seen from projects
    return (
        "admin" in ctx.roles
        or namespace.visibility == PUBLIC
        or namespace.project_id is None
        or namespace.project_id == ctx.project_id
    )


def create_namespace(tx: Tx, project_id: str | None, given: dict[str, Any]) -> Namespace:
    """With its parts, as `resources.NAMESPACE` checked them. Raises Conflict for a name in use."""
    now = clock.now()
    row = Namespace(
        id=clock.new_id(),
        namespace=given["namespace"],
        project_id=given.get("owner", project_id),
        display_name=given.get("display_name"),
        description=given.get("description"),
        visibility=given.get("visibility", PRIVATE),
        protected=given.get("protected", False),
        created_at=now,
        updated_at=now,
    )
    _name_is_free(tx, row)
    tx.insert(row)
    parts.fill(tx, row, given)
    return row


def update_namespace(tx: Tx, row: Namespace, project_id: str | None, given: dict[str, Any]) -> Namespace:
    """All of it is given: what is missing goes back to its default. Its parts stay. Raises Conflict."""
    changed = msgspec.structs.replace(
        row,
        namespace=given["namespace"],
        project_id=given.get("owner", project_id),
        display_name=given.get("display_name"),
        description=given.get("description"),
        visibility=given.get("visibility", PRIVATE),
        protected=given.get("protected", False),
        updated_at=clock.now(),
    )
    _name_is_free(tx, changed)
    tx.update(Namespace, row.id, **msgspec.structs.asdict(changed))
    return changed


def delete_namespace(tx: Tx, row: Namespace) -> None:
    """With all that is in it. Raises Forbidden when it is protected."""
    check_unprotected(row)
    tx.delete(Namespace, id=row.id)


def delete_parts(tx: Tx, row: Namespace, kind: type[Part]) -> None:
    """All objects, properties or tags at once. Raises Forbidden."""
    check_unprotected(row)
    tx.delete(kind, namespace_id=row.id)


def empty(tx: Tx, row: Namespace) -> None:
    """Of all that is in it, protected or not."""
    for kind in (*PARTS, Association):
        tx.delete(kind, namespace_id=row.id)


def check_unprotected(row: Namespace) -> None:
    """Raises Forbidden."""
    if row.protected:
        raise Forbidden(
            f"Metadata definition namespace {row.namespace} is protected: neither it nor a part can be deleted."
        )


def associations(tx: Tx, rows: list[Namespace]) -> dict[str, list[Association]]:
    """Of several namespaces at once, by a namespace's id."""
    found: dict[str, list[Association]] = {row.id: [] for row in rows}
    for association in tx.rows(Association, ASSOCIATIONS, namespaces=list(found)):
        found[association.namespace_id].append(association)
    return found


def _name_is_free(tx: Tx, row: Namespace) -> None:
    other = tx.find(Namespace, namespace=row.namespace)
    if other is not None and other.id != row.id:
        raise Conflict(f"The metadata definition namespace {row.namespace} already exists.", kind="Duplicate")
