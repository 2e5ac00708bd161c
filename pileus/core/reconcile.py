"""Reconcile tasks: no arguments; compare what should be with what is, and repair. They do the same however woken."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pileus.core import clock, log

QUIET = 5.0  # seconds without work after which a task's connection to the database is given up
_log = log.logger("pileus.reconcile")


class Task(NamedTuple):
    """`run(cloud)` looks at everything it is responsible for; `every` is the longest pause between two looks, in s."""

    name: str
    run: Callable[[Any], None]
    every: float


class Difference(NamedTuple):
    """One thing that is not as it should be, as `pileus fsck` prints it."""

    where: str  # a node's name, `ovn`, `database`, `images`
    kind: str
    id: str
    what: str


class Reconciler:
    """A thread a task: one that hangs holds up no other."""

    def __init__(self, cloud: Any, tasks: Iterable[Task]):
        self.cloud = cloud
        self.tasks = {task.name: task for task in tasks}
        self._events = {name: threading.Event() for name in self.tasks}
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self.last: dict[str, tuple[str, str | None]] = {}  # task: when it last ended, and its error

    def start(self) -> None:
        for task in self.tasks.values():
            thread = threading.Thread(target=self._loop, args=(task,), name=f"reconcile-{task.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping = True
        for event in self._events.values():
            event.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def wake(self, name: str) -> None:
        if name in self._events:
            self._events[name].set()

    def _loop(self, task: Task) -> None:
        event = self._events[task.name]
        failures = 0
        while not self._stopping:
            event.clear()
            try:
                task.run(self.cloud)
                failures = 0
                self.last[task.name] = (clock.now(), None)
            except Exception as error:
                failures += 1
                self.last[task.name] = (clock.now(), repr(error))
                _log.warning("a reconcile task failed", extra={"task": task.name, "why": repr(error)}, exc_info=True)
            pause = min(task.every, 0.5 * 2 ** min(failures, 16)) if failures else task.every
            if not event.wait(min(pause, QUIET)) and pause > QUIET:
                self.cloud.db.close()  # with what it keeps in memory
                event.wait(pause - QUIET)
        self.cloud.db.close()
