"""The inspector of disk images: the same verdict however the bytes come, on any bytes; and QEMU's own files pass."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.disk_formats import KNOWN, MAX_DISK, Inspector, Refused
from tests.hostile import CANARY, HOSTILE, SOUND, Hostile, watched


def verdict(declared: str, content: bytes, chunk: int = 1 << 16, checking: bool = True) -> int | str | None:
    inspector = Inspector(declared, checking)
    try:
        for at in range(0, len(content), chunk):
            inspector.eat(content[at : at + chunk])
        return inspector.finish()
    except Refused as why:
        return str(why)


@pytest.mark.parametrize(("chunk", "largest"), [(97, 20_000), (512, 150_000), (4097, 1 << 20), (1 << 20, 1 << 23)])
def test_how_the_bytes_come_changes_nothing(chunk: int, largest: int) -> None:
    sound = [row for row in SOUND if len(row[2]) <= largest]
    hostile = [one for one in HOSTILE if len(one.content) <= largest]
    assert len(sound) > 3 and len(hostile) > 3
    for name, declared, content, size in sound:
        assert verdict(declared, content, chunk) == size, name
    for one in hostile:
        assert one.reason in str(verdict(one.declared, one.content, chunk)), one.name


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_not_checking_it_looks_no_further_either(hostile: Hostile) -> None:
    with watched() as seen:
        size = verdict(hostile.declared, hostile.content, checking=False)
    assert size is None or (isinstance(size, int) and 0 <= size <= MAX_DISK)
    assert CANARY not in seen.opened and seen.started == []


SAMPLES = [content[:262_144] for _, _, content, _ in SOUND] + [one.content[:262_144] for one in HOSTILE]
POSITIONS = st.one_of(st.integers(0, 1100), st.integers(0, 262_143))


@settings(max_examples=120, deadline=None)
@given(
    declared=st.sampled_from(sorted(KNOWN)),
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(POSITIONS, st.binary(min_size=1, max_size=12)), max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 70_000)),
    chunk=st.sampled_from([511, 4096, 65_536, 1 << 20]),
)
def test_any_bytes_are_either_taken_or_refused(
    declared: str, sample: bytes, changes: list[tuple[int, bytes]], cut: int | None, chunk: int
) -> None:
    content = bytearray(sample)
    for position, piece in changes:
        content[position : position + len(piece)] = piece
    told = verdict(declared, bytes(content[:cut]), chunk)
    assert told is None or isinstance(told, str) or 0 <= told <= MAX_DISK


@settings(max_examples=100, deadline=None)
@given(
    declared=st.sampled_from(sorted(KNOWN)),
    magic=st.sampled_from([b"QFI\xfb", b"KDMV", b"conectix", b"vhdxfile", b"LUKS\xba\xbe", b"QED\0", b"# Disk", b""]),
    rest=st.binary(max_size=3000),
)
def test_noise_behind_a_magic_is_either_taken_or_refused(declared: str, magic: bytes, rest: bytes) -> None:
    told = verdict(declared, magic + rest)
    assert told is None or isinstance(told, str) or 0 <= told <= MAX_DISK


def qemu(*arguments: str) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, timeout=20)


MADE = [
    ("qcow2", ["-f", "qcow2"]),
    ("qcow2", ["-f", "qcow2", "-o", "compat=0.10"]),
    ("qcow2", ["-f", "qcow2", "-o", "cluster_size=2M,preallocation=metadata"]),
    ("raw", ["-f", "raw"]),
    ("vmdk", ["-f", "vmdk"]),
    ("vmdk", ["-f", "vmdk", "-o", "subformat=streamOptimized"]),
    ("vdi", ["-f", "vdi"]),
    ("vdi", ["-f", "vdi", "-o", "static=on"]),
    ("vhd", ["-f", "vpc"]),
    ("vhd", ["-f", "vpc", "-o", "subformat=fixed"]),
    ("vhdx", ["-f", "vhdx"]),
]


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
@pytest.mark.parametrize(
    ("declared", "options"), MADE, ids=lambda value: " ".join(value) if value[0] == "-f" else value
)
def test_what_qemu_makes_is_taken(tmp_path: Path, declared: str, options: list[str]) -> None:
    raw, made = tmp_path / "raw", tmp_path / "made"
    raw.write_bytes(bytes(100_000) + b"data" * 5000 + bytes(180_224))
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", *options[1:], str(raw), str(made)], check=True, timeout=20
    )
    size = verdict(declared, made.read_bytes())
    assert isinstance(size, int) and size >= raw.stat().st_size


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
def test_what_qemu_makes_with_other_files_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(bytes(1 << 20))
    secret = ["--object", "secret,id=s,data=x", "-o", "encrypt.format=aes,encrypt.key-secret=s"]
    made: dict[str, list[str]] = {
        "backing": ["-f", "qcow2", "-F", "raw", "-b", str(base)],
        "data": ["-f", "qcow2", "-o", f"data_file={tmp_path / 'data'}"],
        "encrypted": ["-f", "qcow2", *secret],
    }
    for reason, options in made.items():
        path = tmp_path / f"{reason}.qcow2"
        qemu("create", "-q", *options, str(path), "1M")
        assert reason in str(verdict("qcow2", path.read_bytes())), reason
    parent, child = tmp_path / "parent.vmdk", tmp_path / "child.vmdk"
    qemu("convert", "-f", "raw", "-O", "vmdk", str(base), str(parent))
    qemu("create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", str(parent), str(child))
    assert "parent" in str(verdict("vmdk", child.read_bytes()))
