"""Lists: filters, sort keys, markers and limits from the query string, one SQL query a page.

Keyset pagination: a page starts after its marker's row in the sort order, so pages neither skip nor repeat rows while
others come and go, and the last page costs what the first does.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa

from pileus.core import tables
from pileus.core.db import Statement, in_list
from pileus.core.errors import BadRequest
from pileus.core.resources import Resource
from pileus.core.wire import Request

Row = TypeVar("Row", bound=msgspec.Struct)


class Where(NamedTuple):
    """A condition of a list. operator: eq, ne, in, gt, gte, lt, lte, like, null, notnull."""

    column: str
    operator: str
    value: Any = None


class Sort(NamedTuple):
    column: str
    descending: bool = False


class Page(NamedTuple):
    rows: list[Any]
    more: bool
    reverse: bool = False


def filters(rq: Request, resource: Resource, also: Iterable[str] = ()) -> list[Where]:
    """The conditions that the query string names, of the fields declared as filters; several values mean any of them."""
    found = []
    for name in rq.query.names():
        field = resource.fields.get(name)
        if field is None or not (field.filter or name in also) or not field.spans(rq.version):
            continue
        values = [field.query(text) for text in rq.query.all(name)]
        found.append(Where(field.source, "eq", values[0]) if len(values) == 1 else Where(field.source, "in", values))
    return found


def sorts(rq: Request, resource: Resource, default: Iterable[Sort]) -> list[Sort]:
    """`sort_key=name&sort_dir=asc`, repeated, or `sort=name:asc,id:desc`. Raises BadRequest for an unknown key."""
    keys = rq.query.all("sort_key")
    directions = rq.query.all("sort_dir")
    if not keys and rq.query.get("sort"):
        pairs = [part.strip().partition(":") for part in (rq.query.get("sort") or "").split(",") if part.strip()]
        keys = [key for key, _, _ in pairs]
        directions = [direction or "desc" for _, _, direction in pairs]
    if not keys:
        return list(default)
    if len(directions) == 1:
        directions = directions * len(keys)
    found = []
    for position, key in enumerate(keys):
        field = resource.fields.get(key)
        if field is None or not field.sort:
            raise BadRequest(f"Invalid input for query parameter sort_key. Value: {key[:100]}. It cannot be sorted by.")
        direction = directions[position] if position < len(directions) else "asc"
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid input for query parameter sort_dir. Value: {direction[:100]}. Use asc or desc.")
        found.append(Sort(field.source, direction == "desc"))
    return found


def page(
    rq: Request,
    struct: type[Row],
    where: Iterable[Where] = (),
    sort: Iterable[Sort] = (),
    *,
    limit: int | None = None,
    marker: str | None = None,
    marker_column: str = "id",
    reverse: bool = False,
    clauses: tuple[tuple[str, Any, dict[str, Any]], ...] = (),
) -> Page:
    """One page of rows. `clauses` are further conditions: (a name for the cache, an SQL expression, its values).

    Raises BadRequest when the marker is not there.
    """
    shape = tables.shape(struct)
    conditions = list(where)
    order = _total(sort, shape.primary)
    if reverse:
        order = [Sort(item.column, not item.descending) for item in order]
    start = _start(rq, struct, conditions, marker, marker_column) if marker else None
    shape_key = (
        "page",
        struct,
        tuple((c.column, c.operator, isinstance(c.value, list)) for c in conditions),
        tuple(order),
        start is not None and tuple(getattr(start, item.column) is None for item in order),
        limit is not None,
        tuple(name for name, _, _ in clauses),
    )
    statement = rq.tx.db.cached(shape_key, lambda: _build(shape, conditions, order, start, limit, clauses))
    values = {f"where_{n}": c.value for n, c in enumerate(conditions) if c.operator not in ("null", "notnull")}
    for _, _, more_values in clauses:
        values.update(more_values)
    if start is not None:
        after = {f"after_{position}": getattr(start, item.column) for position, item in enumerate(order)}
        values.update((name, value) for name, value in after.items() if value is not None)
    if limit is not None:
        values["page_limit"] = limit + 1
    rows = rq.tx.rows(struct, statement, **values)
    more = limit is not None and len(rows) > limit
    rows = rows[:limit] if more else rows
    return Page(rows[::-1] if reverse else rows, more, reverse)


def count(
    rq: Request,
    struct: type[Row],
    where: Iterable[Where] = (),
    *,
    clauses: tuple[tuple[str, Any, dict[str, Any]], ...] = (),
) -> int:
    """How many rows the conditions leave, over all pages."""
    shape = tables.shape(struct)
    conditions = list(where)
    key = (
        "count of page",
        struct,
        tuple((c.column, c.operator, isinstance(c.value, list)) for c in conditions),
        tuple(name for name, _, _ in clauses),
    )

    def build() -> Any:
        return sa.select(sa.func.count()).select_from(_build(shape, conditions, [], None, None, clauses).subquery())

    values = {f"where_{n}": c.value for n, c in enumerate(conditions) if c.operator not in ("null", "notnull")}
    for _, _, more_values in clauses:
        values.update(more_values)
    return int(rq.tx.scalar(rq.tx.db.cached(key, build), **values))


def _total(sort: Iterable[Sort], primary: tuple[str, ...]) -> list[Sort]:
    """An order that leaves no two rows equal: the primary key decides last; a key given twice says nothing new."""
    order: list[Sort] = []
    for item in (*sort, *map(Sort, primary)):
        if all(item.column != earlier.column for earlier in order):
            order.append(item)
    return order


def _start(rq: Request, struct: type[Row], conditions: list[Where], marker: str, marker_column: str) -> Row:
    """The marker's row. A name that is unique only within a project or user is looked for among the list's rows."""
    named = marker_column not in tables.shape(struct).primary
    within = {c.column: c.value for c in conditions if c.operator == "eq"} if named else {}
    found = rq.tx.find(struct, **{**within, marker_column: marker})
    if found is None:
        raise BadRequest(f"marker [{marker[:100]}] not found", kind="MarkerNotFound")
    return found


_OPERATORS: dict[str, Any] = {
    "eq": lambda column, bind: column == bind,
    "ne": lambda column, bind: column != bind,
    "gt": lambda column, bind: column > bind,
    "gte": lambda column, bind: column >= bind,
    "lt": lambda column, bind: column < bind,
    "lte": lambda column, bind: column <= bind,
    "like": lambda column, bind: column.like(bind, escape="\\"),
}


def _build(
    shape: tables.Shape,
    conditions: list[Where],
    order: list[Sort],
    start: Any,
    limit: int | None,
    clauses: tuple[tuple[str, Any, dict[str, Any]], ...],
) -> Any:
    columns = shape.table.c
    statement = sa.select(shape.table)
    for position, condition in enumerate(conditions):
        column = columns[condition.column]
        if condition.operator == "null":
            statement = statement.where(column.is_(None))
        elif condition.operator == "notnull":
            statement = statement.where(column.is_not(None))
        elif condition.operator == "in":
            statement = statement.where(in_list(column, f"where_{position}"))
        else:
            bind = sa.bindparam(f"where_{position}", type_=column.type)
            statement = statement.where(_OPERATORS[condition.operator](column, bind))
    for _, clause, _ in clauses:
        statement = statement.where(clause)
    if start is not None:
        statement = statement.where(_beyond(columns, order, start))
    statement = statement.order_by(*(_ordered(columns[item.column], item) for item in order))
    return statement.limit(sa.bindparam("page_limit", type_=sa.Integer())) if limit is not None else statement


def _ordered(column: Any, item: Sort) -> Any:
    """NULL sorts before every value; databases disagree when not told."""
    ordered = column.desc() if item.descending else column.asc()
    if not column.nullable:
        return ordered
    return ordered.nulls_last() if item.descending else ordered.nulls_first()


def _beyond(columns: Any, order: list[Sort], start: Any) -> Any:
    """Row-wise comparison with the marker: (a > x) or (a = x and b > y) or ...

    Which of the marker's values are NULL is part of the statement, and of its name in the cache.
    """
    alternatives = []
    for last, item in enumerate(order):
        parts = [
            columns[earlier.column].is_(None)
            if getattr(start, earlier.column) is None
            else columns[earlier.column] == _after(position, columns[earlier.column])
            for position, earlier in enumerate(order[:last])
        ]
        alternatives.append(sa.and_(*parts, _past(columns[item.column], item, last, start)))
    return sa.or_(*alternatives)


def _past(column: Any, item: Sort, position: int, start: Any) -> Any:
    if getattr(start, item.column) is None:
        return sa.false() if item.descending else column.is_not(None)
    bind = _after(position, column)
    if not item.descending:
        return column > bind
    return sa.or_(column < bind, column.is_(None)) if column.nullable else column < bind


def _after(position: int, column: Any) -> Any:
    return sa.bindparam(f"after_{position}", type_=column.type)


def links(rq: Request, plural: str, found: Page, id_of: Any = None) -> dict[str, Any]:
    """`{"servers_links": [{"rel": "next", "href": ...}]}` when there is more, else nothing."""
    if not found.more or not found.rows:
        return {}
    last = found.rows[-1]
    marker = id_of(last) if id_of else last.id
    return {f"{plural}_links": [{"rel": "next", "href": rq.link(marker=str(marker))}]}


def like_escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


__all__ = ["Page", "Sort", "Statement", "Where", "filters", "like_escape", "links", "page", "sorts"]
