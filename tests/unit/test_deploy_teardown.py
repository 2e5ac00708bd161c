"""Which processes belong to a cloud: stopping it must not reach one more."""

import os
import subprocess
import sys
from pathlib import Path

from pileus.deploy import plan, state, teardown
from pileus.deploy.process import MARK


def sleeper(mark: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, env={MARK: mark})  # fmt: skip


def test_only_processes_with_the_clouds_mark_belong_to_it(tmp_path: Path) -> None:
    cloud = state.new(tmp_path, port=5000, nodes=1, fake=False)
    ours, others = sleeper(cloud.hash), sleeper("other")
    try:
        for child in (ours, others):
            assert child.stdout
            child.stdout.readline()
        assert set(teardown.members(cloud)) == {ours.pid}
    finally:
        ours.communicate(b"\n")
        others.communicate(b"\n")


def test_a_stale_holder_does_not_make_the_whole_machine_part_of_the_cloud(tmp_path: Path) -> None:
    cloud = state.new(tmp_path, port=5000, nodes=1, fake=False)
    plan.make_folders(cloud)
    ours = sleeper(cloud.hash)
    try:
        assert ours.stdout
        ours.stdout.readline()
        # The number of a holder that is gone, given since to a process of this cloud outside the host.
        cloud.hosts[0].holder.write_text(f"{ours.pid}\n")
        assert set(teardown.members(cloud)) == {ours.pid}
    finally:
        ours.communicate(b"\n")


def test_the_caller_and_who_called_it_are_spared() -> None:
    assert {os.getpid(), os.getppid()} <= teardown.ancestors()


def test_stale_sockets_and_pid_files_go_and_data_stays(tmp_path: Path) -> None:
    cloud = state.new(tmp_path, port=5000, nodes=1, fake=False)
    plan.make_folders(cloud)
    host = cloud.hosts[0]
    (host.run / "node.pid").write_text("1\n")
    (host.run / "conf.db").write_text("data")
    teardown.remove_stale(cloud)
    assert not (host.run / "node.pid").exists() and (host.run / "conf.db").exists()
