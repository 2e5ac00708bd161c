"""The saga engine: what happens when its process dies at any point, when steps wait, fail, or are superseded."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.core import clock, saga, schema
from pileus.core.context import Context
from pileus.core.db import Database
from pileus.core.errors import Conflict, EngineUnavailable
from pileus.core.saga import ATTEMPTS, Cancelled, Engine, Run, Saga, SagaRow, Step, Wait
from tests.harness import eventually
from tests.postgres import Postgres

CALLER = Context(user_id="u", project_id="p", request_id="req-1")


class Killed(BaseException):
    """The process ends here: nothing after this line runs."""


class Story:
    """What steps and undos did, in order; `on` says what a step does besides."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.on: dict[str, Callable[[Run], Any]] = {}
        self.failures: list[BaseException] = []

    def step(self, name: str, undo: bool = True) -> Step:
        def do(run: Run) -> dict[str, Any] | None:
            return self.tell(name, run)

        def take_back(run: Run) -> None:
            self.tell(f"undo {name}", run)

        do.__name__ = name
        return Step(do, take_back if undo else None)

    def tell(self, line: str, run: Run) -> Any:
        self.told.append(line)
        return self.on[line](run) if line in self.on else {line: True}

    def failed(self, run: Run, error: BaseException) -> None:
        self.failures.append(error)
        self.tell("failed", run)

    def done(self, run: Run) -> None:
        self.tell("done", run)


def build(story: Story, kind: str = "make", version: int = 1) -> Saga:
    steps = [story.step("a"), story.step("b"), story.step("c", undo=False)]
    return Saga(kind, steps, version, failed=story.failed, done=story.done)


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'test.db'}")
        schema.create(made)
    else:
        made = request.getfixturevalue("on_postgres")
    yield made
    made.close()


@pytest.fixture(scope="module")
def database_on_postgres(postgres: Postgres) -> Database:
    made = Database(postgres.database())
    schema.create(made)
    return made


@pytest.fixture
def on_postgres(database_on_postgres: Database) -> Database:
    with database_on_postgres.write() as tx:
        for each in tx.select(SagaRow):
            tx.delete(SagaRow, id=each.id)
    return database_on_postgres


@pytest.fixture
def story() -> Story:
    return Story()


def start(db: Database, which: Saga, resource: str = "thing/1", **data: Any) -> str:
    with db.write() as tx:
        return saga.start(tx, which, resource, CALLER, **data)


def row(db: Database, id: str) -> SagaRow:
    with db.read() as tx:
        return tx.get(SagaRow, id=id)


def expire(db: Database, **changes: Any) -> None:
    """As if the time until leases and pauses end had passed."""
    with db.write() as tx:
        for each in tx.select(SagaRow):
            lease = {"lease_until": clock.after(-1)} if each.lease else {}
            tx.update(SagaRow, each.id, run_after=clock.after(-1), **lease, **changes)


def finish(db: Database, which: Saga) -> None:
    """A new engine, as after a restart, drives everything to its end."""
    engine = Engine(db, None, [which])
    for _ in range(100):
        expire(db)
        if not engine.run_one():
            return
    raise AssertionError("it does not come to an end")


def test_steps_run_in_order_and_know_what_earlier_ones_found(db: Database, story: Story) -> None:
    def second(run: Run) -> None:
        assert run.data == {"given": 1, "found": [1]}
        assert (run.id, run.request_id, run.ctx.project_id) == ("1", "req-1", "p")

    story.on = {"a": lambda run: {"found": [1]}, "b": second}
    id = start(db, build(story), given=1)
    assert Engine(db, None, [build(story)]).run_one()
    assert story.told == ["a", "b", "c", "done"]
    ended = row(db, id)
    assert (ended.state, ended.lease, ended.error) == ("done", None, None)
    assert not Engine(db, None, [build(story)]).run_one()


def test_what_the_request_rolls_back_never_starts(db: Database, story: Story) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        saga.start(tx, build(story), "thing/1", CALLER)
        raise ZeroDivisionError
    assert not Engine(db, None, [build(story)]).run_one()


def die(run: Run) -> None:
    raise Killed


@pytest.mark.parametrize("place", ["a", "b", "c", "done"])
def test_a_process_that_dies_in_a_step_repeats_that_step_only(db: Database, story: Story, place: str) -> None:
    id = start(db, build(story))
    story.on = {place: die}
    with pytest.raises(Killed):
        Engine(db, None, [build(story)]).run_one()
    story.on = {}
    finish(db, build(story))
    assert row(db, id).state == "done"
    repeated = "c" if place == "done" else place
    assert {line: story.told.count(line) for line in "abc"} == {line: 1 + (line == repeated) for line in "abc"}


@pytest.mark.parametrize("place", ["failed", "undo b", "undo a"])
def test_a_process_that_dies_while_undoing_goes_on_undoing(db: Database, story: Story, place: str) -> None:
    id = start(db, build(story))
    story.on = {"c": lambda run: 1 // 0, place: die}
    with pytest.raises(Killed):
        Engine(db, None, [build(story)]).run_one()
    del story.on[place]
    finish(db, build(story))
    undone = [line for line in story.told if line.startswith("undo")]
    assert list(dict.fromkeys(undone)) == ["undo b", "undo a"]
    assert len(undone) == 2 + place.startswith("undo")
    assert (row(db, id).state, "done" in story.told) == ("failed", False)


@pytest.mark.parametrize("save", range(1, 7))
def test_a_process_that_dies_between_a_step_and_its_record_comes_to_the_same_end(
    db: Database, story: Story, save: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each write of the engine's record is the last thing it does, once; with the step before it failing or not."""
    story.on = {"c": lambda run: 1 // 0} if save > 3 else {}
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    saves = iter(range(1, 100))
    original = engine._save

    def dying(*arguments: Any, **options: Any) -> None:
        if next(saves) == save:
            raise Killed
        original(*arguments, **options)

    engine._save = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        engine.run_one()
    finish(db, build(story))
    assert row(db, id).state == ("failed" if save > 3 else "done")
    assert story.told[-1] == ("undo a" if save > 3 else "done")


def test_a_failed_step_marks_the_resource_once_and_undoes_in_reverse(db: Database, story: Story) -> None:
    story.on = {"b": lambda run: (_ for _ in ()).throw(Conflict("b is taken"))}
    id = start(db, build(story))
    Engine(db, None, [build(story)]).run_one()
    assert story.told == ["a", "b", "failed", "undo b", "undo a"]
    assert [str(error) for error in story.failures] == ["b is taken"]
    assert (row(db, id).state, row(db, id).error) == ("failed", "Conflict: b is taken")


def test_the_resource_is_undone_even_when_it_cannot_be_marked(db: Database, story: Story) -> None:
    story.on = {"b": lambda run: 1 // 0, "failed": lambda run: 1 // 0}
    id = start(db, build(story))
    Engine(db, None, [build(story)]).run_one()
    assert (row(db, id).state, story.told[-1]) == ("failed", "undo a")


def test_a_result_that_cannot_be_kept_fails_the_saga(db: Database, story: Story) -> None:
    story.on = {"b": lambda run: {"handle": object()}}
    id = start(db, build(story))
    Engine(db, None, [build(story)]).run_one()
    assert (row(db, id).state, story.told[-1]) == ("failed", "undo a")


def test_a_record_that_cannot_be_closed_fails_the_saga(db: Database, story: Story) -> None:
    story.on = {"done": lambda run: 1 // 0}
    id = start(db, build(story))
    Engine(db, None, [build(story)]).run_one()
    assert (row(db, id).state, story.told[-1]) == ("failed", "undo a")


def test_a_waiting_step_is_parked_and_asked_again(db: Database, story: Story) -> None:
    def wait(run: Run) -> None:
        raise Wait(60)

    story.on = {"b": wait}
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    assert engine.run_one()
    parked = row(db, id)
    assert (parked.state, parked.step_name, parked.lease) == ("running", "b", None)
    assert parked.run_after > clock.after(50)
    assert not engine.run_one()
    story.on = {}
    expire(db)
    engine.run_one()
    assert story.told == ["a", "b", "b", "c", "done"]


def unavailable(run: Run) -> None:
    raise EngineUnavailable("no answer")


def test_an_engine_that_does_not_answer_is_asked_again_with_longer_pauses_and_then_given_up(
    db: Database, story: Story
) -> None:
    story.on = {"b": unavailable}
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    pauses = []
    for _ in range(ATTEMPTS - 1):
        before = clock.epoch(clock.now())
        engine.run_one()
        assert row(db, id).state == "running"
        pauses.append(clock.epoch(row(db, id).run_after) - before)
        expire(db)
    assert pauses == sorted(pauses) and pauses[-1] > 4 * pauses[0]
    engine.run_one()
    assert story.told == ["a", *["b"] * ATTEMPTS, "failed", "undo b", "undo a"]
    assert len(story.failures) == 1


def test_a_step_that_succeeds_again_has_all_its_attempts_back(db: Database, story: Story) -> None:
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    story.on = {"a": unavailable}
    engine.run_one()
    assert row(db, id).attempts == 1
    story.on = {"b": unavailable}
    expire(db)
    engine.run_one()
    assert row(db, id).attempts == 1


def test_an_undo_is_repeated_until_its_engine_answers(db: Database, story: Story) -> None:
    story.on = {"c": lambda run: 1 // 0, "undo a": unavailable}
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    engine.run_one()
    for _ in range(ATTEMPTS + 5):
        expire(db)
        engine.run_one()
        assert row(db, id).state == "undoing"
    expire(db, attempts=5000)  # after a night of it
    engine.run_one()
    assert row(db, id).state == "undoing"
    story.on = {}
    expire(db)
    engine.run_one()
    assert (row(db, id).state, len(story.failures)) == ("failed", 1)


def test_an_undo_that_is_broken_does_not_keep_the_others_from_running(db: Database, story: Story) -> None:
    story.on = {"c": lambda run: 1 // 0, "undo b": lambda run: 1 // 0}
    id = start(db, build(story))
    finish(db, build(story))
    assert story.told.count("undo b") == ATTEMPTS
    assert (row(db, id).state, story.told[-1]) == ("failed", "undo a")


def test_a_cancelled_saga_is_undone_without_marking_the_resource(db: Database, story: Story) -> None:
    def cancel(run: Run) -> None:
        with db.write() as tx:
            assert saga.cancel(tx, "thing/1") == 1

    story.on = {"b": cancel}
    id = start(db, build(story))
    Engine(db, None, [build(story)]).run_one()
    assert story.told == ["a", "b", "undo b", "undo a"]
    assert row(db, id).state == "failed"
    assert Cancelled.__name__ in str(row(db, id).error)


def test_a_parked_saga_sees_its_cancellation_at_once(db: Database, story: Story) -> None:
    def wait(run: Run) -> None:
        raise Wait(600)

    story.on = {"b": wait}
    id = start(db, build(story))
    engine = Engine(db, None, [build(story)])
    engine.run_one()
    with db.write() as tx:
        saga.cancel(tx, "thing/1")
        assert saga.cancel(tx, "thing/2") == 0
    assert engine.run_one()
    assert row(db, id).state == "failed"


def test_sagas_of_one_resource_run_one_after_another(db: Database, story: Story) -> None:
    def wait(run: Run) -> None:
        raise Wait(600)

    story.on = {"a": wait}
    first, second = start(db, build(story)), start(db, build(story))
    other = start(db, build(story), "thing/2")
    engine = Engine(db, None, [build(story)])
    while engine.run_one():
        pass
    assert [row(db, id).lease for id in (first, second, other)] == [None] * 3
    assert story.told == ["a", "a"]
    with db.read() as tx:
        assert [each.id for each in saga.unfinished(tx, "thing/1")] == [first, second]
    story.on = {}
    finish(db, build(story))
    assert {row(db, id).state for id in (first, second, other)} == {"done"}
    with db.read() as tx:
        assert saga.unfinished(tx, "thing/1") == []


def test_an_older_saga_that_was_committed_late_waits_for_the_younger_at_work(db: Database, story: Story) -> None:
    young = start(db, build(story))
    engine, other = Engine(db, None, [build(story)]), Engine(db, None, [build(story)])
    assert engine._claim()
    old = start(db, build(story))
    with db.write() as tx:
        tx.update(SagaRow, old, created_at="2000-01-01T00:00:00.000000Z")
    assert other._claim() is None
    finish(db, build(story))
    assert {row(db, young).state, row(db, old).state} == {"done"}


def test_a_silent_engine_loses_its_saga_and_what_it_does_later_does_not_count(db: Database, story: Story) -> None:
    id = start(db, build(story))
    slow, quick = Engine(db, None, [build(story)]), Engine(db, None, [build(story)])

    def taken_over(run: Run) -> dict[str, Any]:
        story.on = {}
        assert quick._claim() is None
        expire(db)
        assert quick.run_one()
        return {"by": "slow"}

    story.on = {"b": taken_over}
    assert slow.run_one()
    assert story.told == ["a", "b", "b", "c", "done"]
    ended = row(db, id)
    assert (ended.state, "by" in ended.data) == ("done", False)


def test_code_of_another_version_leaves_the_saga_alone(db: Database, story: Story) -> None:
    id = start(db, build(story, version=1))
    for newer in (Engine(db, None, [build(story, version=2)]), Engine(db, None, [])):
        expire(db)
        newer.run_one()
        assert story.told == []
        assert (row(db, id).state, row(db, id).lease) == ("running", None)
    with db.write() as tx:
        saga.cancel(tx, "thing/1")
    newer.run_one()
    assert not newer.run_one(), "a cancelled saga nobody has code for must not be taken up again and again"
    finish(db, build(story))
    assert row(db, id).state == "failed"


def test_steps_that_were_renamed_are_an_error_and_not_replayed(db: Database, story: Story) -> None:
    id = start(db, build(story))
    renamed = Saga("make", [story.step("z"), story.step("b")], failed=story.failed)
    Engine(db, None, [renamed]).run_one()
    assert "z" not in story.told
    assert row(db, id).state == "failed"


def test_ended_sagas_are_forgotten_after_a_day(db: Database, story: Story) -> None:
    old, new, open = start(db, build(story)), start(db, build(story), "thing/2"), start(db, build(story), "thing/3")
    engine = Engine(db, None, [build(story)])
    engine.run_one(), engine.run_one()
    with db.write() as tx:
        for id in (old, open):
            tx.update(SagaRow, id, updated_at=clock.after(-saga.KEEP - 60))

    class Cloud:
        pass

    cloud = Cloud()
    cloud.db = db  # type: ignore[attr-defined]
    saga.prune(cloud)
    with db.read() as tx:
        assert {each.id for each in tx.select(SagaRow)} == {new, open}


def test_the_threads_carry_out_what_is_started_and_stop(db: Database, story: Story) -> None:
    def once(run: Run) -> None:
        if story.told.count("b") == 1:
            raise Wait(0.05)

    story.on = {"b": once}
    engine = Engine(db, None, [build(story)], threads=2)
    engine.start()
    try:
        ids = [start(db, build(story), f"thing/{number}") for number in range(5)]
        eventually(lambda: all(row(db, id).state == "done" for id in ids))
    finally:
        engine.stop()
    assert not any(worker.is_alive() for worker in engine._workers)


def test_a_restart_on_sqlite_takes_up_at_once_what_the_dead_process_had(tmp_path: Path, story: Story) -> None:
    db = Database(f"sqlite:///{tmp_path / 'test.db'}")
    schema.create(db)
    id = start(db, build(story))
    story.on = {"b": die}
    with pytest.raises(Killed):
        Engine(db, None, [build(story)]).run_one()
    story.on = {}
    engine = Engine(db, None, [build(story)], threads=1)
    engine.start()
    try:
        eventually(lambda: row(db, id).state == "done")
    finally:
        engine.stop()


def test_the_threads_outlive_a_database_that_goes_away(postgres: Postgres, story: Story) -> None:
    db = Database(postgres.database())
    schema.create(db)
    engine = Engine(db, None, [build(story)], threads=2)
    engine.start()
    try:
        postgres.pause()
        threads = list(engine._workers)
        eventually(lambda: all(thread.is_alive() for thread in threads))
        postgres.restart()
        id = start(db, build(story))
        eventually(lambda: row(db, id).state == "done")
    finally:
        engine.stop()
        db.close()
