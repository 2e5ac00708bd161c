"""As much of the ELF format as a builder needs: which shared libraries a program asks for."""

import struct
from pathlib import Path

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NEEDED, DT_STRTAB = 1, 5


def needed(path: Path) -> list[str]:
    """The sonames in the dynamic section; none for scripts and static programs."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    table, entry_size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    loads: list[tuple[int, int, int]] = []
    dynamic: tuple[int, int] | None = None
    for index in range(count):
        kind, _flags, offset, address, _physical, size = struct.unpack_from("<IIQQQQ", data, table + index * entry_size)
        if kind == PT_LOAD:
            loads.append((address, offset, size))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, size)
    if dynamic is None:
        return []
    entries = [struct.unpack_from("<qQ", data, dynamic[0] + at) for at in range(0, dynamic[1], 16)]
    strings_at = next((value for tag, value in entries if tag == DT_STRTAB), 0)
    # The table is named by its address in memory; the load segments say where that is in the file.
    base = next((off + strings_at - addr for addr, off, size in loads if addr <= strings_at < addr + size), 0)
    return [_string(data, base + value) for tag, value in entries if tag == DT_NEEDED]


def _string(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
