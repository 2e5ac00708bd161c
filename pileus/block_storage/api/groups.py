"""Groups of volumes, and their snapshots (Block Storage API, "Generic volume groups", "Group snapshots")."""

from typing import Any

from pileus.block_storage import groups
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.api.volumes import mine
from pileus.block_storage.resources.base import Filter, at_least, words
from pileus.block_storage.store import Group, GroupSnapshot
from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Items, Object, Text, Uuid
from pileus.core.wire import Request

ONE, ACTION = "/groups/{group_id}", "/groups/{group_id}/action"
SNAPSHOT, SNAPSHOT_ACTION = "/group_snapshots/{group_snapshot_id}", "/group_snapshots/{group_snapshot_id}/action"
FILTERS = {
    "name": Filter("name", like=True, everybody=False), "status": Filter("status", like=True, everybody=False),
    "id": Filter("id", everybody=False), "project_id": Filter("project_id", everybody=False),
    "group_type_id": Filter("group_type_id", everybody=False),
}  # fmt: skip
SNAPSHOT_FILTERS = {
    "status": Filter("status", since=29, like=True), "group_id": Filter("group_id", since=29, like=True),
    "name": Filter("name", since=29, everybody=False), "id": Filter("id", everybody=False),
}  # fmt: skip
NAMED: list[Field] = [words("name", create=OPTIONAL, default=None), words("description", create=OPTIONAL, default=None)]


def group(rq: Request, group_id: str) -> Group:
    return groups.get_group(rq.tx, group_id)


def group_snapshot(rq: Request, group_snapshot_id: str) -> GroupSnapshot:
    return groups.get_group_snapshot(rq.tx, group_snapshot_id)


def _given(rq: Request, name: str, *fields: Field) -> dict[str, Any]:
    found: dict[str, Any] = Object(name, fields).check(rq.json.get(name))
    return found


def _detail(rq: Request, row: Group) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": row.id,
        "status": row.status,
        "availability_zone": row.availability_zone,
        "created_at": clock.naive(row.created_at),
        "name": row.name,
        "description": row.description,
        "group_type": row.group_type_id,
        "volume_types": row.volume_types,
    }
    if at_least(rq, 14):
        body |= {"group_snapshot_id": row.group_snapshot_id, "source_group_id": row.source_group_id}
    if at_least(rq, 25) and rq.query.flag("list_volume"):
        body["volumes"] = [one.id for one in groups.volumes_of(rq.tx, row.id)]
    if at_least(rq, 38):
        body["replication_status"] = "disabled"
    if at_least(rq, 58) and rq.allows("group:group_project_attribute", row):
        body["project_id"] = row.project_id
    return body


def _all(rq: Request) -> Any:
    return listing(
        rq, Group, "group", FILTERS, ("name", "status", "group_type_id"), counted=False, ignored=("list_volume",)
    )


@api.get("/groups", policy="group:get_all", since="3.13")
def list_groups(rq: Request) -> dict[str, Any]:
    """List groups, by name."""
    found = _all(rq)
    return {"groups": [{"id": row.id, "name": row.name} for row in found.rows], **found.extra}


@api.get("/groups/detail", policy="group:get_all", since="3.13")
def list_groups_in_detail(rq: Request) -> dict[str, Any]:
    """List groups, in detail."""
    found = _all(rq)
    return {"groups": [_detail(rq, row) for row in found.rows], **found.extra}


@api.post("/groups", policy="group:create", since="3.13", status=202)
def create_group(rq: Request) -> dict[str, Any]:
    """Create a group, empty."""
    given = _given(
        rq, "group", *NAMED, Text("group_type", create=REQUIRED, min=1),
        Items("volume_types", Text("volume_types", min=1), create=REQUIRED, unique=True),
        Text("availability_zone", create=OPTIONAL, null=True, default=None),
    )  # fmt: skip
    if not given["volume_types"]:
        raise BadRequest("Invalid input for field/attribute volume_types. It must name at least one.")
    kind = groups.get_group_type(rq.tx, given.pop("group_type"))
    zone = given.pop("availability_zone")
    row = groups.create_group(rq.tx, rq.ctx, kind, given.pop("volume_types"), zone, **given)
    return {"group": {"id": row.id, "name": row.name}}


@api.get(ONE, policy="group:get", on=group, since="3.13")
def show_group(rq: Request, found: Group) -> dict[str, Any]:
    """Show a group."""
    return {"group": _detail(rq, found)}


@api.put(ONE, policy="group:update", on=group, since="3.13", status=202)
def update_group(rq: Request, found: Group) -> None:
    """Change a group's name or description, or which volumes are in it."""
    given = _given(
        rq, "group", words("name", create=OPTIONAL), words("description", create=OPTIONAL),
        Text("add_volumes", create=OPTIONAL, null=True, max=4096),
        Text("remove_volumes", create=OPTIONAL, null=True, max=4096),
    )  # fmt: skip
    if not given:
        raise BadRequest("Invalid input for field/attribute group. There is nothing in it to change.")
    add, remove = (_ids(given.pop(name, None)) for name in ("add_volumes", "remove_volumes"))
    groups.update_group(rq.tx, found, add, remove, given)


def _ids(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


@api.do(ACTION, "delete", policy="group:delete", on=group, since="3.13")
def delete_group(rq: Request, found: Group) -> None:
    """Delete a group, with its volumes where that is said."""
    given = _given(rq, "delete", Boolean("delete-volumes", create=OPTIONAL, default=False))
    groups.delete_group(rq.tx, rq.ctx, found, given["delete-volumes"])


@api.do(ACTION, "reset_status", policy="group:reset_status", on=group, since="3.20")
def reset_status(rq: Request, found: Group) -> None:
    """Set what a group's row says of its state."""
    groups.change(rq.tx, found.id, status=_status(rq))


def _status(rq: Request) -> str:
    status: str = _given(rq, "reset_status", Text("status", create=REQUIRED))["status"].lower()
    if status not in groups.STATES:
        raise BadRequest(f"Invalid input for field/attribute status. Value: {status}. Use {', '.join(groups.STATES)}.")
    return status


@api.do("/groups/action", "create-from-src", policy="group:create", since="3.14")
def create_from_source(rq: Request) -> dict[str, Any]:
    """Create a group with copies of another's volumes, or of what they were."""
    given = _given(
        rq,
        "create-from-src",
        *NAMED,
        Uuid("source_group_id", create=OPTIONAL),
        Uuid("group_snapshot_id", create=OPTIONAL),
    )
    source_id, snapshot_id = given.pop("source_group_id", None), given.pop("group_snapshot_id", None)
    if bool(source_id) == bool(snapshot_id):
        raise BadRequest("Invalid input: name either source_group_id or group_snapshot_id.")
    source = mine(rq, "group:get", groups.get_group(rq.tx, source_id)) if source_id else None
    snapshot = (
        mine(rq, "group:get_group_snapshot", groups.get_group_snapshot(rq.tx, snapshot_id)) if snapshot_id else None
    )
    row = groups.create_from_source(rq.tx, rq.ctx, snapshot, source, **given)
    return {"group": {"id": row.id, "name": row.name}}


def _declare_replication(verb: str) -> None:
    def refuse(rq: Request, found: Group) -> None:
        raise BadRequest(f"Invalid group type: Group {found.id} is of a type that is not replicated: no backend can.")

    refuse.__doc__ = f"Replicate a group's volumes ({verb}): no backend can (always refused)."
    api.do(ACTION, verb, policy=f"group:{verb}", on=group, since="3.38")(refuse)


for _verb in ("enable_replication", "disable_replication", "failover_replication", "list_replication_targets"):
    _declare_replication(_verb)


# -- snapshots ---------------------------------------------------------------------------------------------------------


def _snapshot_summary(row: GroupSnapshot) -> dict[str, Any]:
    return {"id": row.id, "name": row.name}


def _snapshot_detail(rq: Request, row: GroupSnapshot) -> dict[str, Any]:
    body = {
        "id": row.id, "group_id": row.group_id, "group_type_id": row.group_type_id, "status": row.status,
        "created_at": clock.naive(row.created_at), "name": row.name, "description": row.description,
    }  # fmt: skip
    if at_least(rq, 58) and rq.allows("group:group_snapshot_project_attribute", row):
        body["project_id"] = row.project_id
    return body


def _all_snapshots(rq: Request) -> Any:
    return listing(rq, GroupSnapshot, "group_snapshot", SNAPSHOT_FILTERS, ("name", "status", "group_id"), counted=False)


@api.get("/group_snapshots", policy="group:get_all_group_snapshots", since="3.14")
def list_group_snapshots(rq: Request) -> dict[str, Any]:
    """List snapshots of groups, by name."""
    found = _all_snapshots(rq)
    return {"group_snapshots": [_snapshot_summary(row) for row in found.rows], **found.extra}


@api.get("/group_snapshots/detail", policy="group:get_all_group_snapshots", since="3.14")
def list_group_snapshots_in_detail(rq: Request) -> dict[str, Any]:
    """List snapshots of groups, in detail."""
    found = _all_snapshots(rq)
    return {"group_snapshots": [_snapshot_detail(rq, row) for row in found.rows], **found.extra}


@api.post("/group_snapshots", policy="group:create_group_snapshot", since="3.14", status=202)
def create_group_snapshot(rq: Request) -> dict[str, Any]:
    """Create a snapshot of each of a group's volumes."""
    given = _given(rq, "group_snapshot", *NAMED, Uuid("group_id", create=REQUIRED))
    found = mine(rq, "group:create_group_snapshot", groups.get_group(rq.tx, given.pop("group_id")))
    row = groups.create_group_snapshot(rq.tx, rq.ctx, found, **given)
    return {"group_snapshot": {**_snapshot_summary(row), "group_type_id": row.group_type_id}}


@api.get(SNAPSHOT, policy="group:get_group_snapshot", on=group_snapshot, since="3.14")
def show_group_snapshot(rq: Request, found: GroupSnapshot) -> dict[str, Any]:
    """Show a snapshot of a group."""
    return {"group_snapshot": _snapshot_detail(rq, found)}


@api.put(SNAPSHOT, policy="group:update_group_snapshot", on=group_snapshot, since="3.14", status=202)
def update_group_snapshot(rq: Request, found: GroupSnapshot) -> None:
    """Change a group's snapshot's name or description."""
    given = _given(rq, "group_snapshot", words("name", create=OPTIONAL), words("description", create=OPTIONAL))
    rq.tx.update(GroupSnapshot, found.id, **given)


@api.delete(SNAPSHOT, policy="group:delete_group_snapshot", on=group_snapshot, since="3.14", status=202)
def delete_group_snapshot(rq: Request, found: GroupSnapshot) -> None:
    """Delete a snapshot of a group."""
    groups.delete_group_snapshot(rq.tx, rq.ctx, found)


@api.do(SNAPSHOT_ACTION, "reset_status", policy="group:reset_group_snapshot_status", on=group_snapshot, since="3.19")
def reset_snapshot_status(rq: Request, found: GroupSnapshot) -> None:
    """Set what a group's snapshot's row says of its state."""
    rq.tx.update(GroupSnapshot, found.id, status=_status(rq))
