"""Parts of a body and conditions on it (RFC 9110 §13, §14): what Range, If-Match and their like ask of a stored thing."""

from typing import NamedTuple

from pileus.core.errors import PreconditionFailed, RangeNotSatisfiable
from pileus.core.wire import FileBody, Request, Response


class Part(NamedTuple):
    offset: int
    length: int


def part(text: str | None, size: int) -> Part | None:
    """The part that a Range header asks for, or None for the whole: also when it asks for several, or makes no sense.

    Raises RangeNotSatisfiable.
    """
    unit, _, ranges = (text or "").partition("=")
    first, dash, last = ranges.strip().partition("-")
    first, last = first.strip(), last.strip()
    if unit.strip().lower() != "bytes" or not dash or not (_number(first) or _number(last)):
        return None
    if (first and not _number(first)) or (last and not _number(last)):
        return None
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise _not_satisfiable(size)
        return Part(size - length, length)
    begin, end = int(first), int(last) if last else size - 1
    if last and end < begin:
        return None
    if begin >= size:
        raise _not_satisfiable(size)
    return Part(begin, min(end, size - 1) - begin + 1)


def asked(rq: Request, size: int, etag: str) -> Part | Response | None:
    """The part this request wants of a thing with this entity tag (None: all), or the answer that spares it (304).

    Raises PreconditionFailed or RangeNotSatisfiable.
    """
    if (match := rq.headers.get("if-match")) is not None and not _among(etag, match):
        raise PreconditionFailed("The resource has changed: its entity tag is another.")
    if (match := rq.headers.get("if-none-match")) is not None and _among(etag, match):
        return Response(None, 304, {"etag": etag})
    wanted = rq.headers.get("range")
    if wanted and rq.headers.get("if-range", etag).strip() == etag:
        return part(wanted, size)
    return None


def respond(body: FileBody | object, found: Part | None, size: int, headers: dict[str, str]) -> Response:
    """200 with the whole, or 206 with a part."""
    headers = {"accept-ranges": "bytes", "content-length": str(found.length if found else size), **headers}
    if found is None:
        return Response(body, 200, headers)
    headers["content-range"] = f"bytes {found.offset}-{found.offset + found.length - 1}/{size}"
    return Response(body, 206, headers)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _among(etag: str, header: str) -> bool:
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))


def _not_satisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"The range lies outside of the {size} bytes there are.", headers={"content-range": f"bytes */{size}"}
    )
