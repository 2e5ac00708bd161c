"""What the C library is told about memory: give back what large answers leave (glibc's mallopt(3))."""

import ctypes

# a process of some sixty threads has by default eight arenas a processor, each with holes of its own; what Python does not
# allocate itself is SQLite's, a few KiB at a time: two arenas are enough, measured
ARENAS = 2
# by itself this grows to 32 MiB with the first large answer that is freed, and such answers then leave holes that stay
LARGE = 256 << 10
_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3


def spare() -> None:
    """Called before the first thread starts; where the C library is another, nothing changes."""
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(_M_ARENA_MAX, ARENAS)
        adjust(_M_MMAP_THRESHOLD, LARGE)
