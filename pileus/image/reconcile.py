"""What must stay true of images: an image that is `saving` has an upload alive, and all stored data is some image's."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from pileus.core import clock, log
from pileus.core import reconcile as core
from pileus.core.db import sql
from pileus.core.reconcile import Difference
from pileus.core.tables import columns, shape
from pileus.image.data import give_back
from pileus.image.drivers.base import Store
from pileus.image.store import SAVING, Image, Task

_log = log.logger("pileus.image")
_columns = columns(Image)
_KEYS = sql(sa.select(_columns.data, _columns.id, _columns.status).where(_columns.data.is_not(None)))
_EXPIRED = sql(sa.delete(shape(Task).table).where(columns(Task).expires_at < sa.bindparam("now", type_=sa.Text())))


def reconcile(cloud: Any) -> None:
    """Give images back whose upload died, delete data that is no image's, and forget old tasks."""
    store: Store = cloud.drivers["image"]
    for key, image_id, status in _rows(cloud):
        # asked after the row was read: an upload that has ended since changed its row before it let go
        if status == SAVING and not store.being_written(key):
            with cloud.db.write() as tx:
                if give_back(tx, image_id, key):
                    _log.info("an upload had died", extra={"image": image_id})
    # data first, rows after: data that is in no row by now is nobody's, unless somebody writes it (see `sweep`)
    held = store.keys()
    for key in store.sweep(held - {key for key, _, _ in _rows(cloud)}, lambda key: _wanted(cloud, key)):
        _log.info("deleted data that no image has", extra={"data": key})
    with cloud.db.write() as tx:
        tx.execute(_EXPIRED, now=clock.now())


def differences(cloud: Any) -> Iterator[Difference]:
    """What `fsck` says of images."""
    store: Store = cloud.drivers["image"]
    rows = _rows(cloud)
    held = store.keys()
    for key, image_id, status in rows:
        if status == SAVING and not store.being_written(key):
            yield Difference("images", "image", image_id, "is saving, but nobody uploads it")
        elif status != SAVING and key not in held:
            yield Difference("images", "image", image_id, "is said to have data, but there is none")
    for key in held - {key for key, _, _ in rows}:
        if not store.being_written(key) and not _wanted(cloud, key):
            yield Difference("images", "data", key, "is stored, but is no image's")


def _rows(cloud: Any) -> list[tuple[Any, ...]]:
    with cloud.db.read() as tx:
        found: list[tuple[Any, ...]] = tx.all(_KEYS)
    return found


def _wanted(cloud: Any, key: str) -> bool:
    with cloud.db.read() as tx:
        return tx.find(Image, data=key) is not None


TASKS = [core.Task("images", reconcile, every=60)]
