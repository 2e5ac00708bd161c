"""What a GET or HEAD of an object gives: the object itself, what a link leads to, or what a manifest puts together."""

import base64
import hashlib
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed, RangeNotSatisfiable
from pileus.core.wire import Response
from pileus.object_storage import data, limits, listing, objects, ranges
from pileus.object_storage.api.base import MISSING, Call
from pileus.object_storage.api.listings import http_date
from pileus.object_storage.ranges import Part
from pileus.object_storage.store import MARKER, STATIC, SYMLINK, Container, Object

MANIFEST = "x-object-manifest"
_SEGMENT_COLUMNS = ("name", "etag", "size", "modified", "kind", "extra")


class Segment(NamedTuple):
    """A part of a large object: bytes of an object, or bytes given in the manifest."""

    account: str
    container: str
    name: str
    etag: str
    size: int  # of the whole object
    offset: int
    length: int
    given: bytes | None = None


class Source:
    """The bytes that a name stands for. `size` and `etag` are those of all of them."""

    def __init__(self, call: Call, row: Object, segments: list[Segment] | None = None, depth: int = 0):
        self.call, self.row, self.segments, self.depth = call, row, segments, depth
        self.modified = row.modified
        self.size = row.size if segments is None else sum(segment.length for segment in segments)
        self.etag = row.etag
        if row.kind == STATIC and segments is not None:
            self.etag = row.extra["slo_etag"]

    @property
    def quoted(self) -> str:
        return f'"{self.etag}"' if self.segments is not None else self.etag

    def body(self, offset: int, length: int) -> Any:
        """For an answer: a part of a file, or pieces. Raises Conflict when the first segment is not what it was."""
        if self.segments is None:
            return data.body(self.call.files, self.row.data, offset, length)
        pieces = self.read(offset, length)
        first = next(pieces, None)
        return iter(()) if first is None else _again(first, pieces)

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Raises Conflict when a segment is not what it was."""
        if self.segments is None:
            yield from data.read(self.call.files, self.row.data, offset, length)
            return
        position = 0
        for segment in self.segments:
            begin, end = max(offset - position, 0), min(offset + length - position, segment.length)
            position += segment.length
            if begin < end:
                yield from self._of(segment, segment.offset + begin, end - begin)

    def _of(self, segment: Segment, offset: int, length: int) -> Iterator[bytes]:
        if segment.given is not None:
            yield segment.given[offset : offset + length]
            return
        with self.call.read() as tx:
            inner = source_of_segment(self.call, tx, segment, self.depth + 1)
        yield from inner.read(offset, length)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def source_of_segment(call: Call, tx: Tx, segment: Segment, depth: int) -> Source:
    """Raises Conflict when it is not what it was, or may not be read."""
    if depth > limits.MAX_NESTED:
        raise Conflict("Max recursion depth exceeded")
    try:
        container = call.container_to_read(tx, segment.container, segment.account)
        _, row = follow(call, tx, container, segment.name)
        found = source(call, tx, container, row, depth)
    except Exception as error:
        if not isinstance(error, Conflict):
            raise Conflict(f"Segment /{segment.container}/{segment.name} cannot be read.", detail=repr(error)) from None
        raise
    if found.size != segment.size or found.etag != segment.etag:
        raise Conflict(f"Segment /{segment.container}/{segment.name} is not what it was.")
    return found


def source(call: Call, tx: Tx, container: Container, row: Object, depth: int = 0) -> Source:
    if row.kind == STATIC:
        return Source(call, row, static_segments(call, container.account, row), depth)
    if MANIFEST in row.headers:
        return _dynamic(call, tx, container, row, depth)
    return Source(call, row)


def manifest_of(call: Call, row: Object) -> list[dict[str, Any]]:
    text = b"".join(data.read(call.files, row.data, 0, row.extra["stored"]))
    found: list[dict[str, Any]] = json.loads(text)
    return found


def static_segments(call: Call, account: str, row: Object) -> list[Segment]:
    found = []
    for item in manifest_of(call, row):
        if "data" in item:
            given = base64.b64decode(item["data"])
            found.append(Segment(account, "", "", "", len(given), 0, len(given), given))
            continue
        container, _, name = item["name"].lstrip("/").partition("/")
        part = Part(0, item["bytes"])
        if item.get("range"):
            part = (ranges.parse(f"bytes={item['range']}", item["bytes"]) or [part])[0]
        found.append(Segment(account, container, name, item["hash"], item["bytes"], part.offset, part.length))
    return found


def _dynamic(call: Call, tx: Tx, container: Container, row: Object, depth: int) -> Source:
    """Raises Conflict, NotFound, or whatever keeps the caller from reading the segments' container."""
    named, _, prefix = unquote(row.headers[MANIFEST]).partition("/")
    within = call.container_to_read(tx, named, container.account)
    fetch = listing.reader(tx, Object, _SEGMENT_COLUMNS, container_id=within.id)
    found: list[Segment] = []
    newest, marker = row.modified, ""
    while True:
        wanted = listing.Wanted(limits.MAX_LISTING, marker=marker, prefix=prefix)
        rows = listing.page(fetch, wanted)
        for name, etag, size, modified, kind, extra in (tuple(row) for row in rows):
            etag = json.loads(extra)["slo_etag"] if kind == STATIC else etag
            if kind == SYMLINK:
                etag, size = _of_link(call, tx, within, name, depth)
            newest = max(newest, modified)
            found.append(Segment(container.account, named, name, etag, size, 0, size))
        if len(rows) < limits.MAX_LISTING:
            break
        marker = rows[-1][0]
    result = Source(call, row, found, depth)
    joined = "".join(segment.etag for segment in found)
    result.etag, result.modified = hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest(), newest
    return result


def _of_link(call: Call, tx: Tx, container: Container, name: str, depth: int) -> tuple[str, int]:
    if depth > limits.MAX_NESTED:
        raise Conflict("Max recursion depth exceeded")
    within, row = follow(call, tx, container, name)
    found = source(call, tx, within, row, depth + 1)
    return found.etag, found.size


# -- links -------------------------------------------------------------------------------------------------------------


def follow(call: Call, tx: Tx, container: Container, name: str, version: str | None = None) -> tuple[Container, Object]:
    """Where a name leads. Raises NotFound, Conflict for a link that leads too far or to what has changed."""
    row = objects.get_object(tx, container, name, version)
    if row.kind == MARKER:
        raise NotFound(MISSING, headers=headers_of(row))
    for _ in range(limits.MAX_SYMLINKS + 1):
        if row.kind != SYMLINK:
            return container, row
        link = row.extra
        place = {"content-location": call.place(link["account"], link["container"], link["name"])}
        try:
            container = call.container_to_read(tx, link["container"], link["account"])
            row = objects.get_object(tx, container, link["name"])
        except NotFound as error:
            error.headers.update(place)
            raise
        check_target(link.get("etag"), row, place)
    raise Conflict(f"Too many levels of symbolic links, maximum allowed is {limits.MAX_SYMLINKS}")


def check_target(expected: str | None, row: Object, headers: dict[str, str]) -> None:
    """Raises Conflict when what a link leads to is not what it led to when it was made."""
    if expected and row.kind != SYMLINK and expected != row.etag:
        raise Conflict(
            f"Object Etag '{row.etag}' does not match X-Symlink-Target-Etag header '{expected[:200]}'", headers=headers
        )


# -- answers -----------------------------------------------------------------------------------------------------------


def headers_of(row: Object) -> dict[str, str]:
    """What an object says of itself, whatever its bytes are."""
    found = {
        **row.headers,
        "content-type": row.content_type,
        "etag": row.etag,
        "x-timestamp": row.modified,
        "last-modified": http_date(row.modified),
        "accept-ranges": "bytes",
    }
    if row.version is not None:
        found["x-object-version-id"] = row.version
    if row.kind == SYMLINK:
        link = row.extra
        found["x-symlink-target"] = quote(f"{link['container']}/{link['name']}")
        if link["account"] != link["own"]:
            found["x-symlink-target-account"] = quote(link["account"])
        if link.get("etag"):
            found["x-symlink-target-etag"], found["x-symlink-target-bytes"] = link["etag"], str(link["bytes"])
    return found


def show(call: Call) -> Response:
    """The answer to a GET or HEAD of an object."""
    query = call.rq.query
    version, name = query.get("version-id"), call.name or ""
    if call.grant is not None:
        version = None  # a signed address says nothing of versions
    with call.read() as tx:
        container = call.container_to_read(tx)
        check_version(call, container, version)
        if query.get("symlink") == "get":
            found = objects.get_object(tx, container, name, version)
        else:
            container, found = follow(call, tx, container, name, version)
        if found.kind == MARKER:
            raise NotFound(MISSING, headers=headers_of(found))
        headers = headers_of(found)
        if version == "null":
            headers["x-object-version-id"] = "null"
        if query.get("multipart-manifest") == "get" or found.kind == SYMLINK:
            if found.kind == STATIC:
                return _manifest(call, found, headers)
            content = Source(call, found)
        else:
            content = source(call, tx, container, found)
    if found.kind == STATIC:
        headers |= {"x-static-large-object": "True", "x-manifest-etag": found.etag}
    headers |= {"etag": content.quoted, "last-modified": http_date(content.modified)}
    if found.version is not None and version is None:
        headers["content-location"] = (
            f"{call.place(container.account, container.name, found.name)}?version-id={found.version}"
        )
    if (container.name, found.name) != (call.container, call.name):
        headers["content-location"] = call.place(container.account, container.name, found.name)
    return respond(call, content, headers)


def check_version(call: Call, container: Container, version: str | None) -> None:
    """Only who owns the account sees older versions. Raises BadRequest where none are kept, Unauthorized, Forbidden."""
    if version is None or version == "null":
        return
    if not container.versioning:
        raise BadRequest("version-aware operations require that the container is versioned")
    if not call.reads(container.account):
        raise call.refuse()


def _manifest(call: Call, found: Object, headers: dict[str, str]) -> Response:
    headers["x-static-large-object"] = "True"
    if call.rq.query.get("format") != "raw":
        kept = Source(call, found)
        kept.size = found.extra["stored"]
        headers |= {"content-type": "application/json; charset=utf-8"}
        return respond(call, kept, headers)
    words = {"name": "path", "hash": "etag", "bytes": "size_bytes", "range": "range", "data": "data"}
    body = json.dumps(
        [{words[key]: value for key, value in item.items() if key in words} for item in manifest_of(call, found)]
    ).encode()
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Response(body, 200, {**headers, "etag": etag, "content-length": str(len(body))})


def respond(call: Call, content: Source, headers: dict[str, str]) -> Response:
    """All of it, parts of it, or what spares it. Raises PreconditionFailed, RangeNotSatisfiable."""
    try:
        spared = conditional(call, content, headers)
    except PreconditionFailed as fault:
        fault.headers.update({name: value for name, value in headers.items() if name != "content-length"})
        raise
    if spared:
        return Response(b"", 304, {name: value for name, value in headers.items() if name != "content-length"})
    head = call.rq.method == "HEAD"
    wanted = parts(call, content, headers)
    if wanted is None:
        headers["content-length"] = str(content.size)
        return Response(b"" if head else content.body(0, content.size), 200, headers)
    if len(wanted) == 1:
        offset, length = wanted[0]
        headers["content-length"] = str(length)
        headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{content.size}"
        return Response(b"" if head else content.body(offset, length), 206, headers)
    several = ranges.Several(wanted, content.size, headers["content-type"])
    headers["content-type"] = f"multipart/byteranges; boundary={several.boundary}"
    headers["content-length"] = str(several.length)
    return Response(several.chunks(content.read), 206, headers)


def parts(call: Call, content: Source, headers: dict[str, str]) -> list[Part] | None:
    """What a request asks of it; None for all. Raises BadRequest, RangeNotSatisfiable."""
    number = call.rq.query.get("part-number")
    if number is not None and content.segments is not None and content.row.kind == STATIC:
        wanted = limits.whole_number(number)
        if not wanted:
            raise BadRequest("Part number must be an integer greater than 0")
        headers["x-parts-count"] = str(len(content.segments))
        if wanted > len(content.segments):
            kept = {name: value for name, value in headers.items() if name not in ("content-length", "content-type")}
            raise RangeNotSatisfiable(
                "The requested part number is not satisfiable",
                headers={**kept, "content-range": f"bytes */{content.size}"},
            )
        before = sum(segment.length for segment in content.segments[: wanted - 1])
        return [Part(before, content.segments[wanted - 1].length)]
    asked, on = call.headers.get("range"), call.headers.get("if-range", content.etag).strip().strip('"')
    if call.rq.method == "HEAD" or on not in (content.etag, headers["last-modified"]) or not asked:
        return None
    found = ranges.parse(asked, content.size)
    if found is not None and len(found) > 1 and MANIFEST in content.row.headers:
        return None  # a dynamic large object is given in one part, or whole
    return found


def conditional(call: Call, content: Source, headers: dict[str, str]) -> bool:
    """True for what the client has already. Raises PreconditionFailed."""
    asked = call.headers
    modified = _moment(headers["last-modified"])
    if (match := asked.get("if-match")) is not None and not _among(content.etag, match):
        raise PreconditionFailed("A precondition for this request was not met.")
    since = _moment(asked.get("if-unmodified-since"))
    if since and modified and modified > since:
        raise PreconditionFailed("A precondition for this request was not met.")
    if (match := asked.get("if-none-match")) is not None:
        return _among(content.etag, match)
    since = _moment(asked.get("if-modified-since"))
    return bool(since and modified and modified <= since)


def _moment(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _among(etag: str, header: str) -> bool:
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/").strip('"') for tag in header.split(","))
