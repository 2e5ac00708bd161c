"""Tables of no cloud, for tests of what works on any table."""

from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core import schema, tables
from pileus.core.db import Database

_kept, tables.metadata = tables.metadata, sa.MetaData()  # these tables belong to no cloud


@tables.table("owners", unique=[("name",)])
class Owner(msgspec.Struct):
    id: tables.Key
    name: str


class Wheel(msgspec.Struct):
    size: int


@tables.table("things", references={"owner_id": "owners.id"}, unique=[("owner_id", "number")])
class Thing(msgspec.Struct):
    id: tables.Key
    owner_id: str | None = None
    number: int | None = None
    ratio: float | None = None
    on: bool = False
    maybe: bool | None = None
    tags: list[str] = []
    extra: dict[str, Any] = {}
    wheels: list[Wheel] = []
    wheel: Wheel | None = None
    label: str | None = None


METADATA, tables.metadata = tables.metadata, _kept


def make(url: str) -> Database:
    db = Database(url)
    schema.create(db, METADATA)
    return db
