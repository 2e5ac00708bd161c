"""The API's declaration, and what all its collections have in common: bulk creation, filters, pages, links."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from pileus.core import faults, paging
from pileus.core.db import in_list
from pileus.core.errors import BadRequest, NotFound, PreconditionFailed
from pileus.core.resources import Resource
from pileus.core.routes import Service
from pileus.core.tables import columns, shape
from pileus.core.wire import Request
from pileus.network import rows
from pileus.network.service.lookup import Viewer
from pileus.network.store import queries

# What a caller may not see is not there; what may be seen and not done is refused.
api = Service(
    "network",
    "/network/v2.0",
    faults.network,
    denied_is_missing=False,
    unseen_is_missing=["GET", "HEAD", "PUT", "DELETE"],
)
root = Service("network-root", "/network", faults.network, rules="network")

R = TypeVar("R", bound=Any)
Clause = tuple[str, Any, dict[str, Any]]
MAX_PAGE = 10_000


def viewer(rq: Request) -> Viewer:
    return Viewer(rq.ctx.project_id, rq.allows("context_is_admin"))


def owner(rq: Request, values: dict[str, Any]) -> str:
    """The project that gets what is made: the caller's, or another that an administrator names."""
    project_id: str | None = values.pop("project_id", None) or rq.ctx.project_id
    if not project_id:
        raise BadRequest(
            "A project is needed: scope the token to one, or name it as project_id.", kind="HTTPBadRequest"
        )
    if project_id != rq.ctx.project_id:
        if not viewer(rq).admin and rq.allows(str(rq.route.policy)):
            raise BadRequest("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
                             "requires admin privileges", kind="HTTPBadRequest")  # fmt: skip
        rq.authorize(str(rq.route.policy), {"project_id": project_id, "tenant_id": project_id})
    return project_id


def given(rq: Request, resource: Resource) -> list[dict[str, Any]]:
    """The checked members of the one resource a body has, or of the many under the plural. Raises BadRequest."""
    if resource.plural not in rq.json:
        return [resource.parse_create(rq)]
    bodies = rq.json[resource.plural]
    if not isinstance(bodies, list) or not bodies or not all(isinstance(body, dict) for body in bodies):
        raise BadRequest(f"Invalid input: {resource.plural} must be a list of objects.", kind="HTTPBadRequest")
    # some clients wrap each member once more
    bodies = [body[resource.name] if list(body) == [resource.name] else body for body in bodies]
    if not all(isinstance(body, dict) for body in bodies):
        raise BadRequest(f"Invalid input: {resource.plural} must be a list of objects.", kind="HTTPBadRequest")
    return [resource.parse_create(rq, body) for body in bodies]


def create(rq: Request, resource: Resource, make: Callable[[dict[str, Any]], R]) -> dict[str, Any]:
    """One resource, or under the plural many, all or none."""
    found = [make(values) for values in given(rq, resource)]
    if resource.plural not in rq.json:
        return resource.one(rq, found[0])
    view = resource.viewer(rq)
    return {resource.plural: [view(row) for row in found]}


def show(rq: Request, resource: Resource, row: Any) -> dict[str, Any]:
    return {resource.name: resource.viewer(rq, rq.query.all("fields") or None)(row)}


def listing(
    rq: Request,
    resource: Resource,
    struct: type[R],
    clauses: Iterable[Clause] = (),
    dress: Callable[[list[R]], None] | None = None,
    also: Collection[str] = (),
) -> dict[str, Any]:
    """A page of a collection. `clauses` narrow it to what the caller may see and to special filters; `also` names these."""
    limit = _limit(rq)
    reverse = bool(rq.query.flag("page_reverse")) if "page_reverse" in rq.query else False
    _check_names(rq, resource, also)
    where = paging.filters(rq, resource)
    found = paging.page(
        rq, struct, where, paging.sorts(rq, resource, []), limit=limit, marker=_marker(rq, struct), reverse=reverse,
        clauses=(*clauses, *_tag_clauses(rq, struct)),
    )  # fmt: skip
    if dress is not None:
        dress(found.rows)
    view = resource.viewer(rq, [name for name in rq.query.all("fields") if name] or None)
    body: dict[str, Any] = {resource.plural: [view(row) for row in found.rows]}
    if limit is not None and (links := _links(rq, found.rows, limit, reverse)):
        body[f"{resource.plural}_links"] = links
    return body


ALWAYS = {"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir", "tags", "tags-any", "not-tags",
          "not-tags-any"}  # fmt: skip


def _check_names(rq: Request, resource: Resource, also: Collection[str]) -> None:
    """A filter that nobody knows, or that nobody can apply, would silently list too much."""
    known = {name for name, field in resource.fields.items() if field.filter}
    unknown = [name for name in rq.query.names() if name not in known and name not in ALWAYS and name not in also]
    if unknown:
        raise BadRequest(
            f"Invalid input for operation: {unknown} is invalid attribute for filtering.", kind="InvalidInput"
        )


def constrained(rq: Request, found: R) -> R:
    """What a changing request looked up: `If-Match: revision_number=3` must be what it is now."""
    wanted = rq.headers.get("if-match", "")
    if wanted and rq.method in ("PUT", "DELETE"):
        name, _, number = wanted.strip('"').partition("=")
        if name != "revision_number" or not number.lstrip("-").isdigit():
            raise BadRequest(f"If-Match cannot be {wanted[:60]}; it is revision_number=N.", kind="BadRequest")
        if int(number) != found.revision_number:
            raise PreconditionFailed(f"Constrained to {number}, but current revision is {found.revision_number}",
                                     kind="RevisionNumberConstraintFailed")  # fmt: skip
    return found


def _limit(rq: Request) -> int | None:
    limit = rq.query.number("limit")
    return min(limit, MAX_PAGE) if limit else None


def _marker(rq: Request, struct: type[Any]) -> str | None:
    marker = rq.query.get("marker") or None
    if marker is not None and rq.tx.find(struct, id=marker) is None:
        raise NotFound(f"marker {marker[:100]} could not be found.", kind="HTTPNotFound")
    return marker


def _links(rq: Request, found: Sequence[Any], limit: int, reverse: bool) -> list[dict[str, str]]:
    """A short page is the last one in the direction it was asked for."""
    full = len(found) == limit
    links = []
    if full or reverse:
        links.append({"rel": "next", "href": rq.link(marker=found[-1].id if found else None, page_reverse=None)})
    if full or not reverse:
        links.append({"rel": "previous", "href": rq.link(marker=found[0].id if found else None, page_reverse="True")})
    return links


# -- clauses ---------------------------------------------------------------------------

_tag = columns(rows.Tag)


def _tag_clauses(rq: Request, struct: type[Any]) -> list[Clause]:
    """tags: all of them; tags-any: one of them; not-...: those which are not so. Comma-separated."""
    found: list[Clause] = []
    column = shape(struct).table.c["id"]
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        wanted = sorted({tag for text in rq.query.all(name) for tag in text.split(",") if tag})
        if not wanted:
            continue
        parameter = name.replace("-", "_")
        have = sa.select(_tag.resource_id).where(in_list(_tag.tag, parameter))
        values: dict[str, Any] = {parameter: wanted}
        if not name.endswith("any"):
            counted = sa.bindparam(f"{parameter}_count", type_=sa.Integer())
            have = have.group_by(_tag.resource_id).having(sa.func.count() == counted)
            values[f"{parameter}_count"] = len(wanted)
        clause = column.not_in(have) if name.startswith("not") else column.in_(have)
        found.append((name, clause, values))
    return found


def flag_clause(rq: Request, name: str, condition: Any, values: dict[str, Any] | None = None) -> list[Clause]:
    """A boolean filter on something that is not one column."""
    wanted = rq.query.flag(name) if name in rq.query else None
    if wanted is None:
        return []
    return [(f"{name}={wanted}", condition if wanted else sa.not_(condition), values or {})]


def mark_shared(rq: Request, found: list[Any]) -> None:
    """What is opened to the caller, or to all, says so to the caller."""
    by_id = {row.id: row for row in found}
    for policy in queries.select_in(rq.tx, rows.RbacPolicy, "object_id", by_id, action="access_as_shared"):
        if policy.target_tenant in (rq.ctx.project_id, rows.EVERYBODY):
            by_id[policy.object_id].shared = True


def own_clause(rq: Request, struct: type[Any]) -> list[Clause]:
    """The caller's own; the administrator's list has everybody's."""
    if viewer(rq).admin:
        return []
    return [
        ("own", columns(struct).project_id == sa.bindparam("viewer", type_=sa.Text()), {"viewer": rq.ctx.project_id})
    ]
