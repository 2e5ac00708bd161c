"""What the resources' shapes share: fields, versions, links, and the names that lists are narrowed by."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec

from pileus.core import paging
from pileus.core.errors import BadRequest
from pileus.core.fields import FALSE, TRUE, Strings, Text
from pileus.core.microversions import Version
from pileus.core.wire import Request

Row = TypeVar("Row", bound=msgspec.Struct)
Convert = Callable[[str], Any]
KEYS = r"[a-zA-Z0-9\-_:. /]+"  # of metadata


def metadata(name: str, max: int = 255, **options: Any) -> Strings:
    return Strings(name, max=max, key=KEYS, **options)


def words(name: str, **options: Any) -> Text:
    """A name or a description."""
    return Text(name, max=255, strip=True, null=True, **options)


def at_least(rq: Request, minor: int) -> bool:
    return rq.version >= Version(3, minor)


def links_of(rq: Request, plural: str, id: str) -> list[dict[str, Any]]:
    """A resource's own address, and the one without a version."""
    where = f"{rq.ctx.project_id}/{plural}/{id}" if rq.ctx.project_id else f"{plural}/{id}"
    return [
        {"rel": "self", "href": f"{rq.base}/{where}"},
        {"rel": "bookmark", "href": f"{rq.root}/volume/{where}"},
    ]


def is_admin(rq: Request) -> bool:
    return rq.allows("context_is_admin")


def everybody(rq: Request) -> bool:
    """Does an administrator ask for all projects' things?"""
    return bool(rq.query.flag("all_tenants")) and is_admin(rq)


def member_of(rq: Request, name: str, field: str) -> Any:
    """A string in the object that is a body's only member. Raises BadRequest."""
    value = rq.unwrap(name).get(field)
    if not isinstance(value, str):
        raise BadRequest(f"Invalid input for field/attribute {field}. It must be a string.")
    return value


def flag(value: Any, name: str) -> bool:
    """A boolean in any of the spellings clients use. Raises BadRequest."""
    lowered = str(value).strip().lower()
    if not isinstance(value, bool | str | int) or lowered not in TRUE | FALSE:
        raise BadRequest(f"Invalid input for field/attribute {name}. Value: {str(value)[:100]}. It must be a boolean.")
    return lowered in TRUE


class Filter(NamedTuple):
    """A name in a list's query that narrows it; `everybody` may use it, or administrators alone."""

    column: str
    convert: Convert = str
    since: int = 0  # the minor version
    everybody: bool = True
    like: bool = False  # `name~` looks for a part, since 3.34
    kind: str = ""  # "metadata" (of the column's object) or "time" (with comparisons)


def boolean(text: str) -> bool:
    return flag(text, "filter")


def number(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 18:
        raise BadRequest(f"Invalid input received: {text[:100]} is not a number.")
    return int(text)


def by_ids(rq: Request, struct: type[Row], column: str, ids: Iterable[str]) -> list[Row]:
    """All rows that belong to some others, in one query."""
    wanted = sorted(set(ids))
    if not wanted:
        return []
    return paging.page(rq, struct, [paging.Where(column, "in", wanted)]).rows
