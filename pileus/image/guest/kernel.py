"""The kernel of the image: which modules go in, in which order they load, and the initramfs that loads them."""

import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from pileus.image.guest import cpio
from pileus.image.guest.errors import GuestImageError
from pileus.image.guest.packages import Pool, run

FILES = Path(__file__).parent / "files"

# Without one of these (as a module or built in) there is no root disk or no network: better to fail at build time.
REQUIRED = ["virtio_pci", "virtio_blk", "virtio_net", "ext4"]

# What may hold the root disk, in the initramfs; the rest of the hardware is found later, by its modalias.
BOOT_MODULES = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "ata_piix", "ahci"]

# Left out silently where a kernel does not have them or has them built in.
MODULES = [
    *REQUIRED, *BOOT_MODULES, "virtio_balloon", "virtio_console", "virtio_rng", "virtio_input", "virtio_mmio",
    "e1000", "e1000e", "8139cp", "ata_generic", "sr_mod", "cdrom", "xen_blkfront", "xen_netfront",
    "button", "evdev", "i6300esb", "qemu_fw_cfg", "crc32c_intel", "isofs", "vfat", "nls_cp437", "nls_iso8859_1",
    "nls_utf8", "nls_ascii", "loop", "8021q", "dummy", "overlay", "fuse", "virtiofs", "tun",
]  # fmt: skip


class Kernel:
    """One kernel of the pool: its image, its modules and what they need of each other."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        images = sorted(pool.root.glob("boot/vmlinuz-*"))
        if not images:
            raise GuestImageError("the kernel package holds no /boot/vmlinuz-*")
        self.image = images[-1]
        self.version = self.image.name.removeprefix("vmlinuz-")
        folders = [pool.root / top / "modules" / self.version for top in ("lib", "usr/lib")]
        self.folder = next((folder for folder in folders if folder.is_dir()), folders[0])
        # The same module is written with - in file names and _ in aliases.
        files = (path for path in self.folder.rglob("*.ko*") if ".ko" in path.suffixes)
        self.modules = {module_name(path): path for path in files}
        builtin = self.folder / "modules.builtin"
        lines = builtin.read_text().split() if builtin.exists() else []
        self.builtin = {module_name(Path(line)) for line in lines}
        missing = [name for name in REQUIRED if name not in self.modules and name not in self.builtin]
        if missing:
            raise GuestImageError(f"the kernel {self.version} has no {', '.join(missing)}: it cannot boot a guest")

    def closure(self, names: Iterable[str]) -> list[str]:
        """The modules and all they depend on, each after what it needs."""
        ordered: list[str] = []

        def visit(name: str) -> None:
            if name in ordered or name not in self.modules:
                return
            for needed in depends(self.read(name)):
                visit(needed)
            ordered.append(name)

        for name in names:
            visit(name)
        return ordered

    def read(self, name: str) -> bytes:
        """A module's ELF file, decompressed: the guest's small tools know no compression."""
        path = self.modules[name]
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes())
        if path.suffix == ".zst":
            self.pool.run("zstd", "-dqf", str(path), "-o", str(path.with_suffix("")))
            return path.with_suffix("").read_bytes()
        return path.read_bytes()


def module_name(path: Path) -> str:
    return path.name.split(".ko")[0].replace("-", "_")


def depends(module: bytes) -> list[str]:
    """What a module names in its .modinfo: hard dependencies, and the soft ones to load before it."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    hard = found[1].decode().split(",") if found else []
    soft = [name for group in re.findall(rb"\0softdep=pre: ([^\0]*)\0", module) for name in group.decode().split()]
    return [name.replace("-", "_") for name in [*hard, *soft] if name]


def install_modules(kernel: Kernel, pool: Pool, root: Path) -> None:
    """The chosen modules in the image's /usr/lib/modules, with the index modprobe reads."""
    folder = root / "usr/lib/modules" / kernel.version
    folder.mkdir(parents=True)
    for name in kernel.closure(MODULES):
        (folder / f"{name}.ko").write_bytes(kernel.read(name))
    (folder / "modules.builtin").write_text("")
    busybox = str(pool.binary("busybox"))
    run([busybox, "depmod", "-b", str(root / "usr"), kernel.version], failed="depmod failed")


def initramfs(kernel: Kernel, pool: Pool) -> bytes:
    """A busybox, the modules the root disk may need, and the script that finds it; an uncompressed archive."""
    archive = cpio.Archive()
    for folder in ("bin", "dev", "proc", "sys", "run", "root", "modules"):
        archive.folder(folder)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", pool.binary("busybox").read_bytes(), 0o755)
    archive.link("bin/sh", "busybox")
    archive.file("init", (FILES / "initramfs/init").read_bytes(), 0o755)
    for name in kernel.closure(BOOT_MODULES):
        archive.file(f"modules/{name}.ko", kernel.read(name), 0o644)
    for name in BOOT_MODULES:
        # One line of names for each driver, so that the script needs no index and no modprobe.
        archive.file(f"modules/{name}.order", (" ".join(kernel.closure([name])) + "\n").encode(), 0o644)
    return archive.closed()
