"""Projects and their tags (Identity API v3, "Projects", "Project Tags")."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import Items
from pileus.core.paging import Where
from pileus.core.tables import columns
from pileus.core.wire import Request, Response
from pileus.identity import limits, projects
from pileus.identity.api.base import (
    Target,
    api,
    asked_for,
    creating,
    domain_of,
    here,
    in_scope,
    listing,
    one,
    updating,
    viewer,
)
from pileus.identity.resources import PROJECT, tag_field
from pileus.identity.store import Project

_TAGS = Items("tags", tag_field(), max=80, unique=True)


def project(rq: Request, project_id: str, *_: str) -> Target[Project]:
    found = projects.get_project(rq.tx, project_id)
    return Target(found, project=found)


def new_project(rq: Request) -> Target[None]:
    given = asked_for(rq, "project")
    return Target(None, project={**given, "domain_id": None if given.get("is_domain") else _home(rq, given)})


def _home(rq: Request, given: dict[str, Any]) -> str:
    """The domain of a new project: the one named, else its parent's, else the caller's. The rules ask about just this."""
    parent_id = given.get("parent_id")
    parent = rq.tx.find(Project, id=parent_id) if isinstance(parent_id, str) and not given.get("domain_id") else None
    return (parent.domain_id or parent.id) if parent is not None else domain_of(rq, given)


@api.get("/v3/projects", policy="identity:list_projects", on=in_scope)
def list_projects(rq: Request, _: Target[None]) -> dict[str, Any]:
    """List projects; those that act as domains only when asked for."""
    where = [] if "is_domain" in rq.query else [Where("is_domain", "eq", False)]
    if rq.ctx.domain_id:
        where.append(Where("domain_id", "eq", rq.ctx.domain_id))
    return listing(rq, PROJECT, Project, where, _tagged(rq))


def _tagged(rq: Request) -> Iterable[tuple[str, Any, dict[str, Any]]]:
    """`tags` (all of them), `tags-any`, and both negated."""
    column = columns(Project).tags
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        text = rq.query.get(name)
        if not text:
            continue
        binds = {f"{name.replace('-', '_')}_{position}": tag for position, tag in enumerate(text.split(",")[:80])}
        # a quoted tag is found in the list's text only as a whole; unlike LIKE, this tells capitals from small letters
        having = [sa.func.replace(column, sa.bindparam(bind, type_=sa.Text()), "") != column for bind in binds]
        clause = sa.or_(*having) if name.endswith("any") else sa.and_(*having)
        values = {bind: msgspec.json.encode(tag).decode() for bind, tag in binds.items()}
        yield f"{name}/{len(binds)}", sa.not_(clause) if name.startswith("not") else clause, values


@api.post("/v3/projects", policy="identity:create_project", on=new_project, status=201)
def create_project(rq: Request, _: Target[None]) -> dict[str, Any]:
    """Create a project."""
    given = creating(rq, PROJECT)
    levels = limits.LEVELS[rq.cloud.settings.limit_model]
    return one(rq, PROJECT, projects.create_project(rq.tx, given, _home(rq, given), levels))


@api.get("/v3/projects/{project_id}", policy="identity:get_project", on=project)
def show_project(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Show a project, and what is above and below it if asked for."""
    body = one(rq, PROJECT, found.row)
    for relation, rows in (("parents", projects.above), ("subtree", _below)):
        as_list, as_ids = f"{relation}_as_list", f"{relation}_as_ids"
        if as_list in rq.query and as_ids in rq.query:
            raise BadRequest(f"Use either {as_list} or {as_ids}, not both.")
        if as_list in rq.query:
            body["project"][relation] = _as_list(rq, rows(rq.tx, found.row))
        elif as_ids in rq.query:
            body["project"][relation] = _as_ids(rows(rq.tx, found.row), found.row, relation == "parents")
    return body


def _below(tx: Any, row: Project) -> list[Project]:
    return projects.below(tx, row.id)


def _as_list(rq: Request, rows: list[Project]) -> list[dict[str, Any]]:
    view = viewer(rq, PROJECT)
    return [{"project": view(row)} for row in rows]


def _as_ids(rows: list[Project], row: Project, upwards: bool) -> dict[str, Any] | None:
    """Ids within ids, the nearest outermost; null where there are none."""
    if upwards:
        nested: dict[str, Any] | None = None
        for above in reversed(rows):
            nested = {above.id: nested}
        return nested
    tree: dict[str, dict[str, Any]] = {found.id: {} for found in [row, *rows]}
    for found in rows:
        tree[found.parent_id or ""][found.id] = tree[found.id] or None
    # parents may come after their children in the list: look again, now that all are filled
    for found in rows:
        tree[found.parent_id or ""][found.id] = tree[found.id] or None
    return tree[row.id] or None


@api.patch("/v3/projects/{project_id}", policy="identity:update_project", on=project)
def update_project(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Change a project; disabling it voids the tokens scoped to it."""
    values = updating(rq, PROJECT, found.row, ("domain_id", "parent_id", "is_domain"))
    return one(rq, PROJECT, projects.update_project(rq.tx, found.row, values))


@api.delete("/v3/projects/{project_id}", policy="identity:delete_project", on=project)
def delete_project(rq: Request, found: Target[Project]) -> None:
    """Delete a project."""
    projects.delete_project(rq.tx, found.row)


@api.patch("/v3/projects/{project_id}/cascade", policy="identity:update_project", on=project)
def update_tree(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Enable or disable a project with all that are below it."""
    values = updating(rq, PROJECT, found.row, ("domain_id", "parent_id", "is_domain"))
    if set(values) != {"enabled"}:
        raise BadRequest("Invalid input for field 'project': only 'enabled' can be changed with all below.")
    return one(rq, PROJECT, projects.enable_tree(rq.tx, found.row, values["enabled"]))


@api.delete("/v3/projects/{project_id}/cascade", policy="identity:delete_project", on=project)
def delete_tree(rq: Request, found: Target[Project]) -> None:
    """Delete a project with all that are below it, once they are disabled."""
    projects.delete_tree(rq.tx, found.row)


@api.get("/v3/projects/{project_id}/tags", policy="identity:list_project_tags", on=project)
def list_tags(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """List a project's tags."""
    return _tags(rq, found.row.tags)


def _tags(rq: Request, tags: list[str]) -> dict[str, Any]:
    return {"tags": tags, "links": {"self": rq.root + rq.path, "previous": None, "next": None}}


@api.put("/v3/projects/{project_id}/tags", policy="identity:update_project_tags", on=project)
def replace_tags(rq: Request, found: Target[Project]) -> dict[str, Any]:
    """Give a project these tags and no others."""
    if "tags" not in rq.json:
        raise BadRequest("Invalid input: the body must contain 'tags'.")
    tags = sorted(_TAGS.check(rq.json["tags"]))
    projects.update_project(rq.tx, found.row, {"tags": tags})
    return _tags(rq, tags)


@api.delete("/v3/projects/{project_id}/tags", policy="identity:delete_project_tags", on=project)
def clear_tags(rq: Request, found: Target[Project]) -> None:
    """Take all tags from a project."""
    projects.update_project(rq.tx, found.row, {"tags": []})


def _having(rq: Request, found: Target[Project]) -> str:
    tag = rq.params["tag"]
    if tag not in found.row.tags:
        raise NotFound(f"Could not find tag: {tag}.")
    return tag


@api.get("/v3/projects/{project_id}/tags/{tag}", policy="identity:get_project_tag", on=project, status=204)
def check_tag(rq: Request, found: Target[Project]) -> None:
    """Check that a project has a tag."""
    _having(rq, found)


@api.put("/v3/projects/{project_id}/tags/{tag}", policy="identity:create_project_tag", on=project, status=201)
def add_tag(rq: Request, found: Target[Project]) -> Response:
    """Add a tag to a project."""
    tags = _TAGS.check(list(dict.fromkeys([*found.row.tags, rq.params["tag"]])))
    projects.update_project(rq.tx, found.row, {"tags": tags})
    return Response(None, 201, {"location": f"{here(rq)}/v3/projects/{found.row.id}/tags/{rq.params['tag']}"})


@api.delete("/v3/projects/{project_id}/tags/{tag}", policy="identity:delete_project_tag", on=project)
def remove_tag(rq: Request, found: Target[Project]) -> None:
    """Take a tag from a project."""
    gone = _having(rq, found)
    projects.update_project(rq.tx, found.row, {"tags": [tag for tag in found.row.tags if tag != gone]})
