"""What happens to an object's row: put, changed, deleted; its versions kept, its container's sums and quotas right.

All in the caller's transaction. A file that loses a row is marked as leaving; whether another row has it, `reconcile` looks.
"""

from typing import Any

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound, PreconditionFailed
from pileus.object_storage import accounts, containers, store
from pileus.object_storage.drivers.files import Files
from pileus.object_storage.listing import Wanted, page, reader
from pileus.object_storage.store import ENABLED, MARKER, STATIC, Container, Content, Object, Version

DELETED_TYPE = "application/x-deleted;swift_versions_deleted=1"
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
META = "x-object-meta-"


def find_object(tx: Tx, container: Container, name: str) -> Object | None:
    """Not one whose time is over, though it is still there."""
    found = tx.find(Object, container_id=container.id, name=name)
    if found is not None and found.delete_at is not None and found.delete_at <= float(store.now()):
        return None
    return found


def get_object(tx: Tx, container: Container, name: str, version: str | None = None) -> Object:
    """The current one, or a version (`null`: one from before versions were kept). Raises NotFound."""
    if version is None or version == "null":
        found = find_object(tx, container, name)
        if found is None or (version == "null" and found.version is not None):
            raise NotFound("The resource could not be found.")
        return found
    kept = tx.find(Version, container_id=container.id, name=name, version=check_version(version))
    if kept is None:
        raise NotFound("The resource could not be found.")
    return current_of(kept)


def check_version(text: str) -> str:
    whole, dot, rest = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 10 and rest.isascii() and len(rest) <= 5):
        raise BadRequest("Invalid version parameter")
    if dot and not rest.isdigit():
        raise BadRequest("Invalid version parameter")
    return store.timestamp(float(text))


def kept_size(row: Content) -> int:
    """What it takes of the container's room; a manifest's own size is that of what it lists."""
    return int(row.extra.get("stored", 0)) if row.kind == STATIC else row.size


def put_object(tx: Tx, files: Files, container: Container, new: Object, *, only_new: bool = False) -> None:
    """Make it the object of its name. Raises PreconditionFailed, TooLarge over a quota."""
    store.hold(tx, f"{container.id}/{new.name}")
    old = tx.find(Object, container_id=container.id, name=new.name)
    if only_new and old is not None and find_object(tx, container, new.name) is not None:
        raise PreconditionFailed("A precondition for this request was not met.")
    new.timestamp = store.later(new.timestamp, old.modified if old else None)
    new.modified = new.timestamp
    new.delete_at = delete_at(new.headers)
    new.version = None
    if old is not None:
        _archive(tx, files, container, old)
    leaving = old is not None and old.version is None and container.versioning != ENABLED
    more = kept_size(new) - (kept_size(old) if old is not None and leaving else 0)
    containers.check_room(tx.get(Container, id=container.id), 0 if old else 1, more)
    accounts.check_room(tx, container.account, 0 if old else 1, more)
    if container.versioning == ENABLED:
        if old is not None and old.version is None:
            tx.insert(version_of(old, old.timestamp))
        new.version = new.timestamp
        tx.insert(version_of(new, new.timestamp))
    _replace(tx, old, new)
    store.grow(tx, container.id, 0 if old else 1, more)
    if old is not None and leaving and old.data:
        files.leave(old.data)
    _note(tx, container, new.name, new.timestamp, deleted=False)


def _replace(tx: Tx, old: Object | None, new: Object) -> None:
    if old is None:
        tx.insert(new)
        return
    values = {
        name: value for name, value in msgspec.structs.asdict(new).items() if name not in ("container_id", "name")
    }
    tx.update(Object, {"container_id": new.container_id, "name": new.name}, **values)


def version_of(row: Object, version: str) -> Version:
    return Version(**_content(msgspec.structs.asdict(row)), version=version)


def _content(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ("version", "delete_at")}


def current_of(version: Version) -> Object:
    """A version as the object it is."""
    found = Object(**_content(msgspec.structs.asdict(version)))
    found.version, found.delete_at = version.version, delete_at(version.headers)
    return found


def copy_of(row: Content, container: Container, name: str) -> Object:
    """Another object with the same bytes."""
    values = _content(msgspec.structs.asdict(row))
    return Object(**{**values, "container_id": container.id, "name": name, "timestamp": store.now()})


def delete_at(headers: dict[str, str]) -> int | None:
    return int(headers["x-delete-at"]) if "x-delete-at" in headers else None


def update_object(tx: Tx, found: Object, headers: dict[str, str], content_type: str) -> None:
    """New metadata in place of the old."""
    modified = store.later(store.now(), found.modified)
    values: dict[str, Any] = {"headers": headers, "content_type": content_type, "modified": modified}
    where = {"container_id": found.container_id, "name": found.name}
    if not tx.update(Object, where, **values, delete_at=delete_at(headers)):
        raise NotFound("The resource could not be found.")
    if found.version is not None:
        tx.update(Version, {**where, "version": found.version}, **values)


def delete_object(tx: Tx, files: Files, container: Container, name: str, stamp: str | None = None) -> Content | None:
    """Delete what is current; where versions are kept, it stays among them. What was deleted is returned, if anything."""
    store.hold(tx, f"{container.id}/{name}")
    old = tx.find(Object, container_id=container.id, name=name)
    moment = store.later(stamp or store.now(), old.modified if old else None)
    if container.versioning == ENABLED:
        if old is not None and old.version is None:
            tx.insert(version_of(old, old.timestamp))
        tx.insert(_marker(container, name, moment))
    if "x-history-location" in container.headers:
        if old is not None:
            _archive(tx, files, container, old)
        _archive_marker(tx, files, container, name, moment)
    elif "x-versions-location" in container.headers:
        restored = _restore(tx, files, container, name, old)
        if restored is not None:
            return restored
    if old is None:
        return None
    gone = old.version is None and container.versioning != ENABLED
    tx.delete(Object, container_id=container.id, name=name)
    store.grow(tx, container.id, -1, -kept_size(old) if gone else 0)
    if gone and old.data:
        files.leave(old.data)
    _note(tx, container, name, moment, deleted=True)
    return old


def _marker(container: Container, name: str, moment: str) -> Version:
    return Version(container.id, name, EMPTY, DELETED_TYPE, moment, moment, kind=MARKER, version=moment)


def delete_version(tx: Tx, files: Files, container: Container, name: str, version: str) -> tuple[Content, str | None]:
    """Delete one version for good; where it is the current one, there is none afterwards. Raises NotFound.

    With it comes the version that was current, if any.
    """
    store.hold(tx, f"{container.id}/{name}")
    current = tx.find(Object, container_id=container.id, name=name)
    if version == "null" and current is not None and current.version is not None:
        # there is no version without a name: nothing is current any more, and all versions stay
        tx.delete(Object, container_id=container.id, name=name)
        store.grow(tx, container.id, -1, 0)
        return current, None
    found = get_object(tx, container, name, version)
    was_current = current.version or "null" if current else None
    gone = current is not None and current.version == found.version
    if gone:
        tx.delete(Object, container_id=container.id, name=name)
    if found.version is not None:
        tx.delete(Version, container_id=container.id, name=name, version=found.version)
    store.grow(tx, container.id, -1 if gone else 0, -kept_size(found))
    if found.data:
        files.leave(found.data)
    return found, was_current


def newest_version(tx: Tx, container: Container, name: str) -> str | None:
    found = tx.select(Version, order="version", container_id=container.id, name=name)
    return found[-1].version if found else None


def restore_version(tx: Tx, files: Files, container: Container, name: str, version: str) -> Object:
    """Make a version the current one. Raises NotFound."""
    store.hold(tx, f"{container.id}/{name}")
    found = get_object(tx, container, name, version)
    if found.kind == MARKER:
        raise NotFound("The resource could not be found.")
    old = tx.find(Object, container_id=container.id, name=name)
    if old is not None and old.version is None:
        tx.insert(version_of(old, old.timestamp))
    _replace(tx, old, found)
    store.grow(tx, container.id, 0 if old else 1, 0)
    return found


# -- versions in another container, the older way --------------------------------------------------------------------------


def _archive_of(tx: Tx, container: Container) -> Container | None:
    """Raises PreconditionFailed when it is not there."""
    named = next((container.headers[name] for name in containers.ARCHIVES if name in container.headers), None)
    if named is None:
        return None
    found = containers.find_container(tx, container.account, named)
    if found is None:
        raise PreconditionFailed(f"The container {named[:300]!r}, where versions are to be kept, does not exist.")
    return found


def _prefix(name: str) -> str:
    return f"{len(name.encode()):03x}{name}/"


def _archive(tx: Tx, files: Files, container: Container, old: Object) -> None:
    archive = _archive_of(tx, container)
    if archive is not None and archive.id != container.id:
        row = copy_of(old, archive, _prefix(old.name) + old.timestamp)
        put_object(tx, files, archive, row)


def _archive_marker(tx: Tx, files: Files, container: Container, name: str, moment: str) -> None:
    archive = _archive_of(tx, container)
    if archive is not None:
        marker = Object(archive.id, _prefix(name) + moment, EMPTY, DELETED_TYPE, moment, moment)
        put_object(tx, files, archive, marker)


def _restore(tx: Tx, files: Files, container: Container, name: str, old: Object | None) -> Content | None:
    """Put the newest archived version in the deleted object's place; where a marker is the newest, and nothing current, the
    one before it. What was deleted so, or None where there is nothing to restore."""
    archive = containers.find_container(tx, container.account, container.headers["x-versions-location"])
    found = newest_archived(tx, archive, name) if archive is not None else None
    if archive is None or found is None or archive.id == container.id:
        return None
    gone: Content = old or found
    if found.content_type == DELETED_TYPE:
        if old is not None:
            return None  # before the current one there was none: it is deleted, and that is all
        _remove(tx, files, archive, found)
        found = newest_archived(tx, archive, name)
        if found is None or found.content_type == DELETED_TYPE:
            return gone
    row = copy_of(found, container, name)
    _remove(tx, files, archive, found)
    row.timestamp = row.modified = store.later(found.timestamp, old.modified if old else None)
    row.delete_at = delete_at(row.headers)
    _replace(tx, old, row)
    store.grow(tx, container.id, 0 if old else 1, kept_size(row) - (kept_size(old) if old else 0))
    if old is not None and old.data:
        files.leave(old.data)
    _note(tx, container, row.name, row.timestamp, deleted=False)
    return gone


def _remove(tx: Tx, files: Files, container: Container, row: Object) -> None:
    """Without a trace in versions or archives."""
    tx.delete(Object, container_id=container.id, name=row.name)
    store.grow(tx, container.id, -1, -kept_size(row))
    if row.data:
        files.leave(row.data)


def newest_archived(tx: Tx, archive: Container, name: str) -> Object | None:
    wanted = Wanted(limit=1, prefix=_prefix(name), reverse=True)
    found = page(reader(tx, Object, ("name",), container_id=archive.id), wanted)
    return tx.find(Object, container_id=archive.id, name=found[0][0]) if found else None


def _note(tx: Tx, container: Container, name: str, stamp: str, deleted: bool) -> None:
    if containers.SYNC_TO in container.headers:
        store.note(tx, container.id, name, stamp, deleted)
