"""The crash law, for every saga of every service: steps and undos may run twice, a failure at any step leaves nothing
behind, and a controller that dies between any two steps loses nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pileus import services
from pileus.compute.sagas import create
from pileus.core.errors import EngineError
from pileus.core.saga import Action, Run, Saga, Step
from tests.harness import World
from tests.sagas.scenario import Scenario, Thing
from tests.sagas.scenarios import SCENARIOS, SERVER
from tests.sagas.stage import IMAGE_OPTIONS, Stage

pytestmark = pytest.mark.slow  # every saga is killed at every step

SAGAS = {saga.kind: saga for saga in services.sagas()}
EACH_SAGA = pytest.mark.parametrize("kind", sorted(SAGAS))
EACH_STEP = pytest.mark.parametrize(
    ("kind", "step"), [(kind, step.name) for kind, saga in sorted(SAGAS.items()) for step in saga.steps]
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(create, "LOOK_SECONDS", 0.0)  # the stage itself lets the network follow, between steps


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """The stage at hand: every test ends with it empty, so the next can use it; one that is not is thrown away."""
    at_hand: list[Stage] = []
    yield at_hand
    for stage in at_hand:
        stage.close()


@pytest.fixture
def stage(stages: list[Stage], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not stages:
        stages.append(Stage(World(tmp_path_factory.mktemp("stage"), fake_nodes=2, image=IMAGE_OPTIONS)))
    stages[0].report_hosts()
    yield stages[0]
    if any(stages[0].unfinished()) or not _empty(stages[0]):
        stages.pop().close()


class Broken(EngineError):
    """What the tests let steps fail with."""


def twice(action: Action) -> Action:
    """As after a crash between the effect and the record of it: the second time nothing is remembered of the first."""

    def do(run: Run) -> dict[str, Any] | None:
        action(Run(run.row, run.cloud, run.db))
        return action(run)

    return do


def altered(kind: str, change: Callable[[Step], tuple[Action, Action | None]]) -> list[Saga]:
    """All sagas, the steps of one of them changed."""
    sagas = []
    for saga in services.sagas():
        if saga.kind == kind:
            steps = []
            for step in saga.steps:
                do, undo = change(step)
                new = Step(do, undo)
                new.name = step.name
                steps.append(new)
            saga = Saga(saga.kind, steps, saga.version, saga.failed, saga.done)
        sagas.append(saga)
    return sagas


def test_every_saga_has_a_scenario() -> None:
    assert sorted(SCENARIOS) == sorted(SAGAS), "give a new saga its line in tests/sagas/scenarios.py"


@EACH_SAGA
def test_each_step_may_run_twice(stage: Stage, kind: str) -> None:
    scenario = SCENARIOS[kind]
    thing_id = scenario.start(stage, scenario.prepare(stage))
    stage.run(altered(kind, lambda step: (twice(step.do), step.undo)))
    assert scenario.done(stage, thing_id)
    _ends_clean(stage, scenario, thing_id)


@EACH_SAGA
def test_a_controller_may_die_between_any_two_steps(stage: Stage, kind: str) -> None:
    scenario = SCENARIOS[kind]
    thing_id = scenario.start(stage, scenario.prepare(stage))
    stage.run(one_step_an_engine=True)
    assert scenario.done(stage, thing_id)
    _ends_clean(stage, scenario, thing_id)


@pytest.mark.parametrize("when", ["before its effect", "after its effect"])
@EACH_STEP
def test_a_failure_at_any_step_leaves_nothing_behind(stage: Stage, kind: str, step: str, when: str) -> None:
    def failing(candidate: Step) -> tuple[Action, Action | None]:
        undo = twice(candidate.undo) if candidate.undo else None
        if candidate.name != step:
            return candidate.do, undo

        def do(run: Run) -> None:
            if when == "after its effect":
                candidate.do(run)
            raise Broken(f"told to fail at {step}")

        return do, undo

    scenario = SCENARIOS[kind]
    thing_id = scenario.prepare(stage)
    before = stage.effects()
    thing_id = scenario.start(stage, thing_id)
    stage.run(altered(kind, failing))
    if scenario.undoes:
        assert stage.effects() == before
        assert step in (of(scenario).why(stage, thing_id) or "")
    _ends_clean(stage, scenario, thing_id)


@EACH_STEP
def test_a_delete_in_the_middle_wins(stage: Stage, kind: str, step: str) -> None:
    """Somebody deletes the thing while the saga is at this step. Where that is refused, the saga goes on as if not asked."""
    scenario = SCENARIOS[kind]
    thing_id = scenario.start(stage, scenario.prepare(stage))

    def deleting(candidate: Step) -> tuple[Action, Action | None]:
        def do(run: Run) -> dict[str, Any] | None:
            result = candidate.do(run)
            if candidate.name == step:
                of(scenario).delete(stage, thing_id)
            return result

        return do, candidate.undo

    stage.run(altered(kind, deleting))
    if scenario.firm and of(scenario).exists(stage, thing_id):
        assert scenario.done(stage, thing_id)
        _ends_clean(stage, scenario, thing_id)
    assert not of(scenario).exists(stage, thing_id)
    _is_clean(stage)


def of(scenario: Scenario) -> Thing:
    return scenario.of or SERVER


def _ends_clean(stage: Stage, scenario: Scenario, thing_id: str) -> None:
    """Whatever became of it, it can be deleted, and then nothing is left of it."""
    if of(scenario).exists(stage, thing_id):
        of(scenario).delete(stage, thing_id).ok()
        stage.run()
    assert not of(scenario).exists(stage, thing_id)
    _is_clean(stage)


def _is_clean(stage: Stage) -> None:
    stage.drop_free_volumes()
    assert _empty(stage), stage.effects()


def _empty(stage: Stage) -> bool:
    left = stage.effects()
    return not any(left.pop("guests").values()) and not any(left.values())
