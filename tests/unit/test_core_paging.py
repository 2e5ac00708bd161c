"""Pages: put together they are the whole list, in order, each row once."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.db import Database
from pileus.core.errors import BadRequest
from pileus.core.fields import Boolean, Integer, Text
from pileus.core.paging import Page, Sort, Where, filters, like_escape, page, sorts
from pileus.core.resources import Resource
from pileus.core.wire import Request
from tests.unit.things import Thing

RESOURCE = Resource(
    "thing",
    [
        Text("id", filter=True, sort=True),
        Text("owner", source="label", filter=True, sort=True),
        Integer("number", filter=True, sort=True),
        Boolean("on", filter=True),
        Text("tags"),
    ],
)
COLUMNS = ["label", "number", "ratio", "on", "maybe"]
rows = st.lists(
    st.builds(
        Thing,
        id=st.just(""),
        label=st.sampled_from([None, "", "a", "B", "ab"]),
        number=st.sampled_from([None, -1, 0, 3]),
        ratio=st.sampled_from([None, 0.5, -2.0]),
        on=st.booleans(),
        maybe=st.sampled_from([None, True, False]),
    ),
    max_size=12,
)
orders = st.lists(st.builds(Sort, st.sampled_from(COLUMNS), st.booleans()), max_size=3)


def request(db_tx: Any, query: dict[str, Any] | None = None) -> Request:
    rq = Request("GET", "/things", urlencode(query or {}, doseq=True))
    rq.tx = db_tx
    return rq


def fill(db: Database, things: list[Thing]) -> list[Thing]:
    with db.write() as tx:
        for old in tx.select(Thing):
            tx.delete(Thing, id=old.id)
        for position, thing in enumerate(things):
            thing.id = f"{(position * 7) % 13:02}"
        tx.insert_many(things)
    return things


def expected(things: list[Thing], order: list[Sort]) -> list[str]:
    """Sorted one key after the other, the last first; NULL comes before every value."""
    found = sorted(things, key=lambda thing: thing.id)
    for key in reversed(order):
        found.sort(key=lambda thing: _key(getattr(thing, key.column)), reverse=key.descending)
    return [thing.id for thing in found]


def _key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def walk(db: Database, order: list[Sort], size: int, reverse: bool = False) -> list[str]:
    found: list[str] = []
    marker = None
    for _ in range(50):
        with db.read() as tx:
            part = page(request(tx), Thing, sort=order, limit=size, marker=marker, reverse=reverse)
        ids = [thing.id for thing in part.rows]
        assert len(ids) <= size
        found = ids + found if reverse else found + ids
        if not part.more:
            return found
        marker = ids[0] if reverse else ids[-1]
    raise AssertionError("the pages do not end")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, orders, st.integers(1, 5))
def test_pages_in_any_order_are_the_list(db: Database, things: list[Thing], order: list[Sort], size: int) -> None:
    fill(db, things)
    whole = expected(things, order)
    assert walk(db, order, size) == whole
    assert walk(db, order, size, reverse=True) == whole


def test_rows_that_come_and_go_between_pages_shift_nothing(db: Database) -> None:
    fill(db, [Thing("", number=n) for n in range(6)])
    order = [Sort("number")]
    with db.read() as tx:
        first = page(request(tx), Thing, sort=order, limit=3)
    with db.write() as tx:
        tx.delete(Thing, id=first.rows[0].id)
        tx.insert(Thing("zz", number=-5))
    with db.read() as tx:
        rest = page(request(tx), Thing, sort=order, limit=9, marker=first.rows[-1].id)
    assert [thing.number for thing in rest.rows] == [3, 4, 5]


def test_an_unknown_marker_is_refused(db: Database) -> None:
    with db.read() as tx, pytest.raises(BadRequest, match="nobody"):
        page(request(tx), Thing, limit=1, marker="nobody")


def test_a_marker_that_is_a_name_is_looked_for_where_the_list_is(db: Database) -> None:
    fill(db, [])
    with db.write() as tx:
        tx.insert_many(
            [Thing(id, number=n, label=name) for id, n, name in [("1", 1, "a"), ("2", 2, "a"), ("3", 2, "b")]]
        )
        found: Page = page(
            request(tx), Thing, [Where("number", "eq", 2)], [Sort("label")], marker="a", marker_column="label"
        )
    assert [thing.id for thing in found.rows] == ["3"]


def test_conditions(db: Database) -> None:
    things = fill(db, [Thing("", label=o, number=n) for o, n in [("a%b", 1), ("a_b", 2), ("axb", 3), (None, None)]])

    def ask(*where: Where) -> list[int | None]:
        with db.read() as tx:
            return sorted((row.number for row in page(request(tx), Thing, where).rows), key=lambda n: n or 0)

    assert ask() == sorted((thing.number for thing in things), key=lambda n: n or 0)
    assert ask(Where("number", "gt", 1), Where("number", "lte", 2)) == [2]
    assert ask(Where("number", "in", [1, 3])) == [1, 3]
    assert ask(Where("number", "ne", 1)) == [2, 3]
    assert ask(Where("label", "null")) == [None]
    assert ask(Where("label", "notnull"), Where("number", "gte", 2), Where("number", "lt", 3)) == [2]
    assert ask(Where("label", "like", like_escape("a%") + "%")) == [1]
    assert ask(Where("label", "like", like_escape("a_") + "%")) == [2]


def test_filters_are_those_declared_and_typed(db: Database) -> None:
    fill(db, [Thing("", label=o, number=n, on=b) for o, n, b in [("a", 1, True), ("b", 2, False), ("c", 3, True)]])

    def ask(**query: Any) -> list[int | None]:
        with db.read() as tx:
            rq = request(tx, query)
            return [row.number for row in page(rq, Thing, filters(rq, RESOURCE), [Sort("number")]).rows]

    assert ask(number="2") == [2]
    assert ask(number=["1", "3"]) == [1, 3]
    assert ask(on="yes") == [1, 3]
    assert ask(on=["true", "false"]) == [1, 2, 3]
    assert ask(owner="b") == [2]
    assert ask(tags="x", nonsense="y") == [1, 2, 3]
    with db.read() as tx, pytest.raises(BadRequest, match="number"):
        filters(request(tx, {"number": "many"}), RESOURCE)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ({}, [Sort("id")]),
        ({"sort_key": ["number", "owner"], "sort_dir": ["desc", "asc"]}, [Sort("number", True), Sort("label")]),
        ({"sort_key": ["number", "owner"], "sort_dir": "desc"}, [Sort("number", True), Sort("label", True)]),
        ({"sort_key": "number"}, [Sort("number")]),
        ({"sort": "number:asc,owner"}, [Sort("number"), Sort("label", True)]),
        ({"sort": ","}, [Sort("id")]),
    ],
)
def test_sort_keys_in_both_forms(query: dict[str, Any], order: list[Sort]) -> None:
    assert sorts(request(None, query), RESOURCE, [Sort("id")]) == order


@pytest.mark.parametrize(
    "query", [{"sort_key": "tags"}, {"sort_key": "nonsense"}, {"sort_key": "id", "sort_dir": "up"}, {"sort": "id:up"}]
)
def test_unknown_sort_keys_and_directions_are_refused(query: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="sort_"):
        sorts(request(None, query), RESOURCE, [])
