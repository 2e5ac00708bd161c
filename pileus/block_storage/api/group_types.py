"""Group types and their specs (Block Storage API, "Group types", "Group type specs")."""

from typing import Any

from pileus.block_storage import groups
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, is_admin, metadata
from pileus.block_storage.store import GroupType
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Strings, Text
from pileus.core.resources import Resource
from pileus.core.wire import Request

ONE = "/group_types/{group_type_id}"
SPECS = f"{ONE}/group_specs"
RULE = "group:group_types_specs"
NEW_GROUP_TYPE = Resource("group_type", [
    Text("name", create=REQUIRED, min=1, strip=True), Text("description", create=OPTIONAL, null=True, default=None),
    Boolean("is_public", create=OPTIONAL, default=True),
    metadata("group_specs", create=OPTIONAL, null=True, default=None),
])  # fmt: skip
CHANGED_GROUP_TYPE = Resource("group_type", [
    Text("name", update=True, min=1, null=True, strip=True), Text("description", update=True, null=True),
    Boolean("is_public", update=True),
])  # fmt: skip
FIELD = Strings("group_specs", key=r"[a-zA-Z0-9\-_:.]+")


def group_type(rq: Request, group_type_id: str, *_: str) -> GroupType:
    found = groups.get_group_type(rq.tx, group_type_id)
    if found.is_public or is_admin(rq):
        return found
    raise NotFound(f"Group type {group_type_id[:255]} could not be found.")


def _shown(rq: Request, row: GroupType) -> dict[str, Any]:
    body: dict[str, Any] = {"id": row.id, "name": row.name, "description": row.description, "is_public": row.is_public}
    if rq.allows("group:access_group_types_specs"):
        body["group_specs"] = row.group_specs
    return body


@api.get("/group_types", policy="group:group_types:get_all", since="3.11")
def list_group_types(rq: Request) -> dict[str, Any]:
    """List group types."""
    found = listing(
        rq, GroupType, "group_types", {"is_public": Filter("is_public")}, ("name", "description", "is_public"), own=False,
        counted=False, ignored=("is_public",),
    )  # fmt: skip
    text = (rq.query.get("is_public") or "true").strip().lower()
    wanted = True if not is_admin(rq) else None if text == "none" else rq.query.flag("is_public") is not False
    rows = [row for row in found.rows if wanted is None or row.is_public is wanted]
    return {"group_types": [_shown(rq, row) for row in rows], **found.extra}


@api.post("/group_types", policy="group:group_types:create", since="3.11", status=202)
def create_group_type(rq: Request) -> dict[str, Any]:
    """Create a group type."""
    given = NEW_GROUP_TYPE.parse_create(rq)
    given["group_specs"] = given["group_specs"] or {}
    return {"group_type": _shown(rq, groups.create_group_type(rq.tx, **given))}


@api.get(ONE, policy="group:group_types:get", on=group_type, since="3.11")
def show_group_type(rq: Request, found: GroupType) -> dict[str, Any]:
    """Show a group type."""
    return {"group_type": _shown(rq, found)}


@api.put(ONE, policy="group:group_types:update", on=group_type, since="3.11")
def update_group_type(rq: Request, found: GroupType) -> dict[str, Any]:
    """Change a group type's name, description, or whether all projects see it."""
    given = {name: value for name, value in CHANGED_GROUP_TYPE.parse_update(rq).items() if value is not None}
    if not given:
        raise BadRequest("Specify group type name, description or a combination thereof.")
    return {"group_type": _shown(rq, groups.update_group_type(rq.tx, found, given))}


@api.delete(ONE, policy="group:group_types:delete", on=group_type, since="3.11", status=202)
def delete_group_type(rq: Request, found: GroupType) -> None:
    """Delete a group type."""
    groups.delete_group_type(rq.tx, found)


@api.get(SPECS, policy=f"{RULE}:get_all", on=group_type, since="3.11")
def list_specs(rq: Request, found: GroupType) -> dict[str, Any]:
    """Show what a group type demands of backends."""
    return {"group_specs": found.group_specs}


@api.post(SPECS, policy=f"{RULE}:create", on=group_type, since="3.11", status=202)
def create_specs(rq: Request, found: GroupType) -> dict[str, Any]:
    """Add to what a group type demands of backends."""
    given = FIELD.check(rq.unwrap("group_specs"))
    groups.update_group_type(rq.tx, found, {"group_specs": {**found.group_specs, **given}})
    return {"group_specs": given}


def _spec(rq: Request, found: GroupType) -> tuple[str, str]:
    key = rq.params["key"]
    if key not in found.group_specs:
        raise NotFound(f"Group Type {found.id} has no extra spec with key {key[:255]}.")
    return key, found.group_specs[key]


@api.get(f"{SPECS}/{{key}}", policy=f"{RULE}:get", on=group_type, since="3.11")
def show_spec(rq: Request, found: GroupType) -> dict[str, Any]:
    """Show one thing a group type demands of backends."""
    key, value = _spec(rq, found)
    return {key: value}


@api.put(f"{SPECS}/{{key}}", policy=f"{RULE}:update", on=group_type, since="3.11")
def update_spec(rq: Request, found: GroupType) -> dict[str, Any]:
    """Set one thing a group type demands of backends."""
    given = FIELD.check(rq.json)
    if list(given) != [rq.params["key"]]:
        raise BadRequest("Request body and URI mismatch.")
    groups.update_group_type(rq.tx, found, {"group_specs": {**found.group_specs, **given}})
    return dict(given)


@api.delete(f"{SPECS}/{{key}}", policy=f"{RULE}:delete", on=group_type, since="3.11", status=202)
def delete_spec(rq: Request, found: GroupType) -> None:
    """Let a group type demand one thing less of backends."""
    key, _ = _spec(rq, found)
    groups.update_group_type(
        rq.tx, found, {"group_specs": {k: v for k, v in found.group_specs.items() if k != key}}
    )  # fmt: skip
