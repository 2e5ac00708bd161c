"""Rows as Structs: one declaration is the table, the Python type and the conversion between both.

    @table("keypairs", unique=[("user_id", "name")])
    class KeyPair(msgspec.Struct):
        id: Key
        user_id: str
        name: str
        public_key: str
        tags: list[str] = []

`str` is TEXT, `int` BIGINT, `float` DOUBLE, `bool` BOOLEAN; a list, dict or Struct is JSON text; `X | None` may be NULL.
"""

import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
import sqlalchemy as sa

Key = Annotated[str, msgspec.Meta(extra={"primary": True})]
NumberKey = Annotated[int, msgspec.Meta(extra={"primary": True})]
# compared and sorted by its characters' numbers on every database, whatever the language of its clerks
Exact = Annotated[str, msgspec.Meta(extra={"exact": True})]
ExactKey = Annotated[str, msgspec.Meta(extra={"primary": True, "exact": True})]

metadata = sa.MetaData()
Row = TypeVar("Row", bound=msgspec.Struct)
Decoder = Callable[[Any], Any]


class Shape(typing.NamedTuple):
    """A Struct's table, its columns in field order and, per column, how a stored value becomes a field."""

    table: sa.Table
    names: tuple[str, ...]
    primary: tuple[str, ...]
    decoders: tuple[tuple[int, Decoder], ...]
    json: frozenset[str]


_shapes: dict[type, Shape] = {}


def table(
    name: str,
    *,
    unique: Sequence[tuple[str, ...]] = (),
    index: Sequence[tuple[str, ...]] = (),
    references: dict[str, str] | None = None,
    cascade: Sequence[str] = (),
) -> Callable[[type[Row]], type[Row]]:
    """Declare a Struct as a table; `references` maps columns to `table.column`, `cascade` lists those that go with it."""

    def declare(struct: type[Row]) -> type[Row]:
        columns: list[Any] = []
        decoders: list[tuple[int, Decoder]] = []
        json: set[str] = set()
        hints = typing.get_type_hints(struct, include_extras=True)
        for position, field in enumerate(msgspec.structs.fields(struct)):
            kind, nullable, primary = _inspect(hints[field.name])
            column_type, decoder = _column(kind)
            if _marked(hints[field.name], "exact"):
                column_type = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
            if decoder is not None:
                decoders.append((position, decoder))
            if decoder is not None and kind is not bool:
                json.add(field.name)
            constraints: list[Any] = []
            if references and field.name in references:
                rule = "CASCADE" if field.name in cascade else None
                constraints.append(sa.ForeignKey(references[field.name], ondelete=rule))
            columns.append(
                sa.Column(field.name, column_type, *constraints, primary_key=primary, nullable=nullable and not primary)
            )
        built = sa.Table(
            name,
            metadata,
            *columns,
            *(sa.UniqueConstraint(*group, name=f"uq_{name}_{'_'.join(group)}") for group in unique),
            *(sa.Index(f"ix_{name}_{'_'.join(group)}", *group) for group in index),
        )
        names = tuple(column.name for column in built.columns)
        keys = tuple(column.name for column in built.primary_key.columns)
        _shapes[struct] = Shape(built, names, keys, tuple(decoders), frozenset(json))
        return struct

    return declare


def shape(struct: type[msgspec.Struct]) -> Shape:
    return _shapes[struct]


def columns(struct: type[msgspec.Struct]) -> Any:
    """The table's columns, for statements written with SQLAlchemy: `columns(KeyPair).user_id`."""
    return _shapes[struct].table.c


def _inspect(hint: Any) -> tuple[Any, bool, bool]:
    primary, nullable = _marked(hint, "primary"), False
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        nullable = type(None) in get_args(hint)
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        hint = rest[0] if len(rest) == 1 else dict
    return hint, nullable, primary


def _marked(hint: Any, mark: str) -> bool:
    if get_origin(hint) is not Annotated:
        return False
    return any(isinstance(m, msgspec.Meta) and bool((m.extra or {}).get(mark)) for m in get_args(hint)[1:])


def _column(kind: Any) -> tuple[Any, Decoder | None]:
    if kind is str:
        return sa.Text(), None
    if kind is int:
        return sa.BigInteger().with_variant(sa.Integer(), "sqlite"), None
    if kind is float:
        return sa.Double(), None
    if kind is bool:
        return sa.Boolean(), _to_bool
    decoder = msgspec.json.Decoder(kind)

    def from_json(value: Any) -> Any:
        return None if value is None else decoder.decode(value)

    return sa.Text(), from_json


def _to_bool(value: Any) -> Any:
    return None if value is None else bool(value)
