"""The guest's root file system as a folder: busybox and its links, chosen programs with their libraries, our files."""

import os
import shutil
from pathlib import Path

from pileus.image.guest.kernel import Kernel, initramfs, install_modules
from pileus.image.guest.packages import Pool

FILES = Path(__file__).parent / "files"

# Programs beside busybox, each for a reason: what a test or a person runs in a guest and busybox does not have.
PROGRAMS = [
    "curl", "dropbear", "dropbearkey", "dbclient", "scp", "sudo", "visudo",
    "mke2fs", "e2fsck", "resize2fs", "tune2fs", "dumpe2fs", "mkfs.vfat",
    "blkid", "lsblk", "mkfs", "findmnt", "sfdisk", "ping", "rdisc6", "wipefs", "dhcpcd", "nc.openbsd", "nc.traditional",
]  # fmt: skip

# Other names of the programs above, as their packages have them.
ALIASES = {
    "mkfs.ext2": "mke2fs", "mkfs.ext3": "mke2fs", "mkfs.ext4": "mke2fs", "fsck.ext4": "e2fsck", "mkfs.fat": "mkfs.vfat",
    "e2label": "tune2fs", "ssh": "dbclient", "ping6": "ping",
}  # fmt: skip

# Loaded by path, so no program names them; the first folder that exists wins.
PLUGINS = {
    "usr/libexec/sudo": ["usr/libexec/sudo", "usr/lib/sudo"],
    "usr/lib/x86_64-linux-gnu/security": ["usr/lib/x86_64-linux-gnu/security", "lib/x86_64-linux-gnu/security"],
}
PLUGIN_FILES = ["sudoers.so", "libsudo_util.so.0", "sudo_intercept.so", "sudo_noexec.so", "pam_permit.so"]

FOLDERS = {
    "dev": 0o755, "proc": 0o755, "sys": 0o755, "run": 0o755, "tmp": 0o1777, "var/tmp": 0o1777, "mnt": 0o755,
    "root": 0o700, "home/cirros": 0o755, "etc/dropbear": 0o700, "var/lib/cloud/instances": 0o755, "var/log": 0o755,
    "var/lib/pileus": 0o755, "var/lib/dhcpcd": 0o755, "var/db": 0o755, "usr/local/bin": 0o755, "usr/local/sbin": 0o755,
    "boot": 0o755, "usr/bin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "opt": 0o755,
}  # fmt: skip
# One folder of programs: `ssh HOST ip addr` works although the SSH server's PATH has no sbin.
LINKS = {
    "bin": "usr/bin", "sbin": "usr/bin", "usr/sbin": "bin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "../run",
    "var/lock": "../run/lock", "etc/mtab": "../proc/self/mounts", "etc/resolv.conf": "../run/resolv.conf",
}  # fmt: skip
MODES = {"etc/shadow": 0o600, "etc/sudoers": 0o440, "etc/sudoers.d/README": 0o440, "usr/bin/sudo": 0o4755}

# Everything else belongs to root.
OWNERS = {"home/cirros": 1000}

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def assemble(pool: Pool, root: Path) -> None:
    """Fill the empty folder `root`."""
    kernel = Kernel(pool)
    for path, mode in FOLDERS.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path).chmod(mode)
    for path, target in LINKS.items():
        (root / path).symlink_to(target)
    install_programs(pool, root)
    install_certificates(pool, root)
    install_modules(kernel, pool, root)
    install_boot(kernel, pool, root)
    install_files(root)
    for path, mode in MODES.items():
        (root / path).chmod(mode)


def install_programs(pool: Pool, root: Path) -> None:
    programs = {name: pool.binary(name) for name in PROGRAMS}
    # Two builds of busybox. The ordinary one is what people and tests get. The static one is quick to start and runs
    # its own applets whatever PATH says, which suits our scripts and nobody else; it cannot resolve host names.
    programs["busybox"] = pool.binary("busybox.dynamic")
    programs["busybox.static"] = pool.binary("busybox")
    for name, file in programs.items():
        copy(file, root / "usr/bin" / name, 0o755)
    loaded = install_plugins(pool, root)
    for soname, file in sorted(pool.libraries_of([*programs.values(), *loaded]).items()):
        copy(file, root / LIBRARIES / soname, 0o755)
    (root / "usr/lib64/ld-linux-x86-64.so.2").symlink_to(f"../../{LIBRARIES}/ld-linux-x86-64.so.2")
    for name, target in ALIASES.items():
        (root / "usr/bin" / name).symlink_to(target)
    install_applets(pool, root)


def install_plugins(pool: Pool, root: Path) -> list[Path]:
    """What is loaded or run by its path."""
    loaded: list[Path] = []
    for folder, sources in PLUGINS.items():
        found = [pool.find(f"{source}/{name}" for source in sources) for name in PLUGIN_FILES]
        for file in filter(None, found):
            copy(file, root / folder / file.name, 0o644)
            loaded.append(file)
    server = pool.find(["usr/lib/openssh/sftp-server", "usr/lib/sftp-server"])
    if server is not None:  # where dropbear looks for it
        copy(server, root / "usr/lib/sftp-server", 0o755)
        loaded.append(server)
    return loaded


def install_applets(pool: Pool, root: Path) -> None:
    """Links for everything busybox can do, where no real program has the name."""
    for program, target in (("busybox.dynamic", "busybox"), ("busybox", "busybox.static")):
        for name in pool.run(program, "--list").split():
            # Links count too, and must not be followed: they would lead to the host's files.
            taken = os.path.lexists(root / "usr/bin" / name)
            # dpkg's own names would promise a package manager.
            if not taken and name not in ("dpkg", "dpkg-deb", "rpm"):
                (root / "usr/bin" / name).symlink_to(target)


def install_certificates(pool: Pool, root: Path) -> None:
    files = sorted((pool.root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True)
    bundle.write_bytes(b"".join(file.read_bytes() for file in files))


def install_boot(kernel: Kernel, pool: Pool, root: Path) -> None:
    copy(kernel.image, root / "boot/vmlinuz", 0o644)
    (root / "boot/initrd").write_bytes(initramfs(kernel, pool))


def install_files(root: Path) -> None:
    """Our own files; what begins with #! is a program."""
    source = FILES / "rootfs"
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        data = file.read_bytes()
        target = root / file.relative_to(source)
        # A busybox link may hold the name already: our file wins, and must not be written through the link.
        target.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if data.startswith(b"#!") else 0o644)


def copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    os.chmod(target, mode)
