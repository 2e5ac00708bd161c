"""Containers: their objects, metadata, ACLs, and how they keep versions."""

import json
from typing import Any
from urllib.parse import quote, unquote

from pileus.core.errors import BadRequest, NotAcceptable, PreconditionFailed
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.object_storage import acl, containers, limits, listing, sync, versions
from pileus.object_storage.api import bulk, cors, formpost, listings, staticweb, tempurl
from pileus.object_storage.api.accounts import POLICY
from pileus.object_storage.api.base import CONTAINER, OWNERS_ONLY, Call, api, metadata, plain
from pileus.object_storage.store import ENABLED, STATIC, SYMLINK, Container, Object

_COLUMNS = ("name", "etag", "size", "content_type", "modified", "kind", "extra", "version")
SETTINGS = (
    "x-container-read", "x-container-write", "x-container-sync-to", "x-container-sync-key",
    "x-versions-location", "x-history-location",
)  # fmt: skip


@api.get(CONTAINER, policy=PUBLIC, tx="")
def list_objects(rq: Request) -> Response:
    """List a container's objects, or all their versions (?versions), and show its sums and metadata."""
    call = Call(rq)
    tempurl.grant(call)
    with cors.of(call) as answer:
        if staticweb.applies(call):
            return answer(staticweb.of_container(call))
        return answer(objects(call))


def objects(call: Call) -> Response:
    rq, head = call.rq, call.rq.method == "HEAD"
    all_versions = "versions" in rq.query
    wanted, kind = listings.wanted(rq.query), "application/json" if all_versions else listings.media_type(rq)
    accepted = listings.best(rq.headers.get("accept", "") or "*/*", ("application/json",))
    if all_versions and (rq.query.get("format") or "json" if "format" in rq.query else accepted) not in ("json", kind):
        raise NotAcceptable("Listings of versions are in JSON.")
    with call.read() as tx:
        found = call.container_to_read(tx, listing=True)
        if all_versions and not head:
            entries = _versions(call, tx, found, wanted)
        else:
            fetch = listing.reader(tx, Object, _COLUMNS, container_id=found.id)
            entries = [] if head else [entry(call, row) for row in listing.page(fetch, wanted)]
    return listings.respond(kind, ("container", found.name), entries, headers(call, found), head)


def entry(call: Call, row: Any) -> dict[str, Any]:
    if isinstance(row, listing.Folded):
        return {"subdir": row.name}
    name, etag, size, content_type, modified, kind, extra, version = row
    shown = {
        "name": name, "hash": etag, "bytes": size, "content_type": content_type, "last_modified": listings.iso(modified)
    }  # fmt: skip
    if version is not None:
        shown["symlink_path"] = f"/{call.version}/{call.account}/{call.container}/{name}?version-id={version}"
        shown["version_symlink"] = True
    if kind == STATIC:
        shown["slo_etag"] = f'"{json.loads(extra)["slo_etag"]}"'
    elif kind == SYMLINK:
        link = json.loads(extra)
        shown["symlink_path"] = f"/{call.version}/{link['account']}/{link['container']}/{link['name']}"
        if link.get("etag"):
            shown["symlink_etag"], shown["symlink_bytes"] = link["etag"], link["bytes"]
        if "target_slo_etag" in link:
            shown["slo_etag"] = f'"{link["target_slo_etag"]}"'
    return shown


def _versions(call: Call, tx: Any, found: Container, wanted: listing.Wanted) -> list[dict[str, Any]]:
    marker = call.rq.query.get("version_marker") or ""
    if marker and not wanted.marker:
        raise BadRequest("version_marker param requires marker")
    shown = []
    for row in versions.page(tx, found.id, wanted, marker):
        if isinstance(row, listing.Folded):
            shown.append({"subdir": row.name})
            continue
        shown.append(
            {
                "name": row["name"],
                "hash": row["etag"],
                "bytes": row["size"],
                "content_type": row["content_type"],
                "last_modified": listings.iso(row["timestamp"]),
                "version_id": row["version"],
                "is_latest": row["is_latest"],
            }
        )
    return shown


def headers(call: Call, found: Container) -> dict[str, str]:
    owner = call.owns() and call.grant is None
    shown = {name: value for name, value in found.headers.items() if owner or name not in OWNERS_ONLY}
    for name in containers.ARCHIVES:
        if name in shown:
            shown[name] = quote(shown[name])
    if found.versioning:
        shown["x-versions-enabled"] = str(found.versioning == ENABLED)
    return {
        **shown,
        "x-container-object-count": str(found.objects),
        "x-container-bytes-used": str(found.bytes),
        "x-timestamp": found.created_at,
        "x-put-timestamp": found.put_at,
        "last-modified": listings.http_date(found.put_at),
        "x-storage-policy": POLICY,
        "accept-ranges": "bytes",
    }


def _changes(call: Call) -> tuple[dict[str, str], bool | None]:
    """What a request says of the container's metadata and settings, and of its versioning. Raises BadRequest."""
    found = metadata(call.headers, "container", SETTINGS)
    if found.get("x-versions-location") and found.get("x-history-location"):
        raise BadRequest("Only one of X-Versions-Location or X-History-Location may be specified")
    for name in ("x-container-read", "x-container-write"):
        if name in found:
            found[name] = acl.clean(name, found[name])
    for name in containers.ARCHIVES:
        if found.get(name):
            found[name] = unquote(found[name]).strip("/")
            if "/" in found[name]:
                raise PreconditionFailed(f"Container name cannot contain slashes: {name}")
            limits.check_names(found[name], None)
    if found.get(containers.SYNC_TO):
        sync.check(call.cloud, found[containers.SYNC_TO])
    policy = call.headers.get("x-storage-policy")
    if policy and policy.lower() != POLICY.lower():
        raise BadRequest(f"Invalid X-Storage-Policy {policy[:100]!r}")
    bulk.check_quotas(found, {containers.QUOTA_BYTES, containers.QUOTA_COUNT})
    asked = call.headers.get("x-versions-enabled")
    return found, None if asked is None else _flag(asked)


def _flag(text: str) -> bool:
    if limits.is_true(text):
        return True
    if text.strip().lower() in limits.FALSE:
        return False
    raise BadRequest("X-Versions-Enabled must be true or false")


@api.put(CONTAINER, policy=PUBLIC, tx="", stream=True)
def put_container(rq: Request) -> Response:
    """Create a container, or tell an existing one more; with ?extract-archive, fill it from an archive."""
    call = Call(rq)
    if "extract-archive" in rq.query:
        return bulk.extract(call)
    with cors.of(call) as answer:
        call.require_account(writing=True)
        changes, versioning = _changes(call)
        with call.write() as tx:
            _, created = containers.put_container(tx, call.account, call.container or "", changes, versioning)
        return answer(plain(201 if created else 202))


@api.post(CONTAINER, policy=PUBLIC, tx="", stream=True)
def update_container(rq: Request) -> Response:
    """Change a container's metadata, ACLs and settings; a form's files become its objects."""
    call = Call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    with cors.of(call) as answer:
        if formpost.applies(call):
            return answer(formpost.receive(call))
        call.require_account(writing=True)
        changes, versioning = _changes(call)
        with call.write() as tx:
            found = call.own_container(tx)
            containers.update_container(tx, found, changes, versioning)
        return answer(plain(204))


@api.delete(CONTAINER, policy=PUBLIC, tx="", stream=True)
def delete_container(rq: Request) -> Response:
    """Delete a container that is empty."""
    call = Call(rq)
    if "bulk-delete" in rq.query:
        return bulk.delete(call)
    with cors.of(call) as answer:
        with call.write() as tx:
            found = call.own_container(tx)
            containers.delete_container(tx, found)
        return answer(plain(204))


@api.route("OPTIONS", CONTAINER, policy=PUBLIC, tx="")
def ask_container(rq: Request) -> Response:
    """Say what a page of another origin may do with a container."""
    return cors.preflight(Call(rq))
