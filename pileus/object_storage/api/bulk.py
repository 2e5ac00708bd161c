"""Many things in one request: an archive's files as objects, a list of paths deleted; and one report of how each went.

The answer is 200 as soon as the request makes sense; what became of it stands in the body, in the form that is asked for.
"""

import bz2
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from pileus.core.errors import BadRequest, Fault, NotAcceptable, NotFound, TooLarge, Unauthorized
from pileus.core.wire import Response
from pileus.object_storage import containers, limits, objects
from pileus.object_storage.api import listings, writing
from pileus.object_storage.api.base import Call

_OFFERED = ("text/plain", "application/json", "application/xml", "text/xml")
_LONGEST_PATH = 2 * (limits.MAX_CONTAINER_NAME + limits.MAX_OBJECT_NAME) * 3
PIECE = 1 << 16


class Outcome(NamedTuple):
    done: int
    missing: int
    failed: list[tuple[str, str]]
    status: str
    why: str = ""


def media_type(call: Call) -> str:
    found = listings.best(call.headers.get("accept", "") or "*/*", _OFFERED)
    if found is None:
        raise NotAcceptable("Reports are text/plain, application/json, application/xml or text/xml.")
    return found


def report(call: Call, outcome: Outcome, word: str) -> Response:
    """`word` is `deleted` or `created`."""
    kind = media_type(call)
    numbers: dict[str, Any] = {"Number Files Created": outcome.done}
    if word == "deleted":
        numbers = {"Number Deleted": outcome.done, "Number Not Found": outcome.missing}
    fields = {**numbers, "Response Status": outcome.status, "Response Body": outcome.why}
    return worded(kind, fields, outcome.failed, "delete" if word == "deleted" else "extract")


def worded(kind: str, fields: dict[str, Any], failed: list[tuple[str, str]], root: str, status: int = 200) -> Response:
    """A report in the form that is asked for."""
    if kind == "application/json":
        text = json.dumps({**fields, "Errors": failed})
    elif kind in ("application/xml", "text/xml"):
        inner = "".join(f"<{_tag(key)}>{escape(str(value))}</{_tag(key)}>" for key, value in fields.items())
        each = "".join(
            f"<object><name>{escape(name)}</name><status>{escape(why)}</status></object>" for name, why in failed
        )
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}<errors>{each}</errors></{root}>'
    else:
        lines = [*(f"{key}: {value}" for key, value in fields.items()), "Errors:"]
        text = "\n".join([*lines, *(f"{name}, {why}" for name, why in failed)])
    return Response(text.encode("utf-8", "replace"), status, {"content-type": f"{kind}; charset=utf-8"})


def _tag(text: str) -> str:
    return text.lower().replace(" ", "_")


def check_quotas(changes: dict[str, str], names: Iterable[str]) -> None:
    """Raises BadRequest for a quota that is no number."""
    for name in names:
        if changes.get(name) and limits.whole_number(changes[name]) is None:
            raise BadRequest("Invalid quota value: it is a number of bytes, or of objects.")


# -- deleting ------------------------------------------------------------------------------------------------------------


def delete(call: Call) -> Response:
    """What the body lists, a path a line."""
    media_type(call)
    if call.ctx.user_id is None:
        raise call.refuse()
    paths = dict.fromkeys(_lines(call))
    return report(call, delete_paths(call, paths), "deleted")


def _lines(call: Call) -> Iterator[str]:
    left, count = b"", 0
    for chunk in call.rq.upload:
        *lines, left = (left + chunk).split(b"\n")
        if len(left) > _LONGEST_PATH:
            raise BadRequest("Invalid File Name")
        for line in lines:
            count += 1
            if count > limits.MAX_DELETES:
                raise TooLarge(f"Maximum Bulk Deletes: {limits.MAX_DELETES} per request")
            yield unquote(line.strip().decode("utf-8", "replace"))
    if left.strip():
        if count >= limits.MAX_DELETES:
            raise TooLarge(f"Maximum Bulk Deletes: {limits.MAX_DELETES} per request")
        yield unquote(left.strip().decode("utf-8", "replace"))


def delete_paths(call: Call, paths: Iterable[str]) -> Outcome:
    """Objects and empty containers, each in a transaction of its own."""
    done = missing = 0
    failed: list[tuple[str, str]] = []
    for path in paths:
        if not path.strip("/"):
            continue
        container, _, name = path.lstrip("/").partition("/")
        try:
            limits.check_names(container, name or None)
            _delete_one(call, container, name)
            done += 1
        except NotFound:
            missing += 1
        except Unauthorized:
            raise
        except Fault as fault:
            failed.append((quote(path, errors="replace"), f"{fault.status} {fault.title}"))
            if len(failed) >= limits.MAX_BULK_FAILURES:
                return Outcome(done, missing, failed, "400 Bad Request", "Max delete failures exceeded")
    if failed:
        return Outcome(done, missing, failed, "400 Bad Request")
    if not done and not missing:
        return Outcome(done, missing, failed, "400 Bad Request", "Invalid bulk delete.")
    return Outcome(done, missing, failed, "200 OK")


def _delete_one(call: Call, container: str, name: str) -> None:
    with call.write() as tx:
        if not name:
            call.require_account(writing=True)
            containers.delete_container(tx, containers.get_container(tx, call.account, container))
            return
        found = call.container_to_write(tx, container)
        if objects.delete_object(tx, call.files, found, name) is None:
            raise NotFound("The resource could not be found.")


# -- archives ------------------------------------------------------------------------------------------------------------


class _Member(tarfile.TarInfo):
    """One whose long names and attributes are no longer than such things are: they are read into memory."""

    def _proc_member(self, archive: Any) -> Any:
        held = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
        if self.type in (*held, tarfile.SOLARIS_XHDTYPE) and self.size > 1 << 20:
            raise tarfile.ReadError("a header is too long")
        return super()._proc_member(archive)  # type: ignore[misc]


class Unpacked:
    """What comes, unpacked, as the file that tarfile reads."""

    def __init__(self, chunks: Iterable[bytes], kind: str):
        self._chunks = _gunzip(chunks) if kind == "tar.gz" else _bunzip(chunks) if kind == "tar.bz2" else iter(chunks)
        self._left = b""

    def read(self, size: int) -> bytes:
        parts, length = [self._left], len(self._left)
        while length < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            length += len(chunk)
        whole = b"".join(parts)
        self._left = whole[size:]
        return whole[:size]


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        while chunk:
            if piece := unpacker.decompress(chunk, PIECE):
                yield piece
            chunk = unpacker.unconsumed_tail
            if unpacker.eof:
                chunk, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    yield unpacker.flush()


def _bunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = bz2.BZ2Decompressor()
    for chunk in chunks:
        data = chunk
        while data or not unpacker.needs_input:
            if piece := unpacker.decompress(data, PIECE):
                yield piece
            data = b""
            if unpacker.eof:
                data, unpacker = unpacker.unused_data, bz2.BZ2Decompressor()
                if not data:
                    break


def extract(call: Call) -> Response:
    """An archive's files as objects: below the path's container, or each in the container its path begins with."""
    kind = call.rq.query.get("extract-archive") or ""
    if kind not in ("tar", "tar.gz", "tar.bz2"):
        raise BadRequest(f"Unsupported archive format {kind[:50]!r}: use tar, tar.gz or tar.bz2.")
    media_type(call)
    writing.announced(call.headers)
    if call.ctx.user_id is None:
        raise call.refuse()
    return report(call, _extract(call, Unpacked(call.rq.upload, kind)), "created")


_TAR_ERRORS = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError)


def _extract(call: Call, unpacked: Unpacked) -> Outcome:
    done, failed = 0, list[tuple[str, str]]()
    made: set[str] = set()
    try:
        with tarfile.open(mode="r|", fileobj=unpacked, tarinfo=_Member) as archive:  # type: ignore[call-overload]
            for member in archive:
                if not member.isfile():
                    continue
                path = member.name.removeprefix("./").lstrip("/")
                try:
                    if _extract_one(call, archive, member, path, made):
                        done += 1
                except Unauthorized:
                    raise
                except Fault as fault:
                    failed.append((quote(path[:1500], errors="replace"), f"{fault.status} {fault.title}"))
                    if len(failed) >= limits.MAX_BULK_FAILURES:
                        return Outcome(done, 0, failed, "400 Bad Request", "Max failures exceeded")
                archive.members = []  # it would keep them all
    except _TAR_ERRORS as error:
        return Outcome(done, 0, failed, "400 Bad Request", f"Invalid Tar File: {error}")
    if failed:
        return Outcome(done, 0, failed, "400 Bad Request")
    if not done:
        return Outcome(done, 0, failed, "400 Bad Request", "Invalid Tar File: No Valid Files")
    return Outcome(done, 0, failed, "201 Created")


def _extract_one(call: Call, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, made: set[str]) -> bool:
    if call.container is not None:
        path = "/".join(filter(None, (call.container, (call.name or "").rstrip("/"), path)))
    container, _, name = path.partition("/")
    if not name:
        return False  # a file beside the folders that would be containers
    limits.check_names(container, name)
    if member.size > limits.MAX_FILE:
        raise TooLarge("Your request is too large.")
    if container not in made:
        if len(made) >= limits.MAX_BULK_CONTAINERS:
            raise BadRequest(f"More than {limits.MAX_BULK_CONTAINERS} containers to create from tar.")
        _ensure(call, container)
        made.add(container)
    file = archive.extractfile(member)
    chunks = iter(lambda: file.read(PIECE) if file else b"", b"")
    headers = {
        f"{objects.META}{key.removeprefix('SCHILY.xattr.user.meta.').lower()}": value
        for key, value in member.pax_headers.items()
        if key.startswith("SCHILY.xattr.user.meta.")
    }
    if kind := member.pax_headers.get("SCHILY.xattr.user.mime_type"):
        headers["content-type"] = kind
    for given in ("x-delete-at", "x-delete-after"):
        if given in call.headers:
            headers[given] = call.headers[given]
    writing.receive(call, chunks, name, headers=headers, size=member.size, container=container)
    return True


def _ensure(call: Call, container: str) -> None:
    with call.write() as tx:
        if containers.find_container(tx, call.account, container) is None:
            call.require_account(writing=True)
            containers.put_container(tx, call.account, container, {})
