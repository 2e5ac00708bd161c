"""Copies made here: no byte passes where the whole of an object is copied, since both rows name the same file."""

from urllib.parse import quote, unquote

from pileus.core.errors import BadRequest, Conflict, PreconditionFailed, TooLarge
from pileus.core.wire import Response
from pileus.object_storage import limits, objects, ranges, store
from pileus.object_storage.api import reading, slo, writing
from pileus.object_storage.api.base import Call, plain
from pileus.object_storage.api.listings import http_date
from pileus.object_storage.store import PLAIN, STATIC, SYMLINK, Container, Object

_Place = tuple[str, str, str]  # account, container, object


def copy_to(call: Call) -> Response:
    """COPY: the path is the source. Raises PreconditionFailed for a destination that is none."""
    target = _place(call, "destination", "destination-account")
    return _copy(call, (call.account, call.container or "", call.name or ""), target)


def copy_from(call: Call) -> Response:
    """PUT with X-Copy-From: the path is the destination."""
    if call.headers.get("content-length", "0").strip() not in ("", "0"):
        raise BadRequest("Copy requests require a zero byte body")
    source = _place(call, "x-copy-from", "x-copy-from-account")
    return _copy(call, source, (call.account, call.container or "", call.name or ""))


def _place(call: Call, header: str, account_header: str) -> _Place:
    text = unquote(call.headers.get(header, "").partition("?")[0])
    container, slash, name = text.removeprefix("/").partition("/")
    if not container or not slash or not name:
        raise PreconditionFailed(f"{header.title()} header must be of the form <container name>/<object name>")
    account = unquote(call.headers.get(account_header, "")) or call.account
    if "/" in account:
        raise PreconditionFailed("Account name cannot contain slashes")
    limits.check_names(container, name)
    return account, container, name


def _copy(call: Call, source: _Place, target: _Place) -> Response:
    query = call.rq.query
    as_it_is = query.get("multipart-manifest") == "get"
    with call.read() as tx:
        container = call.container_to_read(tx, source[1], source[0])
        call.container_to_write(tx, target[1], target[0])
        if query.get("symlink") == "get":
            row = objects.get_object(tx, container, source[2], query.get("version-id"))
        else:
            container, row = reading.follow(call, tx, container, source[2], query.get("version-id"))
        whole = reading.Source(call, row)
        content = whole if as_it_is or row.kind == SYMLINK else reading.source(call, tx, container, row)
    headers = _headers(call, row, as_it_is)
    if as_it_is and row.kind == STATIC and target[0] != source[0]:
        slo.check_kept(call, target[0], reading.manifest_of(call, row))
    if content.segments is None and not ("range" in call.headers and row.kind == PLAIN):
        made = _share(call, container, row, target, headers)
    else:
        made = _write_out(call, content, target, headers)
    told = {
        "etag": reading.headers_of(made)["etag"] if made.kind != STATIC else f'"{made.extra["slo_etag"]}"',
        "last-modified": http_date(made.modified),
        "x-copied-from": quote(f"{source[1]}/{source[2]}"),
        "x-copied-from-account": quote(source[0]),
        "x-copied-from-last-modified": http_date(content.modified),
        **{name: value for name, value in made.headers.items() if name.startswith(objects.META)},
    }
    if made.version is not None:
        told["x-object-version-id"] = made.version
    return plain(201, told)


def _headers(call: Call, row: Object, as_it_is: bool) -> dict[str, str]:
    """The source's, unless only fresh ones are wanted, and over them the request's. As a client would send them."""
    given = {
        name: value
        for name, value in call.headers.items()
        if name.startswith(objects.META) or name in (*writing.KEPT, "x-delete-at", "x-delete-after")
    }
    kept = {} if limits.is_true(call.headers.get("x-fresh-metadata")) else dict(row.headers)
    if not as_it_is:
        kept.pop(reading.MANIFEST, None)
    if "x-delete-after" in given:
        kept.pop("x-delete-at", None)
    merged = {**kept, **given}
    merged["content-type"] = call.headers.get("content-type") or row.content_type
    if "if-none-match" in call.headers and call.rq.method == "PUT":
        merged["if-none-match"] = call.headers["if-none-match"]
    return merged


def _share(call: Call, container: Container, row: Object, target: _Place, headers: dict[str, str]) -> Object:
    """Raises Conflict when the source changed meanwhile."""
    kept, fresh = writing.stored_headers(headers), writing.only_new(headers)
    with call.write() as tx:
        if row.data:
            store.hold(tx, f"file {row.data}")
            if not store.known(tx, [row.data]):
                raise Conflict("The source was overwritten while it was copied; try again.")
        into = call.container_to_write(tx, target[1], target[0])
        made = objects.copy_of(row, into, target[2])
        made.headers, made.content_type = kept, limits.check_content_type(headers["content-type"])
        if made.kind == SYMLINK:
            made.extra = {**made.extra, "own": into.account}
        objects.put_object(tx, call.files, into, made, only_new=fresh)
    return made


def _write_out(call: Call, content: reading.Source, target: _Place, headers: dict[str, str]) -> Object:
    parts = reading.parts(call, content, {"last-modified": ""}) or [ranges.Part(0, content.size)]
    offset, length = parts[0]
    if length > limits.MAX_FILE:
        raise TooLarge("Your request is too large.")
    own = call.account
    call.account = target[0]
    try:
        return writing.receive(
            call, content.read(offset, length), target[2], headers=headers, size=length, container=target[1],
            content=limits.check_content_type(headers["content-type"]),
        )  # fmt: skip
    finally:
        call.account = own
