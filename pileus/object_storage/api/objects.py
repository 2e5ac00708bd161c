"""Objects: their bytes and metadata."""

from pileus.core.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.object_storage import limits, objects, store, sync
from pileus.object_storage.api import bulk, copying, cors, formpost, reading, slo, staticweb, symlinks, tempurl, writing
from pileus.object_storage.api.base import MISSING, OBJECT, Call, Grant, api, plain
from pileus.object_storage.api.listings import http_date
from pileus.object_storage.containers import get_container
from pileus.object_storage.store import ENABLED, SYMLINK, Object


def _call(rq: Request) -> Call:
    """With what a signature in the address, or a counterpart's, grants. Raises Unauthorized for one that is wrong."""
    call = Call(rq)
    tempurl.grant(call)
    return call


@api.get(OBJECT, policy=PUBLIC, tx="")
def show_object(rq: Request) -> Response:
    """Download an object, or parts of it; HEAD shows its metadata alone."""
    call = _call(rq)
    with cors.of(call) as answer:
        if call.name is None:  # the path ends with a slash
            from pileus.object_storage.api.containers import objects as list_objects

            return answer(staticweb.of_container(call) if staticweb.applies(call) else list_objects(call))
        if staticweb.applies(call):
            return answer(tempurl.dress(call, staticweb.of_object(call)))
        return answer(tempurl.dress(call, reading.show(call)))


@api.put(OBJECT, policy=PUBLIC, tx="", stream=True)
def put_object(rq: Request) -> Response:
    """Upload an object, or make one of others: a copy, a large object's manifest, a link."""
    call = _call(rq)
    with cors.of(call) as answer:
        tempurl.check_put(call)
        if "extract-archive" in rq.query:
            return bulk.extract(call)
        if (version := rq.query.get("version-id")) is not None:
            return answer(_restore(call, version))
        if "x-copy-from" in rq.headers:
            return answer(copying.copy_from(call))
        if rq.query.get("multipart-manifest") == "put":
            return answer(slo.put(call))
        if "x-symlink-target" in rq.headers:
            return answer(symlinks.put(call))
        return answer(_upload(call))


def _upload(call: Call) -> Response:
    rq, stamp = call.rq, None
    size = writing.announced(rq.headers)
    if "x-container-sync-key" in rq.headers or "x-container-sync-auth" in rq.headers:
        stamp = _of_counterpart(call)
        with call.read() as tx:
            known = tx.find(
                Object, container_id=get_container(tx, call.account, call.container or "").id, name=call.name
            )
        if known is not None and known.timestamp >= stamp:
            raise Conflict("There is a newer one.", headers={"x-backend-timestamp": known.timestamp})
    row = writing.receive(
        call, rq.upload, call.name or "", headers=rq.headers, size=size, etag=rq.headers.get("etag"), timestamp=stamp
    )
    return created(row)


def _of_counterpart(call: Call) -> str:
    """The moment that a counterpart's request speaks of; it may do what it asks. Raises Unauthorized."""
    with call.read() as tx:
        container = get_container(tx, call.account, call.container or "")
    if not sync.verified(call.cloud, container, call.rq.method, call.rq.path, call.headers):
        raise call.refuse()
    call.grant = Grant(call.account, call.container)
    try:
        moment = float(call.headers["x-timestamp"])
    except ValueError:
        moment = -1.0
    if not 0 <= moment < 1e10:
        raise BadRequest("Invalid X-Timestamp header")
    return store.timestamp(moment)


def created(row: Object, headers: dict[str, str] | None = None) -> Response:
    found = {"etag": row.etag, "last-modified": http_date(row.modified), **(headers or {})}
    if row.version is not None:
        found["x-object-version-id"] = row.version
    return plain(201, found)


def _restore(call: Call, version: str) -> Response:
    if version == "null" or writing.announced(call.headers):
        raise BadRequest("PUT version-id requests require a zero byte body")
    with call.write() as tx:
        container = call.container_to_write(tx)
        if not container.versioning:
            raise BadRequest("version-aware operations require that the container is versioned")
        row = objects.restore_version(tx, call.files, container, call.name or "", version)
    return created(row)


@api.post(OBJECT, policy=PUBLIC, tx="", stream=True)
def update_object(rq: Request) -> Response:
    """Replace an object's metadata; a form's files become objects whose names begin with this one."""
    call = _call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    with cors.of(call) as answer:
        if formpost.applies(call):
            return answer(formpost.receive(call))
        if "version-id" in rq.query:
            raise BadRequest("POST cannot be used with a version-id.")
        if "x-symlink-target" in rq.headers:
            raise BadRequest("A PUT request is required to set a symlink target")
        tempurl.check_put(call)
        headers = writing.stored_headers(rq.headers)
        with call.write() as tx:
            container = call.container_to_write(tx)
            found = objects.get_object(tx, container, call.name or "")
            given = rq.headers.get("content-type")
            kind = limits.check_content_type(given) if given else found.content_type
            objects.update_object(tx, found, headers, kind)
        if found.kind == SYMLINK:
            link = found.extra
            told = {"location": call.place(link["account"], link["container"], link["name"])}
            if link.get("etag"):
                told["x-symlink-target-etag"] = link["etag"]
            return answer(plain(307, told))
        return answer(plain(202))


@api.delete(OBJECT, policy=PUBLIC, tx="", stream=True)
def delete_object(rq: Request) -> Response:
    """Delete an object, or a version of it; of a large one the segments too (?multipart-manifest=delete)."""
    call = _call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    with cors.of(call) as answer:
        if rq.query.get("multipart-manifest") == "delete":
            return answer(slo.delete(call))
        stamp = None
        if "x-container-sync-key" in rq.headers or "x-container-sync-auth" in rq.headers:
            stamp = _of_counterpart(call)
        return answer(plain(204, _delete(call, rq.query.get("version-id"), stamp)))


def _delete(call: Call, version: str | None, stamp: str | None) -> dict[str, str]:
    name, told = call.name or "", dict[str, str]()
    at = call.headers.get("x-if-delete-at")
    if at is not None and limits.whole_number(at) is None:
        raise BadRequest("Bad X-If-Delete-At header value")
    with call.write() as tx:
        container = call.container_to_write(tx)
        if version is not None and container.versioning and call.grant is None:
            reading.check_version(call, container, version)
            _, current = objects.delete_version(tx, call.files, container, name, version)
            return {"x-object-version-id": version, "x-object-current-version-id": current or ""}
        if call.grant is None:
            reading.check_version(call, container, version)
        there = objects.find_object(tx, container, name)
        if at is not None and (there is None or there.delete_at != limits.whole_number(at)):
            raise NotFound(MISSING) if there is None else PreconditionFailed("X-If-Delete-At does not match")
        if stamp is not None and there is not None and there.timestamp >= stamp:
            raise Conflict("There is a newer one.", headers={"x-backend-timestamp": there.timestamp})
        gone = objects.delete_object(tx, call.files, container, name, stamp)
        if container.versioning == ENABLED:
            told = {"x-object-version-id": objects.newest_version(tx, container, name) or "null"}
    if there is None and gone is None:
        raise NotFound(MISSING, headers=told)
    return told


@api.route("COPY", OBJECT, policy=PUBLIC, tx="", stream=True)
def copy_object(rq: Request) -> Response:
    """Copy an object to another name, container or account."""
    call = Call(rq)
    with cors.of(call) as answer:
        return answer(copying.copy_to(call))


@api.route("OPTIONS", OBJECT, policy=PUBLIC, tx="")
def ask_object(rq: Request) -> Response:
    """Say what a page of another origin may do with an object."""
    return cors.preflight(Call(rq))
