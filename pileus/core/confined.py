"""Programs that read what strangers made (qemu-img on an image), with next to no rights.

    command("qemu-img", "info", "/proc/self/fd/0", ...)

is the argument list of a launcher, this module as a script, that gives up what it can and then becomes the program: as
root it has a root folder of its own with nothing but the system's programs in it, no network, and nobody's identity;
as anybody it has little memory, little time, no way to more rights. Input and output are handed over as descriptors.
"""

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Sequence

MEMORY = 2 << 30
NOBODY = 65534
_CLONE = {"mount": 0x00020000, "net": 0x40000000, "ipc": 0x08000000, "user": 0x10000000}
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc/ld.so.cache", "dev/null", "dev/urandom")
_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NO_NEW_PRIVS = 38


def command(*argv: str, seconds: int, file_size: int = 0) -> list[str]:
    """`seconds` of processor time; it writes no file larger than `file_size`."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(seconds), str(file_size), *argv]


def main(seconds: int, file_size: int, argv: Sequence[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        leave(libc)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    else:
        libc.unshare(_CLONE["user"] | _CLONE["net"])  # where the kernel lets us
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        with contextlib.suppress(ValueError, OSError):  # the one above us is lower already
            resource.setrlimit(limit, (value, value))
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    # no execvp: it imports modules, which are not to be found any more
    for folder in _PATH:
        with contextlib.suppress(FileNotFoundError):
            os.execve(f"{folder}/{argv[0]}", list(argv), {"PATH": ":".join(_PATH), "LC_ALL": "C"})  # noqa: S606
    os.write(2, f"{argv[0]} is not installed\n".encode())
    os._exit(127)


def leave(libc: ctypes.CDLL) -> None:
    """For a root folder that has the system's programs, read-only, and nothing else."""

    def check(result: int, what: str) -> None:
        if result:
            raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")

    def mount(source: str, target: str, kind: bytes | None, flags: int) -> None:
        check(libc.mount(source.encode(), target.encode(), kind, flags, None), f"mount {target}")

    check(libc.unshare(_CLONE["mount"] | _CLONE["net"] | _CLONE["ipc"]), "unshare")
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    root = "/tmp"  # noqa: S108  (only where this process sees it)
    mount("tmpfs", root, b"tmpfs", _MS_NOSUID | _MS_NODEV)
    for name in _SYSTEM:
        source, target = f"/{name}", f"{root}/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            os.makedirs(target)
            mount(source, target, None, _MS_BIND | _MS_REC)
        elif os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb"):
                pass
            mount(source, target, None, _MS_BIND)
    os.makedirs(f"{root}/proc")
    mount("/proc", f"{root}/proc", None, _MS_BIND | _MS_REC)
    os.chroot(root)
    os.chdir("/")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
