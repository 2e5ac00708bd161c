"""Disk images by hand: sound ones of every format, and a corpus of those that lead out of themselves or break things.

Whoever is given one of the corpus must refuse it with its reason, and must not have looked at `CANARY`.
"""

import contextlib
import json
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

MIB = 1 << 20
CANARY = "/etc/hostname"  # a file there always is: what hostile images point at
SECTOR = 512


def put(image: bytes, offset: int, *parts: bytes) -> bytes:
    """The image with these bytes in place of its own."""
    piece = b"".join(parts)
    image = image.ljust(offset + len(piece), b"\0")
    return image[:offset] + piece + image[offset + len(piece) :]


# -- sound ones --------------------------------------------------------------------------------------------------------


def qcow2(version: int = 3, size: int = 64 * MIB, incompatible: int = 0, backing: str = "", **fields: int) -> bytes:
    given = {"cluster_bits": 16, "encryption": 0, "l1_size": 1, "header_length": 104, **fields}
    name = backing.encode()
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, 1024 if name else 0, len(name), given["cluster_bits"], size,
        given["encryption"], given["l1_size"], 0x30000, 0x10000, 1, 0, 0,
    )  # fmt: skip
    if version >= 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, given["header_length"])
    return put(head.ljust(4 * 0x10000, b"\0"), 1024, name)


DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=7c0a1b2c
parentCID=ffffffff
createType="{kind}"

# Extent description
{extents}

# The Disk Data Base
ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "130"
"""
EXTENT = 'RW 131072 SPARSE "disk.vmdk"'


def vmdk(kind: str = "monolithicSparse", extents: str = EXTENT, more: str = "", **fields: int) -> bytes:
    given = {"version": 1, "sectors": 131072, "at": 1, "length": 20, "directory": 26, **fields}
    head = struct.pack(
        "<4sIIQQQQIQQQ", b"KDMV", given["version"], 3, given["sectors"], 128, given["at"], given["length"], 512, 21,
        given["directory"], 128,
    )  # fmt: skip
    text = DESCRIPTOR.format(kind=kind, extents=extents) + more
    return put(head.ljust(128 * SECTOR, b"\0"), given["at"] * SECTOR, text.encode())


def vdi(kind: int = 1, size: int = 64 * MIB) -> bytes:
    head = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(0x40, b"\0")
    head += struct.pack("<IIII", 0xBEDA107F, 0x10001, 0x190, kind)
    return put(head.ljust(MIB, b"\0"), 0x170, struct.pack("<Q", size))


def vhd(kind: int = 3, size: int = 64 * MIB) -> bytes:
    head = b"conectix" + struct.pack(
        ">IIQI4sI4sQQIII", 2, 0x10000, 512, 0, b"qem2", 0x50003, b"Wi2k", size, size, 0, kind, 0
    )
    return head.ljust(SECTOR, b"\0") + b"cxsparse".ljust(1024, b"\0") + bytes(4096) + head.ljust(SECTOR, b"\0")


def fixed_vhd(disk: bytes, kind: int = 2, said: int | None = None) -> bytes:
    """A raw disk with a footer behind it."""
    return disk + vhd(kind, len(disk) if said is None else said)[:SECTOR]


METADATA, SIZE_ITEM, PARENT_ITEM = (
    bytes.fromhex(text)
    for text in (
        "06a27c8b90479a4bb8fe575f050f886e", "2442a52f1bcd7648b2115dbed83bf4b8", "2d5fd3a80bb34d45abf7d3d84834ab0c",
    )
)  # fmt: skip


def vhdx(*items: bytes, size: int = 64 * MIB) -> bytes:
    items = items or (SIZE_ITEM,)
    image = put(b"vhdxfile".ljust(3 * MIB, b"\0"), 192 * 1024, struct.pack("<4sIII", b"regi", 0, 1, 0))
    image = put(image, 192 * 1024 + 16, METADATA, struct.pack("<QII", MIB, MIB, 1))
    image = put(image, MIB, struct.pack("<8sHH", b"metadata", 0, len(items)))
    for number, item in enumerate(items):
        entry = struct.pack("<16sIIII", item, 65536 + 8 * number, 8, 0, 0)
        image = put(image, MIB + 32 + 32 * number, entry)
        image = put(image, MIB + 65536 + 8 * number, struct.pack("<Q", size))
    return image


def iso(content: bytes = bytes(40960)) -> bytes:
    volume = struct.pack("<B5sB", 1, b"CD001", 1).ljust(80, b"\0") + struct.pack("<I", 20).ljust(48, b"\0")
    return put(content.ljust(40960, b"\0"), 32768, volume, struct.pack("<H", 2048))


def mbr(content: bytes = bytes(40960), kind: int = 0xEE) -> bytes:
    entry = struct.pack("<B3BB3BII", 0, 0, 2, 0, kind, 255, 255, 255, 1, 80)
    return put(content, 446, entry, bytes(48), b"\x55\xaa")


def luks(version: int = 1) -> bytes:
    return struct.pack(">6sH32s32s32sII", b"LUKS\xba\xbe", version, b"aes", b"xts-plain64", b"sha256", 4096, 64).ljust(
        8192, b"\0"
    )


def streamed() -> bytes:
    """A VMDK whose directory is told at its end."""
    head = vmdk("streamOptimized", 'RDONLY 131072 SPARSE "disk.vmdk"', version=3, directory=2**64 - 1)
    footer = put(head[:SECTOR], 56, struct.pack("<Q", 200))
    marker = struct.pack("<QII496s", 1, 0, 3, bytes(496))
    return head + marker + footer + bytes(SECTOR)


SOUND: list[tuple[str, str, bytes, int | None]] = [
    ("qcow2", "qcow2", qcow2(), 64 * MIB),
    ("qcow2 of version 2", "qcow2", qcow2(2), 64 * MIB),
    ("qcow2 that is dirty", "qcow2", qcow2(incompatible=0b1), 64 * MIB),
    ("raw", "raw", bytes(70000), 70000),
    ("nothing at all", "raw", b"", 0),
    ("raw with partitions", "raw", mbr(), 40960),
    ("raw and encrypted", "raw", luks(), 8192),
    ("gpt", "gpt", mbr(), 40960),
    ("iso", "iso", iso(), 40960),
    ("iso for USB sticks", "iso", mbr(iso()), 40960),
    ("vmdk", "vmdk", vmdk(), 64 * MIB),
    ("vmdk to be streamed", "vmdk", streamed(), 64 * MIB),
    ("vdi", "vdi", vdi(), 64 * MIB),
    ("vhd", "vhd", vhd(), 64 * MIB),
    ("vhd of fixed size", "vhd", fixed_vhd(bytes(70_144)), 70_144),
    ("vhd of fixed size with partitions", "vhd", fixed_vhd(mbr(bytes(3 * MIB))), 3 * MIB),
    ("vhdx", "vhdx", vhdx(), 64 * MIB),
    ("luks", "luks", luks(), None),
]


# -- the corpus --------------------------------------------------------------------------------------------------------


class Hostile(NamedTuple):
    name: str
    declared: str
    content: bytes
    reason: str  # a word of the refusal


def _extension(image: bytes, kind: int, text: str) -> bytes:
    return put(image, 104, struct.pack(">II", kind, len(text)), text.encode())


_JSON = "json:" + json.dumps({"driver": "raw", "file": {"driver": "file", "filename": CANARY}})
_FLAT = f'RW 131072 FLAT "{CANARY}" 0'
_TEXT = DESCRIPTOR.format(kind="monolithicFlat", extents=_FLAT).encode()
HOSTILE = [
    # qcow2: other files
    Hostile("a backing file", "qcow2", qcow2(backing=CANARY), "backing"),
    Hostile("a backing file, version 2", "qcow2", qcow2(2, backing=CANARY), "backing"),
    Hostile("a backing file beside it", "qcow2", qcow2(backing="other-image"), "backing"),
    Hostile("a backing file told in JSON", "qcow2", qcow2(backing=_JSON), "backing"),
    Hostile("a backing file on the network", "qcow2", qcow2(backing="nbd://127.0.0.1:10809/x"), "backing"),
    Hostile("a backing file without a name", "qcow2", put(qcow2(), 8, struct.pack(">QI", 4096, 0)), "backing"),
    Hostile("an external data file", "qcow2", _extension(qcow2(incompatible=4), 0x44415441, CANARY), "data"),
    Hostile("an external data file that is not announced", "qcow2", _extension(qcow2(), 0x44415441, CANARY), "data file"),
    # qcow2: what nobody knows, nobody can open, or breaks what opens it
    *(Hostile(f"unknown feature bit {bit}", "qcow2", qcow2(incompatible=1 << bit), "unknown") for bit in (5, 8, 31, 63)),
    *(Hostile(f"version {number}", "qcow2", qcow2(number), "version") for number in (1, 4, 2**31)),
    *(Hostile(f"encryption {method}", "qcow2", qcow2(encryption=method), "encrypted") for method in (1, 2, 77)),
    *(Hostile(f"clusters of 2^{bits} bytes", "qcow2", qcow2(cluster_bits=bits), "clusters") for bits in (0, 8, 22, 63)),
    Hostile("a table for exabytes", "qcow2", qcow2(l1_size=2**31), "table"),
    Hostile("a disk of exabytes", "qcow2", qcow2(size=2**62), "more than any disk"),
    Hostile("a disk of all bytes there are", "qcow2", qcow2(size=2**64 - 1), "more than any disk"),
    *(Hostile(f"a header of {n} bytes", "qcow2", qcow2(header_length=n), "header") for n in (0, 72, 513, 2**32 - 1)),
    Hostile("cut off in its header", "qcow2", qcow2()[:60], "content is raw"),
    Hostile("cut off after its magic", "qcow2", b"QFI\xfb", "content is raw"),
    # one format in the clothes of another
    Hostile("qcow2 as raw", "raw", qcow2(backing=CANARY), "content is qcow2"),
    Hostile("qcow2 as iso", "iso", qcow2(), "content is qcow2"),
    Hostile("vmdk as raw", "raw", vmdk(), "content is vmdk"),
    Hostile("a description of files as raw", "raw", _TEXT, "content is vmdk"),
    Hostile("vdi as raw", "raw", vdi(), "content is vdi"),
    Hostile("vhd as raw", "raw", vhd(), "content is vhd"),
    Hostile("vhdx as raw", "raw", vhdx(), "content is vhdx"),
    Hostile("qed as raw", "raw", b"QED\0".ljust(70000, b"\0"), "content is qed"),
    Hostile("iso as raw", "raw", iso(), "content is iso"),
    Hostile("raw as qcow2", "qcow2", bytes(70000), "content is raw"),
    Hostile("raw as iso", "iso", bytes(70000), "content is raw"),
    Hostile("raw as vmdk", "vmdk", bytes(70000), "content is raw"),
    Hostile("text as vmdk", "vmdk", b"hello " * 1000, "content is raw"),
    Hostile("vmdk as qcow2", "qcow2", vmdk(), "content is vmdk"),
    # two at once
    Hostile("qcow2 and iso", "qcow2", iso(qcow2()), "several formats"),
    Hostile("iso and qcow2", "iso", iso(qcow2(backing=CANARY)), "several formats"),
    Hostile("qcow2 and partitions", "qcow2", mbr(qcow2()), "several formats"),
    Hostile("vmdk and iso", "vmdk", iso(vmdk()), "several formats"),
    Hostile("vdi and partitions", "vdi", mbr(vdi()), "several formats"),
    Hostile("iso and partitions as raw", "raw", mbr(iso()), "several formats"),
    # vmdk
    Hostile("a description of a file", "vmdk", _TEXT, "subformat"),
    Hostile("an extent elsewhere", "vmdk", vmdk(extents=_FLAT), "extent"),
    Hostile("an extent beside it", "vmdk", vmdk(extents='RW 131072 FLAT "other-image" 0'), "others than its own"),
    Hostile("an extent on the network", "vmdk", vmdk(extents='RW 131072 SPARSE "nbd:127.0.0.1:1"'), "others than its own"),
    Hostile("an extent on another drive", "vmdk", vmdk(extents='RW 131072 SPARSE "c:\\x"'), "others than its own"),
    Hostile("two extents", "vmdk", vmdk(extents=f"{EXTENT}\n{EXTENT}"), "several parts"),
    Hostile("no extent", "vmdk", vmdk(extents=""), "extents"),
    Hostile("a raw device", "vmdk", vmdk("fullDevice", 'RW 131072 FLAT "/dev/sda" 0'), "subformat"),
    *(Hostile(f"the kind {kind}", "vmdk", vmdk(kind), "subformat")
      for kind in ("monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "vmfs", "vmfsRDM", "custom")),
    Hostile("no sectors of its own", "vmdk", vmdk(sectors=0), "no sectors"),
    Hostile("a parent", "vmdk", vmdk(more=f'parentFileNameHint="{CANARY}"\n'), "names a parent"),
    Hostile("a parent in capitals", "vmdk", vmdk(more=f'PARENTFILENAMEHINT = "{CANARY}"\n'), "safe"),
    Hostile("a parent by number", "vmdk", put(vmdk(), SECTOR, b"parentCID=12345678\n"), "safe"),
    Hostile("a line nobody knows", "vmdk", vmdk(more=f"include {CANARY}\n"), "descriptor"),
    Hostile("a description in another place", "vmdk", vmdk(at=7), "content is raw"),
    Hostile("a description that is not text", "vmdk", put(vmdk(), SECTOR, b"\xff" * 40), "content"),
    Hostile("an end that is not there", "vmdk", vmdk(directory=2**64 - 1), "safe"),
    Hostile("an end that says otherwise", "vmdk", put(streamed(), len(streamed()) - 1024 + 28, b"\x09"), "footer"),
    Hostile("a vmdk of exabytes", "vmdk", vmdk(sectors=2**60), "more than any disk"),
    Hostile("a vmdk of an unknown version", "vmdk", vmdk(version=9), "content is raw"),
    Hostile("a vmdk cut off", "vmdk", vmdk()[:700], "safe"),
    # vdi, vhd, vhdx, luks, and what is never right
    Hostile("a vdi of differences", "vdi", vdi(4), "type 4"),
    Hostile("a vdi that is linked", "vdi", put(vdi(), 0x1B8, b"\x01" * 16), "linked to a parent"),
    Hostile("a vdi of exabytes", "vdi", vdi(size=2**61), "more than any disk"),
    Hostile("a vdi cut off", "vdi", vdi()[:100], "content is raw"),
    Hostile("a vhd of differences", "vhd", vhd(4), "differences to a parent"),
    Hostile("a fixed vhd of another size", "vhd", fixed_vhd(bytes(70_144), said=2**40), "content is raw"),
    Hostile("a fixed vhd of differences", "vhd", fixed_vhd(bytes(70_144), kind=4), "content is raw"),
    Hostile("a fixed vhd that is qcow2", "vhd", fixed_vhd(qcow2(backing=CANARY)), "content is qcow2"),
    Hostile("a vhd of an unknown type", "vhd", vhd(9), "type 9"),
    Hostile("a vhd of exabytes", "vhd", vhd(size=2**61), "more than any disk"),
    Hostile("a vhd cut off", "vhd", vhd()[:50], "safe"),
    Hostile("a vhdx with a parent", "vhdx", vhdx(SIZE_ITEM, PARENT_ITEM), "differences to a parent"),
    Hostile("a vhdx without size", "vhdx", vhdx(bytes(16)), "how large"),
    Hostile("a vhdx of exabytes", "vhdx", vhdx(size=2**61), "more than any disk"),
    Hostile("a vhdx of too many regions", "vhdx", put(vhdx(), 192 * 1024 + 8, struct.pack("<I", 5000)), "content is raw"),
    Hostile("a vhdx cut off", "vhdx", vhdx()[:5000], "safe"),
    Hostile("a luks nobody knows", "luks", luks(9), "version"),
    Hostile("qed", "qcow2", b"QED\0".ljust(70000, b"\0"), "content is qed"),
]  # fmt: skip


# -- what is touched ---------------------------------------------------------------------------------------------------

_watchers: list["Seen"] = []


class Seen:
    """What the process opened and started while it was watched."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.started: list[list[str]] = []
        self.connected: list[Any] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watchers:
        return
    for seen in _watchers:
        if event == "open":
            seen.opened.append(str(arguments[0]))
        elif event == "subprocess.Popen":
            seen.started.append([str(part) for part in arguments[1]])
        elif event == "socket.connect":
            seen.connected.append(arguments[1])


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Python's own audit of what is opened, started and connected to, in all threads."""
    if _hook not in _installed:
        sys.addaudithook(_hook)
        _installed.append(_hook)
    seen = Seen()
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)


_installed: list[Any] = []
