"""Files that become disks: the image cache, its gate, plans, and reading a console log."""

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.core.signatures import Signed
from pileus.node import protocol as p
from pileus.node.disk.copies import receive_disk, sweep
from pileus.node.disk.disks import plan
from pileus.node.disk.images import FORMATS, ImageCache, receive
from pileus.node.disk.qcow2 import check_header
from pileus.node.errors import NodeError
from pileus.node.instances import Instances, Kept
from pileus.node.vm.console import tail
from tests.hostile import CANARY, HOSTILE, SOUND, Hostile, watched
from tests.node_contract import BYTES, image_of, spec_of
from tests.signing import signed

GIB = 1 << 30


def qcow2(version: int = 3, backing: int = 0, incompatible: int = 0) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQI", version, backing, 0) + b"\0" * 52
    return head + struct.pack(">Q", incompatible) + b"\0" * 24


def test_a_sound_header_passes() -> None:
    check_header(qcow2())
    check_header(qcow2(version=2))


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"", "not qcow2"),
        (b"\0" * 104, "not qcow2"),
        (qcow2(version=9), "version"),
        (qcow2(backing=200), "backing file"),
        (qcow2(incompatible=4), "another file"),
        (qcow2(incompatible=1 << 40), "not known"),
        (qcow2()[:80], "cut off"),
    ],
)
def test_a_header_that_points_elsewhere_or_nowhere_is_refused(head: bytes, why: str) -> None:
    with pytest.raises(NodeError, match=why):
        check_header(head)


def test_the_cache_keeps_images_read_only_and_sparse(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "base")
    image = cache.put(image_of(BYTES), [BYTES])
    path = cache.path(image.image_id)
    assert path.stat().st_mode & 0o777 == 0o444
    assert path.stat().st_size == len(BYTES)
    assert path.stat().st_blocks == 0
    assert ImageCache(tmp_path / "base").find(image.image_id) == image
    cache.remove(image.image_id)
    assert list((tmp_path / "base").iterdir()) == []


def test_a_refused_image_leaves_no_file(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "base")
    for args, body in (
        (image_of(BYTES), [BYTES, b"more"]),
        (image_of(BYTES), [BYTES[:5]]),
        (image_of(BYTES, format="qcow2"), [BYTES]),
        (image_of(BYTES, image_id="../../etc/passwd"), [BYTES]),
    ):
        with pytest.raises(NodeError):
            cache.put(args, body)
    assert list((tmp_path / "base").iterdir()) == []


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_image_is_refused_before_any_program_sees_it(tmp_path: Path, hostile: Hostile) -> None:
    cache = ImageCache(tmp_path / "base")
    args = image_of(hostile.content, format=hostile.declared)
    pieces = [hostile.content[at : at + 50_000] for at in range(0, len(hostile.content), 50_000)]
    with watched() as seen, pytest.raises(NodeError) as refused:
        cache.put(args, pieces)
    assert refused.value.kind == "invalid"
    assert hostile.reason in refused.value.message or hostile.declared not in FORMATS
    assert CANARY not in seen.opened and seen.started == [] and seen.connected == []
    assert list((tmp_path / "base").iterdir()) == []


@pytest.mark.parametrize("declared", ["raw", "qcow2", "iso"])
def test_sound_images_of_every_kind_are_inspected_by_no_name(tmp_path: Path, declared: str) -> None:
    cache = ImageCache(tmp_path / "base")
    for _, known, content, size in SOUND:
        if known == declared:
            with watched() as seen:
                image = cache.put(image_of(content, format=declared), [content])
            assert image.virtual_size == (size if declared == "qcow2" else len(content))
            for command in seen.started:  # what a program is told never names the image
                assert command[-1] == "/dev/stdin" and str(tmp_path) not in " ".join(command)


def test_a_crash_while_receiving_is_swept_at_the_next_start(tmp_path: Path) -> None:
    base = tmp_path / "base"
    ImageCache(base)
    (base / ".half.part").write_bytes(b"half")
    ImageCache(base)
    assert list(base.iterdir()) == []


def test_holes_do_not_change_the_bytes(tmp_path: Path) -> None:
    chunks = [b"\0" * 4096, b"a" * 10, b"\0" * 4096]
    whole = b"".join(chunks)
    args = p.PutImage(image_id="x", size=len(whole), sha512=hashlib.sha512(whole).hexdigest(), format="raw")
    receive(tmp_path / "x", args, chunks)
    assert (tmp_path / "x").read_bytes() == whole


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-img")
def test_a_qcow2_with_a_backing_file_is_refused_whole(tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", "b.raw", "1M"], cwd=tmp_path, check=True, timeout=20)
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "b.raw", "-F", "raw", "o.qcow2"],
        cwd=tmp_path, check=True, timeout=20,
    )  # fmt: skip
    content = (tmp_path / "o.qcow2").read_bytes()
    with pytest.raises(NodeError, match="backing"):
        ImageCache(tmp_path / "base").put(image_of(content, format="qcow2"), [content])


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-img")
@pytest.mark.parametrize(("declared", "kind"), [("vmdk", "vmdk"), ("vdi", "vdi"), ("vhd", "vpc"), ("vhdx", "vhdx")])
def test_other_formats_are_converted_once_when_they_arrive(tmp_path: Path, declared: str, kind: str) -> None:
    (tmp_path / "disk.raw").write_bytes(b"boot" * 1024 + bytes(4 << 20))
    command = ["qemu-img", "convert", "-f", "raw", "-O", kind, "disk.raw", "disk.other"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=20)
    content = (tmp_path / "disk.other").read_bytes()
    cache = ImageCache(tmp_path / "base")
    image = cache.put(image_of(content, format=declared), [content])
    assert image.format == "qcow2" and image.virtual_size >= 4 << 20
    assert cache.path(image.image_id).read_bytes()[:4] == b"QFI\xfb"
    assert len(list((tmp_path / "base").iterdir())) == 2
    for lie in ("qcow2", "raw", "vdi" if declared != "vdi" else "vmdk"):
        with pytest.raises(NodeError, match="content is"):
            cache.put(image_of(content, format=lie), [content])


def test_a_vmdk_whose_extents_are_other_files_is_refused(tmp_path: Path) -> None:
    content = b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
    content = (content + b'RW 20480 FLAT "/etc/shadow" 0\n').ljust(4096, b"\n")
    with pytest.raises(NodeError):
        ImageCache(tmp_path / "base").put(image_of(content, format="vmdk"), [content])
    assert list((tmp_path / "base").iterdir()) == []


def test_another_hash_than_sha512_is_held_to_as_well(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "base")
    digest = hashlib.sha256(BYTES).hexdigest()
    assert cache.put(image_of(BYTES, algorithm="sha256", sha512=digest), [BYTES])
    for wrong in ({"algorithm": "sha256"}, {"algorithm": "crc32", "sha512": digest}):
        with pytest.raises(NodeError, match=r"sha256|crc32"):
            cache.put(image_of(BYTES, **wrong), [BYTES])


def test_a_signature_that_came_with_an_image_has_to_hold(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "base")
    certificate, signature = signed("RSA-PSS", BYTES)
    good = Signed(signature, "SHA-256", "RSA-PSS", certificate)
    assert cache.put(image_of(BYTES, signature=good), [BYTES])
    bad = good._replace(signature=signed("RSA-PSS", b"other bytes")[1])
    with pytest.raises(NodeError, match="signature"):
        cache.put(image_of(BYTES, signature=bad), [BYTES])


BASE = p.Image(image_id="i", format="qcow2", size=10, virtual_size=2 * GIB)


def test_a_root_disk_is_as_large_as_asked_or_as_the_image() -> None:
    root = p.RootDisk(image_id="i", size_gb=5)
    assert plan(p.DiskSpec(root=root), lambda _: BASE)[0].size == 5 * GIB
    assert plan(p.DiskSpec(root=p.RootDisk(image_id="i", size_gb=0)), lambda _: BASE)[0].size == 2 * GIB


def test_a_root_disk_smaller_than_its_image_is_refused() -> None:
    with pytest.raises(NodeError) as refused:
        plan(p.DiskSpec(root=p.RootDisk(image_id="i", size_gb=1)), lambda _: BASE)
    assert refused.value.kind == "invalid"


def test_a_server_is_found_again_by_its_addresses_after_a_restart(tmp_path: Path) -> None:
    nic = p.Nic(
        port_id="p", mac="fa:16:3e:00:00:05", network_id="n", fixed_ips=[p.FixedIP(address="10.0.0.5", prefix=24)]
    )
    spec = spec_of("image", nics=[nic])
    Instances(tmp_path).keep(Kept(spec=spec))
    again = Instances(tmp_path)
    for address in ("10.0.0.5", "fe80::f816:3eff:fe00:5"):
        found = again.by_address("n", address)
        assert found and found.spec == spec
    assert again.by_address("other", "10.0.0.5") is None
    again.forget(spec.server_id)
    assert again.by_address("n", "10.0.0.5") is None
    assert Instances(tmp_path).all() == []


def test_one_broken_spec_does_not_keep_the_others_down(tmp_path: Path) -> None:
    spec = spec_of("image")
    Instances(tmp_path).keep(Kept(spec=spec))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "spec.json").write_bytes(b"{half")
    again = Instances(tmp_path)
    assert [kept.spec.server_id for kept in again.all()] == [spec.server_id]
    assert "broken" in again.on_disk()


def test_an_image_whose_note_is_broken_is_taken_again(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "base")
    args = image_of(BYTES)
    cache.put(args, [BYTES])
    (tmp_path / "base" / f"{args.image_id}.json").write_bytes(b"")
    assert cache.find(args.image_id) is None
    assert cache.list() == []
    assert cache.put(args, [BYTES]) == cache.find(args.image_id)


def test_the_end_of_a_console_log(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    assert tail(log, None) == ""
    log.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    assert tail(log, 2) == "two\nthree"
    assert tail(log, 0) == ""
    assert tail(log, None) == "one\ntwo\nthree\n"
    assert tail(log, 99) == "one\ntwo\nthree"
    (tmp_path / "console.log.0").write_bytes(b"zero\n")
    assert tail(log, 4) == "zero\none\ntwo\nthree"
    log.write_bytes(b"x" * 5000 + b"\nend")
    assert tail(log, None, most=10) == "xxxxxx\nend"
    log.write_bytes(b"caf\xc3")
    assert tail(log, 1) == "caf\N{REPLACEMENT CHARACTER}"


def test_what_a_killed_node_was_in_the_middle_of_goes_and_the_rest_stays(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("instances", "snapshots", "base")]
    kept = ["instances/s/root.qcow2", "instances/s/aside/root.qcow2", "snapshots/a.qcow2", "base/i", "base/i.json"]
    half = ["instances/s/root.qcow2.part", "snapshots/b.copy", "snapshots/b.qcow2.part", "base/.x.part"]
    for name in [*kept, *half]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    sweep(*folders)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_a_disk_that_comes_only_in_part_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    args = p.PutDisk(server_id="s", name="ephemeral0.raw", size=2)
    with pytest.raises(ConnectionResetError):
        receive_disk(tmp_path, args, broken(), None, None)
    with pytest.raises(NodeError, match="1 bytes came instead of 2"):
        receive_disk(tmp_path, args, [b"x"], None, None)
    assert list(tmp_path.iterdir()) == []
