"""What must stay true of images: a `saving` one has an upload alive, and all stored data is some image's."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from pileus.core import clock, log, saga
from pileus.core import reconcile as core
from pileus.core.db import sql
from pileus.core.errors import EngineError
from pileus.core.reconcile import Difference
from pileus.core.tables import columns, shape
from pileus.image import cache
from pileus.image.data import give_back, in_order, owner
from pileus.image.drivers import Stores
from pileus.image.drivers.base import Store, StoreError
from pileus.image.store import SAVING, Image, Task

_log = log.logger("pileus.image")
_columns = columns(Image)
_WITH_DATA = sql(sa.select(shape(Image).table).where(sa.or_(_columns.data.is_not(None), _columns.locations != "[]")))
_EXPIRED = sql(sa.delete(shape(Task).table).where(columns(Task).expires_at < sa.bindparam("now", type_=sa.Text())))


def reconcile(cloud: Any) -> None:
    """Give images back whose upload died, delete data that is no image's, prune the cache, and forget old tasks."""
    stores: Stores = cloud.drivers["image"]
    for image in _rows(cloud):
        # asked after the row was read: an upload that has ended since changed its row before it let go
        if image.status == SAVING and image.data is not None and not _arriving(stores, image.data):
            with cloud.db.write() as tx:
                if give_back(tx, image.id, image.data):
                    _log.info("an upload had died", extra={"image": image.id})
    problems = []
    for store in stores.holding():
        try:
            _sweep(cloud, store)
        except StoreError as error:
            problems.append(str(error))
    try:
        cache.prune(stores)
    except StoreError as error:
        problems.append(str(error))
    with cloud.db.write() as tx:
        tx.execute(_EXPIRED, now=clock.now())
    if problems:  # the others were looked after all the same
        raise EngineError("; ".join(problems))


def _sweep(cloud: Any, store: Store) -> None:
    # data first, rows after: data that is in no row by now is nobody's, unless somebody writes it (see `sweep`)
    held = store.keys()
    for key in store.sweep(held - _known(cloud, store), lambda key: _wanted(cloud, store, key)):
        _log.info("deleted data that no image has", extra={"store": store.name, "data": key})


def differences(cloud: Any) -> Iterator[Difference]:
    """What `fsck` says of images."""
    stores: Stores = cloud.drivers["image"]
    rows = _rows(cloud)
    for image in rows:
        if image.status == SAVING and image.data is not None and not _arriving(stores, image.data):
            yield Difference("images", "image", image.id, "is saving, but nobody uploads it")
    for store in stores.holding():
        try:
            held = store.keys()
        except StoreError as error:
            yield Difference("images", "store", store.name, f"cannot be looked at: {error}")
            continue
        for image in rows:
            for key in _keys(store, image):
                if key not in held and not _busy(cloud, image.id):
                    yield Difference("images", "image", image.id, f"is said to have data in {store.name}, but has none")
        for key in held - _known(cloud, store):
            if not store.being_written(key) and not _wanted(cloud, store, key):
                yield Difference("images", "data", key, f"is stored in {store.name}, but is no image's")


def _rows(cloud: Any) -> list[Image]:
    with cloud.db.read() as tx:
        return list(tx.rows(Image, _WITH_DATA))


def _keys(store: Store, image: Image) -> list[str]:
    """The data that a row says lies whole in this store."""
    if store.name == "staging" and store.kind == "file":
        return [image.data] if image.data is not None and image.status != SAVING else []
    return [location.key for location in image.locations if location.store == store.name]


def _known(cloud: Any, store: Store) -> set[str]:
    return {key for image in _rows(cloud) for key in _keys(store, image)}


def _wanted(cloud: Any, store: Store, key: str) -> bool:
    with cloud.db.read() as tx:
        image = tx.find(Image, id=owner(key))
        if image is None:
            return bool(saga.unfinished(tx, f"image/{owner(key)}"))  # its undo deletes it
        if store.name == "cache":
            return True
        if key == image.data or key in _keys(store, image):
            return True
        return bool(saga.unfinished(tx, f"image/{image.id}"))


def _busy(cloud: Any, image_id: str) -> bool:
    with cloud.db.read() as tx:
        return bool(saga.unfinished(tx, f"image/{image_id}"))


def _arriving(stores: Stores, key: str) -> bool:
    return any(_may_write(store, key) for store in stores.holding() if store is not stores.cached)


def _may_write(store: Store, key: str) -> bool:
    try:
        return store.being_written(key)
    except StoreError:
        return True  # its folder is away for now, and the upload with it


# -- the cache ---------------------------------------------------------------------------------------------------------


def fill_cache(cloud: Any) -> None:
    """Make the copies that were asked for, also of what is on another disk of this controller."""
    stores: Stores = cloud.drivers["image"]
    try:
        waiting = cache.queued(stores)
    except StoreError:
        return  # told by `reconcile`, and to whom asks
    for image_id in waiting:
        with cloud.db.read() as tx:
            image = tx.find(Image, id=image_id)
        try:
            if image is not None:
                _cache(cloud, image)
            if not cache.dequeue(stores, image_id):
                cache.drop(stores, image_id)  # somebody no longer wants it
        except StoreError as error:
            _log.warning("an image could not be cached", extra={"image": image_id, "why": str(error)})
            with contextlib.suppress(StoreError):
                cache.dequeue(stores, image_id)


def _cache(cloud: Any, image: Image) -> None:
    """Raises StoreError."""
    stores: Stores = cloud.drivers["image"]
    problem = StoreError("it has no data")
    for location in in_order(stores, image) if cache.can_be_cached(image) else []:
        try:
            cache.fetch(cloud, image, location)
            return
        except FileNotFoundError:
            problem = StoreError(f"its data is missing in {location.store}")
        except StoreError as error:
            problem = error
    raise problem


TASKS = [core.Task("images", reconcile, every=60), core.Task("image-cache", fill_cache, every=1)]
