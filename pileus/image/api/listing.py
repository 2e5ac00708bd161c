"""What a list of images may be asked: filters on attributes and properties, visibility, sort keys, limits."""

import csv
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.paging import Sort, Where
from pileus.core.wire import Request
from pileus.image import store
from pileus.image.protections import Guard
from pileus.image.resources import IMAGE

DEFAULT_LIMIT, MAX_LIMIT = 25, 1000
_ABOUT_THE_LIST = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "visibility", "tag"})
_LISTS = frozenset({"id", "name", "status", "container_format", "disk_format"})  # `in:` takes several values
_TIMES = frozenset({"created_at", "updated_at"})
_STATUSES = frozenset(
    {"queued", "saving", "active", "killed", "deleted", "pending_delete", "deactivated", "uploading", "importing"}
)
Clause = tuple[str, Any, dict[str, Any]]


class Asked(NamedTuple):
    where: list[Where]
    clauses: tuple[Clause, ...]
    sort: list[Sort]
    limit: int


def parse(rq: Request, guard: Guard) -> Asked:
    """Raises BadRequest, naming what is wrong."""
    where: list[Where] = []
    clauses = _visibility(rq)
    for position, tag in enumerate(rq.query.all("tag")):
        if len(tag) > 255 or position >= 128:
            raise _bad("tag", tag)
        clauses.append((f"tag_{position}", store.tagged(f"tag_{position}"), {f"tag_{position}": tag}))
    for position, name in enumerate(rq.query.names()):
        if name in _ABOUT_THE_LIST:
            continue
        value = rq.query.get(name) or ""
        if name == "changes-since":
            raise BadRequest("The filter 'changes-since' is not available.")
        if name in ("size_min", "size_max"):
            where.append(Where("size", "gte" if name == "size_min" else "lte", rq.query.number(name)))
        elif name in _TIMES:
            where += _time(name, value, clauses)
        elif name in IMAGE.fields:
            where += _attribute(name, value)
        elif not guard.allows("read", name):
            clauses.append(("unreadable", store.NOTHING, {}))  # or lists would tell what an image does not show
        else:
            key, text = f"property_{position}", f"value_{position}"
            clauses.append((key, store.with_property(key, text), {key: name, text: value}))
    if "os_hidden" not in rq.query:
        where.append(Where("os_hidden", "eq", False))
    limit = rq.query.number("limit")
    return Asked(where, tuple(clauses), _sort(rq), DEFAULT_LIMIT if limit is None else min(limit, MAX_LIMIT))


def link(rq: Request, marker: str | None) -> str:
    """This list with another marker, below the service's address: clients put that in front themselves."""
    kept = rq.query.without("marker") + ([("marker", marker)] if marker else [])
    return quote(rq.path.removeprefix(rq.service.prefix)) + (f"?{urlencode(kept)}" if kept else "")


def _visibility(rq: Request) -> list[Clause]:
    """Administrators see all; others what is public or community, their own, and what they were offered."""
    visibility = rq.query.get("visibility")
    if visibility is not None and visibility not in (*store.VISIBILITIES, "all"):
        raise _bad("visibility", visibility)
    member_status = rq.query.get("member_status") or store.ACCEPTED
    if member_status not in (*store.MEMBER_STATUSES, "all"):
        raise _bad("member_status", member_status)
    caller = {"caller": rq.ctx.project_id or ""}
    clauses: list[Clause] = []
    if "admin" not in rq.ctx.roles:
        clauses.append(("visible", store.VISIBLE, {**caller, "member_status": member_status}))
    if visibility is None:
        clauses.append(("not_community", store.NOT_COMMUNITY, caller))
    elif visibility != "all":
        clauses.append(("visibility", store.IS_VISIBILITY, {"visibility": visibility}))
    return clauses


def _attribute(name: str, value: str) -> list[Where]:
    field = IMAGE.fields[name]
    if field.source not in store.COLUMNS:
        return []  # `self`, `file`, `schema`: they tell no image from another
    if name in _LISTS and value.startswith("in:"):
        values = _split(name, value[3:])
        _check_statuses(name, values)
        return [Where(field.source, "in", values)]
    if name in ("os_hidden", "protected"):
        if value.lower() not in ("true", "false"):
            raise _bad(name, value)
        return [Where(field.source, "eq", value.lower() == "true")]
    _check_statuses(name, [value])
    return [Where(field.source, "eq", field.query(value))]


def _check_statuses(name: str, values: list[str]) -> None:
    for value in values:
        if name == "status" and value not in _STATUSES:
            raise _bad(name, value)


def _split(name: str, text: str) -> list[str]:
    """`a,"b,c"`: commas divide, quotes hold together."""
    try:
        found = next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise _bad(name, text) from None
    if not found or len(found) > 1000:
        raise _bad(name, text)
    return found


def _time(name: str, value: str, clauses: list[Clause]) -> list[Where]:
    """`gt:2026-01-01T00:00:00Z`. Clients see whole seconds, and compare by them."""
    operator, colon, text = value.partition(":")
    if not colon or operator not in ("eq", "neq", "gt", "gte", "lt", "lte"):
        operator, text = "eq", value
    try:
        moment = clock.parse(text).replace(microsecond=0)
        begin, end = clock.canonical(moment.isoformat()), clock.canonical((moment + timedelta(seconds=1)).isoformat())
    except (ValueError, OverflowError):
        raise _bad(name, value) from None
    if operator == "neq":
        clauses.append((f"{name}_neq", store.outside(name), {f"{name}_begin": begin, f"{name}_end": end}))
        return []
    return {
        "eq": [Where(name, "gte", begin), Where(name, "lt", end)],
        "gt": [Where(name, "gte", end)],
        "gte": [Where(name, "gte", begin)],
        "lt": [Where(name, "lt", begin)],
        "lte": [Where(name, "lt", end)],
    }[operator]


def _sort(rq: Request) -> list[Sort]:
    """`sort=name:asc,size` or `sort_key=name&sort_dir=asc`, not both; newest first when nothing is said."""
    keys, directions = rq.query.all("sort_key"), rq.query.all("sort_dir")
    combined = rq.query.get("sort")
    if combined is not None:
        if keys or directions:
            raise BadRequest("Old and new sorting syntax cannot be combined: use sort, or sort_key and sort_dir.")
        pairs = [part.strip().partition(":") for part in combined.split(",")]
        keys, directions = [key for key, _, _ in pairs], [direction or "desc" for _, _, direction in pairs]
    elif len(directions) > 1 and len(directions) != len(keys):
        raise BadRequest("The number of sort_dir does not match the number of sort_key.")
    else:
        keys = keys or ["created_at"]
        directions = directions if len(directions) == len(keys) else (directions or ["desc"]) * len(keys)
    found: dict[str, Sort] = {}
    for key, direction in zip(keys, directions, strict=True):
        field = IMAGE.fields.get(key)
        if field is None or not field.sort:
            raise BadRequest(f"Unsupported sort key: {key[:100]!r}.")
        if direction not in ("asc", "desc"):
            raise BadRequest(f"Unsupported sort direction: {direction[:100]!r}; it is asc or desc.")
        found.setdefault(field.source, Sort(field.source, direction == "desc"))
    found.setdefault("created_at", Sort("created_at", True))
    found.setdefault("id", Sort("id", True))
    return list(found.values())


def _bad(name: str, value: str) -> BadRequest:
    return BadRequest(f"Invalid value for filter {name}: {value[:100]!r}.")
