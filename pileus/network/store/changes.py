"""The outbox: which objects' rows in the engine may be out of date.

A request writes here in its own transaction, so no change is lost whatever dies afterwards;
the reconcile task applies what it finds and then removes it. An object may be listed twice.
"""

import weakref
from collections.abc import Callable

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Database, Tx, in_list, sql
from pileus.core.tables import columns, shape
from pileus.network.rows import Change

# Whom to wake when a transaction that wrote here is durable; a cloud of this process registers itself.
_listeners: "weakref.WeakKeyDictionary[Database, Callable[[], None]]" = weakref.WeakKeyDictionary()

_change = columns(Change)
_OLDEST = sql(
    sa.select(shape(Change).table).order_by(_change.created_at).limit(sa.bindparam("most", type_=sa.Integer()))
)
_DELETE = sql(sa.delete(shape(Change).table).where(in_list(_change.id, "ids")))


def listen(db: Database, wake: Callable[[], None]) -> None:
    _listeners[db] = wake


def touch(tx: Tx, kind: str, *ids: str | None) -> None:
    """These objects were made, changed or deleted."""
    for object_id in ids:
        if object_id:
            tx.insert(Change(id=clock.new_id(), kind=kind, object_id=object_id, created_at=clock.now()))
    db = tx.db
    tx.after_commit(lambda: _wake(db))


def _wake(db: Database) -> None:
    if listener := _listeners.get(db):
        listener()


def oldest(tx: Tx, most: int) -> list[Change]:
    return tx.rows(Change, _OLDEST, most=most)


def settle(tx: Tx, changes: list[Change]) -> None:
    """These have been applied; later ones of the same objects stay."""
    tx.execute(_DELETE, ids=[change.id for change in changes])


def waiting(tx: Tx, kind: str, object_id: str) -> bool:
    """Is the engine still to be told of this object?"""
    return tx.find(Change, kind=kind, object_id=object_id) is not None
