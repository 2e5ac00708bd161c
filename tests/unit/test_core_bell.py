"""Processes of one controller: a saga that is started in one is heard of in the other."""

import os
import threading

import pytest

from pileus.core import saga
from pileus.core.bell import Bell


def test_a_saga_started_in_one_process_wakes_the_engines_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Semaphore(0)
    monkeypatch.setattr(saga, "wake_engines", heard.release)
    bell = Bell()
    bell.hear()
    for _ in range(2):
        if (child := os.fork()) == 0:
            saga.TO_WAKE.clear()
            bell.ring()
            for wake in saga.TO_WAKE:
                wake()
            os._exit(0)
        os.waitpid(child, 0)
        assert heard.acquire(timeout=10)
