"""A real cloud on this machine: brought up, hurt, brought up again, and gone without a trace. Needs root and the engines."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.deploy import hosts, packages, plan, state, teardown
from pileus.deploy.process import marked, pid_of
from tests.ports import free_port

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(packages.missing()), reason="needs the host packages"),
]


class Trial:
    """One cloud and the command line on it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pileus-live-"))  # pytest's own folders can be too long for sockets
        self.port = free_port()

    def run(self, *words: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "pileus", words[0], "--state", str(self.folder), *words[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self, *words: str) -> str:
        """It ends with these tests, however they end."""
        return self.run("up", "--port", str(self.port), "--for-pid", str(os.getpid()), *words).stdout

    def forget(self) -> None:
        if state.read(self.folder):
            self.run("down", "--purge", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def cloud(self) -> state.Cloud:
        cloud = state.read(self.folder)
        assert cloud is not None
        return cloud

    def pids(self) -> dict[str, int]:
        report = json.loads(self.run("status", "--json", check=False).stdout)
        return {process["name"]: process["pid"] for process in report["processes"]}

    def token(self) -> str:
        password = state.passwords(self.folder)["admin_password"]
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        request = urllib.request.Request(f"{self.cloud.auth_url}/auth/tokens", json.dumps(body).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(response.headers["X-Subject-Token"])


def wait_for(what: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def traces(cloud: state.Cloud) -> dict[str, set[str]]:
    """What of a cloud can be seen on the machine. Other clouds may come and go meanwhile."""
    words = (str(cloud.folder), cloud.prefix)
    commands = {
        int(entry.name): (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and (entry / "cmdline").exists()
    }
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "namespaces": {name for name in os.listdir("/run/netns") if cloud.prefix in name},
        "devices": {name for name in hosts.devices() if cloud.prefix in name},
        "mounts": {line for line in mounts if any(word in line for word in words)},
        "processes": {f"{pid} {text}" for pid, text in commands.items() if marked(pid, cloud.hash) or words[0] in text},
    }


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    made = Trial()
    try:
        made.up("--nodes", "2")
        yield made
    finally:
        made.forget()


def test_a_cloud_of_two_hosts_comes_up_and_gives_tokens(trial: Trial) -> None:
    assert trial.token()
    chassis = subprocess.run(
        ["ovn-sbctl", f"--db=unix:{trial.cloud.ovn}/sb.sock", "--bare", "--columns=name", "list", "Chassis"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(chassis.stdout.split()) == {"node-1", "node-2"}


def test_hosts_reach_each_other_over_the_underlay(trial: Trial) -> None:
    first, second = trial.cloud.hosts
    ping = ["ping", "-c", "1", "-W", "5", second.tunnel_address]
    assert subprocess.run([*plan.enter_host(first), *ping], capture_output=True).returncode == 0


def test_a_host_sees_none_of_the_machines_disks_and_libvirt(trial: Trial) -> None:
    inside = plan.enter_host(trial.cloud.hosts[0])
    devices = subprocess.run([*inside, "ls", "/dev"], capture_output=True, text=True, check=True).stdout.split()
    assert "null" in devices and not [name for name in devices if name.startswith(("vd", "sd", "nvme"))]
    about = subprocess.run([*inside, "virsh", "hostname"], capture_output=True, text=True, check=True).stdout
    assert about.strip() == "node-1"


def test_the_controller_is_not_root(trial: Trial) -> None:
    status = Path(f"/proc/{trial.pids()['serve']}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


def listeners(pid: int) -> dict[str, str]:
    """Local address by socket, of what listens for TCP or has a UDP port in the network namespace of a process."""
    found = {}
    for table, state_of_server in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == state_of_server:
                found[f"socket:[{words[9]}]"] = words[1]
    return found


def sockets_of(pid: int) -> set[str]:
    """Of a process that may end meanwhile: nodes run short ones all the time."""
    with contextlib.suppress(FileNotFoundError):
        return {os.readlink(handle) for handle in Path(f"/proc/{pid}/fd").iterdir()}
    return set()


def test_only_the_api_listens_on_the_machine_and_only_on_loopback(trial: Trial) -> None:
    ours = set().union(*(sockets_of(pid) for pid in teardown.members(trial.cloud)))
    loopback = "0100007F"
    heard = {address for socket, address in listeners(os.getpid()).items() if socket in ours}
    assert heard == {f"{loopback}:{number:04X}" for number in (trial.port, trial.port + 1)}


def test_no_engine_listens_on_the_network_of_its_host(trial: Trial) -> None:
    for host in trial.cloud.hosts:
        holder = pid_of(host.holder, trial.cloud.hash)
        assert holder is not None and listeners(holder) == {}


def test_a_stranger_on_the_machine_gets_into_nothing(trial: Trial) -> None:
    folder = trial.folder
    assert folder.stat().st_mode & 0o007 == 0, "nobody else passes through the state folder, whatever is in it"
    for name in ("secrets.json", "clouds.yaml", "keystonerc_admin", "keystonerc_demo"):
        assert (folder / name).stat().st_mode & 0o077 == 0, name
    assert (folder / "keys").stat().st_mode & 0o077 == 0
    for socket in (path for path in folder.rglob("*.sock") if path.is_socket() and "libvirt/lib" not in str(path)):
        assert socket.stat().st_mode & 0o007 == 0, socket


def test_the_controller_cannot_become_more_than_it_is(trial: Trial) -> None:
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{trial.pids()['serve']}/status").read_text().splitlines()
    )
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"] == "1"


def test_a_second_up_changes_nothing(trial: Trial) -> None:
    before = trial.pids()
    assert "running already" in trial.up()
    assert trial.pids() == before


def test_a_killed_switch_comes_back_with_its_address(trial: Trial) -> None:
    host = trial.cloud.hosts[0]
    old = trial.pids()["node-1/ovs-vswitchd"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: trial.pids()["node-1/ovs-vswitchd"] not in (None, old))
    ping = ["ping", "-c", "1", "-W", "1", trial.cloud.hosts[1].tunnel_address]
    wait_for(lambda: subprocess.run([*plan.enter_host(host), *ping], capture_output=True).returncode == 0)


def test_engines_outlive_the_supervisor_and_are_adopted(trial: Trial) -> None:
    before = trial.pids()
    os.kill(before["supervisor"], signal.SIGKILL)
    wait_for(lambda: trial.pids()["supervisor"] is None)
    trial.up()
    after = trial.pids()
    assert after.pop("supervisor") != before.pop("supervisor")
    assert after == before


def test_after_a_power_cut_everything_comes_back_with_its_data(trial: Trial) -> None:
    database = f"--db=unix:{trial.cloud.ovn}/nb.sock"
    subprocess.run(["ovn-nbctl", database, "--may-exist", "ls-add", "kept"], check=True)
    before = trial.pids()
    # All at once, the supervisor first, so that nobody starts anything again.
    os.kill(before["supervisor"], signal.SIGKILL)
    for pid in teardown.members(trial.cloud):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(trial.pids().values()))
    # A restart takes the namespaces too, and leaves pid files that name whoever has the number now.
    for name in hosts.namespaces(trial.cloud):
        hosts.remove_namespace(name)
    hosts.remove_device(trial.cloud.prefix)
    for file in trial.folder.glob("**/run/*.pid"):
        file.write_text(f"{os.getpid()}\n")
    trial.up()
    assert not set(trial.pids().values()) & set(before.values())
    listed = subprocess.run(["ovn-nbctl", database, "ls-list"], capture_output=True, text=True, check=True).stdout
    assert "(kept)" in listed
    assert trial.token()


def test_two_clouds_live_side_by_side(trial: Trial) -> None:
    other = Trial()
    try:
        other.up()
        assert other.cloud.external.cidr != trial.cloud.external.cidr
        assert other.token() and trial.token()
        before = trial.pids()
        other.run("down", "--purge")
        assert trial.pids() == before
    finally:
        other.forget()


def test_down_leaves_no_trace_and_up_brings_it_back(trial: Trial) -> None:
    cloud = trial.cloud
    seen = traces(cloud)
    assert all(seen.values()) or not seen["mounts"], "else the comparison below is of nothing"
    trial.run("down")
    left = traces(cloud)
    assert not any(left.values()), left
    assert not [path for path in cloud.folder.rglob("*") if path.is_socket()]
    trial.up()
    assert trial.token()


def test_a_stopped_cloud_says_so(trial: Trial) -> None:
    trial.run("down")
    assert trial.run("status", check=False).returncode == 1
    assert pid_of(trial.cloud.run / "supervisor.pid", trial.cloud.hash) is None
    trial.run("down")  # once more is no mistake
