"""Plain resources of this API: `plain(SERVICE, CatalogService, ...)` declares list, create, show, update and delete."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import msgspec

from pileus.core import clock, crud
from pileus.core.db import Tx
from pileus.core.errors import NotFound
from pileus.core.routes import Handler, Lookup
from pileus.core.wire import Request
from pileus.identity.api import base
from pileus.identity.api.base import Target, api, asked_for, creating, listing, one, updating
from pileus.identity.resources import Entity


class Verbs:
    """What is done with a row; plainly so where a resource gives nothing of its own."""

    def __init__(self, struct: type[msgspec.Struct], words: str, given: dict[str, Callable[..., Any]]):
        self.struct: Any = struct
        self.words = words
        self.get: Callable[[Tx, str], Any] = given.pop("get", self._get)
        self.create: Callable[[Tx, dict[str, Any]], Any] = given.pop("create", self._create)
        self.update: Callable[[Tx, Any, dict[str, Any]], Any] = given.pop("update", self._update)
        self.delete: Callable[[Tx, Any], Any] = given.pop("delete", self._delete)
        if given:
            raise TypeError(f"{words}: {sorted(given)} are no verbs of a plain resource")

    def _get(self, tx: Tx, id: str) -> Any:
        found = tx.find(self.struct, id=id)
        if found is None:
            raise NotFound(f"Could not find {self.words}: {id}.")
        return found

    def _create(self, tx: Tx, given: dict[str, Any]) -> Any:
        row = self.struct(id=clock.new_hex_id(), **given)
        tx.insert(row)
        return row

    def _update(self, tx: Tx, row: Any, values: dict[str, Any]) -> Any:
        tx.update(self.struct, row.id, **values)
        return tx.get(self.struct, id=row.id)

    def _delete(self, tx: Tx, row: Any) -> None:
        tx.delete(self.struct, id=row.id)


def plain(
    resource: Entity,
    struct: type[msgspec.Struct],
    *,
    new: Lookup | None = None,
    fixed: Iterable[str] = (),
    but: Collection[str] = (),
    told: Collection[str] = (),
    **given: Callable[..., Any],
) -> Lookup:
    """Declares the routes of `resource`, whose rows are of `struct`; returns the lookup for further ones.

    `get=`, `create=`, `update=` and `delete=` are its verbs on rows. `new` is what a create is asked about, `fixed` are
    members that an update may repeat only, and `but` names verbs whose routes are written out elsewhere. The verbs in `told`
    answer 404 for what is missing to everybody, the others only to who may do that to any.
    The rules are called `identity:list_services`, `identity:get_service` and so on.
    """
    name = resource.name
    verbs = Verbs(struct, name.replace("_", " "), given)

    def lookup(rq: Request, id: str) -> Target[Any]:
        row = verbs.get(rq.tx, id)
        named: dict[str, Any] = {name: row}
        return Target(row, **named)

    def asked(rq: Request) -> Target[Any]:
        named: dict[str, Any] = {name: asked_for(rq, name)}
        return Target(None, **named)

    def list_all(rq: Request) -> dict[str, Any]:
        return listing(rq, resource, struct)

    def create_one(rq: Request, _: Target[None]) -> dict[str, Any]:
        return one(rq, resource, verbs.create(rq.tx, creating(rq, resource)))

    def show(rq: Request, found: Target[Any]) -> dict[str, Any]:
        return one(rq, resource, found.row)

    def change(rq: Request, found: Target[Any]) -> dict[str, Any]:
        return one(rq, resource, verbs.update(rq.tx, found.row, updating(rq, resource, found.row, fixed)))

    def remove(rq: Request, found: Target[Any]) -> None:
        verbs.delete(rq.tx, found.row)

    handlers: dict[str, Handler] = {
        "list": list_all, "create": create_one, "show": show, "update": change, "delete": remove,
    }  # fmt: skip
    crud.declare(
        api,
        f"/v3/{resource.path}",
        f"{name}_id",
        {verb: handler for verb, handler in handlers.items() if verb not in but},
        noun=verbs.words,
        rule=lambda verb: _rule(resource, verb),
        on=lookup,
        new=new or asked,
        lookups=dict.fromkeys(told, _told(lookup)),
    )
    return lookup


def _told(lookup: Lookup) -> Lookup:
    def found_or_told(rq: Request, id: str) -> Any:
        with base.told():
            return lookup(rq, id)

    return found_or_told


def _rule(resource: Entity, verb: str) -> str:
    if verb == "list":
        return f"identity:list_{resource.plural}"
    return f"identity:{'get' if verb == 'show' else verb}_{resource.name}"
