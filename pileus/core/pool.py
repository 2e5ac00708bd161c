"""The threads requests run in: few, fed by one queue, one wake-up a request each way.

AnyIO's general hand-over costs a third more; SQL on the event loop itself falls to 3 % when a neighbour is slow.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Pool:
    def __init__(self, threads: int, name: str = "request"):
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((function, arguments, future, loop))
        return await future

    def stop(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, arguments, future, loop = job
            try:
                outcome, failed = function(*arguments), False
            except StopIteration as error:  # a future refuses this one, and would never be done
                outcome, failed = RuntimeError(f"StopIteration left a request: {error!r}"), True
            except BaseException as error:  # handed to whoever awaits
                outcome, failed = error, True
            try:
                loop.call_soon_threadsafe(_settle, future, outcome, failed)
            except RuntimeError:  # the loop has gone: nobody waits any more
                return
            del job, function, arguments, future, outcome  # an answer of megabytes would be kept until the next job


def _settle(future: "asyncio.Future[Any]", outcome: Any, failed: bool) -> None:
    if future.cancelled():
        return
    if failed:
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
