"""Objects that lead to others."""

from typing import Any
from urllib.parse import unquote

from pileus.core.errors import BadRequest, Conflict, PreconditionFailed
from pileus.core.wire import Response
from pileus.object_storage import limits, objects, store
from pileus.object_storage.api import writing
from pileus.object_storage.api.base import Call, plain
from pileus.object_storage.api.listings import http_date
from pileus.object_storage.store import STATIC, SYMLINK, Object

_OWN_TYPE = "application/symlink"


def put(call: Call) -> Response:
    """Raises PreconditionFailed for a target that is none, BadRequest for a body, Conflict for another entity tag."""
    if writing.announced(call.headers):
        raise BadRequest("Symlink requests require a zero byte body")
    text = unquote(call.headers["x-symlink-target"]).removeprefix("/")
    container, slash, name = text.partition("/")
    if not container or not slash or not name:
        raise PreconditionFailed("X-Symlink-Target header must be of the form <container name>/<object name>")
    account = unquote(call.headers.get("x-symlink-target-account", "")) or call.account
    if "/" in account:
        raise PreconditionFailed("Account name cannot contain slashes")
    limits.check_names(container, name)
    if (account, container, name) == (call.account, call.container, call.name):
        raise BadRequest("Symlink cannot target itself")
    etag = call.headers.get("x-symlink-target-etag", "").strip().strip('"')
    kept, fresh = writing.stored_headers(call.headers), writing.only_new(call.headers)
    with call.write() as tx:
        into = call.container_to_write(tx)
        extra: dict[str, Any] = {"account": account, "container": container, "name": name, "own": call.account}
        if etag:
            target = objects.get_object(tx, call.container_to_read(tx, container, account), name)
            actual = target.extra["slo_etag"] if target.kind == STATIC else target.etag
            if etag != actual:
                raise Conflict("Object Etag does not match X-Symlink-Target-Etag header.")
            extra |= {"etag": etag, "bytes": target.size}
        kind = call.headers.get("content-type") or _OWN_TYPE
        moment = store.now()
        row = Object(into.id, call.name or "", objects.EMPTY, limits.check_content_type(kind), moment, moment)
        row.kind, row.extra, row.headers = SYMLINK, extra, kept
        objects.put_object(tx, call.files, into, row, only_new=fresh)
    found = {"etag": row.etag, "last-modified": http_date(row.modified)}
    if etag:
        found["x-symlink-target-etag"] = etag
    return plain(201, found)
