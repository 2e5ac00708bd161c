"""What a PUT or POST says of an object beside its bytes, checked; and how the bytes get in."""

import mimetypes
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotBuilt, PreconditionFailed, TooLarge
from pileus.object_storage import accounts, containers, data, limits, objects, store
from pileus.object_storage.api.base import Call
from pileus.object_storage.errors import LengthRequired, Unprocessable
from pileus.object_storage.store import Container, Object

KEPT = (
    "content-encoding", "content-disposition", "cache-control", "content-language", "expires", "x-robots-tag",
    "x-object-manifest",
)  # fmt: skip
MAX_DELETE_AT = 9999999999


def stored_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What of a request's headers an object keeps. Raises BadRequest."""
    limits.check_new_metadata(headers, objects.META)
    found = {
        name: value.strip()
        for name, value in headers.items()
        if name.startswith(objects.META) or (name in KEPT and value)
    }
    for value in found.values():
        limits.check_value(value)
    manifest = found.get("x-object-manifest")
    if manifest is not None:
        container, slash, prefix = unquote(manifest).partition("/")
        if not container or not slash or not prefix or prefix.startswith("/") or "?" in manifest or "&" in manifest:
            raise BadRequest("X-Object-Manifest must be in the format container/prefix")
        limits.check_names(container, prefix)
    moment = delete_at(headers)
    if moment is not None:
        found["x-delete-at"] = str(moment)
    return found


def delete_at(headers: Mapping[str, str]) -> int | None:
    """Raises BadRequest."""
    after, at = headers.get("x-delete-after"), headers.get("x-delete-at")
    if after:
        seconds = limits.whole_number(after)
        if seconds is None:
            raise BadRequest("Non-integer X-Delete-After")
        return min(int(time.time()) + seconds, MAX_DELETE_AT)
    if not at:
        return None
    if not (at.strip().isascii() and at.strip().isdigit()):
        raise BadRequest("Non-integer X-Delete-At")
    moment = int(at.strip()[:400].lstrip("0")[:18] or "0")
    moment = min(moment, MAX_DELETE_AT)
    if moment < time.time():
        raise BadRequest("X-Delete-At in past")
    return moment


def content_type(headers: Mapping[str, str], name: str) -> str:
    """As the client says, or by the name's ending."""
    given = headers.get("content-type", "")
    if not given or limits.is_true(headers.get("x-detect-content-type")):
        return mimetypes.guess_type(name)[0] or "application/octet-stream"
    return limits.check_content_type(given)


def announced(headers: Mapping[str, str]) -> int | None:
    """How many bytes will come, where that is said. Raises LengthRequired, BadRequest, TooLarge, NotBuilt."""
    encoding = headers.get("transfer-encoding", "").strip().lower()
    if encoding:
        if encoding != "chunked":
            raise NotBuilt(f"Transfer-Encoding {encoding[:100]!r} is not supported.")
        return None
    if "content-length" not in headers:
        raise LengthRequired("Missing Content-Length header.")
    size = limits.whole_number(headers["content-length"])
    if size is None:
        raise BadRequest("Invalid Content-Length header value.")
    if size > limits.MAX_FILE:
        raise TooLarge("Your request is too large.")
    return size


def only_new(headers: Mapping[str, str]) -> bool:
    """Raises BadRequest for what only a reading request may ask."""
    match = headers.get("if-none-match")
    if match is not None and match.strip() != "*":
        raise BadRequest("If-None-Match only supports *")
    return match is not None


def room(tx: Tx, container: Container, size: int | None) -> int | None:
    """How many bytes may come before a quota is reached. Raises TooLarge when what is announced is more."""
    quota = accounts.limit(container.headers, containers.QUOTA_BYTES)
    found = [accounts.room(tx, container.account), None if quota is None else quota - container.bytes]
    limited = [left for left in found if left is not None]
    if not limited:
        return None
    left = max(0, min(limited))
    if size is not None and size > left:
        # what is overwritten makes room too: the transaction at the end has the last word
        old = container.bytes
        if size > left + old:
            raise TooLarge("Upload exceeds quota.")
        return size
    return left + container.bytes


def receive(
    call: Call, chunks: Iterable[bytes], name: str, *, headers: Mapping[str, str], size: int | None = None,
    container: str | None = None, etag: str | None = None, timestamp: str | None = None, content: str | None = None,
) -> Object:  # fmt: skip
    """Take an object in. Raises what keeps it out; then nothing of it stays.

    `headers` are a client's, `content` is a content type that is already known.
    """
    kept, fresh = stored_headers(headers), only_new(headers)
    kind = content or content_type(headers, name)
    with call.read() as tx:
        target = call.container_to_write(tx, container)
        if fresh and objects.find_object(tx, target, name) is not None:
            raise PreconditionFailed("A precondition for this request was not met.")
        left = room(tx, target, size)
    with data.received(call.cloud, chunks, left) as got:
        check_etag(etag, got.etag)
        if size is not None and got.size != size:
            raise BadRequest(f"{size} bytes were announced, but {got.size} came.")
        moment = timestamp or store.now()
        with call.write() as tx:
            target = call.container_to_write(tx, container)
            row = Object(target.id, name, got.etag, kind, moment, moment, got.data, got.size, headers=kept)
            objects.put_object(tx, call.files, target, row, only_new=fresh)
    return row


def check_etag(given: str | None, found: str) -> None:
    """Raises Unprocessable."""
    if given and given.strip().strip('"').lower() != found:
        raise Unprocessable("The bytes that came are not those of the ETag that was sent.")


Values = dict[str, Any]
