"""Debian packages as raw material: find them through apt, download them once, unpack them into one tree (the pool).

Nothing is installed. Programs the build needs (mke2fs, grub-mkimage, zstd) run straight out of the pool with the
pool's own C library, so that the host needs next to nothing and the versions always fit each other.
"""

import contextlib
import hashlib
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import msgspec

from pileus.image.guest import elf
from pileus.image.guest.errors import GuestImageError

# What must be installed on the host to build; dpkg and apt themselves are taken for granted.
HOST_PACKAGES = ["qemu-utils"]

# First one apt knows wins: Debian's cloud kernel, then Ubuntu's for virtual machines.
KERNEL_PACKAGES = ["linux-image-cloud-amd64", "linux-image-virtual", "linux-image-kvm", "linux-image-generic"]

GUEST_PACKAGES = [
    "busybox", "busybox-static", "ca-certificates", "curl", "dhcpcd-base", "dosfstools", "dropbear-bin", "e2fsprogs",
    "fdisk", "iputils-ping", "libpam-modules", "ndisc6", "netcat-openbsd", "netcat-traditional", "openssh-client",
    "openssh-sftp-server", "sudo", "util-linux",
]  # fmt: skip
TOOL_PACKAGES = ["grub-common", "grub-pc-bin", "zstd"]

APT_FOLDERS = [Path("/var/lib/apt/lists"), Path("/etc/apt")]
BINARY_FOLDERS = ["usr/bin", "usr/sbin", "bin", "sbin"]
LIBRARY_FOLDERS = [
    "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "lib", "usr/libexec/sudo", "usr/lib/sudo",
]  # fmt: skip


@dataclass(frozen=True)
class Package:
    """A concrete package apt would download."""

    name: str
    version: str
    depends: tuple[str, ...]
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        # apt writes the epoch's colon as %3a.
        return f"{self.name}_{quote(self.version, safe='+~.-').replace('%3A', '%3a')}"


def parse_show(record: str) -> Package | None:
    """One record of `apt-cache show`; None when it is of nothing apt can download."""
    fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", record, re.M))
    if "Package" not in fields or "Filename" not in fields:
        return None
    depends = [fields[name] for name in ("Pre-Depends", "Depends") if name in fields]
    # Of alternatives the first: it is the one the distribution prefers.
    names = [re.split(r"[ (|:]", item.strip())[0] for line in depends for item in line.split(",")]
    return Package(fields["Package"], fields["Version"], tuple(names), int(fields["Size"]), fields["SHA256"])


def find_packages(names: Sequence[str]) -> dict[str, Package]:
    """Those of the names that apt knows. One call for all: each costs apt half a second."""
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True)
    found = [parse_show(record) for record in shown.stdout.split("\n\n")]
    return {package.name: package for package in found if package is not None}


def get_packages(names: Sequence[str]) -> list[Package]:
    """One package for each name; for a name that only others provide, the first that does."""
    found = find_packages(names)
    unknown = [name for name in names if name not in found]
    if unknown:
        shown = subprocess.run(["apt-cache", "showpkg", *unknown], capture_output=True, text=True).stdout
        providers = parse_providers(shown)
        provided = find_packages([providers[name] for name in unknown if name in providers] or unknown)
        found.update((name, provided[providers[name]]) for name in unknown if providers.get(name) in provided)
        unknown = [name for name in unknown if name not in found]
    if unknown:
        raise GuestImageError(f"apt does not know {', '.join(unknown)}: run `apt-get update`, then try again")
    return [found[name] for name in names]


def parse_providers(text: str) -> dict[str, str]:
    """`apt-cache showpkg`: name -> the first package that provides it (Ubuntu renamed many a library that way)."""
    blocks = re.split(r"^Package: ", text, flags=re.M)[1:]
    found = {}
    for block in blocks:
        lines = block.partition("Reverse Provides:")[2].split("\n")[1:]
        if lines and lines[0].strip():
            found[block.split()[0]] = lines[0].split()[0]
    return found


def with_libraries(names: Iterable[str]) -> list[Package]:
    """The named packages and every library package they need, each once, in a stable order."""
    found: dict[str, Package] = {}
    waiting = sorted(names)
    while waiting:
        layer = get_packages(waiting)
        found.update(zip(waiting, layer, strict=True))
        needed = {name for package in layer for name in package.depends if is_library(name)}
        waiting = sorted(needed - found.keys())
    unique = {package.name: package for package in found.values()}
    return [unique[name] for name in sorted(unique)]


def is_library(name: str) -> bool:
    """Only libraries are followed: no maintainer script ever runs here, so what those call is not needed."""
    return name.startswith("lib") or name == "zlib1g"


def kernel_packages() -> list[Package]:
    """The concrete kernel behind the distribution's meta package, with its modules where those are separate."""
    known = find_packages(KERNEL_PACKAGES)
    for meta in (known[name] for name in KERNEL_PACKAGES if name in known):
        images = get_packages([name for name in meta.depends if name.startswith("linux-image-")])
        modules = [name for image in images for name in image.depends if name.startswith("linux-modules-")]
        if images:
            return [*images, *(get_packages(modules) if modules else [])]
    raise GuestImageError(f"apt knows none of the kernels {', '.join(KERNEL_PACKAGES)}: run `apt-get update`")


def all_packages() -> list[Package]:
    """Everything the image is made of."""
    if not all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "dpkg-deb")):
        raise GuestImageError("the guest image is made of Debian packages: build it on Debian or Ubuntu")
    return with_libraries(GUEST_PACKAGES + TOOL_PACKAGES) + kernel_packages()


def remembered(file: Path) -> list[Package]:
    """`all_packages()`, out of `file` as long as apt would say the same: asking takes seconds."""
    now = apt_state()
    try:
        then, packages = msgspec.json.decode(file.read_bytes(), type=tuple[str, list[Package]])
    except (OSError, msgspec.DecodeError):
        then, packages = "", []
    if then != now:
        packages = all_packages()
        file.write_bytes(msgspec.json.encode((now, packages)))
    return packages


def apt_state() -> str:
    """Changes with apt's lists and settings, and with what is asked for here."""
    seen = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for folder in APT_FOLDERS for path in folder.rglob("*")):
        with contextlib.suppress(OSError):  # apt is at work
            about = path.stat()
            seen.update(f"{path} {about.st_size} {about.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def download(
    packages: Sequence[Package], folder: Path, progress: Callable[[str], None], share: Callable[[float], None]
) -> list[Path]:
    """The packages' files in `folder`; only what is not there yet is downloaded. `share` hears how much of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in packages if not find_file(package, folder)]
    if missing:
        megabytes = sum(package.size for package in missing) / 1e6
        progress(f"downloading {len(missing)} packages, {megabytes:.0f} MB")
        wanted = [f"{package.name}={package.version}" for package in missing]
        # The sandbox user cannot write into a private folder, and warns at length about it.
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *wanted]
        with _watched(missing, folder, share):
            run(command, cwd=folder, failed="apt-get could not download the packages: check the network and /etc/apt")
    files = []
    for package in packages:
        file = find_file(package, folder)
        if file is None:
            raise GuestImageError(f"apt-get left no file for {package.name} {package.version} in {folder}")
        files.append(file)
    return files


@contextlib.contextmanager
def _watched(packages: Sequence[Package], folder: Path, share: Callable[[float], None]) -> Iterator[None]:
    """apt tells no program how far it is; its files do."""
    over, names = threading.Event(), [f"{package.file_name}_*.deb" for package in packages]
    total = sum(package.size for package in packages) or 1

    def watch() -> None:
        while not over.wait(0.2):
            with contextlib.suppress(OSError):  # a file goes when it gets its last name
                there = sum(path.stat().st_size for name in names for path in folder.glob(name))
                share(min(1.0, there / total))

    watching = threading.Thread(target=watch, name="watch-download", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def find_file(package: Package, folder: Path) -> Path | None:
    whole = [path for path in folder.glob(f"{package.file_name}_*.deb") if path.stat().st_size == package.size]
    return whole[0] if whole else None


def run(command: Sequence[str], *, failed: str, cwd: Path | None = None, stdin: str | None = None) -> str:
    """A program's output; its last words become the error when it fails."""
    done = subprocess.run(list(command), cwd=cwd, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise GuestImageError(f"{failed}\n{(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


class Pool:
    """Unpacked packages in one tree: a quarry, never a root file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def unpack(self, files: Iterable[Path]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for file in files:
            # A package that was cut off in the cache would otherwise fail for ever.
            try:
                run(["dpkg-deb", "-x", str(file), str(self.root)], failed=f"cannot unpack {file.name}")
            except GuestImageError:
                file.unlink(missing_ok=True)
                raise
            if file.name.startswith("busybox_"):
                # Two packages bring this program; the static one, unpacked after it, takes the name.
                busybox = self.binary("busybox")
                busybox.rename(busybox.with_name("busybox.dynamic"))

    def find(self, paths: Iterable[str]) -> Path | None:
        """The first of the paths that exists, links followed inside the pool."""
        for path in paths:
            found = self.resolve(self.root / path)
            if found is not None:
                return found
        return None

    def resolve(self, path: Path) -> Path | None:
        for _ in range(8):
            if not path.is_symlink():
                return path if path.exists() else None
            target = path.readlink()
            path = self.root / target.relative_to("/") if target.is_absolute() else path.parent / target
        return None

    def binary(self, name: str) -> Path:
        found = self.find(f"{folder}/{name}" for folder in BINARY_FOLDERS)
        if found is None:
            raise GuestImageError(f"none of the packages holds the program {name}")
        return found

    def shared_library(self, soname: str) -> Path:
        found = self.find(f"{folder}/{soname}" for folder in LIBRARY_FOLDERS)
        if found is None:
            raise GuestImageError(f"none of the packages holds the library {soname}")
        return found

    def libraries_of(self, programs: Iterable[Path]) -> dict[str, Path]:
        """soname -> file of every shared library the programs need, directly or not."""
        libraries: dict[str, Path] = {}
        waiting = [soname for program in programs for soname in elf.needed(program)]
        while waiting:
            soname = waiting.pop()
            if soname not in libraries:
                libraries[soname] = self.shared_library(soname)
                waiting += elf.needed(libraries[soname])
        return libraries

    def run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        """Run a program of the pool with the pool's libraries."""
        loader = str(self.shared_library("ld-linux-x86-64.so.2"))
        search = ":".join(str(self.root / folder) for folder in LIBRARY_FOLDERS)
        command = [loader, "--library-path", search, str(self.binary(program)), *arguments]
        return run(command, failed=f"{program} failed", stdin=stdin)
