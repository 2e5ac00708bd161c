"""Transactions, rows and statements, on each database."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from pileus.core import tables
from pileus.core.db import Database, Tx, in_list, sql
from pileus.core.errors import BadRequest, Duplicate, NotFound, StillReferenced, Unavailable
from tests.postgres import Postgres
from tests.unit.things import Owner, Thing, Wheel, make

THING = tables.columns(Thing)


def ids(db: Database) -> list[str]:
    with db.read() as tx:
        return [thing.id for thing in tx.select(Thing, order="id")]


def test_a_row_comes_back_as_it_was_put_in(db: Database) -> None:
    row = Thing(
        "a", None, -(2**63), 0.25, True, None, ["x", "ö", '"'], {"a": [1, None, True], "b": {}}, [Wheel(3)], Wheel(4)
    )
    with db.write() as tx:
        tx.insert(row)
        tx.insert(Thing("b", maybe=False))
    with db.read() as tx:
        assert tx.get(Thing, id="a") == row
        assert tx.get(Thing, id="b") == Thing("b", maybe=False)
        assert tx.get(Thing, id="a").on is True and tx.get(Thing, id="b").maybe is False


def test_rows_are_found_by_any_columns_also_by_null_and_bool(db: Database) -> None:
    with db.write() as tx:
        tx.insert_many([Thing("a", on=True), Thing("b", number=1), Thing("c", number=2, on=True)])
        assert [t.id for t in tx.select(Thing, order="id", on=True)] == ["a", "c"]
        assert [t.id for t in tx.select(Thing, number=None)] == ["a"]
        assert tx.count(Thing, on=False) == 1
        assert tx.find(Thing, id="nobody") is None
        with pytest.raises(NotFound, match="nobody"):
            tx.get(Thing, id="nobody")


def test_updates_and_deletes_say_how_many(db: Database) -> None:
    with db.write() as tx:
        tx.insert_many([Thing("a"), Thing("b"), Thing("c", number=1)])
        assert tx.update(Thing, "a", tags=["t"], on=True) == 1
        assert tx.update(Thing, {"number": None}, ratio=1.5) == 2
        assert tx.update(Thing, "nobody", on=True) == 0
        assert tx.update(Thing, "c") == 1
        assert tx.delete(Thing, on=True) == 1
        assert tx.delete(Thing, on=True) == 0
        with pytest.raises(ValueError, match="never"):
            tx.delete(Thing)
    assert ids(db) == ["b", "c"]


def test_what_raises_leaves_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        tx.insert(Thing("a"))
        raise ZeroDivisionError
    assert ids(db) == []


def test_a_transaction_inside_another_joins_it(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as outer:
        with db.write() as inner:
            assert inner is outer
            inner.insert(Thing("a"))
        with db.read() as reading:
            assert reading.find(Thing, id="a")
        raise ZeroDivisionError
    assert ids(db) == []


def test_a_reading_transaction_writes_nothing(db: Database) -> None:
    with db.read() as tx:
        with pytest.raises(RuntimeError), db.write():
            pass
        with pytest.raises(RuntimeError):
            tx.insert(Thing("a"))
    assert ids(db) == []


def test_a_reading_transaction_has_one_view(db: Database) -> None:
    with db.read() as tx:
        assert tx.count(Thing) == 0
        other = threading.Thread(target=lambda: _insert(db, "a"))
        other.start()
        other.join(10)
        assert tx.count(Thing) == 0
    assert ids(db) == ["a"]


def _insert(db: Database, id: str) -> None:
    with db.write() as tx:
        tx.insert(Thing(id))
    db.close()


def test_actions_run_after_the_commit_and_only_then(db: Database) -> None:
    seen: list[Any] = []
    with db.write() as tx:
        tx.insert(Thing("a"))
        with db.write() as inner:
            inner.after_commit(lambda: seen.append(ids(db)))
        assert seen == []
    assert seen == [["a"]]
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        tx.after_commit(lambda: seen.append("never"))
        raise ZeroDivisionError
    assert seen == [["a"]]


def test_an_action_that_fails_stops_neither_the_others_nor_the_caller(db: Database) -> None:
    seen: list[int] = []
    with db.write() as tx:
        tx.after_commit(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        tx.after_commit(lambda: seen.append(1))
    assert seen == [1]


def test_a_savepoint_is_undone_alone_with_its_actions(db: Database) -> None:
    seen: list[str] = []
    with db.write() as tx:
        tx.insert(Thing("a"))
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            tx.insert(Thing("b"))
            tx.after_commit(lambda: seen.append("b"))
            with tx.savepoint():
                tx.insert(Thing("c"))
            raise ZeroDivisionError
        with tx.savepoint():
            tx.insert(Thing("d"))
            tx.after_commit(lambda: seen.append("d"))
    assert ids(db) == ["a", "d"]
    assert seen == ["d"]


def test_a_transaction_goes_on_after_an_error_inside_a_savepoint(db: Database) -> None:
    with db.write() as tx:
        tx.insert(Thing("a"))
        with pytest.raises(Duplicate), tx.savepoint():
            tx.insert(Thing("a"))
        tx.insert(Thing("b"))
    assert ids(db) == ["a", "b"]


def test_broken_rules_are_told_in_our_words(db: Database) -> None:
    with db.write() as tx:
        tx.insert(Owner("o", "one"))
        tx.insert(Thing("a", owner_id="o", number=1))
    for row, column in ((Owner("o", "two"), "owners"), (Owner("p", "one"), "name"), (Thing("b", "o", 1), "number")):
        with pytest.raises(Duplicate) as broken, db.write() as tx:
            tx.insert(row)
        assert column in broken.value.columns
    with pytest.raises(StillReferenced), db.write() as tx:
        tx.insert(Thing("b", owner_id="nobody"))
    with pytest.raises(StillReferenced), db.write() as tx:
        tx.delete(Owner, id="o")


def test_what_no_database_can_store_is_a_bad_request(db: Database) -> None:
    for number in (2**63, -(2**63) - 1, 10**30):
        with pytest.raises(BadRequest), db.write() as tx:
            tx.insert(Thing("a", number=number))
    with pytest.raises(BadRequest), db.write() as tx:
        tx.insert(Thing("\ud800"))
    if not db.sqlite:
        with pytest.raises(BadRequest), db.write() as tx:
            tx.insert(Thing("a\0b"))
    assert ids(db) == []


def test_a_list_parameter_may_have_any_length(db: Database) -> None:
    by_id = sql(sa.select(THING.id).where(in_list(THING.id, "ids")).order_by(THING.id))
    by_number = sql(sa.select(THING.id).where(in_list(THING.number, "numbers")).order_by(THING.id))
    with db.write() as tx:
        tx.insert_many([Thing(f"t{n:03}", number=n) for n in range(300)])
        tx.insert(Thing('quote\'s "%s" %(x)s :y'))
        assert tx.all(by_id, ids=[]) == []
        assert [row[0] for row in tx.all(by_id, ids=["t007", "nobody", "t005"])] == ["t005", "t007"]
        assert len(tx.all(by_id, ids=[f"t{n:03}" for n in range(300)])) == 300
        assert tx.all(by_id, ids=['quote\'s "%s" %(x)s :y'])
        assert [row[0] for row in tx.all(by_number, numbers=[1, 2, 999])] == ["t001", "t002"]


def test_in_with_a_fixed_list_is_refused_when_compiled(db: Database) -> None:
    with db.read() as tx, pytest.raises(TypeError, match="in_list"):
        tx.all(sql(sa.select(THING.id).where(THING.id.in_(["a"]))))


def test_remembered_statements_have_an_end(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pileus.core.db.MOST_STATEMENTS", 3)
    for number in range(10):
        db.cached(("test", number), lambda: sa.select(THING.id))
    assert len(db._statements) <= 3


def test_many_writers_lose_nothing(db: Database) -> None:
    plus_one = sql(sa.update(THING.number.table).values(number=THING.number + 1))
    with db.write() as tx:
        tx.insert(Thing("a", number=0))

    def add() -> None:
        for _ in range(25):
            with db.write() as tx:
                tx.execute(plus_one)
        db.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with db.read() as tx:
        assert tx.get(Thing, id="a").number == 100


def test_a_lost_connection_is_unavailable_and_then_made_anew(postgres: Postgres) -> None:
    db = make(postgres.database())

    def insert(tx: Tx, id: str) -> None:
        tx.insert(Thing(id))

    with pytest.raises(Unavailable), db.write() as tx:
        insert(tx, "a")
        postgres.restart()
        insert(tx, "b")
    assert ids(db) == []
    postgres.restart()
    assert ids(db) == []  # a connection that went stale between two transactions is not even noticed
    postgres.pause()
    with pytest.raises(Unavailable), db.read():
        pass
    postgres.restart()
    with db.write() as tx:
        insert(tx, "c")
    assert ids(db) == ["c"]
    db.close()
