"""The API's declaration, which every module of routes adds to, and what its routes share: targets, views, lists."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core import faults, paging
from pileus.core.errors import BadRequest, Fault, NotFound
from pileus.core.routes import Service
from pileus.core.tables import columns
from pileus.core.wire import Request
from pileus.identity.resources import Entity
from pileus.identity.store import DEFAULT_DOMAIN

# Also at the root, so that OS_AUTH_URL=http://HOST:5000/v3 works. A denied request is 403, whether or not the thing
# exists: policy is asked first.
api = Service("identity", "/identity", faults.identity, aliases=("",), denied_is_missing=False)

Row = TypeVar("Row")
View = Callable[[Any], dict[str, Any]]


class Untraceable(Fault):
    """Missing, and told so to everybody, before policy is asked: an id nobody can guess gives nothing away."""

    status, title = 404, "Not Found"


@contextlib.contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise Untraceable(error.message) from None


class Target(dict[str, Any], Generic[Row]):
    """What a request is about: `row` for the handler, `target.user.domain_id` and the like for the rules."""

    def __init__(self, row: Row, *, user_id: str | None = None, **named: Any):
        super().__init__(target={name: _plain(value) for name, value in named.items() if value is not None})
        if user_id is not None:
            self["user_id"] = user_id
        self.row = row


def _plain(value: Any) -> Any:
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value


def in_scope(rq: Request) -> Target[None]:
    """For lists: what a domain's readers may see is their domain's."""
    return Target(None, domain_id=rq.ctx.domain_id, domain={"id": rq.ctx.domain_id})


def in_domain(rq: Request) -> list[paging.Where]:
    """What a token of a domain sees of a list: only what is in it, whoever brings it."""
    return [paging.Where("domain_id", "eq", rq.ctx.domain_id)] if rq.ctx.domain_id else []


def asked_for(rq: Request, name: str) -> dict[str, Any]:
    """A body's inner object for the rules, before anything is checked: an empty one where it has none."""
    inner = rq.json.get(name)
    return inner if isinstance(inner, dict) else {}


def domain_of(rq: Request, given: dict[str, Any]) -> str:
    """The domain a new thing belongs to: the one named, or that of the caller's token."""
    named = given.get("domain_id")
    if named is not None and not isinstance(named, str):
        raise BadRequest("Invalid input for field 'domain_id': it must be a string.")
    return named or rq.ctx.domain_id or rq.ctx.project_domain_id or DEFAULT_DOMAIN


def here(rq: Request) -> str:
    """Where this API begins, by the way the client came."""
    return f"{rq.root}/identity" if rq.path.startswith("/identity/") or rq.path == "/identity" else rq.root


def viewer(rq: Request, resource: Entity) -> View:
    """A function from row to body, with its link."""
    view = resource.viewer(rq)
    base = f"{here(rq)}/v3/{resource.path}/"
    absent = resource.absent

    def show(row: Any) -> dict[str, Any]:
        body = view(row)
        for name in absent:
            if body[name] is None:
                del body[name]
        body["links"] = {"self": base + row.id}
        return body

    return show


def one(rq: Request, resource: Entity, row: Any) -> dict[str, Any]:
    return {resource.name: viewer(rq, resource)(row)}


def many(rq: Request, plural: str, bodies: list[dict[str, Any]], after: str | None = None) -> dict[str, Any]:
    """A list's body; `after` is the marker of the page that follows."""
    links = {"next": rq.link(marker=after) if after else None, "self": rq.link(), "previous": None}
    return {plural: bodies, "links": links}


def listing(
    rq: Request,
    resource: Entity,
    struct: type[msgspec.Struct],
    where: Iterable[paging.Where] = (),
    clauses: Iterable[tuple[str, Any, dict[str, Any]]] = (),
    view: View | None = None,
) -> dict[str, Any]:
    """A page of rows: filters as `name=x` and `name__contains=x`, `limit`, `marker`, `sort_key`."""
    found = paging.page(
        rq,
        struct,
        [*where, *paging.filters(rq, resource)],
        paging.sorts(rq, resource, [paging.Sort("id")]),
        limit=rq.query.number("limit", 1),
        marker=rq.query.get("marker"),
        clauses=(*clauses, *_inexact(rq, resource, struct)),
    )
    view = view or viewer(rq, resource)
    after = found.rows[-1].id if found.more and found.rows else None
    return many(rq, resource.plural, [view(row) for row in found.rows], after)


_INEXACT = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}", "equals": "{}"}


def _inexact(rq: Request, resource: Entity, struct: type[msgspec.Struct]) -> Iterable[tuple[str, Any, dict[str, Any]]]:
    """`name__contains=x` and its kin. An `i` before the comparison says that capitals do not matter; they never do here, as
    they do not for Keystone on MySQL.
    """
    for key in rq.query.names():
        name, found, comparison = key.partition("__")
        field = resource.fields.get(name)
        bare = comparison.removeprefix("i") if comparison[:1] == "i" else comparison
        if not found or field is None or not field.filter or bare not in _INEXACT:
            continue
        text = rq.query.get(key) or ""
        column: Any = sa.func.lower(getattr(columns(struct), field.source))
        bind = f"like_{name}_{comparison}"
        pattern = _INEXACT[bare].format(paging.like_escape(text.lower()))
        yield bind, column.like(sa.bindparam(bind, type_=sa.Text()), escape="\\"), {bind: pattern}


def creating(rq: Request, resource: Entity, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body of a POST, checked. An id is ours to choose: one that is sent is not taken."""
    given = dict(rq.unwrap(resource.name) if body is None else body)
    given.pop("links", None)
    given.pop("id", None)
    return resource.parse_create(rq, given)


def updating(rq: Request, resource: Entity, row: Any, fixed: Iterable[str] = ("domain_id",)) -> dict[str, Any]:
    """What a PATCH changes, checked; members in `fixed` may be repeated but not changed. `extra` is merged."""
    given = dict(rq.unwrap(resource.name))
    given.pop("links", None)
    for name in ("id", *fixed):
        if name in given:
            if given[name] != getattr(row, name):
                raise BadRequest(f"Invalid input for field {name!r}: it cannot be changed.")
            del given[name]
    if not given and not rq.unwrap(resource.name):
        raise BadRequest(f"Invalid input for field {resource.name!r}: it names nothing to change.")
    found = resource.parse_update(rq, given)
    if "extra" in found:
        found["extra"] = {**row.extra, **found["extra"]}
    if "options" in found:  # null takes an option away
        options = {**row.options, **found["options"]}
        found["options"] = {name: value for name, value in options.items() if value is not None}
    return found
