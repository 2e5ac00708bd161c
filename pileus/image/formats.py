"""What bytes an image may have: their format must be the declared one, and must not lead out of the image."""

from typing import Protocol

from pileus.core import disk_formats
from pileus.core.errors import UnsupportedMediaType


class Inspector(Protocol):
    """Sees an upload pass by."""

    def eat(self, chunk: bytes | memoryview) -> None:
        """Raises UnsupportedMediaType as soon as the content cannot be right."""

    def finish(self) -> int | None:
        """The virtual size, where the content tells. Raises UnsupportedMediaType."""


def inspector(disk_format: str | None, container_format: str | None, checking: bool) -> Inspector:
    """`checking` off looks for the virtual size only."""
    if disk_format not in disk_formats.KNOWN or container_format != "bare":
        return _Blind()
    return _Seeing(disk_formats.Inspector(disk_format, checking))


class _Blind:
    def eat(self, chunk: bytes | memoryview) -> None:
        pass

    def finish(self) -> int | None:
        return None


class _Seeing:
    def __init__(self, inspector: disk_formats.Inspector):
        self._inspector = inspector

    def eat(self, chunk: bytes | memoryview) -> None:
        try:
            self._inspector.eat(chunk)
        except disk_formats.Refused as why:
            raise UnsupportedMediaType(str(why)) from None

    def finish(self) -> int | None:
        try:
            return self._inspector.finish()
        except disk_formats.Refused as why:
            raise UnsupportedMediaType(str(why)) from None
