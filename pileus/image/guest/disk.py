"""From a folder to a bootable disk, on plain files: ext4 by mke2fs -d, partition table and GRUB by writing bytes.

Layout: sector 0 holds GRUB's boot code and the partition table, the gap after it GRUB's core, and from 1 MiB on one
ext4 partition, the last thing on the disk, so that it can grow.
"""

import shutil
import stat
import struct
from pathlib import Path

from pileus.image.guest.errors import GuestImageError
from pileus.image.guest.packages import Pool, run

SECTOR = 512
PARTITION_START = 2048  # sectors: the usual 1 MiB
# Written out rather than left to the host's mke2fs: GRUB must be able to read it, and equal input be equal output.
FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)
UUID = "9a1e05b0-0000-4000-8000-70696c657573"
LABEL = "pileus-root"

# One script line each; it is compiled into GRUB's core, so that there is no menu, no search and nothing to wait for.
# linux16 rather than linux: measured under emulation, it starts the kernel four seconds sooner (one copy of it less).
GRUB_SCRIPT = """\
set root=(hd0,msdos1)
linux16 /boot/vmlinuz {options}
initrd16 /boot/initrd
boot
"""
GRUB_MODULES = ["biosdisk", "part_msdos", "ext2", "linux16", "boot"]

# cryptomgr.notests: half a second of self tests under emulation. panic: a guest that cannot boot restarts.
KERNEL_OPTIONS = "console=tty0 console=ttyS0,115200n8 quiet cryptomgr.notests panic=10"


def make_file_system(pool: Pool, root: Path, owners: dict[str, int], file: Path, megabytes: int) -> None:
    """An ext4 file with the folder's content; everything belongs to root but what `owners` names (path -> uid)."""
    options = f"hash_seed={UUID},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    config = ["-q", "-F", "-t", "ext4", "-O", FEATURES, "-U", UUID, "-L", LABEL, "-b", "4096", "-I", "256"]
    size = ["-i", "16384", "-m", "1", "-J", "size=4", "-E", options, "-d", str(root), str(file), f"{megabytes}M"]
    file.unlink(missing_ok=True)
    pool.run("mke2fs", *config, *size)
    # Whoever builds owns the folder's files; correcting that here needs no root.
    commands: list[str] = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if any(letter in name for letter in ' "\n'):
            raise GuestImageError(f"a file name in the image holds a blank: {name}")
        owner = owners.get(name, 0)
        if path.lstat().st_uid != owner or path.lstat().st_gid != owner:
            commands += [f"set_inode_field /{name} uid {owner}", f"set_inode_field /{name} gid {owner}"]
    if commands:
        pool.run("debugfs", "-w", "-f", "-", str(file), stdin="\n".join(commands) + "\n")


def size_of(root: Path) -> int:
    """What the folder's content needs in the file system, in MiB."""
    sizes = (path.lstat().st_size for path in root.rglob("*") if stat.S_ISREG(path.lstat().st_mode))
    return sum(-(-size // 4096) * 4096 for size in sizes) // 2**20 + 1


def grub_core(pool: Pool, work: Path) -> bytes:
    """GRUB with its drivers and our script in one piece, ready to stand right behind the boot sector."""
    script, core = work / "grub.cfg", work / "core.img"
    script.write_text(GRUB_SCRIPT.format(options=KERNEL_OPTIONS))
    folder = pool.find(["usr/lib/grub/i386-pc"])
    if folder is None:
        raise GuestImageError("grub-pc-bin holds no usr/lib/grub/i386-pc")
    common = ["-O", "i386-pc", "-d", str(folder), "-p", "(hd0,msdos1)/boot", "-c", str(script), "-o", str(core)]
    pool.run("grub-mkimage", *common, *GRUB_MODULES)
    return core.read_bytes()


def boot_sector(boot_code: bytes, sectors: int) -> bytes:
    """The first sector: GRUB's code around a partition table with the one partition of that many sectors."""
    # Cylinders and heads mean nothing any more; these values say "look at the sector numbers".
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", PARTITION_START, sectors)
    signature = struct.pack("<I", 0x70696C65) + b"\0\0"
    return boot_code[:440] + signature + entry + bytes(48) + b"\x55\xaa"


def make_raw_disk(pool: Pool, file_system: Path, work: Path, disk: Path) -> None:
    boot = pool.find(["usr/lib/grub/i386-pc/boot.img"])
    core = grub_core(pool, work)
    if boot is None or len(core) > (PARTITION_START - 1) * SECTOR:
        raise GuestImageError("GRUB from the packages does not fit before the partition")
    # boot.img expects the core in sector 1 and the core's own list says sector 2 onwards: no patching needed.
    with disk.open("wb") as target, file_system.open("rb") as source:
        target.write(boot_sector(boot.read_bytes(), file_system.stat().st_size // SECTOR))
        target.write(core)
        target.seek(PARTITION_START * SECTOR)
        while chunk := source.read(2**20):
            # Holes stay holes.
            if chunk.count(0) == len(chunk):
                target.seek(len(chunk), 1)
            else:
                target.write(chunk)
        target.truncate(PARTITION_START * SECTOR + file_system.stat().st_size)


def make_qcow2(raw: Path, output: Path) -> None:
    if shutil.which("qemu-img") is None:
        raise GuestImageError("qemu-img is missing: run `apt-get install qemu-utils`")
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", str(raw), str(output)]
    run(command, failed="qemu-img could not write the image")
