"""Who starts a cloud's processes and starts again what ends:  python -m pileus.deploy.supervisor --state DIR

It holds no state: killed and started again, it adopts what is there. It tells whoever started it how far it is, a line
of text each, on the descriptor `--tell`; the last line is `ready`, or `failed` and the reason.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from pileus.deploy import hosts, plan, probe, state
from pileus.deploy.errors import DeployError
from pileus.deploy.process import Process, start, start_all
from pileus.deploy.teardown import PATIENCE, purge, stop_cloud

PR_SET_CHILD_SUBREAPER = 36
LONGEST_PAUSE = 30.0  # between two tries to start what keeps ending
CALM = 60.0  # after so many seconds of life an end is not the previous end's fault


class Stopped(Exception):
    """Asked to end, by signal."""


class Bereft(Exception):
    """The process for which this cloud was started has ended."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pileus.deploy.supervisor")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--tell", type=int, default=1)
    parser.add_argument("--engines-only", action="store_true")
    parser.add_argument("--for-pid", type=int)
    arguments = parser.parse_args()
    os.set_inheritable(arguments.tell, False)
    tell = os.fdopen(arguments.tell, "w", buffering=1)

    def report(line: str) -> None:
        log(line)
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            tell.write(line + "\n")

    cloud = state.read(arguments.state)
    if cloud is None:
        sys.exit(f"There is no cloud in {arguments.state}.")
    lock = (cloud.run / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report("failed another `pileus up` is at work on this cloud.")
        sys.exit(1)
    (cloud.run / "supervisor.pid").write_text(f"{os.getpid()}\n")
    # What engines leave behind (libvirtd its QEMUs) becomes our child, and is reaped at once. Not every machine's first
    # process is quick at that, and libvirt waits for it whenever a guest ends.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    try:
        processes = bring_up(cloud, report, engines_only=arguments.engines_only)
        report("ready")
        if arguments.tell > 2:
            tell.close()
        Watch(cloud, processes, arguments.for_pid).forever()
    except Stopped:
        log("asked to stop")
        with contextlib.suppress(Stopped):  # asked twice: at once
            stop_cloud(cloud, report, PATIENCE)
        ignore_signals()
        stop_cloud(cloud, report)
    except Bereft:
        log(f"process {arguments.for_pid} has ended")
        ignore_signals()
        stop_cloud(cloud, log)
        purge(cloud)
        with contextlib.suppress(OSError):  # a mount, or somebody's since
            cloud.folder.rmdir()
    except DeployError as error:
        stop_cloud(cloud, log)
        report(f"failed {error}")
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        stop_cloud(cloud, log)
        raise


def ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def stopped(_number: int, _frame: object) -> None:
    raise Stopped


def log(line: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), line, file=sys.stderr, flush=True)


def bring_up(cloud: state.Cloud, report: Callable[[str], None], *, engines_only: bool = False) -> list[Process]:
    plan.make_folders(cloud)
    if not cloud.fake:
        cloud.datapath = probe.datapath()
        if not cloud.accel:
            cloud.accel = probe.accelerator()
        if cloud.prefix not in hosts.devices():
            cloud.external = hosts.choose_external(cloud)
        cloud.save()
        report(f"datapath {cloud.datapath}, guests on {cloud.accel or 'tcg'}, external network {cloud.external.cidr}")
        hosts.ensure_underlay(cloud)
    processes = [*plan.engines(cloud), *([] if engines_only else plan.services(cloud))]
    start_all(processes, cloud.hash, report)
    return processes


class Watch:
    """Waits for ends; nothing is polled."""

    def __init__(self, cloud: state.Cloud, processes: list[Process], for_pid: int | None = None) -> None:
        self.cloud = cloud
        self.purpose: int | None = None  # pidfd of the process for which all this is
        self.handles: dict[int, Process] = {}  # pidfd → process
        self.began: dict[str, float] = {}
        self.pauses: dict[str, float] = {}
        self.due: dict[str, tuple[float, Process]] = {}
        self.poll = select.poll()
        # Ends of orphans are told by signal only.
        self.wake, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(self.wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.poll.register(self.wake, select.POLLIN)
        if for_pid is not None:
            try:
                self.purpose = os.pidfd_open(for_pid)
            except ProcessLookupError:
                raise Bereft from None
            self.poll.register(self.purpose, select.POLLIN)
        for process in processes:
            self.tend(process)

    def forever(self) -> None:
        while True:
            soonest = min((when for when, _ in self.due.values()), default=None)
            timeout = None if soonest is None else max(0.0, soonest - time.monotonic()) * 1000
            for handle, _ in self.poll.poll(timeout):
                if handle == self.purpose:
                    raise Bereft
                if handle == self.wake:
                    os.read(self.wake, 4096)
                elif handle in self.handles:
                    self.ended(handle)
            reap_all()
            for name, (when, process) in list(self.due.items()):
                if when <= time.monotonic():
                    del self.due[name]
                    self.tend(process)

    def tend(self, process: Process) -> None:
        try:
            pid = start(process, self.cloud.hash)
            handle = os.pidfd_open(pid)
        except (DeployError, OSError) as error:
            log(f"{process.name}: {error}")
            self.later(process)
            return
        self.handles[handle] = process
        self.began[process.name] = time.monotonic()
        self.poll.register(handle, select.POLLIN)
        log(f"{process.name} runs, pid {pid}")

    def ended(self, handle: int) -> None:
        process = self.handles.pop(handle)
        self.poll.unregister(handle)
        os.close(handle)
        if time.monotonic() - self.began[process.name] > CALM:
            self.pauses.pop(process.name, None)
        log(f"{process.name} ended")
        self.later(process)

    def later(self, process: Process) -> None:
        pause = self.pauses.get(process.name, 0.0)
        self.pauses[process.name] = min(max(0.5, pause * 2), LONGEST_PAUSE)
        self.due[process.name] = (time.monotonic() + pause, process)


def reap_all() -> None:
    """Only while no child is being waited for elsewhere: everything of `Watch` is on one thread."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


if __name__ == "__main__":
    main()
