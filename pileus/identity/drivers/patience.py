"""Patience with what does not answer: each attempt costs a thread seconds, and log-ins have few of those."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Patience:
    """With one directory or identity provider. What is refused is refused at once, by the exception that `refusal` makes.

    One that did not answer is left alone for `again` seconds. While somebody has waited for longer than `slow` seconds, no
    more than `most` wait for it: else those who log in elsewhere would find no thread.
    """

    def __init__(self, refusal: Callable[[str], Exception], again: float, most: int = 4, slow: float = 1.0):
        self._refusal = refusal
        self._again = again
        self._most = most
        self._slow = slow
        self._silent = float("-inf")
        self._waiting: list[float] = []
        self._lock = threading.Lock()

    def check(self) -> None:
        if time.monotonic() - self._silent < self._again:
            raise self._refusal("it did not answer a moment ago")

    def silent(self) -> None:
        """It did not answer."""
        self._silent = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around what somebody waits for."""
        self.check()
        began = time.monotonic()
        with self._lock:
            if len(self._waiting) >= self._most and began - min(self._waiting) > self._slow:
                raise self._refusal("others wait for it already")
            self._waiting.append(began)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(began)
