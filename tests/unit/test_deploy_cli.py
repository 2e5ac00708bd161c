"""The command line on a fake cloud, and what it says when something is missing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pileus import settings
from pileus.cli import COMMANDS, main
from pileus.deploy import demo, machine, process, state, teardown, up
from pileus.deploy.client import Client
from tests.ports import free_port


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


def test_settings_come_from_a_file_and_stay(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"security_compliance": {"lockout_failure_attempts": 2}, "dhcp_domain": "here"}')
    cloud = state.new(tmp_path / "cloud", port=6000, nodes=1, fake=True)
    cloud.folder.mkdir()
    cloud.save(state.options(file))
    cloud.save()
    found = settings.load(cloud.folder)
    assert found.security_compliance.lockout_failure_attempts == 2 and found.dhcp_domain == "here"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "cannot be used"),
        ("[]", "no object"),
        ('{"dhcp_domian": "x"}', "dhcp_domian"),
        ('{"security_compliance": {"lockout": 2}}', "security_compliance.lockout"),
        ('{"security_compliance": {"lockout_duration": "5"}}', "int"),
        ('{"security_compliance": {"lockout_duration": -5}}', "below 0"),
        ('{"security_compliance": {"password_regex": "("}}', "regular expression"),
        ('{"port": 7}', "port"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_the_reason(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    code, said = pileus("up", "--fake", "--state", str(tmp_path / "cloud"), "--settings", str(file))
    assert code == 1 and word in said


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


def test_a_second_cloud_on_the_same_port_is_told_of_the_first(fake: Path, tmp_path: Path) -> None:
    cloud = state.read(fake)
    assert cloud is not None
    code, said = pileus("up", "--fake", "--state", str(tmp_path), "--port", str(cloud.port))
    assert code == 1 and f"by the cloud in {fake}" in said and "such as `--port" in said


def test_the_clouds_of_a_machine_are_found_by_what_runs_of_them(fake: Path) -> None:
    assert fake in {cloud.folder for cloud in machine.clouds()}
    code, said = pileus("status", "--all")
    assert code == 0 and str(fake) in said


def test_keys_that_the_operator_rotates_are_the_controllers(fake: Path) -> None:
    code, said = pileus("identity", "rotate-keys", "--state", str(fake))
    assert code == 0, said
    for folder in (path for path in fake.glob("keys*") if path.is_dir()):
        assert {path.stat().st_uid for path in folder.iterdir()} == {folder.stat().st_uid}
    cloud = state.read(fake)
    assert cloud is not None
    assert Client(cloud.auth_url, "admin", state.passwords(fake)["admin_password"], "admin").token


def test_a_killed_supervisor_is_replaced_and_the_controller_stays(fake: Path) -> None:
    cloud = state.read(fake)
    assert cloud is not None
    pids = [process.pid_of(cloud.run / f"{name}.pid", cloud.hash) for name in ("supervisor", "serve")]
    assert pids[0] and pids[1]
    process.stop([pids[0]], patience=0)
    code, said = pileus("status", "--state", str(fake))
    assert code == 1 and "degraded" in said
    code, said = pileus("up", "--fake", "--state", str(fake))
    assert code == 0, said
    assert process.pid_of(cloud.run / "serve.pid", cloud.hash) == pids[1]


def test_a_cloud_ends_with_the_process_it_was_for() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pileus-"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as purpose:
        options = ["--state", str(folder), "--port", str(free_port()), "--for-pid", str(purpose.pid)]
        code, said = pileus("up", "--fake", *options)
        assert code == 0, said
        cloud = state.read(folder)
        assert cloud is not None
        supervisor = process.pid_of(cloud.run / "supervisor.pid", cloud.hash)
        assert supervisor
        purpose.kill()
    assert process.wait_for_ends([supervisor], 20) == set()
    assert not folder.exists()
    code, said = pileus("up", "--fake", "--state", str(folder), "--for-pid", str(purpose.pid))
    assert code == 1 and f"no process {purpose.pid}" in said


def test_a_start_that_fails_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    options = ["--state", str(tmp_path), "--port", str(free_port())]
    assert pileus("up", "--fake", *options)[0] == 0
    assert pileus("down", "--state", str(tmp_path))[0] == 0
    for leftover in tmp_path.glob("pileus.db*"):
        leftover.write_text("no database")
    code, said = pileus("up", "--fake", *options)
    assert code == 1 and "serve ended at once" in said and "not a database" in said and "serve.log" in said
    cloud = state.read(tmp_path)
    assert cloud is not None and not teardown.members(cloud)


def test_ctrl_c_in_the_foreground_stops_the_cloud(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "pileus", "up", "--fake", "--foreground", "--state", str(tmp_path)]
    with subprocess.Popen([*argv, "--port", str(free_port())], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert any(line == "ready\n" for line in running.stdout)
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    cloud = state.read(tmp_path)
    assert cloud is not None and not teardown.members(cloud)


def test_a_cloud_whose_folder_is_gone_can_still_be_stopped() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pileus-"))
    assert pileus("up", "--fake", "--state", str(folder), "--port", str(free_port()))[0] == 0
    cloud = state.read(folder)
    assert cloud is not None
    shutil.rmtree(folder, ignore_errors=True)  # what runs may add a file meanwhile
    (left,) = [found for found in machine.clouds() if found.hash == cloud.hash]
    teardown.stop_cloud(left, lambda _: None)
    assert cloud.hash not in {found.hash for found in machine.clouds()}
    shutil.rmtree(folder, ignore_errors=True)


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


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["upp"], "Did you mean 'up'?"),
        (["xyzzy"], "There are up, demo"),
        (["up", "--nodes", "x"], "--nodes"),
        (["up", "--nodes", "0"], "1<=x<=99"),
        (["up", "--port", "65535"], "--port"),
        (["up", "--fke"], "--fake"),
        (["up", "--for-pid", "0"], "--for-pid"),
        (["env", "nobody"], "'admin', 'demo'"),
        (["down", "--all", "--purge"], "--state"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words: list[str], meant: str) -> None:
    code, said = pileus(*words)
    assert code == 2 and meant in said


@pytest.mark.parametrize("verb", ["", *COMMANDS])
def test_every_verb_has_help(verb: str) -> None:
    code, said = pileus(*([verb] if verb else []), "--help")
    assert code == 0
    assert verb in ("serve", "node") or "Examples:" in said


def test_the_version_is_told() -> None:
    code, said = pileus("--version")
    assert code == 0 and said.startswith("pileus ")


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"id": 1}', "\udc80"])
@pytest.mark.parametrize("verb", ["up", "status", "down", "env", "fsck"])
def test_a_damaged_cloud_json_is_said_to_be_one(tmp_path: Path, verb: str, text: str) -> None:
    (tmp_path / "cloud.json").write_bytes(text.encode(errors="surrogateescape"))
    code, said = pileus(verb, "--state", str(tmp_path))
    assert code == 1 and "cloud.json is not as `pileus up` wrote it" in said


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    code, said = pileus("up", "--fake", "--state", str(tmp_path), "--port", str(free_port()))
    assert code == 1 and "thesis.tex" in said
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_of_the_state_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = pileus("up", "--fake", "--state", str(tmp_path / "file" / "state"), "--port", str(free_port()))
    assert code == 1 and "is not a folder" in said


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "FAKE_DISK", 1 << 40)
    code, said = pileus("up", "--fake", "--state", str(tmp_path / "state"), "--port", str(free_port()))
    assert code == 1 and "MiB are free on the disk" in said and not (tmp_path / "state").exists()


def test_too_little_memory_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "available_memory", lambda: 100)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(up.packages, "missing", list)
    monkeypatch.setattr(up, "REAL_DISK", 0)
    code, said = pileus("up", "--nodes", "2", "--state", str(tmp_path / "state"), "--port", str(free_port()))
    assert code == 1 and "100 MiB of memory" in said and "2 nodes" in said and not (tmp_path / "state").exists()


def test_a_controller_without_a_cloud_says_who_makes_one(tmp_path: Path) -> None:
    code, said = pileus("serve", "--state", str(tmp_path / "none"))
    assert code == 1 and "pileus up" in said and not (tmp_path / "none").exists()


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
