"""What a qcow2 file says of itself, read without any program: the gate before QEMU opens a stranger's image.

An image may name other files of this host as its backing or data file; QEMU would open them with the node's rights.
"""

import struct

from pileus.node.errors import NodeError

MAGIC = b"QFI\xfb"
HEAD_BYTES = 104
EXTERNAL_DATA = 1 << 2  # incompatible feature bit
KNOWN_INCOMPATIBLE = 0b11111


def check_header(head: bytes) -> None:
    """Refuse what is no qcow2 or points outside itself."""
    if len(head) < 72 or head[:4] != MAGIC:
        raise NodeError("invalid", "the image is not qcow2")
    version, backing_offset = struct.unpack_from(">IQ", head, 4)
    if version not in (2, 3):
        raise NodeError("invalid", f"the image is qcow2 of unknown version {version}")
    if backing_offset:
        raise NodeError("invalid", "the image needs a backing file: flatten it first (qemu-img convert)")
    if version == 3:
        if len(head) < HEAD_BYTES:
            raise NodeError("invalid", "the image is cut off in its header")
        (incompatible,) = struct.unpack_from(">Q", head, 72)
        if incompatible & EXTERNAL_DATA:
            raise NodeError("invalid", "the image keeps its data in another file: flatten it first (qemu-img convert)")
        if incompatible & ~KNOWN_INCOMPATIBLE:
            raise NodeError("invalid", "the image uses qcow2 features which are not known here")
