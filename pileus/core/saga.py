"""Sagas: long operations as steps and undos, kept in SQL so that no crash leaves one half done.

    create_volume = Saga("volume-create", version=1, failed=mark_error, steps=[
        Step(choose_node),
        Step(allocate_disk, undo=free_disk),
        Step(mark_available)])

The request that starts one commits it together with its rows, so a 202 is durable. A step runs at least once, and every
step and undo may run twice: each is written so that a repetition does no harm. When a step fails, `failed` marks the
resource at once and the undos of this and all earlier steps run in reverse. Sagas of one resource run one after another.
"""

import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core import clock, log
from pileus.core.context import Context
from pileus.core.db import Database, Tx, sql
from pileus.core.errors import EngineUnavailable, Fault, Unavailable
from pileus.core.reconcile import Task
from pileus.core.tables import Key, columns, shape, table

LEASE = 30.0  # seconds a controller owns a saga without renewing
KEEP = 86400.0  # seconds an ended saga's record is kept
ATTEMPTS = 8  # tries of a step whose engine does not answer: about two minutes
_log = log.logger("pileus.saga")


@table("sagas", index=[("state", "run_after"), ("resource",)])
class SagaRow(msgspec.Struct):
    id: Key
    kind: str
    version: int
    resource: str  # `server/<id>`: what it works on; sagas of one resource are serialised
    state: str  # running, undoing, done, failed
    step: int
    step_name: str
    data: dict[str, Any]
    attempts: int
    cancelled: bool
    run_after: str
    lease: str | None
    lease_until: str | None
    error: str | None
    request_id: str
    user_id: str | None
    project_id: str | None
    created_at: str
    updated_at: str


class Wait(Exception):
    """Raised by a step that has to be asked again later; no thread is held meanwhile."""

    def __init__(self, seconds: float):
        super().__init__(seconds)
        self.seconds = seconds


class Lost(Exception):
    """Another engine has taken the saga over, because this one was silent for longer than its lease."""


class Cancelled(Exception):
    """Why a saga is undone when something newer (a delete) made it pointless."""


class Run:
    """What a step works with."""

    def __init__(self, row: SagaRow, cloud: Any, db: Database):
        self.row = row
        self.cloud = cloud
        self.db = db
        self.data = row.data  # what earlier steps returned, merged; survives a crash

    @property
    def id(self) -> str:
        """The resource's id."""
        return self.row.resource.partition("/")[2]

    @property
    def request_id(self) -> str:
        return self.row.request_id

    @property
    def ctx(self) -> Context:
        """The caller on whose behalf this runs; policy was checked when the request was taken."""
        return Context(
            user_id=self.row.user_id,
            project_id=self.row.project_id,
            roles=frozenset({"member", "reader"}),
            request_id=self.row.request_id,
        )


Action = Callable[[Run], dict[str, Any] | None]


class Step:
    """One outside effect, and how it is taken back. An undo finding nothing to undo has succeeded."""

    def __init__(self, do: Action, undo: Action | None = None):
        self.do = do
        self.undo = undo
        self.name = do.__name__


class Saga:
    """A named list of steps. `failed` marks the resource when a step fails, `done` closes records when all went well."""

    def __init__(
        self,
        kind: str,
        steps: Iterable[Step],
        version: int = 1,
        failed: Callable[[Run, BaseException], None] | None = None,
        done: Callable[[Run], None] | None = None,
    ):
        self.kind = kind
        self.version = version
        self.steps = list(steps)
        self.failed = failed
        self.done = done


_CLAIM = sql(
    sa.select(shape(SagaRow).table)
    .where(
        columns(SagaRow).state.in_([sa.literal_column("'running'"), sa.literal_column("'undoing'")]),
        columns(SagaRow).run_after <= sa.bindparam("now", type_=sa.Text()),
        sa.or_(
            columns(SagaRow).lease_until.is_(None),
            columns(SagaRow).lease_until < sa.bindparam("now", type_=sa.Text()),
        ),
        ~sa.exists(
            sa.select(sa.literal_column("1"))
            .select_from(older := shape(SagaRow).table.alias("older"))
            .where(
                older.c.resource == columns(SagaRow).resource,
                older.c.state.in_([sa.literal_column("'running'"), sa.literal_column("'undoing'")]),
                older.c.id != columns(SagaRow).id,
                sa.or_(
                    older.c.created_at < columns(SagaRow).created_at,
                    sa.and_(older.c.created_at == columns(SagaRow).created_at, older.c.id < columns(SagaRow).id),
                    # a younger one that is at work already: this one's request committed late
                    older.c.lease_until >= sa.bindparam("now", type_=sa.Text()),
                ),
            )
        ),
    )
    .order_by(columns(SagaRow).run_after)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_NEXT = sql(
    sa.select(sa.func.min(columns(SagaRow).run_after)).where(
        columns(SagaRow).state.in_([sa.literal_column("'running'"), sa.literal_column("'undoing'")]),
        columns(SagaRow).lease_until.is_(None),
        columns(SagaRow).run_after > sa.bindparam("since", type_=sa.Text()),
    )
)
_LEFT_BEHIND = sql(
    sa.update(shape(SagaRow).table)
    .where(
        columns(SagaRow).lease.is_not(None),
        columns(SagaRow).state.in_([sa.literal_column("'running'"), sa.literal_column("'undoing'")]),
    )
    .values(lease=None, lease_until=None, run_after=sa.bindparam("now", type_=sa.Text()))
)


_PRUNE = sql(
    sa.delete(shape(SagaRow).table).where(
        columns(SagaRow).state.in_([sa.literal_column("'done'"), sa.literal_column("'failed'")]),
        columns(SagaRow).updated_at < sa.bindparam("before", type_=sa.Text()),
    )
)


def start(tx: Tx, saga: Saga, resource: str, ctx: Context, **data: Any) -> str:
    """Enqueue a saga in the caller's transaction; it begins when that commits."""
    now = clock.now()
    row = SagaRow(
        id=clock.new_id(), kind=saga.kind, version=saga.version, resource=resource, state="running", step=0,
        step_name=saga.steps[0].name, data=data, attempts=0, cancelled=False, run_after=now, lease=None,
        lease_until=None, error=None, request_id=ctx.request_id, user_id=ctx.user_id, project_id=ctx.project_id,
        created_at=now, updated_at=now,
    )  # fmt: skip
    tx.insert(row)
    tx.after_commit(_wake_all)
    return row.id


def cancel(tx: Tx, resource: str) -> int:
    """Ask the running sagas of a resource to undo themselves; returns how many there are."""
    count = tx.update(SagaRow, {"resource": resource, "state": "running"}, cancelled=True, run_after=clock.now())
    tx.after_commit(_wake_all)
    return count


def unfinished(tx: Tx, resource: str) -> list[SagaRow]:
    found = tx.select(SagaRow, order="created_at", resource=resource)
    return [row for row in found if row.state in ("running", "undoing")]


def prune(cloud: Any) -> None:
    """Forget sagas that ended more than a day ago."""
    with cloud.db.write() as tx:
        tx.execute(_PRUNE, before=clock.after(-KEEP))


_engines: list["Engine"] = []
TO_WAKE: list[Callable[[], Any]] = []  # what else to call when a saga is started (`core/bell.py`)


def _wake_all() -> None:
    for wake in TO_WAKE:
        wake()
    wake_engines()


def wake_engines() -> None:
    """Those of this process look whether there is something to do."""
    for engine in _engines:
        engine.wake()


TASKS = [Task("sagas", prune, 3600)]


class Engine:
    """The threads that carry sagas out in this controller."""

    def __init__(self, db: Database, cloud: Any, sagas: Iterable[Saga], threads: int = 8):
        self.db = db
        self.cloud = cloud
        self.sagas = {saga.kind: saga for saga in sagas}
        self.name = clock.new_id()
        self.threads = threads
        self._condition = threading.Condition()
        self._signals = 0
        self._stop = threading.Event()
        self._active: set[str] = set()
        self._workers: list[threading.Thread] = []

    def start(self) -> None:
        if self.db.sqlite:
            # one controller alone can use this database: whatever is leased was left by one that has died
            with self.db.write() as tx:
                tx.execute(_LEFT_BEHIND, now=clock.now())
        _engines.append(self)
        for number in range(self.threads):
            worker = threading.Thread(target=self._work, name=f"saga-{number}", daemon=True)
            worker.start()
            self._workers.append(worker)
        threading.Thread(target=self._renew, name="saga-lease", daemon=True).start()

    def stop(self) -> None:
        with self._condition:
            self._stop.set()
            self._condition.notify_all()
        if self in _engines:
            _engines.remove(self)
        for worker in self._workers:
            worker.join(timeout=5)

    def wake(self) -> None:
        with self._condition:
            self._signals += 1
            self._condition.notify()

    def run_one(self) -> bool:
        """Take the next saga that is due and drive it as far as it goes; False when there is none."""
        row = self._claim()
        if row is None:
            return False
        token = log.request_id.set(row.request_id)
        self._active.add(row.id)
        try:
            self._drive(row)
        except Lost:
            _log.warning("a saga was taken over by another engine", extra={"saga": row.kind, "resource": row.resource})
        finally:
            self._active.discard(row.id)
            log.request_id.reset(token)
        return True

    # -- threads ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            since = clock.now()
            try:
                worked = self.run_one()
                pause = 0.0 if worked else self._pause(since)
            except Exception:
                _log.exception("a saga could not be driven; it is tried again")
                self._stop.wait(1)
                continue
            if worked:
                self.wake()  # what waited for this resource may go now
                continue
            with self._condition:
                if not self._signals and not self._stop.is_set():
                    self._condition.wait(pause)
                self._signals = max(0, self._signals - 1)
        self.db.close()

    def _pause(self, since: str) -> float:
        """Until the next parked saga is due, at most a second: other processes' sagas are found by looking.

        What was due already `since` the last look and could not be claimed waits for an older saga's end, which wakes us.
        """
        with self.db.read() as tx:
            soonest = tx.scalar(_NEXT, since=since)
        return min(1.0, max(0.01, clock.epoch(soonest) - clock.epoch(clock.now()))) if soonest else 1.0

    def _renew(self) -> None:
        while not self._stop.wait(LEASE / 3):
            try:
                if active := list(self._active):
                    with self.db.write() as tx:
                        for saga_id in active:
                            tx.update(SagaRow, {"id": saga_id, "lease": self.name}, lease_until=clock.after(LEASE))
            except Exception:  # this thread must live: without it steps that take long would be run by two engines
                _log.exception("leases could not be renewed")
        self.db.close()

    # -- one saga --------------------------------------------------------------------------------------------------

    def _claim(self) -> SagaRow | None:
        with self.db.read() as tx:  # most looks find nothing: do not take the writer's lock for them
            if self.db.sqlite and not tx.rows(SagaRow, _CLAIM, now=clock.now()):
                return None
        with self.db.write() as tx:
            found = tx.rows(SagaRow, _CLAIM, now=clock.now())
            if not found:
                return None
            row = found[0]
            tx.update(SagaRow, row.id, lease=self.name, lease_until=clock.after(LEASE))
            return row

    def _drive(self, row: SagaRow) -> None:
        saga = self.sagas.get(row.kind)
        if saga is None or saga.version != row.version:
            _log.error("no code for this saga's version; it waits", extra={"saga": row.kind, "version": row.version})
            self._park(row, 60, known=False)
            return
        run = Run(row, self.cloud, self.db)
        while row.state in ("running", "undoing") and not self._stop.is_set():
            advanced = self._forward(saga, run) if row.state == "running" else self._backward(saga, run)
            if not advanced:
                return
        if self._stop.is_set() and row.state in ("running", "undoing"):
            self._park(row, 0)

    def _forward(self, saga: Saga, run: Run) -> bool:
        row = run.row
        if self._is_cancelled(row):
            self._fail(saga, run, Cancelled("superseded by a later request"))
            return True
        step = saga.steps[row.step]
        if row.step_name != step.name:
            self._fail(saga, run, RuntimeError(f"step {row.step} was {row.step_name}, the code says {step.name}"))
            return True
        try:
            result = step.do(run)
        except Wait as wait:
            self._park(row, wait.seconds)
            return False
        except (EngineUnavailable, Unavailable) as error:
            if row.attempts + 1 < ATTEMPTS:
                self._retry(row, error)
                return False
            self._fail(saga, run, error)
            return True
        except Exception as error:
            self._fail(saga, run, error)
            return True
        try:
            self._advance(saga, run, result or {})
        except (Lost, Unavailable):
            raise
        except Exception as error:  # `done` failed, or what the step returned cannot be stored
            run.data.clear()
            with self.db.read() as tx:
                run.data.update(tx.get(SagaRow, id=row.id).data)
            self._fail(saga, run, error)
        return True

    def _advance(self, saga: Saga, run: Run, result: dict[str, Any]) -> None:
        row = run.row
        run.data.update(result)
        row.step += 1
        row.attempts = 0
        finished = row.step == len(saga.steps)
        row.state = "done" if finished else "running"
        row.step_name = "" if finished else saga.steps[row.step].name
        with self.db.write() as tx:
            if finished and saga.done:
                saga.done(run)
            self._save(tx, row)

    def _fail(self, saga: Saga, run: Run, error: BaseException) -> None:
        row = run.row
        if not isinstance(error, Cancelled):
            _log.warning(
                "a saga failed and is undone",
                extra={"saga": row.kind, "resource": row.resource, "step": row.step_name, "why": repr(error)},
            )
            if not isinstance(error, Fault | EngineUnavailable):
                _log.info("".join(traceback.format_exception(error)))
        row.state = "undoing"
        row.error = f"{type(error).__name__}: {error}"[:4000]
        row.attempts = 0
        with self.db.write() as tx:
            if saga.failed and not isinstance(error, Cancelled):
                try:
                    with tx.savepoint():
                        saga.failed(run, error)
                except Unavailable:
                    raise
                except Exception:  # the effects have to go all the same
                    _log.exception("a failed saga could not mark its resource", extra={"saga": row.kind})
            self._save(tx, row)

    def _backward(self, saga: Saga, run: Run) -> bool:
        row = run.row
        # the failed step's own undo too: it may have taken effect before it failed
        step = saga.steps[min(row.step, len(saga.steps) - 1)] if row.step >= 0 else None
        if step is not None and step.undo is not None:
            try:
                step.undo(run)
            except Wait as wait:
                self._park(row, wait.seconds)
                return False
            except (EngineUnavailable, Unavailable) as error:
                self._retry(row, error)  # for ever: the effects must go
                return False
            except Exception as error:
                _log.exception("an undo failed", extra={"saga": row.kind, "step": step.name})
                if row.attempts + 1 < ATTEMPTS:
                    self._retry(row, error)
                    return False
                # what is left over is found by the reconcile task and by fsck
        row.step -= 1
        row.attempts = 0
        row.state = "undoing" if row.step >= 0 else "failed"
        row.step_name = saga.steps[row.step].name if row.step >= 0 else ""
        with self.db.write() as tx:
            self._save(tx, row)
        return True

    def _is_cancelled(self, row: SagaRow) -> bool:
        with self.db.read() as tx:
            return tx.get(SagaRow, id=row.id).cancelled

    def _retry(self, row: SagaRow, error: Exception) -> None:
        row.attempts += 1
        _log.info("an engine did not answer; tried again", extra={"saga": row.kind, "why": repr(error)})
        self._park(row, min(30.0, 0.25 * 2 ** min(row.attempts, 10)))

    def _park(self, row: SagaRow, seconds: float, known: bool = True) -> None:
        with self.db.write() as tx:
            # a cancellation that came meanwhile wants to be seen now
            cancelled = known and row.state == "running" and tx.get(SagaRow, id=row.id).cancelled
            row.run_after = clock.now() if cancelled else clock.after(seconds)
            self._save(tx, row, release=True)

    def _save(self, tx: Tx, row: SagaRow, release: bool = False) -> None:
        over = release or row.state in ("done", "failed")
        row.updated_at = clock.now()
        saved = tx.update(
            SagaRow, {"id": row.id, "lease": self.name}, state=row.state, step=row.step, step_name=row.step_name,
            data=row.data, attempts=row.attempts, run_after=row.run_after, error=row.error, updated_at=row.updated_at,
            lease=None if over else self.name, lease_until=None if over else clock.after(LEASE),
        )  # fmt: skip
        if not saved:
            raise Lost(row.id)
