"""Runs the controller as a user of its own:  python -m pileus.deploy.confine USER STATE PROGRAM [ARGUMENT...]

That user must read the program and the state folder, which often lie in root's home. There it is given a view of its
own of the folders in the way: empty but for what it needs. Where even that is of no use (files that nobody but root may
read), the program runs as root, and says so.
"""

import compileall
import ctypes
import os
import pwd
import sys
from pathlib import Path

from pileus.deploy.hold import CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE, check, libc, mount

PR_SET_NO_NEW_PRIVS = 38
PACKAGE = Path(__file__).parents[1]
# What of the state folder stays root's; the rest is the controller's.
ROOTS = (
    "hosts",
    "ovn",
    "run",
    "log",
    "cloud.json",
    "clouds.yaml",
    "keystonerc_admin",
    "keystonerc_demo",
    "demo_key",
    "demo_key.pub",
    "ssh_config",
)


def user_of_controller() -> pwd.struct_passwd | None:
    """The account made for it with the host packages, when we may use it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("pileus")
    except KeyError:
        return None


def give(state: Path) -> None:
    """Its part of the state folder to the controller; it can add files, but not move root's out of the way."""
    user = user_of_controller()
    if user is None:
        return
    os.chown(state, 0, user.pw_gid)
    state.chmod(0o1770)
    for name, mode in (("ovn", 0o750), ("hosts", 0o711), ("run", 0o755), ("log", 0o755)):
        if (state / name).exists():
            os.chown(state / name, 0, user.pw_gid)
            (state / name).chmod(mode)
    for entry in state.iterdir():
        if entry.name in ROOTS or entry.name.startswith("."):
            continue
        os.chown(entry, user.pw_uid, user.pw_gid, follow_symlinks=False)
        for folder, folders, files in os.walk(entry):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid, follow_symlinks=False)


def in_the_way(needed: list[Path], user: pwd.struct_passwd) -> list[Path]:
    """Folders above those needed through which the user may not pass, outermost first."""
    found = set()
    for path in needed:
        for folder in path.parents:
            about = folder.stat()
            bit = 0o100 if about.st_uid == user.pw_uid else 0o010 if about.st_gid == user.pw_gid else 0o001
            if not about.st_mode & bit:
                found.add(folder)
    return sorted(found, key=lambda folder: len(folder.parts))


def clear_the_way(needed: list[Path], blocked: list[Path]) -> None:
    """Lays an empty folder over each that is in the way, and the needed ones back into it."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_SLAVE)
    held = {path: os.open(path, os.O_PATH) for path in needed}
    outermost = [folder for folder in blocked if not any(other in folder.parents for other in blocked)]
    for folder in outermost:
        mount("tmpfs", str(folder), "tmpfs", 0, "mode=711,size=1m")
    for path in sorted(needed, key=lambda path: len(path.parts)):
        if any(folder in path.parents for folder in outermost) and not path.exists():
            path.mkdir(parents=True)
            mount(f"/proc/self/fd/{held[path]}", str(path), None, MS_BIND | MS_REC)
    for handle in held.values():
        os.close(handle)


def may_read(paths: list[Path], user: pwd.struct_passwd) -> bool:
    """Tried out as that user, and back again."""
    os.setgroups([])
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        for path in paths:
            os.listdir(path)
        (PACKAGE / "app.py").read_bytes()
    except PermissionError:
        return False
    finally:
        os.seteuid(0)
        os.setegid(0)
    return True


def main(name: str, state: Path, argv: list[str]) -> None:
    user = pwd.getpwnam(name)
    interpreter = Path(os.path.realpath(sys.executable)).parents[1]
    needed = list(dict.fromkeys([state, Path(sys.prefix), Path(sys.base_prefix), interpreter, PACKAGE.parent]))
    # Compiled now: that user cannot keep what it compiles.
    compileall.compile_dir(PACKAGE, quiet=2)
    blocked = in_the_way(needed, user)
    if blocked:
        try:
            clear_the_way(needed, blocked)
        except OSError as error:  # a container may not make namespaces or mounts, a chroot's root is no mount
            print(f"no view of its own for the controller: {error}", file=sys.stderr, flush=True)
    if may_read(needed, user):
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.umask(0o027)
    else:
        print(f"{PACKAGE} or {state} is for root's eyes only: the controller runs as root", file=sys.stderr, flush=True)
    os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
