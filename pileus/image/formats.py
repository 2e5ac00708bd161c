"""What bytes an image may have: their format must be the declared one, and must not lead out of the image.

The inspector is the one the field shares (oslo.utils, hardened against images that name backing or data files of their
host). It costs 0.1 s to import, so it is imported with the first upload.
"""

from typing import Any, Protocol

from pileus.core.errors import UnsupportedMediaType

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
_ENOUGH = 1 << 20  # content names its format in its first bytes: what is not there by then is not that format


class Inspector(Protocol):
    """Sees an upload pass by."""

    def eat(self, chunk: bytes) -> None:
        """Raises UnsupportedMediaType as soon as the content cannot be right."""

    def finish(self) -> int | None:
        """The virtual size, where the content tells. Raises UnsupportedMediaType."""


def inspector(disk_format: str | None, container_format: str | None, checking: bool) -> Inspector:
    """`checking` off looks for the virtual size only."""
    if disk_format not in _MEANT or container_format != "bare":
        return _Blind()
    return _Formats(disk_format, checking)


class _Blind:
    def eat(self, chunk: bytes) -> None:
        pass

    def finish(self) -> int | None:
        return None


class _Formats:
    def __init__(self, disk_format: str, checking: bool):
        from oslo_utils.imageutils import format_inspector

        self.disk_format = disk_format
        self.checking = checking
        self.size = 0
        # each sees all bytes: content that fits two formats is how one is hidden in another
        self.alive: list[Any] = [kind() for name, kind in format_inspector.ALL_FORMATS.items() if name != "raw"]

    def eat(self, chunk: bytes) -> None:
        self.size += len(chunk)
        for one in list(self.alive):
            try:
                one.eat_chunk(chunk)
            except Exception:  # not this format, whatever it stumbled over
                self.alive.remove(one)
        if self.size >= _ENOUGH:
            self.alive = [one for one in self.alive if _matches(one)]
            if self.checking:
                self._check_format()

    def finish(self) -> int | None:
        for one in self.alive:
            one.finish()
        self.alive = [one for one in self.alive if _matches(one)]
        if self.checking:
            self._check_format()
            for one in self.alive:
                self._check_safety(one)
        for one in self.alive:
            if str(one) == self.disk_format and self.disk_format not in ("raw", "gpt"):
                return _virtual_size(one)
        return self.size if self.disk_format in ("raw", "iso", "gpt") else None

    def _check_format(self) -> None:
        found = {str(one) for one in self.alive} or {"raw"}
        meant = _MEANT[self.disk_format]
        if self.disk_format == "iso":
            found.discard("gpt")  # ISO images that boot from a USB stick have a partition table too
        if len(found) > 1 and not found <= meant:
            raise UnsupportedMediaType(
                f"The image's content fits several formats at once ({', '.join(sorted(found))}): that is refused."
            )
        if not found <= meant:
            raise UnsupportedMediaType(
                f"The image's content is {', '.join(sorted(found))}, but its disk_format is {self.disk_format}."
            )

    def _check_safety(self, one: Any) -> None:
        if str(one) == "gpt":
            return  # odd partition tables harm nobody but the guest that has them
        try:
            one.safety_check()
        except Exception as error:
            failures = getattr(error, "failures", {})
            reasons = ", ".join(f"{name}: {why}" for name, why in failures.items()) or str(error)
            raise UnsupportedMediaType(
                f"The image is refused because its {one} content is not safe to use ({reasons})."
            ) from None


def _matches(one: Any) -> bool:
    try:
        return bool(one.format_match)
    except Exception:
        return False


def _virtual_size(one: Any) -> int | None:
    try:
        size = int(one.virtual_size)
    except Exception:
        return None
    return size if 0 <= size < 2**63 else None
