"""Reconcile tasks: run at once, when woken, and again after they failed."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pileus.core.db import Database
from pileus.core.reconcile import Reconciler, Task
from tests.harness import eventually


class Cloud:
    db = Database("sqlite:///nowhere")  # closed by each task's thread, never opened


Start = Callable[..., Reconciler]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Reconciler] = []

    def start(*tasks: Task) -> Reconciler:
        made.append(Reconciler(Cloud(), tasks))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


def test_a_task_looks_at_the_start_and_whenever_woken(start: Start) -> None:
    looks: list[Any] = []
    running = start(Task("look", looks.append, 3600))
    eventually(lambda: len(looks) == 1)
    running.wake("look")
    eventually(lambda: len(looks) == 2)
    running.wake("nobody")
    assert looks[0] is running.cloud
    assert running.last["look"][1] is None


def test_a_task_looks_again_by_itself(start: Start) -> None:
    looks: list[Any] = []
    start(Task("look", looks.append, 0.01))
    eventually(lambda: len(looks) > 3)


def test_a_task_that_fails_says_so_and_goes_on(start: Start) -> None:
    def look(cloud: Any) -> None:
        raise ValueError("the engine is gone")

    running = start(Task("look", look, 3600))
    eventually(lambda: "the engine is gone" in (running.last.get("look", ("", ""))[1] or ""))
    assert all(thread.is_alive() for thread in running._threads)


def test_a_task_that_hangs_holds_up_no_other(start: Start) -> None:
    may_go, looks = threading.Event(), []

    def hang(cloud: Any) -> None:
        may_go.wait(10)

    start(Task("hang", hang, 3600), Task("look", looks.append, 0.01))
    eventually(lambda: len(looks) > 2)
    may_go.set()


def test_stopping_ends_the_threads(start: Start) -> None:
    running = start(Task("look", lambda cloud: None, 3600))
    running.stop()
    assert not any(thread.is_alive() for thread in running._threads)
