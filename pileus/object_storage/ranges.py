"""Parts of a body (RFC 9110, 14): one, or several as multipart/byteranges."""

import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pileus.core.errors import RangeNotSatisfiable

MOST = 50  # in one request
_MOST_DIGITS = 18


class Part(NamedTuple):
    offset: int
    length: int


def parse(text: str | None, size: int) -> list[Part] | None:
    """The parts that a Range header asks for; None for the whole, also where the header makes no sense.

    Raises RangeNotSatisfiable when nothing of it lies within, or too many are asked for.
    """
    unit, equals, ranges = (text or "").partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    asked = ranges.split(",")
    found = []
    for one in asked[: MOST + 1]:
        limits = _limits(one)
        if limits is None:
            return None
        first, last = limits
        if first is None:
            length = min(last or 0, size)
            if length:
                found.append(Part(size - length, length))
        elif first < size:
            found.append(Part(first, (size - 1 if last is None else min(last, size - 1)) - first + 1))
    if not found or len(asked) > MOST:
        raise RangeNotSatisfiable(
            f"The range lies outside of the {size} bytes there are.", headers={"content-range": f"bytes */{size}"}
        )
    return found


def _limits(text: str) -> tuple[int | None, int | None] | None:
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash or not (first or last):
        return None
    for number in (first, last):
        if number and not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
            return None
    begin, end = int(first) if first else None, int(last) if last else None
    if begin is not None and end is not None and end < begin:
        return None
    return begin, end


class Several:
    """Parts, each with a head of its own, between boundaries."""

    def __init__(self, parts: list[Part], size: int, content_type: str):
        self.boundary = secrets.token_hex(16)
        self._parts = parts
        self._heads = [
            (
                f"--{self.boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: bytes {part.offset}-{part.offset + part.length - 1}/{size}\r\n\r\n"
            ).encode()
            for part in parts
        ]
        self._end = f"--{self.boundary}--".encode()

    @property
    def length(self) -> int:
        return sum(len(h) + part.length + 2 for h, part in zip(self._heads, self._parts, strict=True)) + len(self._end)

    def chunks(self, read: Callable[[int, int], Iterator[bytes]]) -> Iterator[bytes]:
        for head, part in zip(self._heads, self._parts, strict=True):
            yield head
            yield from read(part.offset, part.length)
            yield b"\r\n"
        yield self._end
