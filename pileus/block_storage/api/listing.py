"""Lists: a page of a project's rows, narrowed and sorted by what the query string says in this API's many ways."""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.block_storage.resources.base import Filter, at_least, everybody, is_admin
from pileus.core import clock, paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.paging import Sort, Where
from pileus.core.wire import Request

MOST = 1000  # rows in one page
NEWEST = Sort("created_at", True)
Row = TypeVar("Row", bound=msgspec.Struct)
CONTROLS = frozenset({"limit", "marker", "offset", "sort", "sort_key", "sort_dir", "all_tenants", "with_count"})


class Listing(NamedTuple):
    rows: list[Any]
    extra: dict[str, Any]  # what stands beside the rows: links and the count


def listing(
    rq: Request, struct: type[Row], plural: str, filters: Mapping[str, Filter], sorts: Iterable[str] = (),
    *, also: Iterable[Where] = (), counted: bool = True, sort: Sort = NEWEST, own: bool = True,
    ignored: Iterable[str] = (), owner: str = "project_id",
) -> Listing:  # fmt: skip
    """One page of a project's rows, or everybody's, as the query string wants it."""
    where, clauses, impossible = _conditions(rq, filters, ignored)
    where += also
    if own and not everybody(rq) and rq.ctx.project_id is not None:
        where.append(Where(owner, "eq", rq.ctx.project_id))
    limit = rq.query.number("limit")
    limit = MOST if limit is None else min(limit, MOST)
    offset = rq.query.number("offset") or 0
    order = _order(rq, {"created_at", "id", *sorts}, sort)
    marker = rq.query.get("marker")
    if impossible or limit == 0 or offset > 10**6:
        found = paging.Page([], False)
    else:
        try:
            found = paging.page(rq, struct, where, order, limit=limit + offset, marker=marker, clauses=tuple(clauses))
        except BadRequest as error:
            if error.kind == "MarkerNotFound":
                raise NotFound(f"Marker {error.message} for this list.") from None
            raise
        found = paging.Page(found.rows[offset:], found.more)
    extra = _links(rq, plural, found, limit)
    if counted and at_least(rq, 45) and rq.query.flag("with_count"):
        extra["count"] = 0 if impossible else paging.count(rq, struct, where, clauses=tuple(clauses))
    return Listing(found.rows, extra)


def _links(rq: Request, plural: str, found: paging.Page, limit: int) -> dict[str, Any]:
    """A page that is full has a next one, be that empty: clients of this API count on it."""
    if not found.rows or len(found.rows) < limit:
        return {}
    href = rq.link(marker=found.rows[-1].id, offset=None)
    return {f"{plural}_links": [{"rel": "next", "href": href}]}


def _order(rq: Request, known: Iterable[str], default: Sort) -> list[Sort]:
    """`sort=name:asc,id` or the older `sort_key=name&sort_dir=asc`; from the greatest down, where nothing is said."""
    text = rq.query.get("sort")
    if text is not None and (rq.query.get("sort_key") or rq.query.get("sort_dir")):
        raise BadRequest("The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with 'sort'.")
    if text is not None:
        pairs = [part.strip().partition(":")[::2] for part in text.split(",") if part.strip()]
    else:
        key = rq.query.get("sort_key")
        pairs = [(key, rq.query.get("sort_dir") or "")] if key else []
        if not pairs and rq.query.get("sort_dir"):
            pairs = [("created_at", rq.query.get("sort_dir") or "")]
    found = []
    for key, direction in pairs:
        column = {"display_name": "name"}.get(key, key)
        if column not in known:
            raise BadRequest(f"Invalid input received: sort key {key[:100]!r} is not one of those there are.")
        if direction not in ("", "asc", "desc"):
            raise BadRequest(f"Invalid input received: sort direction {direction[:100]!r} must be asc or desc.")
        found.append(Sort(column, direction != "asc"))
    if not found:
        return [default, Sort("id", default.descending)]
    return [*found, Sort("id", found[0].descending)]


def _conditions(
    rq: Request, filters: Mapping[str, Filter], ignored: Iterable[str]
) -> tuple[list[Where], list[tuple[str, Any, dict[str, Any]]], bool]:
    """What the query's names say; the last is whether nothing can fulfil it."""
    admin = is_admin(rq)
    where: list[Where] = []
    clauses: list[tuple[str, Any, dict[str, Any]]] = []
    invalid = []
    for name in rq.query.names():
        if name in CONTROLS or name in ignored:
            continue
        like = name.endswith("~")
        known = filters.get(name.removesuffix("~"))
        usable = known is not None and (known.everybody or admin) and at_least(rq, known.since)
        if known is None or not usable or (like and not (known.like and at_least(rq, 34))):
            invalid.append(name)
            continue
        for text in rq.query.all(name):
            _condition(name.removesuffix("~"), known, text, like, where, clauses)
    if invalid and not admin and at_least(rq, 31):
        raise BadRequest(f"Invalid filters {','.join(sorted(invalid))[:200]} are found in query options.")
    return where, clauses, bool(invalid) and admin and at_least(rq, 31)


def _condition(
    name: str, known: Filter, text: str, like: bool, where: list[Where], clauses: list[tuple[str, Any, dict[str, Any]]]
) -> None:
    if known.kind == "metadata":
        for key, value in _dictionary(name, text).items():
            number_ = len(clauses)
            clauses.append(
                (f"metadata-{known.column}-{number_}", _has(known.column, number_), _pair(key, value, number_))
            )
    elif known.kind == "time":
        where.extend(_times(name, known.column, text))
    elif like:
        where.append(Where(known.column, "like", f"%{paging.like_escape(text)}%"))
    else:
        where.append(Where(known.column, "eq", known.convert(text)))


def _dictionary(name: str, text: str) -> dict[str, str]:
    """`{'key': 'value'}`, as clients of this API write it."""
    try:
        found = ast.literal_eval(text) if len(text) < 4000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise BadRequest(f"Invalid input received: filter {name} must be a dictionary of strings.")
    if any(0xD800 <= ord(c) <= 0xDFFF or c == "\0" for pair in found.items() for part in pair for c in part):
        raise BadRequest(f"Invalid input received: filter {name} has a character that cannot be stored.")
    return found


def _has(column: str, number_: int) -> Any:
    """An object's text has a pair where one may begin: after a brace or a comma. Case counts, so it is not LIKE."""
    text = sa.literal_column(f'"{column}"', sa.Text())
    first, later = (sa.bindparam(f"{place}_{number_}", type_=sa.Text()) for place in ("first", "later"))
    return sa.or_(sa.func.replace(text, first, "") != text, sa.func.replace(text, later, "") != text)


def _pair(key: str, value: str, number_: int) -> dict[str, Any]:
    pair = msgspec.json.encode({key: value}).decode()[1:-1]
    return {f"first_{number_}": "{" + pair, f"later_{number_}": "," + pair}


_COMPARISONS = {"gt": "gt", "gte": "gte", "eq": "eq", "neq": "ne", "lt": "lt", "lte": "lte"}


def _times(name: str, column: str, text: str) -> list[Where]:
    """`gt:2024-01-01T00:00:00,lt:2025-01-01T00:00:00`."""
    found = []
    for part in text.split(","):
        operator, colon, moment = part.partition(":")
        if not colon or operator not in _COMPARISONS:
            raise BadRequest(f"Invalid {operator[:100]} operator in filter {name}.")
        try:
            found.append(Where(column, _COMPARISONS[operator], clock.canonical(moment)))
        except (ValueError, OverflowError):
            raise BadRequest(f"Invalid {moment[:100]} value in filter {name}.") from None
    return found
