"""Static large objects: manifests checked segment by segment, kept as objects, deleted with what they list."""

import base64
import binascii
import hashlib
import time
from typing import Any

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Fault, TooLarge
from pileus.core.wire import Response
from pileus.object_storage import data, limits, objects, ranges, store
from pileus.object_storage.api import bulk, reading, writing
from pileus.object_storage.api.base import Call, plain
from pileus.object_storage.api.listings import http_date
from pileus.object_storage.store import STATIC, Object

_PATH_KEYS, _DATA_KEYS = {"path", "etag", "size_bytes", "range"}, {"data"}
Item = dict[str, Any]


def parse(text: bytes) -> list[Item]:
    """A manifest as clients send it. Raises BadRequest, naming what is wrong with which entry."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Manifest must be valid JSON.") from None
    if not isinstance(found, list):
        raise BadRequest("Manifest must be a list.")
    wrong = [line for number, item in enumerate(found) for line in _wrong(number, item)]
    if wrong:
        raise BadRequest("\n".join(wrong[:1000]))
    named = [item for item in found if "path" in item]
    if not found:
        raise BadRequest("Manifest must have at least one segment.")
    if not named:
        raise BadRequest("Inline data segments require at least one object-backed segment.")
    if len(named) > limits.MAX_SEGMENTS:
        raise TooLarge(f"Number of object-backed segments must be <= {limits.MAX_SEGMENTS}")
    return [{key: value for key, value in item.items() if value is not None} for item in found]


def _wrong(number: int, item: Any) -> list[str]:
    if not isinstance(item, dict):
        return [f"Index {number}: not a JSON object"]
    if "data" in item:
        if set(item) - _DATA_KEYS:
            return [f"Index {number}: extraneous keys beside data"]
        try:
            given = base64.b64decode(item["data"], validate=True) if isinstance(item["data"], str) else b""
        except (binascii.Error, ValueError):
            given = b""
        return [] if given else [f"Index {number}: data must be valid, non-empty base64"]
    if set(item) - _PATH_KEYS:
        return [f"Index {number}: extraneous keys {', '.join(sorted(map(str, set(item) - _PATH_KEYS)))[:200]}"]
    path = item.get("path")
    if not isinstance(path, str) or not path.strip("/") or "/" not in path.lstrip("/"):
        return [f"Index {number}: path does not refer to an object. Path must be of the form /container/object."]
    if not path.lstrip("/").partition("/")[2]:
        return [f"Index {number}: path does not refer to an object. Path must be of the form /container/object."]
    found = []
    if item.get("etag") is not None and not isinstance(item["etag"], str):
        found.append(f"Index {number}: etag must be a string")
    size = item.get("size_bytes")
    if isinstance(size, str):
        size = item["size_bytes"] = limits.whole_number(size)
        if size is None:
            found.append(f"Index {number}: invalid size_bytes")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        found.append(f"Index {number}: too small; each segment must be at least 1 byte.")
    span = item.get("range")
    if span is not None and (not isinstance(span, str) or "," in span or not _is_range(span)):
        found.append(f"Index {number}: invalid range")
    return found


def _is_range(text: str) -> bool:
    try:
        return ranges.parse(f"bytes={text}", 1 << 62) is not None
    except Fault:
        return False


def put(call: Call) -> Response:
    """Take a manifest in; with ?heartbeat=on, how that went stands in the body of a 202, as for what takes long."""
    if not limits.is_true(call.rq.query.get("heartbeat")):
        return _put(call)
    kind = bulk.media_type(call)
    with call.read() as tx:
        call.container_to_write(tx)
    fields = {"Response Status": "201 Created", "Response Body": ""}
    try:
        headers = _put(call).headers
        fields |= {"Etag": headers["etag"], "Last Modified": headers["last-modified"]}
    except Fault as fault:
        fields |= {"Response Status": f"{fault.status} {fault.title}", "Response Body": fault.message}
    return bulk.worded(kind, fields, [], "slo", 202)


def _put(call: Call) -> Response:
    """Take a manifest in. Raises BadRequest with what is wrong with which segment, and Unprocessable for another ETag."""
    body = _body(call)
    with call.read() as tx:
        call.container_to_write(tx)
    items = parse(body)
    kept, fresh = writing.stored_headers(call.headers), writing.only_new(call.headers)
    kept.pop("x-object-manifest", None)
    with call.read() as tx:
        listed, problems = _checked(call, tx, items)
    if problems:
        raise BadRequest("Errors:\n" + "\n".join(f"{path}, {what}" for path, what in problems))
    size, etag = _size(listed), _etag(listed)
    writing.check_etag(call.headers.get("etag"), etag)
    text = msgspec.json.encode(listed)
    kind = writing.content_type(call.headers, call.name or "")
    with data.received(call.cloud, iter([text])) as got, call.write() as tx:
        into = call.container_to_write(tx)
        moment = store.now()
        row = Object(into.id, call.name or "", got.etag, kind, moment, moment, got.data, size, STATIC, kept)
        row.extra = {"slo_etag": etag, "stored": got.size}
        objects.put_object(tx, call.files, into, row, only_new=fresh)
    headers = {"etag": f'"{etag}"', "last-modified": http_date(row.modified)}
    if row.version is not None:
        headers["x-object-version-id"] = row.version
    return plain(201, headers)


def check_kept(call: Call, account: str, manifest: list[Item]) -> None:
    """Would this manifest be good in that account too? Raises BadRequest."""
    own, call.account = call.account, account
    words = {"name": "path", "hash": "etag", "bytes": "size_bytes", "range": "range", "data": "data"}
    items = [{words[key]: value for key, value in item.items() if key in words} for item in manifest]
    try:
        with call.read() as tx:
            _, problems = _checked(call, tx, items)
    finally:
        call.account = own
    if problems:
        raise BadRequest("Errors:\n" + "\n".join(f"{path}, {what}" for path, what in problems))


def _body(call: Call) -> bytes:
    writing.announced(call.headers)
    parts, size = [], 0
    for chunk in call.rq.upload:
        size += len(chunk)
        if size > limits.MAX_MANIFEST:
            raise TooLarge(f"Manifest File > {limits.MAX_MANIFEST} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _checked(call: Call, tx: Tx, items: list[Item]) -> tuple[list[Item], list[tuple[str, str]]]:
    """The manifest as it is kept, and what is wrong with its segments."""
    listed: list[Item] = []
    problems: list[tuple[str, str]] = []
    for item in items:
        if "data" in item:
            listed.append({"data": item["data"]})
            continue
        path = "/" + item["path"].lstrip("/")
        found, wrong = _segment(call, tx, path, item)
        problems += [(path, what) for what in wrong]
        if found is not None:
            listed.append(found)
    return listed, problems


def _segment(call: Call, tx: Tx, path: str, item: Item) -> tuple[Item | None, list[str]]:
    container, _, name = path[1:].partition("/")
    if (container, name) == (call.container, call.name):
        return None, ["409 Conflict: a manifest cannot be a segment of its own"]
    try:
        limits.check_names(container, name)
        within = call.container_to_read(tx, container)
        _, row = reading.follow(call, tx, within, name)
        source = reading.source(call, tx, within, row, depth=1)
    except Fault as fault:
        return None, [f"{fault.status} {fault.title}"]
    wrong = []
    if item.get("etag") is not None and item["etag"].strip('"') not in (source.etag, row.etag):
        wrong.append("Etag Mismatch")
    if item.get("size_bytes") is not None and item["size_bytes"] != source.size:
        wrong.append("Size Mismatch")
    if source.size < 1:
        wrong.append("Too Small; each segment must be at least 1 byte.")
    found: Item = {
        "name": path, "hash": source.etag, "bytes": source.size, "content_type": row.content_type,
        "last_modified": http_date(row.modified),
    }  # fmt: skip
    if item.get("range") and not wrong:
        try:
            part = (ranges.parse(f"bytes={item['range']}", source.size) or [ranges.Part(0, 0)])[0]
        except Fault:
            return None, ["Unsatisfiable Range"]
        if part != (0, source.size):
            found["range"] = f"{part.offset}-{part.offset + part.length - 1}"
    if row.kind == STATIC:
        found["sub_slo"] = True
    return found, wrong


def _size(listed: list[Item]) -> int:
    total = 0
    for item in listed:
        if "data" in item:
            total += len(base64.b64decode(item["data"]))
        elif "range" in item:
            first, _, last = item["range"].partition("-")
            total += int(last) - int(first) + 1
        else:
            total += item["bytes"]
    return total


def _etag(listed: list[Item]) -> str:
    found = hashlib.md5(usedforsecurity=False)
    for item in listed:
        if "data" in item:
            raw = base64.b64decode(item["data"])
            found.update(hashlib.md5(raw, usedforsecurity=False).hexdigest().encode())
        elif "range" in item:
            found.update(f"{item['hash']}:{item['range']};".encode())
        else:
            found.update(item["hash"].encode())
    return found.hexdigest()


def delete(call: Call) -> Response:
    """Delete a manifest and what it lists; ?async=yes leaves the segments to the expirer."""
    with call.read() as tx:
        container = call.container_to_write(tx)
        version = call.rq.query.get("version-id") if container.versioning else None
        reading.check_version(call, container, version)
        row = objects.get_object(tx, container, call.name or "", version)
    if row.kind != STATIC:
        raise BadRequest("Not an SLO manifest")
    manifest = [item for item in reading.manifest_of(call, row) if "name" in item]
    if limits.is_true(call.rq.query.get("async")):
        return _delete_later(call, manifest)
    outcome = bulk.delete_paths(call, dict.fromkeys(_all_paths(call, manifest)))
    with call.write() as tx:
        container = call.container_to_write(tx)
        if version is None:
            objects.delete_object(tx, call.files, container, call.name or "")
        else:
            objects.delete_version(tx, call.files, container, call.name or "", version)
    return bulk.report(call, outcome._replace(done=outcome.done + 1), "deleted")


def _all_paths(call: Call, manifest: list[Item], depth: int = 0) -> list[str]:
    """The segments', and before each nested manifest those of its own."""
    found: list[str] = []
    for item in manifest:
        if item.get("sub_slo") and depth < limits.MAX_NESTED:
            container, _, name = item["name"].lstrip("/").partition("/")
            with call.read() as tx:
                row = objects.get_object(tx, call.container_to_write(tx, container), name)
            if row.kind == STATIC:
                found += _all_paths(call, [i for i in reading.manifest_of(call, row) if "name" in i], depth + 1)
        found.append(item["name"])
    return found


def _delete_later(call: Call, manifest: list[Item]) -> Response:
    if any(item.get("sub_slo") for item in manifest):
        raise BadRequest("No segments may be large objects.")
    if len({item["name"].lstrip("/").partition("/")[0] for item in manifest}) > 1:
        raise BadRequest("All segments must be in one container. Found segments in several.")
    with call.write() as tx:
        container = call.container_to_write(tx)
        for item in manifest:
            name = item["name"].lstrip("/").partition("/")[2]
            within = call.container_to_write(tx, item["name"].lstrip("/").partition("/")[0])
            found = objects.find_object(tx, within, name)
            if found is not None:
                tx.update(
                    Object, {"container_id": within.id, "name": name}, delete_at=int(time.time()) + 1,
                    headers={**found.headers, "x-delete-at": str(int(time.time()) + 1)},
                )  # fmt: skip
        objects.delete_object(tx, call.files, container, call.name or "")
    return plain(204)
