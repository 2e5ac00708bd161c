"""Containers kept the same as others, here or elsewhere: what is still to be told is in rows, told one by one.

A request between clusters is signed with the realm's key and the container's (the `X-Container-Sync-Auth` of Swift's
middleware); it carries the object's own timestamp, so that both ends end with the newest, in whatever order they hear of it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pileus.core import log
from pileus.core.errors import BadRequest
from pileus.object_storage import data, store
from pileus.object_storage.containers import SYNC_KEY, SYNC_TO
from pileus.object_storage.store import Change, Container, Object
from pileus.settings import SyncRealm

_log = log.logger("pileus.object_storage")
AT_ONCE = 1000  # changes of a container in one round
TIMEOUT = 60.0


def resolve(cloud: Any, target: str) -> tuple[str, SyncRealm | None]:
    """The address that an X-Container-Sync-To means, and the realm it is in. Raises BadRequest."""
    found = cloud.settings.object_storage
    if target.startswith("//"):
        parts = target[2:].split("/")
        if len(parts) != 4 or not all(parts):
            raise BadRequest("Invalid X-Container-Sync-To format '//realm/cluster/account/container'")
        realm = found.sync_realms.get(parts[0])
        if realm is None or parts[1] not in realm.clusters:
            raise BadRequest(f"No cluster endpoint for '{parts[0][:100]}' '{parts[1][:100]}'")
        base = realm.clusters[parts[1]] or f"{cloud.settings.bodies_url}/object/v1"
        return f"{base.rstrip('/')}/{quote(parts[2])}/{quote(parts[3])}", realm
    try:
        url = urlsplit(target)
        host = url.hostname or ""
    except ValueError:
        raise BadRequest("Invalid X-Container-Sync-To") from None
    if url.scheme not in ("http", "https") or url.path.count("/") < 3 or url.query or url.fragment:
        raise BadRequest(
            "X-Container-Sync-To is //realm/cluster/account/container, or an http(s) address of a container."
        )
    if host not in found.sync_hosts:
        raise BadRequest(f"Invalid host {host[:100]!r} in X-Container-Sync-To")
    return target, None


def check(cloud: Any, target: str) -> None:
    """Raises BadRequest for what cannot be a counterpart."""
    resolve(cloud, target)


def signature(method: str, path: str, timestamp: str, nonce: str, realm_key: str, user_key: str) -> str:
    text = f"{method}\n{path}\n{timestamp}\n{nonce}\n{user_key}"
    return hmac.new(realm_key.encode(), text.encode("utf-8", "replace"), hashlib.sha1).hexdigest()


def verified(cloud: Any, container: Container, method: str, path: str, headers: Any) -> bool:
    """Is this request a counterpart's?"""
    key = container.headers.get(SYNC_KEY)
    given = headers.get("x-container-sync-auth")
    timestamp = headers.get("x-timestamp", "")
    if not key or not timestamp:
        return False
    if given is None:  # the older way, without a realm: the key itself, from a host that is allowed to
        return hmac.compare_digest(headers.get("x-container-sync-key", "").encode(), key.encode()) and bool(
            cloud.settings.object_storage.sync_hosts
        )
    parts = given.split()
    realm = cloud.settings.object_storage.sync_realms.get(parts[0]) if len(parts) == 3 else None
    if realm is None:
        return False
    for realm_key in filter(None, (realm.key, realm.key2)):
        for signed in (path, path.removeprefix("/object")):
            expected = signature(method, signed, timestamp, parts[1], realm_key, key)
            if hmac.compare_digest(expected.encode(), parts[2].lower().encode("utf-8", "replace")):
                return True
    return False


def tell(cloud: Any) -> None:
    """One round: tell every counterpart what it has yet to hear. One that does not answer keeps no other waiting long."""
    with cloud.db.read() as tx:
        waiting = store.changed_containers(tx)
    for container_id in waiting:
        if cloud.stopping.is_set():
            return
        with cloud.db.read() as tx:
            container = tx.find(Container, id=container_id)
            changes = store.changes(tx, container_id, AT_ONCE)
        if container is None or SYNC_TO not in container.headers or SYNC_KEY not in container.headers:
            continue
        try:
            _tell(cloud, container, changes)
        except (BadRequest, OSError) as error:
            _log.info("a container's counterpart cannot be told", extra={"container": container.id, "why": str(error)})


def _tell(cloud: Any, container: Container, changes: list[Change]) -> None:
    import httpx

    url, realm = resolve(cloud, container.headers[SYNC_TO])
    with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
        for change in changes:
            if cloud.stopping.is_set():
                return
            try:
                done = _send(cloud, client, container, change, url, realm)
            except httpx.HTTPError as error:
                raise OSError(f"{type(error).__name__}: {error}") from None
            if done:
                with cloud.db.write() as tx:
                    store.forget(tx, change)


def _send(cloud: Any, client: Any, container: Container, change: Change, url: str, realm: SyncRealm | None) -> bool:
    """True once there is nothing left to say of it."""
    with cloud.db.read() as tx:
        found = tx.find(Object, container_id=container.id, name=change.name)
    if (found is None) != change.deleted:
        return False  # another change of it is noted by now
    address = f"{url}/{quote(change.name)}"
    method = "DELETE" if change.deleted else "PUT"
    stamp = change.timestamp if found is None else found.timestamp
    headers = {"x-timestamp": stamp, **_signed(method, urlsplit(address).path, stamp, container, realm)}
    if found is None:
        answer = client.request(method, address, headers=headers)
        return answer.status_code < 300 or answer.status_code in (404, 409)
    if found.kind:
        return True  # what only points elsewhere is not copied
    headers |= {name: value for name, value in found.headers.items() if name != "x-object-manifest"}
    headers |= {"content-type": found.content_type, "etag": found.etag, "content-length": str(found.size)}
    content = _body(cloud, found)
    answer = client.request(
        method, address, headers=[(k, v.encode("utf-8")) for k, v in headers.items()], content=content
    )
    if answer.status_code >= 300 and answer.status_code != 409:
        raise OSError(f"{address} answered {answer.status_code}")
    return True


def _body(cloud: Any, found: Object) -> Iterator[bytes]:
    yield from data.read(cloud.drivers["object_storage"], found.data, 0, found.size)


def _signed(method: str, path: str, stamp: str, container: Container, realm: SyncRealm | None) -> dict[str, str]:
    key = container.headers[SYNC_KEY]
    if realm is None:
        return {"x-container-sync-key": key}
    nonce = secrets.token_hex(16)
    name = container.headers[SYNC_TO][2:].split("/")[0]
    return {"x-container-sync-auth": f"{name} {nonce} {signature(method, unquote(path), stamp, nonce, realm.key, key)}"}
