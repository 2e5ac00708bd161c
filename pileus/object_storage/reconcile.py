"""What must stay true of objects: each row's file is there, each file has a row, and whose time is over goes."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from pileus.core import log
from pileus.core import reconcile as core
from pileus.core.reconcile import Difference
from pileus.object_storage import objects, store, sync
from pileus.object_storage.drivers.files import FOLDERS, Files
from pileus.object_storage.store import Container, Object

_log = log.logger("pileus.object_storage")
EXPIRED_AT_ONCE = 1000
_turn = itertools.count()  # which folder is looked through next


def sweep(cloud: Any, grace: float | None = None) -> None:
    """Finish what requests left: files that arrived, files that left; and look through one folder for what is nobody's."""
    files: Files = cloud.drivers["object_storage"]
    for key in files.abandoned():
        if files.take_back(key, lambda key: _wanted(cloud, key)):
            _log.info("deleted an upload that had died", extra={"data": key})
    for key in files.left() if grace is None else files.left(grace):
        _settle(cloud, files, key)
    for key in orphans(cloud, files, FOLDERS[next(_turn) % len(FOLDERS)]):
        files.leave(key)  # in case it is somebody's after all, it has the same time as others


def _wanted(cloud: Any, key: str) -> bool:
    with cloud.db.read() as tx:
        return bool(store.known(tx, [key]))


def _settle(cloud: Any, files: Files, key: str) -> None:
    with cloud.db.write() as tx:  # so that nobody copies the row meanwhile
        store.hold(tx, f"file {key}")
        files.settle(key, bool(store.known(tx, [key])))


def orphans(cloud: Any, files: Files, folder: str) -> list[str]:
    """Files first, rows after: a file without a row by now, which nobody writes, is nobody's."""
    keys = files.keys(folder)
    if not keys:
        return []
    with cloud.db.read() as tx:
        known = store.known(tx, keys)
    return [key for key in keys if key not in known and not files.being_written(key) and not _wanted(cloud, key)]


def expire(cloud: Any) -> None:
    """Delete objects whose X-Delete-At has passed."""
    files: Files = cloud.drivers["object_storage"]
    while not cloud.stopping.is_set():
        with cloud.db.read() as tx:
            due = store.expired(tx, time.time(), EXPIRED_AT_ONCE)
        for container_id, name, delete_at in due:
            with cloud.db.write() as tx:
                container = tx.find(Container, id=container_id)
                row = tx.find(Object, container_id=container_id, name=name)
                if container is not None and row is not None and row.delete_at == delete_at:
                    objects.delete_object(tx, files, container, name)
        if len(due) < EXPIRED_AT_ONCE:
            return


def differences(cloud: Any) -> Iterator[Difference]:
    """What `fsck` says of objects."""
    files: Files = cloud.drivers["object_storage"]
    there = set(files.all_keys())
    with cloud.db.read() as tx:
        known = store.all_data(tx)
    for key in known - there:
        if not files.is_there(key) and _wanted(cloud, key):
            yield Difference("objects", "object", key, "is in a container, but its file is missing")
    for key in there - known:
        if not files.is_leaving(key) and not files.being_written(key) and not _wanted(cloud, key):
            yield Difference("objects", "file", key, "is no object's")


TASKS = [
    core.Task("objects", sweep, every=20),
    core.Task("object-expirer", expire, every=5),
    core.Task("container-sync", sync.tell, every=5),
]
