"""The recipe, step by step, and its cache: equal packages and equal files of ours give the image built last time."""

import fcntl
import hashlib
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pileus.image.guest import disk, rootfs
from pileus.image.guest.errors import GuestImageError
from pileus.image.guest.packages import Package, Pool, download, remembered

# Room in the image itself, for flavors whose root disk is as large as the image (disk=0).
SPARE_MEGABYTES = 48


def build(
    output: Path, cache: Path, progress: Callable[[str], None], share: Callable[[float], None] = lambda part: None
) -> Path:
    """Build the guest image into `output` (qcow2); quick when nothing changed since the last time.

    `progress` hears what begins, `share` how much of all is done (0 to 1).
    """
    if platform.machine() != "x86_64":
        raise GuestImageError(f"the guest image is built on x86_64 only; this machine is {platform.machine()}")
    if shutil.which("qemu-img") is None:
        raise GuestImageError("qemu-img is missing: run `apt-get install qemu-utils`")
    cache.mkdir(parents=True, exist_ok=True)
    # One build at a time in a cache: each forgets what the others put there.
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        deliver(cached(cache, progress, share), output)
    return output


def cached(cache: Path, progress: Callable[[str], None], share: Callable[[float], None]) -> Path:
    """The image in the cache, built if need be."""
    progress("asking apt for packages")
    packages = remembered(cache / "packages.json")
    built = cache / f"guest-{digest(packages)}.qcow2"
    if built.exists():
        progress("nothing changed since the last build")
        return built
    share(0.1)
    files = download(packages, cache / "packages", progress, lambda part: share(0.1 + 0.4 * part))
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as work:
        bake(files, Path(work), progress, share).rename(built)
    forget_older(cache, built, {file.name for file in files})
    return built


def deliver(built: Path, output: Path) -> None:
    if output.exists() and same(output, built):
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside it first: nobody ever sees half an image under its name.
    partial = output.with_name(output.name + ".part")
    shutil.copyfile(built, partial)
    partial.rename(output)


def bake(files: list[Path], work: Path, progress: Callable[[str], None], share: Callable[[float], None]) -> Path:
    share(0.5)
    progress(f"unpacking {len(files)} packages")
    pool = Pool(work / "pool")
    pool.unpack(files)
    share(0.7)
    progress("assembling the root file system")
    root = work / "root"
    root.mkdir()
    rootfs.assemble(pool, root)
    share(0.75)
    progress("writing the disk")
    file_system, raw, image = work / "root.ext4", work / "disk.raw", work / "disk.qcow2"
    disk.make_file_system(pool, root, rootfs.OWNERS, file_system, disk.size_of(root) + SPARE_MEGABYTES)
    disk.make_raw_disk(pool, file_system, work, raw)
    share(0.85)
    progress("compressing")
    disk.make_qcow2(raw, image)
    return image


def digest(packages: list[Package]) -> str:
    """Names what the image would be made of: the packages' own sums, and every file of this builder."""
    seen = hashlib.sha256("".join(f"{package.name} {package.sha256}\n" for package in packages).encode())
    folder = Path(__file__).parent
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        seen.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return seen.hexdigest()[:16]


def same(left: Path, right: Path) -> bool:
    if left.stat().st_size != right.stat().st_size:
        return False
    sums = []
    for path in (left, right):
        with path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").digest())
    return sums[0] == sums[1]


def forget_older(cache: Path, built: Path, used: set[str]) -> None:
    """The cache holds one image and its packages; a longer memory, or what a killed build left, only fills the disk."""
    for path in cache.glob("build-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in cache.glob("guest-*.qcow2"):
        if path != built:
            path.unlink(missing_ok=True)
    for path in (cache / "packages").glob("*.deb"):
        if path.name not in used:
            path.unlink(missing_ok=True)
