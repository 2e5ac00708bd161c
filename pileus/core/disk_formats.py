"""What the bytes of a disk may be: their format must be the declared one, and must not lead out of the image.

The inspectors are those the field shares (oslo.utils, hardened against images that name backing or data files of their
host); `disk_safety` looks at what they leave out. They cost 0.1 s to import, so they are imported with the first image.
"""

from typing import Any

# declared formats whose content is known; a raw disk may carry a partition table or be encrypted
_MEANT = {
    "raw": {"raw", "gpt", "luks"},
    "gpt": {"gpt"},
    "luks": {"luks"},
    "qcow2": {"qcow2"},
    "vhd": {"vhd"},
    "vhdx": {"vhdx"},
    "vmdk": {"vmdk"},
    "vdi": {"vdi"},
    "iso": {"iso"},
}
KNOWN = frozenset(_MEANT)
_ENOUGH = 1 << 20  # content names its format in its first bytes: what is not there by then is not that format
_PIECE = 64 << 10  # inspectors look for what they found in one piece only in the next
_FOOTER = 512  # of a VHD
MAX_DISK = 1 << 50  # a PiB: what claims to be larger is made to break something


class Refused(Exception):
    """The content cannot be what it is said to be, or must not be opened. The message says why."""


class Inspector:
    """Sees the bytes of a disk pass by. Not checking, it looks for the virtual size only."""

    def __init__(self, disk_format: str, checking: bool = True):
        from oslo_utils.imageutils import format_inspector

        self.disk_format = disk_format
        self.checking = checking
        self.size = 0
        self._judged = False
        self._tail = b""
        # each sees all bytes: content that fits two formats is how one is hidden in another
        self.alive: list[Any] = [kind() for name, kind in format_inspector.ALL_FORMATS.items() if name != "raw"]

    def eat(self, chunk: bytes | memoryview) -> None:
        """Raises Refused as soon as the content cannot be right."""
        self.size += len(chunk)
        if self.disk_format == "vhd":
            self._tail = (self._tail + bytes(chunk[-_FOOTER:]))[-_FOOTER:]
        if self.alive:
            for at in range(0, len(chunk), _PIECE):
                self._feed(chunk[at : at + _PIECE])
        if self.size >= _ENOUGH and not self._judged:
            self._judged = True
            self.alive = [one for one in self.alive if _matches(one)]
            if self.checking and not self._may_be_fixed():
                self._check_format()

    def _feed(self, piece: bytes | memoryview) -> None:
        for one in list(self.alive):
            try:
                one.eat_chunk(piece)
            except Exception:  # not this format, whatever it stumbled over
                self.alive.remove(one)

    def finish(self) -> int | None:
        """The virtual size, where the content tells. Raises Refused."""
        self._feed(b"")  # for what is found only by a look back at the piece before
        self._feed(b"")
        for one in self.alive:
            one.finish()
        self.alive = [one for one in self.alive if _matches(one)]
        fixed = self._fixed_size() if self._may_be_fixed() else None
        if fixed is not None:
            return fixed
        if self.checking:
            self._check_format()
            for one in self.alive:
                self._check_safety(one)
        size = self._virtual_size()
        if size is None or size <= MAX_DISK:
            return size
        if self.checking:
            raise Refused(f"The image says that its disk has {size} bytes: that is more than any disk here may have.")
        return None

    def _may_be_fixed(self) -> bool:
        """A VHD of fixed size is a raw disk, partitions and all, with a footer behind it: the end tells."""
        return self.disk_format == "vhd" and {str(one) for one in self.alive} <= {"gpt"}

    def _fixed_size(self) -> int | None:
        if len(self._tail) < _FOOTER or not self._tail.startswith(b"conectix"):
            return None
        size, kind = int.from_bytes(self._tail[48:56], "big"), int.from_bytes(self._tail[60:64], "big")
        return size if kind == 2 and size + _FOOTER == self.size else None

    def _virtual_size(self) -> int | None:
        for one in self.alive:
            if str(one) == self.disk_format and self.disk_format not in ("raw", "gpt"):
                return _size_of(one)
        return self.size if self.disk_format in ("raw", "iso", "gpt") else None

    def _check_format(self) -> None:
        found = {str(one) for one in self.alive} or {"raw"}
        meant = _MEANT[self.disk_format]
        if self.disk_format == "iso":
            found.discard("gpt")  # ISO images that boot from a USB stick have a partition table too
        if len(found) > 1 and not found <= meant:
            raise Refused(
                f"The image's content fits several formats at once ({', '.join(sorted(found))}): that is refused."
            )
        if not found <= meant:
            raise Refused(
                f"The image's content is {', '.join(sorted(found))}, but its disk_format is {self.disk_format}."
            )

    def _check_safety(self, one: Any) -> None:
        from pileus.core.disk_safety import concerns

        if str(one) == "gpt":
            return  # odd partition tables harm nobody but the guest that has them
        reasons: list[str] = []
        try:
            one.safety_check()
        except Exception as error:
            failures = getattr(error, "failures", {})
            reasons = [f"{name}: {why}" for name, why in failures.items()] or [str(error)]
        reasons += concerns(one)
        if reasons:
            raise Refused(f"The image is refused because its {one} content is not safe to use ({', '.join(reasons)}).")


def _matches(one: Any) -> bool:
    try:
        return bool(one.format_match)
    except Exception:
        return False


def _size_of(one: Any) -> int | None:
    try:
        size = int(one.virtual_size)
    except Exception:
        return None
    return size if size >= 0 else None
