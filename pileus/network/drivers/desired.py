"""Rows of the northbound database as data: what one object of ours should look like there.

An object is named by its key (kind, id). Each of its rows is named inside the object by
(table, part), and carries all three in external_ids: so the rows of an object are found
again without any bookkeeping of ours, and rows of others are never touched.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Key = tuple[str, str]

KIND = "pileus:kind"
ID = "pileus:id"
PART = "pileus:part"
HOLDERS = "pileus:in"

# In this order rows are written; the reverse of it is a good order to read about them, too.
KINDS = ("cloud", "network", "subnet", "address_group", "security_group", "router", "port", "floatingip")


class Ref(msgspec.Struct, frozen=True, order=True):
    """Points at a row of some object."""

    table: str
    kind: str
    id: str
    part: str = ""

    @property
    def key(self) -> Key:
        return (self.kind, self.id)


class Holder(msgspec.Struct, frozen=True, order=True):
    """A row that lists this one in a column: a switch its ports, a port group its members."""

    ref: Ref
    column: str

    def __str__(self) -> str:
        ref = self.ref
        return "|".join((ref.table, ref.kind, ref.id, ref.part, self.column))

    @classmethod
    def parse(cls, text: str) -> "Holder":
        table, kind, id_, part, column = text.split("|")
        return cls(Ref(table, kind, id_, part), column)


# What a column may hold: a scalar, None (an optional column left empty), a set, a map, or references.
Value = str | int | bool | None | frozenset[str] | Mapping[str, str] | Mapping[str, int] | Ref


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it should be. Columns that are not named are the engine's own."""

    table: str
    part: str = ""
    columns: Mapping[str, Value]
    external_ids: Mapping[str, str] = {}
    holders: tuple[Holder, ...] = ()

    def all_external_ids(self, key: Key) -> dict[str, str]:
        ids = {**self.external_ids, KIND: key[0], ID: key[1]}
        if self.part:
            ids[PART] = self.part
        if self.holders:
            ids[HOLDERS] = " ".join(sorted(str(holder) for holder in self.holders))
        return ids


def holders_of(external_ids: Mapping[str, str]) -> frozenset[Holder]:
    """Who lists a row, as its external_ids remember it."""
    return frozenset(Holder.parse(text) for text in external_ids.get(HOLDERS, "").split())


def by_kind(keys: Iterable[Key]) -> list[Key]:
    """Keys in an order in which each points only at earlier ones."""
    rank = {kind: index for index, kind in enumerate(KINDS)}
    return sorted(keys, key=lambda key: (rank.get(key[0], len(KINDS)), key[1]))


def set_of(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(str(value) for value in values)
