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

from pileus.deploy import packages, plan, state
from pileus.deploy.errors import DeployError
from pileus.deploy.process import environment, listening, pid_of
from pileus.deploy.state import Cloud

Report = Callable[[str], None]


def is_up(cloud: Cloud) -> bool:
    return pid_of(cloud.run / "supervisor.pid", cloud.hash) is not None


def launch(cloud: Cloud, report: Report, *, engines_only: bool = False) -> None:
    """Starts the supervisor and waits until it says that all is ready."""
    plan.make_folders(cloud)
    reader, writer = os.pipe()
    argv = supervisor_argv(cloud, ["--tell", str(writer), *(["--engines-only"] if engines_only else [])])
    with (cloud.log / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            argv, env=environment(cloud.hash), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, pass_fds=[writer],
        )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as told:
        for line in told:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "failed":
                raise DeployError(rest)
            if word == "ready" and not rest:
                return
            report(line.rstrip("\n"))
    raise DeployError(f"The supervisor ended before the cloud was ready: see {cloud.log / 'supervisor.log'}.")


def supervisor_argv(cloud: Cloud, more: list[str]) -> list[str]:
    return [*plan.PYTHON, "pileus.deploy.supervisor", "--state", str(cloud.folder), *more]


def check_machine(cloud: Cloud) -> None:
    """Says what is missing, before anything is started."""
    if pid_of(cloud.run / "serve.pid", cloud.hash) is None:  # else it is the controller that we shall adopt
        check_port(cloud.port)
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


def check_port(port: int) -> None:
    """The API's port and the next one, for bodies, must be free."""
    for number in (port, port + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                who = listener(number)
                taken = f"Port {number} is taken{f' by {who}' if who else ''}"
                raise DeployError(f"{taken}: choose another with --port (the next one is used too).") from error


def listener(port: int) -> str:
    """Who listens on a port, as far as we may know."""
    sockets = listening(port)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                for handle in (entry / "fd").iterdir():
                    if os.readlink(handle) in sockets:
                        return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
    return ""


def prepare(folder: Path, *, port: int | None, nodes: int | None, fake: bool) -> Cloud:
    """The cloud of this folder as it shall be: what was said before counts unless said anew."""
    cloud = state.read(folder)
    if cloud is None:
        cloud = state.new(folder, port=port or 5000, nodes=nodes or 1, fake=fake)
    if fake != cloud.fake:
        kind, other = ("fake", "without --fake") if cloud.fake else ("real", "with --fake")
        raise DeployError(f"{folder} holds a {kind} cloud, which cannot be started {other}: choose another --state.")
    if nodes is not None and nodes < cloud.nodes:
        raise DeployError(f"This cloud has {cloud.nodes} nodes: with --nodes it can grow, not shrink.")
    cloud.port, cloud.nodes = port or cloud.port, nodes or cloud.nodes
    return cloud


def save(cloud: Cloud) -> None:
    plan.make_folders(cloud)
    cloud.save()
    state.write_client_files(cloud)


def program(name: str) -> str:
    """How to call a program of ours from this shell: by its name where that is enough."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if shutil.which(name) is None and beside.exists() else name


def what_next(cloud: Cloud) -> str:
    pileus = program("pileus")
    here = "" if cloud.folder == state.default_folder() else f" --state {shlex.quote(str(cloud.folder))}"
    return f"""
The cloud is ready: {cloud.auth_url}
  eval "$({pileus} env{here} admin)"         then `{program("openstack")} ...` is its admin
  export OS_CLIENT_CONFIG_FILE={shlex.quote(str(cloud.folder / "clouds.yaml"))} OS_CLOUD=pileus    the same, by file
  {pileus} demo{here}     a network, an image and a first server, with a login to it
  {pileus} status{here}   what runs          {pileus} logs{here} -f   what it says
  {pileus} down{here}     stops it; the data stays"""
