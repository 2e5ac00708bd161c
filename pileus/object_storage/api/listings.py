"""Listings on the wire: what a query string asks for, and the entries as text, JSON or XML."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec

from pileus.core.errors import NotAcceptable, PreconditionFailed
from pileus.core.wire import Query, Request, Response
from pileus.object_storage import limits
from pileus.object_storage.listing import Wanted

_FORMATS = {"plain": "text/plain", "json": "application/json", "xml": "application/xml"}
_OFFERED = ("text/plain", "application/json", "application/xml", "text/xml")
_encode = msgspec.json.Encoder().encode
Entry = dict[str, Any]


def wanted(query: Query) -> Wanted:
    """Raises PreconditionFailed."""
    limit = query.get("limit")
    number = limits.MAX_LISTING
    if limit:
        found = limits.whole_number(limit)
        if found is not None and found > limits.MAX_LISTING:
            raise PreconditionFailed(f"Maximum limit is {limits.MAX_LISTING}")
        number = limits.MAX_LISTING if found is None else found
    texts = {name: query.get(name) or "" for name in ("marker", "end_marker", "prefix", "delimiter")}
    path = query.get("path")
    for text in (*texts.values(), path or ""):
        if "\0" in text or "\ufffd" in text:
            raise PreconditionFailed("Parameters must be valid UTF-8, without NULL.")
    return Wanted(number, **texts, reverse=limits.is_true(query.get("reverse")), path=path)


def media_type(rq: Request) -> str:
    """Raises NotAcceptable."""
    if asked := rq.query.get("format"):
        return _FORMATS.get(asked.lower(), "text/plain")
    found = best(rq.headers.get("accept", "") or "*/*", _OFFERED)
    if found is None:
        raise NotAcceptable("Listings are text/plain, application/json, application/xml or text/xml.")
    return found


def best(accept: str, offered: tuple[str, ...]) -> str | None:
    """Which of the types on offer an Accept header likes most; the earlier where it likes several as much."""
    found, liked = None, 0.0
    for kind in offered:
        worth, exactness = 0.0, -1
        for item in accept.split(","):
            pattern, *parameters = (part.strip() for part in item.split(";"))
            exact = (
                2 if pattern == kind else 1 if pattern == kind.split("/")[0] + "/*" else 0 if pattern == "*/*" else -1
            )
            if exact > exactness:
                worth, exactness = _quality(parameters), exact
        if worth > liked:
            found, liked = kind, worth
    return found


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                number = float(value)
            except ValueError:
                return 0.0
            return number if 0 <= number <= 1 else 0.0
    return 1.0


def respond(
    kind: str, around: tuple[str, str], entries: list[Entry], headers: Mapping[str, str], head: bool
) -> Response:
    """`around` is the XML element and the name it has."""
    if kind == "application/json":
        body = _encode(entries)
    elif kind in ("application/xml", "text/xml"):
        body = _xml(around, entries).encode("utf-8", "replace")
    else:
        body = "".join(f"{entry.get('name', entry.get('subdir'))}\n" for entry in entries).encode()
    status = 204 if head or not body else 200
    out = {**headers, "content-type": f"{kind}; charset=utf-8"}
    return Response(b"" if head else body, status, out)


def _xml(around: tuple[str, str], entries: list[Entry]) -> str:
    outer, name = around
    inner = "container" if outer == "account" else "object"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>\n', f"<{outer} name={quoteattr(_visible(name))}>"]
    for entry in entries:
        if "subdir" in entry:
            text = _visible(entry["subdir"])
            lines.append(f"<subdir name={quoteattr(text)}><name>{escape(text)}</name></subdir>")
            continue
        fields = "".join(f"<{key}>{escape(_visible(str(value)))}</{key}>" for key, value in entry.items())
        lines.append(f"<{inner}>{fields}</{inner}>")
    return "".join(lines) + f"</{outer}>"


def _visible(text: str) -> str:
    """XML 1.0 has no form for most control characters."""
    return "".join(c if c in "\t\n\r" or c >= " " else "\ufffd" for c in text)


def iso(stamp: str) -> str:
    """`2026-11-22T19:05:30.123450`."""
    return datetime.fromtimestamp(float(stamp), UTC).isoformat(timespec="microseconds")[:26]


def http_date(stamp: str) -> str:
    """The second after, so that nothing seems older than it is."""
    return formatdate(math.ceil(float(stamp)), usegmt=True)
