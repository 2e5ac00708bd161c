"""Objects that lead to others."""

from typing import Any
from urllib.parse import unquote

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, PreconditionFailed
from pileus.core.wire import Response
from pileus.object_storage import limits, objects, store
from pileus.object_storage.api import reading, writing
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
        own_type = _OWN_TYPE
        extra: dict[str, Any] = {"account": account, "container": container, "name": name, "own": call.account}
        if etag:
            target = _target(call, tx, extra)
            reading.check_target(etag, target, {})
            extra |= {"etag": etag, "bytes": target.size}
            if target.kind == STATIC:
                extra["target_slo_etag"] = target.extra["slo_etag"]
            own_type = target.content_type
        kind = call.headers.get("content-type") or own_type
        moment = store.now()
        row = Object(into.id, call.name or "", objects.EMPTY, limits.check_content_type(kind), moment, moment)
        row.kind, row.extra, row.headers = SYMLINK, extra, kept
        objects.put_object(tx, call.files, into, row, only_new=fresh)
    found = {"etag": row.etag, "last-modified": http_date(row.modified)}
    if row.version is not None:
        found["x-object-version-id"] = row.version
    if etag:
        found["x-symlink-target-etag"] = etag
        found["content-location"] = call.place(account, container, name)
    return plain(201, found)


def _target(call: Call, tx: Tx, link: dict[str, Any]) -> Object:
    """What a link of a fixed entity tag leads to, over others of that kind. Raises Conflict."""
    for _ in range(limits.MAX_SYMLINKS + 1):
        within = call.container_to_read(tx, link["container"], link["account"])
        found = objects.find_object(tx, within, link["name"])
        if found is None:
            raise Conflict("X-Symlink-Target does not exist")
        if found.kind != SYMLINK or not found.extra.get("etag"):
            return found
        link = found.extra
    raise Conflict(f"Too many levels of symbolic links, maximum allowed is {limits.MAX_SYMLINKS}")
