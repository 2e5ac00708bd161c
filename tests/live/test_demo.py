"""The demo as a newcomer runs it: from nothing to a login in a guest, twice, and once more after a power cut."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.cli.image import default_cache
from pileus.deploy import packages, process, teardown
from tests.live.test_up_down import Trial, traces, wait_for

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(packages.missing()), reason="needs the host packages"),
]

GREETING = "Hello from pileus"


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    made = Trial()
    try:
        made.up()
        yield made
    finally:
        made.forget()


def demo(trial: Trial) -> str:
    return trial.run("demo", "--cache", str(default_cache()), timeout=600).stdout


def test_the_demo_logs_in_to_its_first_server(trial: Trial) -> None:
    said = demo(trial)
    assert GREETING in said
    assert "ssh_config" in said and "pileus down" in said


def test_a_guest_is_confined(trial: Trial) -> None:
    (qemu,) = [pid for pid, words in teardown.members(trial.cloud).items() if "qemu-system" in words[0]]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{qemu}/status").read_text().splitlines())
    assert "0" not in status["Uid"].split() and int(status["CapEff"], 16) == 0
    assert status["Seccomp"] == "2", "QEMU's own filter of system calls"
    assert status["NoNewPrivs"] == "1"
    for kind in ("net", "mnt"):
        assert os.readlink(f"/proc/{qemu}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def test_a_second_demo_makes_nothing(trial: Trial) -> None:
    said = demo(trial)
    assert GREETING in said
    steps = [line for line in said.splitlines() if " s  " in line]
    assert [step for step in steps if "logging in" not in step] == []


def test_the_guest_is_back_after_a_power_cut(trial: Trial) -> None:
    cloud = trial.cloud
    supervisor = process.pid_of(cloud.run / "supervisor.pid", cloud.hash)
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    members = teardown.members(cloud)
    assert any(words[0].endswith("qemu-system-x86_64") for words in members.values())
    for pid in members:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not teardown.members(cloud))
    trial.up()
    assert GREETING in demo(trial)


def test_down_lets_guests_shut_down_and_up_starts_them_again(trial: Trial) -> None:
    (console,) = trial.folder.glob("hosts/node-1/node/instances/*/console.log")
    said = trial.run("down").stdout
    assert "asking 1 guest to shut down" in said and "did not" not in said
    assert "Power down" in console.read_text(errors="replace")[-2000:]
    trial.up()
    assert GREETING in demo(trial)


def test_down_now_takes_the_guests_along(trial: Trial) -> None:
    cloud = trial.cloud
    trial.run("down", "--now")
    left = traces(cloud)
    assert not any(left.values()), left
