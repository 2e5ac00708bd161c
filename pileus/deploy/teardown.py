"""Stopping a cloud so that nothing of it is left on the machine but its folder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pileus.deploy import hosts
from pileus.deploy.process import marked, pid_of, stop
from pileus.deploy.state import Cloud

# Who goes first: nobody may mistake the end of the others for an event (a node would report its guests as stopped).
ORDER = ("supervisor", "serve", "node", "qemu", "libvirtd", "virtlogd", "ovn-controller", "ovs-vswitchd", "")


def stop_cloud(cloud: Cloud, report: Callable[[str], None]) -> None:
    for pid in {pid_of(cloud.run / "supervisor.pid", cloud.hash)} - {None}:
        stop([pid] if pid else [], patience=0)  # it holds no state, and it would start again what ends
    for group in ORDER:
        pids = [pid for pid, words in members(cloud).items() if in_group(words, group)]
        if pids:
            report(f"stopping {group or 'the rest'} ({len(pids)})")
            stop(pids)
    for name in hosts.namespaces(cloud):
        hosts.remove_namespace(name)
    hosts.remove_device(cloud.prefix)
    remove_stale(cloud)


def remove_stale(cloud: Cloud) -> None:
    """Pid files and sockets of processes that are gone."""
    for pattern in (
        "run/*",
        "ovn/*",
        "hosts/*/*",
        "hosts/*/run/*",
        "hosts/*/libvirt/run/**/*",
        "hosts/*/libvirt/lib/**/*",
    ):
        for path in cloud.folder.glob(pattern):
            if path.suffix == ".pid" or path.is_socket():
                path.unlink(missing_ok=True)


def purge(cloud: Cloud) -> None:
    """Empties the folder of a stopped cloud; the folder itself may be a mount of its own."""
    for entry in cloud.folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def in_group(words: list[str], group: str) -> bool:
    if group in ("serve", "node"):
        return "pileus" in " ".join(words) and group in words
    return Path(words[0]).name.startswith("qemu" if group == "qemu" else group) if words else group == ""


def members(cloud: Cloud) -> dict[int, list[str]]:
    """Every process of the cloud and its words. Not ourselves, nor who called us.

    They are known by the mark, or by living in its namespaces: QEMU is given a clean environment.
    """
    inside = {("net", number) for number in namespace_inodes(cloud)}
    for host in cloud.hosts:
        pid = pid_of(host.holder, cloud.hash)
        if pid:
            inside.add(("mnt", inode(pid, "mnt")))
    # Whatever a stale pid file says: who shares namespaces with the whole machine is not ours by that.
    inside -= {(kind, inode(pid, kind)) for kind in ("net", "mnt") for pid in (1, os.getpid())} | {("mnt", -1)}
    spared = ancestors()
    found: dict[int, list[str]] = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if pid in spared:
            continue
        if marked(pid, cloud.hash) or any((kind, inode(pid, kind)) in inside for kind in ("net", "mnt")):
            found[pid] = words_of(pid)
    return found


def namespace_inodes(cloud: Cloud) -> set[int]:
    return {(hosts.NAMESPACES / name).stat().st_ino for name in hosts.namespaces(cloud) if hosts.exists(name)}


def inode(pid: int, kind: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return -1


def words_of(pid: int) -> list[str]:
    try:
        return [word.decode(errors="replace") for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return []


def ancestors() -> set[int]:
    pids, pid = set(), os.getpid()
    while pid > 0:
        pids.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
    return pids
