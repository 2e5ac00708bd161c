"""The process that keeps one host's private mount and host-name namespaces, like a container's pause process.

    nsenter --net=/run/netns/NS python -m pileus.deploy.hold HOST_FOLDER NAME kvm|tcg

Makes the namespaces, lays the host's own /dev, /run, /sys and libvirt folders over the machine's, writes
run/hold.pid, becomes `sleep infinity`. Nothing of it is seen outside, and all is gone with the last process inside.
"""

import ctypes
import os
import stat
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS = 0x00020000, 0x04000000
MNT_DETACH = 2
MS_NOSUID, MS_BIND, MS_REC, MS_SLAVE = 0x2, 0x1000, 0x4000, 0x80000

# Where libvirt and OVS look, and what lies there instead: folders of the host.
OVER = {
    "/etc/libvirt": "libvirt/etc",
    "/var/lib/libvirt": "libvirt/lib",
    "/var/log/libvirt": "libvirt/log",
    "/var/cache/libvirt": "libvirt/cache",
    "/run/libvirt": "libvirt/run",
    "/run/openvswitch": "run",
    # The node's folder under a path of its own: QEMU runs as another user and could not pass through, say, /root;
    # and it is the same on every host, as live migration likes it.
    "/run/pileus/node": "node",
}

# The devices of a host. /dev/kvm is one of them only where it works: libvirt would try it again for every guest.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse", "loop-control", "net/tun", "vhost-net")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    encoded = [text.encode() if text is not None else None for text in (source, target, kind, data)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount on {target}")


def lay_over(host: Path) -> None:
    """The host's folders over the machine's."""
    mount("none", "/", None, MS_REC | MS_SLAVE)
    # /sys shows the network devices of the namespace it was mounted in. The control groups below the machine's are not
    # in ours: libvirt does without them, and leaves no empty ones behind.
    check(libc.umount2(b"/sys", MNT_DETACH), "umount /sys")
    mount("sysfs", "/sys", "sysfs")
    # Held open: the folder itself may be below /run, which the next line hides.
    folder = os.open(host, os.O_PATH)
    state = os.open(host.parent.parent, os.O_PATH)
    mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    if host.is_relative_to("/run"):
        host.parent.parent.mkdir(parents=True)
        mount(f"/proc/self/fd/{state}", str(host.parent.parent), None, MS_BIND)
    for target, source in OVER.items():
        os.makedirs(target, exist_ok=True)
        mount(f"/proc/self/fd/{folder}/{source}", target, None, MS_BIND)
    os.makedirs("/run/lock", exist_ok=True)
    # Names of the hosts, and no name server: there is none to be reached, and libvirt asks for its own name whenever
    # it starts a guest.
    for name in ("hosts", "resolv.conf"):
        if os.path.exists(f"/etc/{name}"):
            mount(f"/proc/self/fd/{state}/run/{name}", os.path.realpath(f"/etc/{name}"), None, MS_BIND)
    os.close(folder)
    os.close(state)


def make_devices(accel: str) -> None:
    """A /dev with what a host needs and none of the machine's disks."""
    known = {name: os.stat(f"/dev/{name}") for name in (*DEVICES, "kvm") if os.path.exists(f"/dev/{name}")}
    # Taken away, not covered: libvirt moves everything that /proc/mounts has below /dev.
    libc.umount2(b"/dev", MNT_DETACH)  # refused where it is no mount of its own
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755")
    for name, about in known.items():
        if name == "kvm" and accel != "kvm":
            continue
        path = f"/dev/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mknod(path, about.st_mode, about.st_rdev)
        # Guests' QEMU is no root; a machine's own rules for /dev/kvm may not know that.
        os.chmod(path, 0o666 if name == "kvm" else stat.S_IMODE(about.st_mode))
    os.mkdir("/dev/pts")
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID, "mode=620,ptmxmode=666")
    os.mkdir("/dev/shm", 0o1777)  # noqa: S108
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID, "mode=1777")  # noqa: S108
    links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
    for link, target in links.items():
        os.symlink(target, f"/dev/{link}")


def main(host: Path, name: str, accel: str) -> None:
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS), "unshare")
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
    check(libc.sethostname(name.encode(), len(name)), "sethostname")
    lay_over(host)
    make_devices(accel)
    temporary = host / "run/.hold.pid"
    temporary.write_text(f"{os.getpid()}\n")
    temporary.rename(host / "run/hold.pid")
    os.chdir("/")
    os.execvp("sleep", ["sleep", "infinity"])  # noqa: S606


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
