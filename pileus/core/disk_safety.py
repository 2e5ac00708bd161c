"""What oslo.utils' inspectors leave out: other ways in which a disk image leads out of itself, or breaks what opens it.

Known from QEMU's block drivers: a VMDK names a parent in its descriptor and its extents are opened when its header says
it has no sectors; VDI and VHDX are linked to parents by identifiers; qcow2 is encrypted or carries the name of a data file.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

_QCOW2 = ">4sIQIIQIIQQIIQ"
_EXTERNAL_DATA = 0x44415441  # a header extension: the name of the file the data is in
_L1_MOST = 4 << 20  # entries; QEMU's own limit is 32 MiB of them
_PARENT_LOCATOR = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")
_EXTENT = re.compile(r'(?:rw|rdonly) \d+ sparse "[^"/\\:]+"(?: \d+)?')
_NO_PARENT = "ffffffff"


def concerns(inspector: Any) -> list[str]:
    """Why the content that this inspector has seen is not safe to open; empty when nothing speaks against it."""
    check = _CHECKS.get(str(inspector))
    if check is None:
        return []
    try:
        return list(check(inspector))
    except (struct.error, KeyError, IndexError, ValueError):
        return ["it is cut off in its header"]


def _qcow2(inspector: Any) -> Iterator[str]:
    head = bytes(inspector.region("header").data)
    _, version, _, backing, cluster_bits, _, encryption, l1_size, _, _, _, _, _ = struct.unpack_from(_QCOW2, head)
    if encryption:
        yield "it is encrypted"
    if backing:
        yield "it names a backing file"
    if not 9 <= cluster_bits <= 21:
        yield f"its clusters have 2^{cluster_bits} bytes"
    if l1_size > _L1_MOST:
        yield "its first table is larger than any disk needs"
    position = 72
    if version >= 3:
        (position,) = struct.unpack_from(">I", head, 100)
        if not 104 <= position <= len(head):
            yield f"its header says it has {position} bytes"
            return
    while position + 8 <= len(head):
        kind, length = struct.unpack_from(">II", head, position)
        if kind == 0:
            return
        if kind == _EXTERNAL_DATA:
            yield "it names a data file"
        position += 8 + (length + 7) // 8 * 8


def _vmdk(inspector: Any) -> Iterator[str]:
    if not inspector.has_region("header"):
        yield "it is a description of other files"
        return
    (sectors,) = struct.unpack_from("<Q", bytes(inspector.region("header").data), 12)
    if sectors == 0:
        yield "it has no sectors of its own"
    lines = [line.strip() for line in (inspector.desc_text or "").split("\n")]
    for line in lines:
        name, _, value = (part.strip() for part in line.partition("="))
        if name == "parentfilenamehint" or (name == "parentcid" and value != _NO_PARENT):
            yield "it names a parent"
    extents = [line for line in lines if line.split(" ")[0] in ("rw", "rdonly", "noaccess")]
    if len(extents) != 1 or not _EXTENT.fullmatch(extents[0]):
        yield "it is in several parts, or in others than its own"


def _vdi(inspector: Any) -> Iterator[str]:
    head = bytes(inspector.region("header").data)
    (kind,) = struct.unpack_from("<I", head, 0x4C)
    if kind not in (1, 2):
        yield f"it is of type {kind}, not a whole disk"
    if any(head[0x1A8:0x1C8]):
        yield "it is linked to a parent"


def _vhd(inspector: Any) -> Iterator[str]:
    (kind,) = struct.unpack_from(">I", bytes(inspector.region("header").data), 60)
    if kind not in (2, 3):
        yield "it holds the differences to a parent" if kind == 4 else f"it is of type {kind}, not a whole disk"


def _vhdx(inspector: Any) -> Iterator[str]:
    if not inspector.has_region("metadata") or not inspector.has_region("vds"):
        yield "it does not say how large its disk is"
    elif _PARENT_LOCATOR in bytes(inspector.region("metadata").data):
        yield "it holds the differences to a parent"


_CHECKS: dict[str, Callable[[Any], Iterator[str]]] = {
    "qcow2": _qcow2, "vmdk": _vmdk, "vdi": _vdi, "vhd": _vhd, "vhdx": _vhdx,
}  # fmt: skip
