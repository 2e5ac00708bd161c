"""The catalogue: definitions kept in files of JSON, a namespace each, and loaded into the database by a command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pileus.core.db import Tx
from pileus.core.errors import Fault
from pileus.image.metadefs import namespaces, parts
from pileus.image.metadefs.resources import NAMESPACE, Open, said
from pileus.image.metadefs.store import PRIVATE, Association, Namespace, Object, Property, Tag

STANDARD = Path(__file__).with_name("definitions")
OWNER = "admin"  # of definitions that do not name one
_FILE = Open("namespace", NAMESPACE.fields.values())
ADDED, KEPT, MERGED, REPLACED = "added", "kept", "merged", "replaced"


class Options(NamedTuple):
    """What to do with a namespace that is there: nothing, unless one of these is said.

    merge adds what is missing; prefer_new also changes what is there; replace begins anew.
    """

    merge: bool = False
    prefer_new: bool = False
    replace: bool = False


LEAVE = Options()


def read(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The definitions of a file, or of all files of a folder. Raises ValueError with a reason, OSError."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: there is no file whose name ends in .json")
    for file in files:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("a namespace is a JSON object")
            # null is what some files write for what they do not say
            yield file, _FILE.check({name: value for name, value in found.items() if value is not None})
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file}: {error}") from None
        except Fault as error:
            raise ValueError(f"{file}: {error.message}") from None


def load(tx: Tx, given: dict[str, Any], options: Options = LEAVE) -> str:
    """Bring one namespace in; says what was done. Repeating it changes nothing more. Raises Conflict."""
    row = tx.find(Namespace, namespace=given["namespace"])
    if row is None:
        namespaces.create_namespace(tx, OWNER, given)
        return ADDED
    if options.replace:
        namespaces.empty(tx, row)
        parts.fill(tx, _say_anew(tx, row, given), given)
        return REPLACED
    if not options.merge:
        return KEPT
    if options.prefer_new:
        row = _say_anew(tx, row, given)
    _merge(tx, row, given, options.prefer_new)
    return MERGED


def _say_anew(tx: Tx, row: Namespace, given: dict[str, Any]) -> Namespace:
    return namespaces.update_namespace(tx, row, row.project_id, {"visibility": PRIVATE, **given})


def _merge(tx: Tx, row: Namespace, given: dict[str, Any], prefer_new: bool) -> None:
    for association in given.get("resource_type_associations", ()):
        known = tx.find(Association, namespace_id=row.id, name=association["name"])
        if known is not None and prefer_new:
            parts.dissociate(tx, known)
        if known is None or prefer_new:
            parts.associate(tx, row, association)
    for item in given.get("objects", ()):
        there = tx.find(Object, namespace_id=row.id, name=item["name"])
        if there is None:
            parts.add_object(tx, row, item)
        elif prefer_new:
            parts.update_object(tx, row, there, item)
    for name, schema in given.get("properties", {}).items():
        kept = tx.find(Property, namespace_id=row.id, name=name)
        if kept is None:
            parts.add_property(tx, row, name, said(schema))
        elif prefer_new:
            parts.update_property(tx, row, kept, {**schema, "name": name})
    for tag in given.get("tags", ()):
        if tx.find(Tag, namespace_id=row.id, name=tag["name"]) is None:
            parts.add_tag(tx, row, tag["name"])


def export(tx: Tx, row: Namespace) -> dict[str, Any]:
    """A namespace as a file has it."""
    body: dict[str, Any] = {
        "namespace": row.namespace,
        "display_name": row.display_name,
        "description": row.description,
        "visibility": row.visibility,
        "protected": row.protected,
        "owner": row.project_id,
        "resource_type_associations": [
            {"name": one.name, "prefix": one.prefix, "properties_target": one.properties_target}
            for one in namespaces.associations(tx, [row])[row.id]
        ],
        "properties": {one.name: one.schema for one in tx.select(Property, order="name", namespace_id=row.id)},
        "objects": [
            {"name": one.name, "description": one.description, "required": one.required, "properties": one.properties}
            for one in tx.select(Object, order="name", namespace_id=row.id)
        ],
        "tags": [{"name": one.name} for one in tx.select(Tag, order="name", namespace_id=row.id)],
    }
    return {name: value for name, value in body.items() if value not in (None, [], {})}
