"""Patience with what does not answer."""

import threading

import pytest

from pileus.core.errors import Unavailable
from pileus.identity.drivers.patience import Patience

NEVER = float("inf")


def waiters(patience: Patience, count: int) -> tuple[list[threading.Thread], threading.Event]:
    let_go, begun = threading.Event(), threading.Barrier(count + 1)

    def wait() -> None:
        with patience.waiting():
            begun.wait(10)
            let_go.wait(10)

    threads = [threading.Thread(target=wait) for _ in range(count)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    return threads, let_go


def test_only_so_many_wait_for_one_that_is_slow() -> None:
    patience = Patience(Unavailable, again=0, most=3, slow=-1)
    threads, let_go = waiters(patience, 3)
    for _ in range(9):
        with pytest.raises(Unavailable, match="others wait"), patience.waiting():
            raise AssertionError("a fourth waits")
    let_go.set()
    for thread in threads:
        thread.join(10)
    with patience.waiting():
        pass


def test_any_number_is_at_one_that_answers() -> None:
    patience = Patience(Unavailable, again=0, most=3, slow=NEVER)
    threads, let_go = waiters(patience, 20)
    let_go.set()
    for thread in threads:
        thread.join(10)


def test_one_that_was_silent_is_left_alone_for_a_while() -> None:
    for again, refused in ((NEVER, True), (0, False)):
        patience = Patience(Unavailable, again)
        patience.check()
        patience.silent()
        if refused:
            with pytest.raises(Unavailable, match="a moment ago"), patience.waiting():
                raise AssertionError("it is asked")
        else:
            with patience.waiting():
                pass


def test_who_fails_waits_no_more() -> None:
    patience = Patience(Unavailable, again=0, most=1, slow=-1)
    for _ in range(3):
        with pytest.raises(ValueError, match="wrong"), patience.waiting():
            raise ValueError("wrong")
