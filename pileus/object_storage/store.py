"""Tables of accounts, containers and objects, and the statements on them. Bytes are elsewhere: a row names its file."""

import time
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core import quota
from pileus.core.db import Tx, in_list, sql
from pileus.core.tables import Exact, ExactKey, Key, columns, shape, table

PLAIN, STATIC, SYMLINK, MARKER = "", "slo", "symlink", "marker"  # kinds of objects; a marker says that one was deleted
ENABLED, SUSPENDED = "enabled", "suspended"  # a container's versioning, once it was asked for


@table("object_accounts")
class Account(msgspec.Struct):
    """What an account was told; there is a row from the first time it is written to. `id` is AUTH_ and the project's."""

    id: Key
    created_at: str
    headers: dict[str, str] = {}


@table("object_containers", unique=[("account", "name")])
class Container(msgspec.Struct):
    """`objects` counts what a listing shows; `bytes` is all that is kept, older versions too."""

    id: Key
    account: str
    name: Exact
    created_at: str
    put_at: str
    objects: int = 0
    bytes: int = 0
    versioning: str = ""
    headers: dict[str, str] = {}

    @property
    def project_id(self) -> str:
        return self.account.partition("_")[2]


class Content(msgspec.Struct):
    """What an object or a version of it is. `timestamp` is when its bytes came, `modified` also when its metadata did."""

    container_id: Key
    name: ExactKey
    etag: str
    content_type: str
    timestamp: str
    modified: str
    data: str | None = None  # the file's key; several rows may share one; none for no bytes
    size: int = 0
    kind: str = PLAIN
    headers: dict[str, str] = {}  # what is told of it beside the above: metadata, encoding, when it is to be deleted
    extra: dict[str, Any] = {}  # of large objects and symlinks


@table("objects", index=[("data",), ("delete_at",)], references={"container_id": "object_containers.id"})
class Object(Content):
    """What a container's listing shows."""

    version: str | None = None  # which of the versions it is, where the container keeps them
    delete_at: int | None = None


@table("object_versions", index=[("data",)], references={"container_id": "object_containers.id"})
class Version(Content):
    """All versions that a container keeps, the current ones among them."""

    version: ExactKey = ""


@table("object_changes", references={"container_id": "object_containers.id"}, cascade=("container_id",))
class Change(msgspec.Struct):
    """An object that a container's counterpart elsewhere has yet to hear of."""

    container_id: Key
    name: ExactKey
    timestamp: str
    deleted: bool


_c, _o, _v = columns(Container), columns(Object), columns(Version)
_text = sa.Text()
_SUMS = sql(
    sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(_c.objects), 0), sa.func.coalesce(sa.func.sum(_c.bytes), 0)
    ).where(_c.account == sa.bindparam("account", type_=_text))
)
_GROW = sql(
    sa.update(shape(Container).table)
    .where(_c.id == sa.bindparam("container", type_=_text))
    .values(objects=_c.objects + sa.bindparam("more"), bytes=_c.bytes + sa.bindparam("larger"))
)
_KNOWN = sql(
    sa.union(sa.select(_o.data).where(in_list(_o.data, "keys")), sa.select(_v.data).where(in_list(_v.data, "keys")))
)
_EXPIRED = sql(
    sa.select(_o.container_id, _o.name, _o.delete_at)
    .where(_o.delete_at <= sa.bindparam("now", type_=sa.BigInteger()))
    .order_by(_o.delete_at)
    .limit(sa.bindparam("most"))
)
_ALL = sql(sa.union(sa.select(_o.data).where(_o.data.is_not(None)), sa.select(_v.data).where(_v.data.is_not(None))))
_ANY_VERSION = sql(sa.select(_v.name).where(_v.container_id == sa.bindparam("container", type_=_text)).limit(1))
_NOTE_ALL = sql(
    sa.insert(shape(Change).table).from_select(
        ["container_id", "name", "timestamp", "deleted"],
        sa.select(_o.container_id, _o.name, _o.timestamp, sa.false()).where(
            _o.container_id == sa.bindparam("container", type_=_text)
        ),
    )
)
_FORGET = sql(
    sa.delete(shape(Change).table).where(
        columns(Change).container_id == sa.bindparam("container", type_=_text),
        columns(Change).name == sa.bindparam("name", type_=_text),
        columns(Change).timestamp <= sa.bindparam("until", type_=_text),
    )
)
_CHANGED = sql(sa.select(_c.id).where(sa.exists().where(columns(Change).container_id == _c.id)).order_by(_c.id))
_CHANGES = sql(
    sa.select(shape(Change).table)
    .where(columns(Change).container_id == sa.bindparam("container", type_=_text))
    .order_by(columns(Change).timestamp)
    .limit(sa.bindparam("most"))
)


class Sums(msgspec.Struct):
    containers: int
    objects: int
    bytes: int


def now() -> str:
    return timestamp(time.time())


def timestamp(seconds: float) -> str:
    """As X-Timestamp says it; of one width, so that text sorts as time does."""
    return f"{seconds:016.5f}"


def later(stamp: str, than: str | None) -> str:
    """This moment, or the next after one that a row already bears: two versions never bear the same."""
    return stamp if than is None or stamp > than else timestamp(float(than) + 0.00001)


def account_sums(tx: Tx, account: str) -> Sums:
    found = tx.one(_SUMS, account=account)
    assert found is not None
    return Sums(*map(int, found))


def grow(tx: Tx, container_id: str, objects: int, size: int) -> None:
    if objects or size:
        tx.execute(_GROW, container=container_id, more=objects, larger=size)


def hold(tx: Tx, what: str) -> None:
    """Let no other transaction look at the same object, file or account at the same time."""
    quota.hold(tx, "object_storage", what)


def known(tx: Tx, keys: list[str]) -> set[str]:
    """Which of these files some row names."""
    return {row[0] for row in tx.all(_KNOWN, keys=keys)}


def all_data(tx: Tx) -> set[str]:
    return {row[0] for row in tx.all(_ALL)}


def expired(tx: Tx, moment: float, most: int) -> list[tuple[str, str, int]]:
    return [(row[0], row[1], int(row[2])) for row in tx.all(_EXPIRED, now=int(moment), most=most)]


def has_versions(tx: Tx, container_id: str) -> bool:
    return tx.one(_ANY_VERSION, container=container_id) is not None


def note_all(tx: Tx, container_id: str) -> None:
    """Tell a new counterpart of all that is there."""
    tx.delete(Change, container_id=container_id)
    tx.execute(_NOTE_ALL, container=container_id)


def note(tx: Tx, container_id: str, name: str, stamp: str, deleted: bool) -> None:
    tx.delete(Change, container_id=container_id, name=name)
    tx.insert(Change(container_id, name, stamp, deleted))


def forget(tx: Tx, change: Change) -> None:
    tx.execute(_FORGET, container=change.container_id, name=change.name, until=change.timestamp)


def changed_containers(tx: Tx) -> list[str]:
    return [row[0] for row in tx.all(_CHANGED)]


def changes(tx: Tx, container_id: str, most: int) -> list[Change]:
    return tx.rows(Change, _CHANGES, container=container_id, most=most)
