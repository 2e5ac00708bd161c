"""Bringing a cloud up and down, as the command line and the lab do it."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pileus.deploy import packages, plan, state
from pileus.deploy.errors import DeployError
from pileus.deploy.process import environment, folder_of, listening, log_end, pid_of
from pileus.deploy.state import Cloud
from pileus.deploy.teardown import members

Report = Callable[[str], None]

# MiB below which a start is refused: less than this and it fails half way, with a worse sentence.
BASE_MEMORY, NODE_MEMORY = 448, 320
FAKE_DISK, REAL_DISK = 64, 1024


def is_up(cloud: Cloud) -> bool:
    return pid_of(cloud.run / "supervisor.pid", cloud.hash) is not None


def launch(cloud: Cloud, report: Report, *, engines_only: bool = False, for_pid: int | None = None) -> None:
    """Starts the supervisor and waits until it says that all is ready."""
    plan.make_folders(cloud)
    reader, writer = os.pipe()
    argv = supervisor_argv(cloud, for_pid, ["--tell", str(writer), *(["--engines-only"] if engines_only else [])])
    with (cloud.log / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            argv, env=environment(cloud.hash), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, pass_fds=[writer],
        )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as told:
        for line in told:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "failed":
                with suppress(subprocess.TimeoutExpired):
                    supervisor.wait(10)  # it has cleaned up, and is about to end
                raise DeployError(rest)
            if word == "ready" and not rest:
                return
            report(line.rstrip("\n"))
    raise DeployError(f"The supervisor ended before the cloud was ready: {log_end(cloud.log / 'supervisor.log')}.")


def supervisor_argv(cloud: Cloud, for_pid: int | None, more: list[str]) -> list[str]:
    purpose = [] if for_pid is None else ["--for-pid", str(for_pid)]
    return [*plan.PYTHON, "pileus.deploy.supervisor", "--state", str(cloud.folder), *purpose, *more]


def check_machine(cloud: Cloud) -> None:
    """Says what is missing, before anything is started."""
    if pid_of(cloud.run / "serve.pid", cloud.hash) is None:  # else it is the controller that we shall adopt
        check_port(cloud.port)
    check_room(cloud)
    if cloud.fake:
        return
    if os.geteuid() != 0:
        raise DeployError(
            "A real cloud needs root, for namespaces and virtual machines: use sudo, or `pileus up --fake`."
        )
    packages.require()
    if not Path("/dev/net/tun").exists():
        raise DeployError(
            "/dev/net/tun is missing, guests have no network without: `modprobe tun`, or `pileus up --fake`."
        )
    needed = BASE_MEMORY + cloud.nodes * NODE_MEMORY
    if (available := available_memory()) < needed and not any(members(cloud)):
        nodes = f"{cloud.nodes} node{'s' if cloud.nodes > 1 else ''}"
        raise DeployError(
            f"{available} MiB of memory are available, and a cloud of {nodes} with a first small guest takes"
            f" {needed} MiB: stop something else, or try `pileus up --fake`."
        )


def check_room(cloud: Cloud) -> None:
    """Enough of the disk must be left for a start to succeed."""
    folder = next(path for path in (cloud.folder, *cloud.folder.parents) if path.exists())
    free, needed = shutil.disk_usage(folder).free >> 20, FAKE_DISK if cloud.fake else REAL_DISK
    if free < needed:
        raise DeployError(
            f"{free} MiB are free on the disk of {cloud.folder}, and a cloud needs {needed} MiB to begin with: make"
            " room, or choose a --state on another disk."
        )


def available_memory() -> int:
    """MiB that can be had without pushing others out; plenty where the kernel does not say."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) >> 10
    return sys.maxsize


def check_port(port: int) -> None:
    """The API's port and the next one, for bodies, must be free."""
    for number in (port, port + 1):
        try:
            bind(number)
        except PermissionError as error:
            raise DeployError(f"Port {number} is only for root: choose one above 1023 with --port.") from error
        except OSError as error:
            who, why = listener(number), " (for the bodies of images and objects)" if number != port else ""
            free = next((other for other in range(port + 2, min(port + 100, 65535), 2) if is_free(other)), None)
            way = f"choose another, such as `--port {free}`" if free else "choose another with --port"
            raise DeployError(f"Port {number}{why} is taken{f' by {who}' if who else ''}: {way}.") from error


def bind(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def is_free(port: int) -> bool:
    """Together with the next one."""
    try:
        bind(port)
        bind(port + 1)
    except OSError:
        return False
    return True


def listener(port: int) -> str:
    """Who listens on a port, as far as we may know."""
    sockets = listening(port)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                for handle in (entry / "fd").iterdir():
                    if os.readlink(handle) in sockets:
                        pid = int(entry.name)
                        folder = folder_of(pid)
                        name = f"the cloud in {folder}" if folder else (entry / "comm").read_text().strip()
                        return f"{name} (pid {pid})"
    return ""


def prepare(folder: Path, *, port: int | None, nodes: int | None, fake: bool) -> Cloud:
    """The cloud of this folder as it shall be: what was said before counts unless said anew."""
    cloud = state.read(folder)
    if cloud is None:
        state.refuse_foreign(folder)
        cloud = state.new(folder, port=port or 5000, nodes=nodes or 1, fake=fake)
    if fake != cloud.fake:
        kind, way = ("fake", "with `pileus up --fake`") if cloud.fake else ("real", "without --fake")
        raise DeployError(f"{folder} holds a {kind} cloud: start it {way}, or choose another --state for this one.")
    if nodes is not None and nodes < cloud.nodes:
        raise DeployError(f"This cloud has {cloud.nodes} nodes: with --nodes it can grow, not shrink.")
    cloud.port, cloud.nodes = port or cloud.port, nodes or cloud.nodes
    return cloud


def save(cloud: Cloud, options: dict[str, Any] | None = None) -> None:
    cloud.folder.mkdir(parents=True, exist_ok=True)
    state.write_client_files(cloud)
    cloud.save(options)
    plan.make_folders(cloud)


def activation() -> str:
    """The command that makes `pileus` and `openstack` known to this shell; empty where they are."""
    beside = Path(sys.executable).with_name("activate")
    return "" if shutil.which("pileus") or not beside.exists() else f". {shlex.quote(str(beside))}"


def option(cloud: Cloud) -> str:
    """What to add to a verb so that it means this cloud."""
    return "" if cloud.folder == state.default_folder() else f" --state {shlex.quote(str(cloud.folder))}"


def hints(*lines: tuple[str, str]) -> str:
    """Commands and what they are for, one below the other."""
    first = [(command, "once in a shell: makes the commands below known")] if (command := activation()) else []
    every = [*first, *lines]
    width = min(60, max(len(command) for command, _ in every))
    return "\n".join(f"  {command:{width}}  {why}".rstrip() for command, why in every)


def what_next(cloud: Cloud) -> str:
    here = option(cloud)
    return f"\nThe cloud is ready: {cloud.auth_url}\n" + hints(
        (f"pileus demo{here}", "a network, an image and a first server, with a login to it"),
        (f'eval "$(pileus env{here} admin)"', "then `openstack ...` is its admin"),
        (f"pileus status{here}", "what runs"),
        (f"pileus logs{here} -f", "what it says"),
        (f"pileus down{here}", "stops it; the data stays"),
    )
