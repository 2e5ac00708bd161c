"""Uploads from a browser's form: signed as temporary addresses are, a file after another, in bounded memory."""

import hmac
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pileus.core.errors import BadRequest, Fault, TooLarge, Unauthorized
from pileus.core.wire import Response
from pileus.object_storage import limits
from pileus.object_storage.api import tempurl, writing
from pileus.object_storage.api.base import HTML, Call

MAX_VALUE = 4096  # of a field that is no file
MAX_HEADERS = 65536  # of a part
MAX_FIELDS = 1000


def applies(call: Call) -> bool:
    return call.headers.get("content-type", "").lower().startswith("multipart/form-data") and call.grant is None


def boundary(content_type: str) -> bytes:
    """Raises BadRequest."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "boundary" and value.strip('"'):
            return value.strip().strip('"').encode("latin-1", "replace")
    raise BadRequest("FormPost: no boundary in the Content-Type")


class Parts:
    """A multipart body, part by part, each to be read before the next is asked for. Raises BadRequest where it is none."""

    def __init__(self, chunks: Iterable[bytes], mark: bytes):
        self._chunks = iter(chunks)
        self._mark = b"\r\n--" + mark
        self._buffer = b"\r\n"  # so that the first mark looks as the others do
        self._over = False

    def __iter__(self) -> Iterator[tuple[dict[str, str], Iterator[bytes]]]:
        for _ in self._until_mark():
            pass
        while True:
            self._fill(2)
            if self._buffer.startswith(b"--"):
                return
            headers = self._headers()
            body = self._until_mark()
            yield headers, body
            for _ in body:  # what was not read of it
                pass

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size and not self._over:
            chunk = next(self._chunks, b"")
            self._over = not chunk
            self._buffer += chunk

    def _until_mark(self) -> Iterator[bytes]:
        while True:
            at = self._buffer.find(self._mark)
            if at >= 0:
                piece, self._buffer = self._buffer[:at], self._buffer[at + len(self._mark) :]
                if piece:
                    yield piece
                return
            safe = len(self._buffer) - len(self._mark) + 1
            if safe > 0:
                piece, self._buffer = self._buffer[:safe], self._buffer[safe:]
                yield piece
            before = len(self._buffer)
            self._fill(before + 1)
            if len(self._buffer) == before:
                raise BadRequest("FormPost: invalid starting boundary, or the form ends too early")

    def _headers(self) -> dict[str, str]:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            before = len(self._buffer)
            self._fill(before + 1)
            if len(self._buffer) > MAX_HEADERS or len(self._buffer) == before:
                raise BadRequest("FormPost: a part has no end of headers")
        text, self._buffer = self._buffer[:at], self._buffer[at + 4 :]
        found = {}
        for line in text.decode("utf-8", "replace").split("\r\n"):
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
        return found


def parameters(header: str) -> dict[str, str]:
    """`form-data; name="file"; filename="a.txt"`."""
    found, rest = {}, header
    while rest:
        rest = rest.lstrip("; ")
        name, equals, rest = rest.partition("=")
        if not equals:
            break
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            value, rest = rest[1:end].replace('\\"', '"'), rest[end + 1 :]
        else:
            value, _, rest = rest.partition(";")
        found[name.rpartition(";")[2].strip().lower()] = value
    return found


def receive(call: Call) -> Response:
    """Each file of the form becomes an object whose name begins with the path's."""
    mark = boundary(call.headers["content-type"])
    fields: dict[str, str] = {}
    status, message = 201, ""
    try:
        _receive(call, Parts(call.rq.upload, mark), fields)
    except Unauthorized:
        raise
    except Fault as fault:
        status, message = fault.status, fault.message
    return _answer(fields.get("redirect", ""), status, message)


def _receive(call: Call, parts: Parts, fields: dict[str, str]) -> None:
    count, most_size, most_count = 0, 0, 0
    for headers, body in parts:
        disposition = parameters(headers.get("content-disposition", "").partition(";")[2])
        filename = disposition.get("filename")
        if filename is None:
            if len(fields) >= MAX_FIELDS:
                raise BadRequest("FormPost: too many fields")
            fields[disposition.get("name", "").lower()] = _value(body)
            continue
        if not filename:
            continue
        if not count:
            most_size, most_count = _verify(call, fields)
        count += 1
        if count > most_count:
            raise BadRequest("FormPost: max file count exceeded")
        sent: dict[str, str] = {name: fields[name] for name in ("x-delete-at", "x-delete-after") if fields.get(name)}
        sent |= {name.replace("_", "-"): fields[name] for name in ("x_delete_at", "x_delete_after") if fields.get(name)}
        for name in ("content-type", "content-encoding"):
            if value := fields.get(name) or headers.get(name):
                sent[name] = value
        name = (call.name or "") + filename
        limits.check_names(call.container, name)
        writing.receive(call, _bounded(body, most_size), name, headers=sent)
    if not count:
        raise BadRequest("FormPost: no files to process")


def _value(body: Iterator[bytes]) -> str:
    found = b""
    for piece in body:
        found += piece
        if len(found) > MAX_VALUE:
            raise BadRequest(f"FormPost: a field is longer than {MAX_VALUE}")
    return found.decode("utf-8", "replace").strip()


def _bounded(body: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for piece in body:
        size += len(piece)
        if size > most:
            raise TooLarge("FormPost: max_file_size exceeded")
        yield piece


def _number(fields: Mapping[str, str], name: str) -> int:
    found = limits.whole_number(fields.get(name) or "0")
    if found is None:
        raise BadRequest(f"FormPost: {name} not an integer")
    return found


def _verify(call: Call, fields: Mapping[str, str]) -> tuple[int, int]:
    """Raises Unauthorized. How large a file may be, and how many."""
    wrong: dict[str, Any] = {"headers": {"www-authenticate": 'Swift realm="formpost"'}}
    expires = tempurl.moment(fields.get("expires") or "0")
    if expires is None:
        raise BadRequest("FormPost: expired not an integer")
    if expires < time.time():
        raise Unauthorized("FormPost: Form Expired", **wrong)
    digest, given = tempurl.digest_of(fields.get("signature", ""))
    if digest is None:
        raise Unauthorized("FormPost: Invalid Signature", **wrong)
    path = "/".join(filter(None, (f"/{call.version}", call.account, call.container or ""))) + (
        "" if call.name is None and not call.rq.path.endswith("/") else "/" + (call.name or "")
    )
    texts = [fields.get(name, "") for name in ("redirect", "max_file_size", "max_file_count")]
    # as it was sent, for a form may say it as a moment
    for signed in (path, "/object" + path):
        for shown in {fields.get("expires", ""), str(expires)}:
            text = "\n".join([signed, *texts, shown]).encode("utf-8", "replace")
            for key, scope in tempurl.keys(call):
                if hmac.compare_digest(hmac.digest(key.encode(), text, digest), given):
                    call.grant = scope
                    return _number(fields, "max_file_size"), _number(fields, "max_file_count")
    raise Unauthorized("FormPost: Invalid Signature", **wrong)


def _answer(redirect: str, status: int, message: str) -> Response:
    if redirect and not set("\r\n\0") & set(redirect):
        mark = "&" if "?" in redirect else "?"
        place = f"{redirect}{mark}status={status}&message={quote(message)}"
        body = f'<html><body><p><a href="{quote(place, safe=":/?&=%#")}">Click to continue...</a></p></body></html>'
        return Response(body.encode(), 303, {"location": place, "content-type": HTML})
    return Response(message.encode(), status, {"content-type": "text/plain; charset=UTF-8"})
