"""The listing of all versions that a container keeps: by name, the newest first; in reverse, the other way round."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from pileus.core.db import Tx, in_list
from pileus.core.tables import columns
from pileus.object_storage.listing import Folded, Wanted, after_all
from pileus.object_storage.store import MARKER, Object, Version

PORTION = 1000
_o, _v = columns(Object), columns(Version)
_NAMES = ("name", "etag", "size", "content_type", "timestamp", "kind")
_AFTER_ALL = "~"  # no version is called so
Row = dict[str, Any]


class Place(NamedTuple):
    """Behind which version of which name to go on; without a version, behind all of the name's."""

    name: str
    version: str | None


def page(tx: Tx, container_id: str, wanted: Wanted, version_marker: str) -> list[Row | Folded]:
    """Entries with `version` (`null` for what is from before versions were kept) and `is_latest`."""
    found: list[Row | Folded] = []
    place = _start(tx, container_id, wanted, version_marker)
    while len(found) < wanted.limit:
        rows = _read(tx, container_id, place, wanted.reverse)
        latest = _latest(tx, container_id, sorted({row[0] for row in rows}))
        for row in rows:
            name, place = row[0], Place(row[0], row[6])
            if not name.startswith(wanted.prefix):
                if (name < wanted.prefix) == wanted.reverse:
                    return found
                continue
            if wanted.end_marker and (name <= wanted.end_marker if wanted.reverse else name >= wanted.end_marker):
                return found
            folder = _folder(name, wanted)
            if folder is None:
                found.append(_entry(row, latest))
            elif folder != wanted.marker and (not found or found[-1] != Folded(folder)):
                found.append(Folded(folder))
            if len(found) >= wanted.limit:
                return found
        if len(rows) < PORTION:
            break
    return found


def _start(tx: Tx, container_id: str, wanted: Wanted, version_marker: str) -> Place | None:
    if not wanted.marker:
        edge = after_all(wanted.prefix) if wanted.reverse else wanted.prefix
        return Place(edge, _AFTER_ALL) if edge else None
    if not version_marker:
        return Place(wanted.marker, None)
    if version_marker != "null":
        return Place(wanted.marker, version_marker)
    plain = tx.find(Object, container_id=container_id, name=wanted.marker, version=None)
    return Place(wanted.marker, plain.timestamp if plain else "" if wanted.reverse else _AFTER_ALL)


def _folder(name: str, wanted: Wanted) -> str | None:
    end = name.find(wanted.delimiter, len(wanted.prefix)) if wanted.delimiter else -1
    return None if end < 0 else name[: end + len(wanted.delimiter)]


def _entry(row: tuple[Any, ...], latest: dict[str, str | None]) -> Row:
    name, etag, size, content_type, timestamp, _, version, kept = row
    return {
        "name": name, "etag": etag, "size": size, "content_type": content_type, "timestamp": timestamp,
        "version": version if kept else "null", "is_latest": not kept or latest.get(name) == version,
    }  # fmt: skip


def _read(tx: Tx, container_id: str, place: Place | None, reverse: bool) -> list[tuple[Any, ...]]:
    def build() -> Any:
        kept = sa.select(*(_v[n] for n in _NAMES), _v.version.label("version"), sa.literal(1).label("kept")).where(
            _v.container_id == sa.bindparam("container", type_=sa.Text())
        )
        plain = sa.select(*(_o[n] for n in _NAMES), _o.timestamp.label("version"), sa.literal(0).label("kept")).where(
            _o.container_id == sa.bindparam("container", type_=sa.Text()), _o.version.is_(None)
        )
        at, after = sa.bindparam("name", type_=sa.Text()), sa.bindparam("version", type_=sa.Text())
        if place is not None:  # in each part, so that both are looked up in an index
            kept = kept.where(_v.name <= at if reverse else _v.name >= at)
            plain = plain.where(_o.name <= at if reverse else _o.name >= at)
        both = sa.union_all(kept, plain).subquery()
        name, version = both.c.name, both.c.version
        statement = sa.select(both)
        if place is not None:
            beyond = name < at if reverse else name > at
            if place.version is not None:
                beyond = sa.or_(beyond, sa.and_(name == at, version > after if reverse else version < after))
            statement = statement.where(beyond)
        order = (name.desc(), version) if reverse else (name, version.desc())
        return statement.order_by(*order).limit(PORTION)

    shape = (place is None, place is not None and place.version is None, reverse)
    statement = tx.db.cached(("object versions", *shape), build)
    values = {} if place is None else {"name": place.name}
    if place is not None and place.version is not None:
        values["version"] = place.version
    return tx.all(statement, container=container_id, **values)


def _latest(tx: Tx, container_id: str, names: list[str]) -> dict[str, str | None]:
    """The version that is current; where there is none, the marker that was put last, if that came after all others."""
    container = sa.bindparam("container", type_=sa.Text())
    current = tx.db.cached(
        ("object versions, current",),
        lambda: sa.select(_o.name, _o.version).where(_o.container_id == container, in_list(_o.name, "names")),
    )
    newest = tx.db.cached(
        ("object versions, newest",),
        lambda: (
            sa.select(
                _v.name,
                sa.func.max(_v.version),
                sa.func.max(sa.case((_v.kind == MARKER, _v.version), else_="")),
            )
            .where(_v.container_id == container, in_list(_v.name, "names"))
            .group_by(_v.name)
        ),
    )
    found = {row[0]: row[1] for row in tx.all(newest, container=container_id, names=names) if row[1] == row[2]}
    return {**found, **{row[0]: row[1] for row in tx.all(current, container=container_id, names=names)}}
