"""The guest image's builder, piece by piece, without apt and without a virtual machine."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from pileus.image.guest import cpio, disk, elf, kernel, packages
from tests.harness import eventually

FILES = Path(kernel.__file__).parent / "files"

RECORD = """\
Package: curl
Version: 7.88.1-10+deb12u15
Architecture: amd64
Pre-Depends: libpre1
Depends: libc6 (>= 2.34), libcurl4 (= 7.88.1-10+deb12u15) | other, zlib1g:any (>= 1:1.1.4), python3
Filename: pool/main/c/curl/curl.deb
Size: 315764
SHA256: abc
"""


def test_a_package_record_is_read_with_the_first_of_alternatives() -> None:
    package = packages.parse_show(RECORD)
    assert package is not None
    assert package.depends == ("libpre1", "libc6", "libcurl4", "zlib1g", "python3")
    assert [name for name in package.depends if packages.is_library(name)] == ["libpre1", "libc6", "libcurl4", "zlib1g"]


def test_what_a_download_has_brought_so_far_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = packages.parse_show(RECORD)
    assert package is not None
    told: list[float] = []

    def brings_half(*_: object, cwd: Path, **__: object) -> str:
        file = cwd / f"{package.file_name}_amd64.deb"
        file.write_bytes(bytes(package.size // 2))
        eventually(lambda: any(0.4 < part < 0.6 for part in told))
        file.write_bytes(bytes(package.size))
        return ""

    monkeypatch.setattr(packages, "run", brings_half)
    assert len(packages.download([package], tmp_path, lambda line: None, told.append)) == 1
    assert all(0 <= part <= 1 for part in told)


def test_a_package_that_cannot_be_downloaded_is_unknown() -> None:
    assert packages.parse_show("Package: virtual\nVersion: 1\n") is None
    assert packages.parse_show("") is None


def test_a_name_that_is_only_provided_leads_to_its_provider() -> None:
    text = "Package: libold\nVersions: \n\nProvides: \nReverse Provides: \nlibnew 3.8 (= )\nlibother 1 (= )\n"
    text += "Package: libnone\nVersions: \n\nProvides: \nReverse Provides: \n"
    assert packages.parse_providers(text) == {"libold": "libnew"}


def test_apt_is_asked_again_only_when_its_lists_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists, file = tmp_path / "lists", tmp_path / "packages.json"
    lists.mkdir()
    asked = []
    monkeypatch.setattr(packages, "APT_FOLDERS", [lists])
    monkeypatch.setattr(
        packages, "all_packages", lambda: asked.append(1) or [packages.Package("a", "1", ("b",), 2, "c")]
    )
    first = packages.remembered(file)
    assert packages.remembered(file) == first and len(asked) == 1
    (lists / "new_Packages").write_text("x")
    assert packages.remembered(file) == first and len(asked) == 2
    file.write_text("damaged")
    assert packages.remembered(file) == first and len(asked) == 3


def test_files_are_named_as_apt_names_them() -> None:
    package = packages.Package("busybox", "1:1.35.0-4+deb12u1~b1", (), 1, "")
    assert package.file_name == "busybox_1%3a1.35.0-4+deb12u1~b1"


def test_module_dependencies_are_read_from_the_module_itself() -> None:
    module = b"\x7fELF\0license=GPL\0softdep=pre: crc32c cpu-x\0depends=virtio,virtio-ring\0name=virtio_net\0"
    assert kernel.depends(module) == ["virtio", "virtio_ring", "crc32c", "cpu_x"]
    assert kernel.depends(b"\0depends=\0") == []


def make_kernel(tmp_path: Path, modules: dict[str, str], builtin: list[str]) -> kernel.Kernel:
    folder = tmp_path / "lib/modules/6.1.0-1-cloud-amd64"
    (folder / "kernel").mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1.0-1-cloud-amd64").write_bytes(b"")
    for name, needed in modules.items():
        (folder / "kernel" / f"{name}.ko").write_bytes(b"\0depends=" + needed.encode() + b"\0")
    (folder / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in builtin))
    return kernel.Kernel(packages.Pool(tmp_path))


def test_modules_come_after_what_they_need_and_builtin_ones_are_left_out(tmp_path: Path) -> None:
    modules = {"virtio": "virtio_ring", "virtio_ring": "", "virtio-net": "virtio,net_failover", "net_failover": "",
               "virtio_blk": "virtio"}  # fmt: skip
    made = make_kernel(tmp_path, modules, ["ext4", "virtio_pci"])
    assert made.closure(["ext4", "virtio_net"]) == ["virtio_ring", "virtio", "net_failover", "virtio_net"]


def test_a_kernel_without_virtio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(packages.GuestImageError, match="virtio_blk"):
        make_kernel(tmp_path, {"virtio_net": ""}, ["ext4", "virtio_pci"])


def test_links_inside_the_pool_do_not_lead_to_the_host(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libz.so.1.2").write_bytes(b"ours")
    (tmp_path / "lib/libz.so.1").symlink_to("/lib/libz.so.1.2")
    (tmp_path / "lib/libc.so.6").symlink_to("/usr/lib/nothing-here")
    pool = packages.Pool(tmp_path)
    assert pool.shared_library("libz.so.1").read_bytes() == b"ours"
    with pytest.raises(packages.GuestImageError, match=r"libc\.so\.6"):
        pool.shared_library("libc.so.6")


def test_the_libraries_a_program_needs_are_read_from_it() -> None:
    found = elf.needed(Path("/bin/ls").resolve())
    assert "libc.so.6" in found
    assert elf.needed(FILES / "initramfs/init") == []


def test_the_boot_sector_has_one_active_partition_of_the_right_size() -> None:
    sector = disk.boot_sector(b"\xeb" * 512, 123456)
    assert (len(sector), sector[:440], sector[510:]) == (512, b"\xeb" * 440, b"\x55\xaa")
    active, kind, start, size = struct.unpack_from("<B3xB3xII", sector, 446)
    assert (active, kind, start, size) == (0x80, 0x83, 2048, 123456)
    assert sector[462:510] == bytes(48)


@pytest.mark.skipif(shutil.which("cpio") is None and shutil.which("busybox") is None, reason="no cpio to read with")
def test_the_initramfs_archive_can_be_unpacked(tmp_path: Path) -> None:
    archive = cpio.Archive()
    archive.folder("bin")
    archive.file("bin/tool", b"#!/bin/sh\n", 0o755)
    archive.link("bin/sh", "tool")
    program = ["cpio"] if shutil.which("cpio") else ["busybox", "cpio"]
    subprocess.run([*program, "-i", "-d"], input=archive.closed(), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "bin/sh").readlink() == Path("tool")
    assert (tmp_path / "bin/tool").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "bin/tool").stat().st_mode & 0o777 == 0o755


def flatten(document: object) -> dict[str, str]:
    program = ["busybox", "awk"] if shutil.which("busybox") else ["awk"]
    script = FILES / "rootfs/usr/lib/pileus/flatten.awk"
    done = subprocess.run([*program, "-f", str(script)], input=json.dumps(document), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


def test_the_guest_reads_instance_data_as_servers_write_it() -> None:
    key = "ssh-ecdsa AAAA+/= me@there\n"
    data = {"uuid": "u-1", "public_keys": {'my "key"': key}, "keys": [{"name": "k", "data": key}],
            "launch_index": 0, "meta": {}, "devices": [], "hostname": "a.b",
            "nested": {"deep": {"list": [1, [2, "x"], None]}}}  # fmt: skip
    found = flatten(data)
    assert found["uuid"] == "u-1"
    assert found["hostname"] == "a.b"
    assert found['public_keys.my "key"'].strip() == key.strip()
    assert found["keys.0.data"].strip() == key.strip()
    assert (found["launch_index"], found["nested.deep.list.1.1"], found["nested.deep.list.2"]) == ("0", "x", "null")


def test_escapes_and_a_key_inside_a_value_do_not_confuse_the_guest() -> None:
    found = flatten({"a": 'x"},{"uuid":"fake', "b": "\\", "c": "\u003d é", "uuid": "real", "": "empty"})
    assert found["uuid"] == "real"
    assert (found["a"], found["b"], found["c"]) == ('x"},{"uuid":"fake', "\\", "= ?")


@pytest.mark.skipif(shutil.which("busybox") is None, reason="the guest's shell is busybox's")
@pytest.mark.parametrize("script", sorted(p for p in FILES.rglob("*") if p.is_file() and p.read_bytes()[:2] == b"#!"))
def test_every_script_of_the_guest_is_sound(script: Path) -> None:
    done = subprocess.run(["busybox", "ash", "-n", str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
