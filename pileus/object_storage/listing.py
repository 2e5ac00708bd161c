"""Listings: a page of names in their order, folded at a delimiter. One indexed query a page; what is folded is skipped.

With a delimiter, a page reads rows in small portions and begins the next behind what it has just folded, so that a folder
of a hundred thousand objects costs one look into the index and not a hundred thousand rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.core.tables import shape

PORTION = 32  # rows of a look when there is a delimiter: at first, and how many at most
MOST_PORTION = 2000


class Wanted(NamedTuple):
    """What a client asks of a listing."""

    limit: int = 10000
    marker: str = ""
    end_marker: str = ""
    prefix: str = ""
    delimiter: str = ""
    reverse: bool = False
    path: str | None = None


class Folded(NamedTuple):
    """All names that begin like this, as one entry."""

    name: str


class Bounds(NamedTuple):
    """From `low` to `high`, which is not among them; nor is `low` where it is `beyond`."""

    low: str
    beyond: bool
    high: str | None


Row = tuple[Any, ...]  # the name first
Fetch = Callable[[Bounds, bool, int], list[Row]]  # bounds, descending, how many


def after_all(prefix: str) -> str | None:
    """The first text behind all that begin with this one; None where there is none."""
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1  # no text has what UTF-16 keeps for itself
            return prefix[:position] + chr(following)
    return None


def bounds(wanted: Wanted) -> Bounds:
    marker, end = (wanted.end_marker, wanted.marker) if wanted.reverse else (wanted.marker, wanted.end_marker)
    beyond = bool(marker) and marker >= wanted.prefix
    behind = after_all(wanted.prefix) if wanted.prefix else None
    highs = [text for text in (behind, end or None) if text is not None]
    return Bounds(marker if beyond else wanted.prefix, beyond, min(highs) if highs else None)


def page(fetch: Fetch, wanted: Wanted) -> list[Row | Folded]:
    """The entries of a page. `fetch` reads rows within bounds, at most so many."""
    if wanted.path is not None:
        folder = wanted.path.rstrip("/") + "/" if wanted.path else ""
        wanted = wanted._replace(prefix=folder, delimiter="/")
    within = bounds(wanted)
    if not wanted.limit or (within.high is not None and within.low > within.high):
        return []
    if not wanted.delimiter:
        return list(fetch(within, wanted.reverse, wanted.limit))
    found: list[Row | Folded] = []
    portion = min(PORTION, wanted.limit)
    while len(found) < wanted.limit:
        rows = fetch(within, wanted.reverse, portion)
        used, within = _fold(rows, wanted, within, found)
        if len(rows) < portion:
            break
        # where much was skipped, the next look shall not read so much in vain
        portion = min(portion * 2, MOST_PORTION) if used > portion // 2 else PORTION
    return found


def _fold(rows: list[Row], wanted: Wanted, within: Bounds, found: list[Row | Folded]) -> tuple[int, Bounds]:
    """Add to `found`. How many of the rows were not skipped, and where to look for more."""
    used, skipping = 0, None
    for row in rows:
        name: str = row[0]
        if skipping is not None and name.startswith(skipping):
            continue
        if len(found) >= wanted.limit:
            break
        used += 1
        end = name.find(wanted.delimiter, len(wanted.prefix))
        if end < 0 or (wanted.path is not None and end + 1 == len(name)):
            within, skipping = _behind(within, name, wanted.reverse), None
            if wanted.path is None or name != wanted.prefix:
                found.append(row)
            continue
        skipping = name[: end + len(wanted.delimiter)]
        within = _skip(within, skipping, wanted.reverse)
        if wanted.path is None and skipping != wanted.marker:
            found.append(Folded(skipping))
    return used, within


def _behind(within: Bounds, name: str, reverse: bool) -> Bounds:
    return within._replace(high=name) if reverse else within._replace(low=name, beyond=True)


def _skip(within: Bounds, folder: str, reverse: bool) -> Bounds:
    if reverse:
        return within._replace(high=folder)
    behind = after_all(folder)
    return within._replace(low=folder, beyond=True) if behind is None else within._replace(low=behind, beyond=False)


def reader(tx: Tx, struct: type[msgspec.Struct], names: tuple[str, ...], **equal: str) -> Fetch:
    """Reads these columns, `name` the first, of the rows whose other columns equal these."""
    table = shape(struct).table

    def fetch(within: Bounds, descending: bool, most: int) -> list[Row]:
        def build() -> Any:
            column = table.c.name
            low = sa.bindparam("low", type_=sa.Text())
            statement = sa.select(*(table.c[name] for name in names))
            for name in equal:
                statement = statement.where(table.c[name] == sa.bindparam(f"is_{name}", type_=sa.Text()))
            statement = statement.where(column > low if within.beyond else column >= low)
            if within.high is not None:
                statement = statement.where(column < sa.bindparam("high", type_=sa.Text()))
            return statement.order_by(column.desc() if descending else column).limit(sa.bindparam("most"))

        key = ("object listing", struct, names, tuple(equal), within.beyond, within.high is None, descending)
        values: dict[str, Any] = {"low": within.low, "most": most}
        if within.high is not None:
            values["high"] = within.high
        statement = tx.db.cached(key, build)
        return tx.all(statement, **values, **{f"is_{name}": value for name, value in equal.items()})

    return fetch
