"""Stopping a cloud so that nothing of it is left on the machine but its folder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from pileus.deploy import hosts
from pileus.deploy.errors import DeployError
from pileus.deploy.process import marked, pid_of, run, stop, wait_for_ends, words_of
from pileus.deploy.state import Cloud

PATIENCE = 30.0  # seconds that guests get to shut down by themselves

# Who goes first: nobody may mistake the end of the others for an event (a node would report its guests as stopped).
ORDER = ("serve", "node", "qemu", "libvirtd", "virtlogd", "ovn-controller", "ovs-vswitchd", "")


def stop_cloud(cloud: Cloud, report: Callable[[str], None], patience: float = 0.0) -> None:
    """With some patience guests may shut down first; without, it is a power cut to them. Either way they are records
    that say `running`, and come back with the next start."""
    # At once: it holds no state, and it would start again what ends. (It is no member of itself.)
    stop([pid for pid, words in members(cloud).items() if "pileus.deploy.supervisor" in words], patience=0)
    for group in ORDER:
        if group == "qemu" and patience:
            ask_guests(cloud, report, patience)  # now that no node is there to take it for the guests' own wish
        pids = [pid for pid, words in members(cloud).items() if in_group(words, group)]
        if pids:
            report(f"stopping {group or 'the rest'} ({len(pids)})")
            stop(pids)
    for name in hosts.namespaces(cloud):
        hosts.remove_namespace(name)
    hosts.remove_device(cloud.prefix)
    remove_stale(cloud)


def ask_guests(cloud: Cloud, report: Callable[[str], None], patience: float) -> None:
    """Presses the power button of every guest, and waits until they are off, but not for ever."""
    guests = [pid for pid, words in members(cloud).items() if in_group(words, "qemu")]
    if not guests:
        return
    report(f"asking {len(guests)} guest{'s' if len(guests) > 1 else ''} to shut down, for at most {patience:.0f} s")
    for host in cloud.hosts:
        virsh = ("virsh", "--quiet", "--connect", f"qemu+unix:///system?socket={host.libvirt_socket}")
        try:
            for name in run(*virsh, "list", "--name").split():
                run(*virsh, "shutdown", name, "--mode", "acpi")
        except DeployError as error:  # no libvirt, or a guest that is just ending: the rest is done the hard way
            report(f"{host.name}: {error}")
    if left := wait_for_ends(guests, patience):
        report(f"{len(left)} did not in time")


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
    if not cloud.folder.is_dir():
        return
    for entry in cloud.folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def in_group(words: list[str], group: str) -> bool:
    if group in ("serve", "node"):
        return "pileus" in " ".join(words) and group in words
    name = Path(words[0]).name if words else ""
    if group == "qemu":
        return name.startswith("qemu") and name != "qemu-nbd"  # which serves guests' disks until they are off
    return name.startswith(group)


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


def ancestors() -> set[int]:
    pids, pid = set(), os.getpid()
    while pid > 0:
        pids.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
    return pids
