"""Start, stop, reboot, pause, suspend: the host is told, then asked until it is so."""

from typing import Any

from pileus.compute import states
from pileus.compute.sagas.server import get_server, give_up, mark_active, node_of, settle
from pileus.core import clock
from pileus.core.errors import EngineError
from pileus.core.saga import Run, Saga, Step, Wait
from pileus.node import protocol as p

SOFT_SECONDS = 60  # what a guest gets to shut down by itself
GRACE_SECONDS = 30  # beyond which a host that still has not done it has failed
OFF = ("shutdown", "crashed")


def _power(run: Run, action: Any, hard: bool = False) -> None:
    with run.db.read() as tx:
        host = get_server(tx, run).host
    node_of(run, host).power(p.PowerArgs(server_id=run.id, action=action, hard=hard, timeout=SOFT_SECONDS))


def power_on(run: Run) -> None:
    _power(run, "start")


def press_button(run: Run) -> None:
    _power(run, "stop")


def press_reset(run: Run) -> None:
    _power(run, "reboot", hard=bool(run.data.get("hard")))


def _await(run: Run, off: bool) -> dict[str, Any]:
    """Ask the host until the guest is where it should be; more seldom as time goes."""
    with run.db.read() as tx:
        host = get_server(tx, run).host
    report = node_of(run, host).list_instances()
    state = next((found for found in report.instances if found.server_id == run.id), None)
    if state is None or not state.domain:
        raise EngineError(f"the guest is no longer on host {host}")
    if (state.power_state in OFF) == off and not state.waiting:
        return {"power_state": states.POWER[state.power_state]}
    since = run.data.setdefault("waiting_since", clock.now())
    waited = clock.epoch(clock.now()) - clock.epoch(since)
    if waited > SOFT_SECONDS + GRACE_SECONDS:
        raise EngineError(f"host {host} did not switch the guest {'off' if off else 'on'} in {waited:.0f} s")
    raise Wait(min(1.0, 0.1 + waited / 10))


def await_off(run: Run) -> dict[str, Any]:
    return _await(run, off=True)


def await_on(run: Run) -> dict[str, Any]:
    return _await(run, off=False)


def mark_stopped(run: Run) -> None:
    settle(run, states.STOPPED)


def pause(run: Run) -> None:
    _power(run, "pause")


def unpause(run: Run) -> None:
    _power(run, "unpause")


def suspend(run: Run) -> None:
    _power(run, "suspend")


def resume(run: Run) -> None:
    _power(run, "resume")


def mark_paused(run: Run) -> None:
    settle(run, states.HELD, power_state=states.PAUSED)


def mark_suspended(run: Run) -> None:
    settle(run, states.SUSPENDED, power_state=states.SHUTDOWN)


def _saga(kind: str, *steps: Step) -> Saga:
    return Saga(kind, version=1, failed=give_up, steps=steps)


START = _saga("server-start", Step(power_on), Step(await_on), Step(mark_active))
STOP = _saga("server-stop", Step(press_button), Step(await_off), Step(mark_stopped))
REBOOT = _saga("server-reboot", Step(press_reset), Step(await_on), Step(mark_active))
PAUSE = _saga("server-pause", Step(pause), Step(mark_paused))
UNPAUSE = _saga("server-unpause", Step(unpause), Step(await_on), Step(mark_active))
SUSPEND = _saga("server-suspend", Step(suspend), Step(mark_suspended))
RESUME = _saga("server-resume", Step(resume), Step(await_on), Step(mark_active))
