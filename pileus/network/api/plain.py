"""Collections of this API: `plain(TRUNK, rows.Trunk, "/trunks", ...)` declares list, create, show, update and delete."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from pileus.core import crud
from pileus.core.resources import Resource
from pileus.core.routes import Handler
from pileus.core.wire import Request
from pileus.network.api.base import Clause, api, create, given, listing, own_clause, show

R = TypeVar("R")
Body = dict[str, Any]


def plain(
    resource: Resource,
    struct: type[R],
    path: str,
    *,
    on: Callable[[Request, str], R],
    make: Callable[[Request, Body], R] | None = None,
    change: Callable[[Request, R, Body], R] | None = None,
    delete: Callable[[Request, R], None] | None = None,
    clauses: Callable[[Request], list[Clause]] | None = None,
    dress: Callable[[Request, list[R]], None] = lambda rq, found: None,
    also: Collection[str] = (),
    noun: str = "",
    but: Collection[str] = (),
) -> Callable[[Request, R], Body]:
    """Declares the routes of `resource`, whose rows are of `struct`; returns what renders one of them.

    `make` and `change` get the checked members of a body and return the row; a verb whose function is not given has no
    route, nor have those in `but`. `clauses` narrow a list to what the caller may see (by default to what is theirs), `also`
    names further filters, `dress` puts on rows what views take from other tables. Rules: `get_trunk`, `create_trunk`, ...
    """

    def dressed(rq: Request, row: R) -> R:
        dress(rq, [row])
        return row

    def render(rq: Request, row: R) -> Body:
        return show(rq, resource, dressed(rq, row))

    def list_all(rq: Request) -> Body:
        narrowed = clauses(rq) if clauses is not None else own_clause(rq, struct)
        return listing(rq, resource, struct, narrowed, lambda found: dress(rq, found), also)

    def create_some(rq: Request) -> Body:
        assert make is not None
        return create(rq, resource, lambda values: dressed(rq, make(rq, values)))

    def update(rq: Request, found: R) -> Body:
        assert change is not None
        return render(rq, change(rq, found, resource.parse_update(rq)))

    handlers: dict[str, Handler | None] = {
        "list": list_all,
        "create": create_some if make else None,
        "show": render,
        "update": update if change else None,
        "delete": delete,
    }
    crud.declare(
        api,
        path,
        "id",
        {verb: handler for verb, handler in handlers.items() if handler and verb not in but},
        noun=noun or resource.name.replace("_", " "),
        rule=lambda verb: f"{verb if verb in ('create', 'update', 'delete') else 'get'}_{resource.rules}",
        on=on,
        update="PUT",
        bodies={"create": lambda rq: given(rq, resource), "update": resource.parse_update},
    )
    return render
