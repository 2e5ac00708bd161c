"""The listing of all versions that a container keeps: by name, the newest first."""

from typing import Any

import sqlalchemy as sa

from pileus.core.db import Tx, in_list
from pileus.core.tables import columns
from pileus.object_storage.listing import Folded, Wanted, after_all
from pileus.object_storage.store import MARKER, Object, Version

PORTION = 1000
_o, _v = columns(Object), columns(Version)
_NAMES = ("name", "etag", "size", "content_type", "timestamp", "kind")
Row = dict[str, Any]


def page(tx: Tx, container_id: str, wanted: Wanted, version_marker: str) -> list[Row | Folded]:
    """Entries with `version` (`null` for what is from before versions were kept) and `is_latest`."""
    found: list[Row | Folded] = []
    name = max(wanted.marker, wanted.prefix)
    beyond = bool(wanted.marker) and wanted.marker >= wanted.prefix
    version = version_marker if beyond else ""
    last = after_all(wanted.prefix) if wanted.prefix else None
    latest = {}
    while len(found) < wanted.limit:
        rows = _read(tx, container_id, name, version, beyond)
        latest.update(_current(tx, container_id, rows))
        for row in rows:
            name, version, beyond = row[0], row[6], True
            if (last is not None and name >= last) or (wanted.end_marker and name >= wanted.end_marker):
                return found
            folder = _folder(name, wanted)
            if folder is not None:
                if not found or found[-1] != Folded(folder):
                    found.append(Folded(folder))
            else:
                found.append(_entry(row, latest))
            if len(found) >= wanted.limit:
                return found
        if len(rows) < PORTION:
            break
    return found


def _folder(name: str, wanted: Wanted) -> str | None:
    end = name.find(wanted.delimiter, len(wanted.prefix)) if wanted.delimiter else -1
    return None if end < 0 else name[: end + len(wanted.delimiter)]


def _entry(row: tuple[Any, ...], latest: dict[str, str | None]) -> Row:
    name, etag, size, content_type, timestamp, kind, version, kept = row
    # where nothing is current, the marker that says so is the latest; it was put there last
    current = latest.get(name)
    is_latest = (version == current if kept else current is None and name in latest) if name in latest else False
    if name not in latest and kind == MARKER:
        is_latest = True
        latest[name] = version
    return {
        "name": name, "etag": etag, "size": size, "content_type": content_type, "timestamp": timestamp,
        "version": version if kept else "null", "is_latest": is_latest,
    }  # fmt: skip


def _read(tx: Tx, container_id: str, name: str, version: str, beyond: bool) -> list[tuple[Any, ...]]:
    def build() -> Any:
        kept = sa.select(*(_v[n] for n in _NAMES), _v.version.label("version"), sa.literal(1).label("kept")).where(
            _v.container_id == sa.bindparam("container", type_=sa.Text())
        )
        plain = sa.select(*(_o[n] for n in _NAMES), _o.timestamp.label("version"), sa.literal(0).label("kept")).where(
            _o.container_id == sa.bindparam("container", type_=sa.Text()), _o.version.is_(None)
        )
        both = sa.union_all(kept, plain).subquery()
        at, after = sa.bindparam("name", type_=sa.Text()), sa.bindparam("version", type_=sa.Text())
        following = both.c.name >= at
        if beyond and version:
            following = sa.or_(both.c.name > at, sa.and_(both.c.name == at, both.c.version < after))
        elif beyond:
            following = both.c.name > at
        statement = sa.select(both).where(following).order_by(both.c.name, both.c.version.desc())
        return statement.limit(PORTION)

    statement = tx.db.cached(("object versions", beyond, bool(version)), build)
    values = {"version": version} if beyond and version else {}
    return tx.all(statement, container=container_id, name=name, **values)


def _current(tx: Tx, container_id: str, rows: list[tuple[Any, ...]]) -> dict[str, str | None]:
    names = sorted({row[0] for row in rows})
    statement = tx.db.cached(
        ("object versions, current",),
        lambda: sa.select(_o.name, _o.version).where(
            _o.container_id == sa.bindparam("container", type_=sa.Text()), in_list(_o.name, "names")
        ),
    )
    return {row[0]: row[1] for row in tx.all(statement, container=container_id, names=names)}
