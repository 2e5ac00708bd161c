"""The command line on a fake cloud, and what it says when something is missing."""

import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pileus.cli import main
from pileus.deploy import demo, process, state, up
from pileus.deploy.client import Client


def free_port() -> int:
    """Free with the next one, and below the range that the kernel gives to clients."""
    while True:
        port = random.randrange(20000, 32000, 2)
        try:
            up.check_port(port)
        except up.DeployError:
            continue
        return port


def pileus(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def fake() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pileus-") as folder:
        port = free_port()
        code, said = pileus("up", "--fake", "--state", folder, "--port", str(port))
        assert code == 0, said
        yield Path(folder)
        pileus("down", "--state", folder)


def test_up_fake_gives_a_cloud_with_tokens(fake: Path) -> None:
    cloud = state.read(fake)
    assert cloud is not None
    assert Client(cloud.auth_url, "admin", state.passwords(fake)["admin_password"], "admin").token


def test_a_second_up_says_that_it_runs(fake: Path) -> None:
    code, said = pileus("up", "--fake", "--state", str(fake))
    assert (code, "running already" in said) == (0, True)


def test_a_running_cloud_is_not_given_another_port(fake: Path) -> None:
    code, said = pileus("up", "--fake", "--state", str(fake), "--port", "6001")
    assert code == 1 and "pileus down" in said


def test_the_demo_provisions_a_fake_cloud_and_repeating_it_makes_nothing(fake: Path, tmp_path: Path) -> None:
    code, said = pileus("demo", "--state", str(fake), "--cache", str(tmp_path))
    assert code == 0, said
    assert "server demo" in said and "floating IP" in said
    code, again = pileus("demo", "--state", str(fake), "--cache", str(tmp_path))
    assert code == 0 and " s  " not in again, again


def test_status_lists_what_runs(fake: Path) -> None:
    code, said = pileus("status", "--state", str(fake))
    assert code == 0 and "serve" in said and "running" in said


def test_env_can_be_evaluated_by_a_shell(fake: Path) -> None:
    _, said = pileus("env", "--state", str(fake), "demo")
    shell = subprocess.run(["sh"], input=said + 'printf %s "$OS_USERNAME"', capture_output=True, text=True, check=True)
    assert shell.stdout == "demo"


def test_clouds_yaml_knows_admin_and_demo(fake: Path) -> None:
    import yaml

    clouds = yaml.safe_load((fake / "clouds.yaml").read_text())["clouds"]
    assert set(clouds) == {"pileus", "pileus-admin", "pileus-demo"}
    assert clouds["pileus-demo"]["auth"]["password"] == state.passwords(fake)["demo_password"]


def test_logs_of_an_unknown_process_name_those_there_are(fake: Path) -> None:
    code, said = pileus("logs", "--state", str(fake), "nothing")
    assert code == 1 and "serve" in said


def test_a_port_in_use_is_named_with_who_uses_it(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = pileus("up", "--fake", "--state", str(tmp_path), "--port", str(port))
    assert code == 1 and f"Port {port} is taken" in said and f"(pid {os.getpid()})" in said and "--port" in said


def test_without_root_a_real_cloud_points_to_the_fake_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, said = pileus("up", "--state", str(tmp_path), "--port", str(free_port()))
    assert code == 1 and "--fake" in said and len(said.strip().splitlines()) == 1


def test_missing_host_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pileus.deploy import packages

    monkeypatch.setattr(packages, "PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    code, said = pileus("up", "--state", str(tmp_path / "state"), "--port", str(free_port()))
    assert code == 1 and "ovn-central" in said and "make setup" in said


def test_a_folder_without_a_cloud_is_said_to_be_one(tmp_path: Path) -> None:
    for verb in ("down", "status", "env", "logs", "demo"):
        code, said = pileus(verb, "--state", str(tmp_path))
        assert code == 1 and "pileus up" in said, verb


def test_a_process_of_another_cloud_is_not_taken_for_ours(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={process.MARK: "other"})
    try:
        (tmp_path / "x.pid").write_text(f"{stranger.pid}\n")
        assert process.pid_of(tmp_path / "x.pid", "ours") is None
    finally:
        stranger.communicate(b"\n")


def test_a_daemon_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "raise SystemExit('no room left')")
    wanted = process.Process("x", argv, tmp_path / "x.pid", tmp_path / "x.log", forks=False, sockets=(tmp_path / "s",))
    with pytest.raises(up.DeployError, match="no room left"):
        process.start(wanted, "ours")


def test_the_empty_image_of_a_fake_demo_is_a_qcow2() -> None:
    assert demo.EMPTY_QCOW2.startswith(b"QFI\xfb\0\0\0\x02")
