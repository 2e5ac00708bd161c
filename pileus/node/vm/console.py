"""Reading the serial console's log from its end, in bounded memory, also across virtlogd's rotation."""

from pathlib import Path

MOST = 1 << 20  # bytes: a guest may write for ever


def tail(path: Path, lines: int | None, most: int = MOST) -> str:
    """The last lines (all that is kept if None). What was rotated away comes first, as far as it is needed."""
    if lines is not None and lines <= 0:
        return ""
    pieces: list[bytes] = []
    for file in (path, path.with_name(path.name + ".0")):
        pieces.insert(0, _end(file, most - sum(map(len, pieces))))
        if lines is not None and sum(piece.count(b"\n") for piece in pieces) > lines:
            break
    text = b"".join(pieces).decode(errors="replace").replace("\r\n", "\n")
    if lines is None:
        return text
    return "\n".join(text.removesuffix("\n").split("\n")[-lines:])  # clients count the line ends: none after the last


def _end(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            return file.read(most)
    except FileNotFoundError:
        return b""
