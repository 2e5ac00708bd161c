"""The guest's root file system as a folder: busybox and its links, chosen programs with their libraries, our files."""

import os
import shutil
from pathlib import Path

from pileus.image.guest.errors import GuestImageError
from pileus.image.guest.kernel import Kernel, initramfs, install_modules
from pileus.image.guest.packages import Pool, run

FILES = Path(__file__).parent / "files"

# Programs beside busybox, each for a reason: what a test or a person runs in a guest and busybox does not have.
PROGRAMS = [
    "curl", "dropbear", "dropbearkey", "dbclient", "scp", "sudo", "visudo",
    "mke2fs", "e2fsck", "resize2fs", "tune2fs", "dumpe2fs", "mkfs.vfat",
    "blkid", "lsblk", "mkfs", "findmnt", "sfdisk", "wipefs", "dhcpcd", "nc.openbsd", "nc.traditional",
]  # fmt: skip

# Other names of the programs above, as their packages have them.
ALIASES = {
    "mkfs.ext2": "mke2fs", "mkfs.ext3": "mke2fs", "mkfs.ext4": "mke2fs", "fsck.ext4": "e2fsck", "mkfs.fat": "mkfs.vfat",
    "e2label": "tune2fs", "ssh": "dbclient", "sh": "ash",
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
    "boot": 0o755, "usr/bin": 0o755, "usr/sbin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "opt": 0o755,
}  # fmt: skip
LINKS = {
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "../run",
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
    install_busybox(pool, root)
    install_certificates(pool, root)
    install_modules(kernel, pool, root)
    install_boot(kernel, pool, root)
    install_files(root)
    for path, mode in MODES.items():
        (root / path).chmod(mode)


def install_programs(pool: Pool, root: Path) -> None:
    programs = {name: pool.binary(name) for name in PROGRAMS}
    programs["ash"] = shell(pool)
    plugins: list[Path] = []
    for folder, sources in PLUGINS.items():
        found = [pool.find(f"{source}/{name}" for source in sources) for name in PLUGIN_FILES]
        for file in filter(None, found):
            copy(file, root / folder / file.name, 0o644)
            plugins.append(file)
    for name, file in programs.items():
        copy(file, root / place(file, pool) / name, 0o755)
    server = pool.find(["usr/lib/openssh/sftp-server", "usr/lib/sftp-server"])
    if server is not None:  # where dropbear looks for it
        copy(server, root / "usr/lib/sftp-server", 0o755)
        plugins.append(server)
    libraries = pool.libraries_of([*programs.values(), *plugins])
    for soname, file in sorted(libraries.items()):
        copy(file, root / LIBRARIES / soname, 0o755)
    (root / "usr/lib64/ld-linux-x86-64.so.2").symlink_to(f"../../{LIBRARIES}/ld-linux-x86-64.so.2")
    for name, target in ALIASES.items():
        if not (root / "usr/sbin" / name).exists() and not (root / "usr/bin" / name).exists():
            path = root / "usr/sbin" / name
            path.symlink_to(f"/usr/sbin/{target}" if (root / "usr/sbin" / target).exists() else f"/usr/bin/{target}")


def shell(pool: Pool) -> Path:
    """The shell people and tests get: the static busybox's runs its own applets whatever PATH says (no real `nc`)."""
    found = pool.find(["bin/busybox.dynamic", "usr/bin/busybox.dynamic"])
    if found is None:
        raise GuestImageError("the package busybox holds no program busybox")
    return found


def place(file: Path, pool: Pool) -> str:
    """usr/bin or usr/sbin, as in the package; some packages still say bin and sbin."""
    folder = str(file.parent.relative_to(pool.root))
    return folder if folder.startswith("usr/") else f"usr/{folder}"


def install_busybox(pool: Pool, root: Path) -> None:
    busybox = pool.binary("busybox")
    copy(busybox, root / "usr/bin/busybox", 0o755)
    for line in run([str(busybox), "--list-full"], failed="busybox does not run").split():
        folder = "usr/sbin" if "sbin" in line else "usr/bin"
        name = line.rsplit("/", 1)[-1]
        taken = any((root / each / name).exists() for each in ("usr/bin", "usr/sbin"))
        # dpkg's own names would promise a package manager.
        if not taken and name not in ("dpkg", "dpkg-deb", "rpm", "busybox", "linuxrc"):
            (root / folder / name).symlink_to("/usr/bin/busybox")


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
