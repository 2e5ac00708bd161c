"""One process of a cloud: is it there, start it, stop it.

A process is known by its pid file *and* by a mark in its environment that its children inherit: a number alone may have
been given to a stranger since.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pileus.deploy.errors import DeployError

MARK = "PILEUS_CLOUD"
LONGEST_LOG = 64 << 20  # bytes; a longer one is put aside at the next start
# Where Debian keeps daemons, which an ordinary user's PATH lacks (and so may root's after `su`).
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


@dataclass(frozen=True)
class Process:
    """What is to run. `plan.py` says which ones; they are started in its order as far as `needs` asks for it."""

    name: str  # as `pileus status` shows it: node-1/ovn-controller
    argv: tuple[str, ...]
    pidfile: Path
    log: Path
    forks: bool = True  # a daemon that writes its own pid file, and whose start returns when it is ready
    within: Path | None = None  # pid file of the holder whose namespaces it lives in
    sockets: tuple[Path, ...] = ()  # it is ready when these answer,
    ready: Callable[[], bool] | None = None  # and this says so
    needs: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    before: Callable[[], None] | None = None  # makes its files; harmless when they are there
    after: Callable[[], None] | None = None  # makes it what it should be, after every start and adoption
    patience: float = 30.0  # seconds until it must be ready

    def is_ready(self) -> bool:
        return all(answers(path) for path in self.sockets) and (self.ready is None or self.ready())


def pid_of(pidfile: Path, mark: str) -> int | None:
    """The living process of this cloud behind a pid file."""
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return None
    return pid if marked(pid, mark) else None


def marked(pid: int, mark: str) -> bool:
    return mark_of(pid) == mark


def mark_of(pid: int) -> str | None:
    """Of which cloud a process is, if of any."""
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    found = next((word for word in words if word.startswith(MARK.encode() + b"=")), None)
    return None if found is None else found.partition(b"=")[2].decode(errors="replace")


def words_of(pid: int) -> list[str]:
    """Its command line; empty when it is gone."""
    try:
        return [word.decode(errors="replace") for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return []


def folder_of(pid: int) -> str:
    """The state folder that a process of a cloud was started with; empty where it does not say."""
    words = words_of(pid)
    if mark_of(pid) is None or "--state" not in words[:-1]:
        return ""
    return words[words.index("--state") + 1]


def answers(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def listening(port: int) -> set[str]:
    """The sockets of this machine that listen on a port, as /proc/PID/fd names them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rsplit(":", 1)[1], 16) == port:
                    found.add(f"socket:[{words[9]}]")
    return found


def environment(mark: str, extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    # Of our environment only what a daemon needs: the rest would live on in it, secrets included.
    kept = {key: os.environ[key] for key in ("LANG", "TZ") if key in os.environ}
    kept |= {"PATH": PATH, "HOME": "/", "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    # This very pileus is the one they import, wherever they are started.
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2]), MARK: mark} | dict(extra)


def run(*argv: str, stdin: str | None = None, timeout: float = 30.0, env: dict[str, str] | None = None) -> str:
    """A short command; what it prints. Failure is a sentence with the command and its last words."""
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=env or os.environ | {"PATH": PATH}
        )
    except FileNotFoundError as error:
        raise DeployError(f"The program {argv[0]} is missing: install the host packages with `make setup`.") from error
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"`{' '.join(argv)}` did not end within {timeout:.0f} s.") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise DeployError(f"`{' '.join(argv)}` failed: {words[-1] if words else f'exit code {done.returncode}'}")
    return done.stdout


def enter(holder: Path, mark: str, *, mounts: bool = True) -> list[str]:
    """The words to put before a command so that it runs on a host."""
    pid = pid_of(holder, mark)
    if pid is None:
        raise DeployError(f"The host of {holder} is not there (no process behind its pid file).")
    return ["nsenter", "--target", str(pid), "--net", *(["--mount", "--uts"] if mounts else []), "--"]


def start(process: Process, mark: str) -> int:
    """Makes it run and ready, and returns its pid. One that runs already is adopted."""
    pid = pid_of(process.pidfile, mark)
    if pid is None or not process.is_ready():
        if pid is not None:
            stop([pid])  # there, but deaf
        pid = launch(process, mark)
    if process.after:
        process.after()
    return pid


def launch(process: Process, mark: str) -> int:
    process.pidfile.unlink(missing_ok=True)
    for path in process.sockets:
        path.unlink(missing_ok=True)
    if process.before:
        process.before()
    argv = [*(enter(process.within, mark) if process.within else []), *process.argv]
    env = environment(mark, process.env)
    if process.log.exists() and process.log.stat().st_size > LONGEST_LOG:
        process.log.replace(process.log.with_suffix(".log.1"))
    with process.log.open("ab") as log:
        try:
            child = subprocess.Popen(
                argv, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except FileNotFoundError as error:
            raise DeployError(f"{process.argv[0]} is missing: install the host packages with `make setup`.") from error
    deadline = time.monotonic() + process.patience
    if process.forks:
        try:
            child.wait(timeout=process.patience)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise DeployError(f"{process.name} hung at its start: {log_end(process.log)}") from error
        if child.returncode != 0:
            raise DeployError(f"{process.name} did not start: {log_end(process.log)}")
    elif process.pidfile.name != "hold.pid":
        process.pidfile.write_text(f"{child.pid}\n")
    while True:
        pid = pid_of(process.pidfile, mark)
        if pid is not None and process.is_ready():
            return pid
        if not process.forks and child.poll() is not None:
            raise DeployError(f"{process.name} ended at once: {log_end(process.log)}")
        if time.monotonic() > deadline:
            raise DeployError(f"{process.name} was not ready within {process.patience:.0f} s: {log_end(process.log)}")
        time.sleep(0.02)


def log_end(log: Path) -> str:
    """The last thing it said, and where the rest is."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"{lines[-1].strip() if lines else 'it said nothing'} (all of it in {log})"


def stop(pids: Iterable[int], patience: float = 5.0) -> None:
    """TERM, and after some patience KILL (without any, KILL at once); returns when they are gone."""
    left = set(pids)
    for kind, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if wait and left:
            left = wait_for_ends(left, wait, kind)


def wait_for_ends(pids: Iterable[int], seconds: float, kind: signal.Signals | None = None) -> set[int]:
    """Those that still live after so long; first each is sent a signal, if one is given."""
    handles: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles[os.pidfd_open(pid)] = pid
    waiting, poll, deadline = dict(handles), select.poll(), time.monotonic() + seconds
    try:
        for handle in handles:
            poll.register(handle, select.POLLIN)
            with contextlib.suppress(ProcessLookupError):
                if kind is not None:
                    signal.pidfd_send_signal(handle, kind)
        while waiting and (left := deadline - time.monotonic()) > 0:
            for handle, _ in poll.poll(left * 1000):
                poll.unregister(handle)
                reap(waiting.pop(handle))
        return set(waiting.values())
    finally:
        for handle in handles:
            os.close(handle)


def reap(pid: int) -> None:
    """Our own children stay as zombies until asked for; others' are not ours to ask for."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def start_all(processes: Iterable[Process], mark: str, report: Callable[[str], None]) -> dict[str, int]:
    """Starts many at once; their pids by name.

    A process comes after those it needs in the list too, so that the pool cannot run dry waiting.
    """
    running: dict[str, Future[int]] = {}

    def one(process: Process) -> int:
        for need in process.needs:
            running[need].result()
        pid = start(process, mark)
        report(process.name)
        return pid

    with ThreadPoolExecutor(max_workers=12, thread_name_prefix="start") as pool:
        for process in processes:
            running[process.name] = pool.submit(one, process)
    return {name: future.result() for name, future in running.items()}
