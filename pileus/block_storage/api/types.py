"""Volume types (Block Storage API, "Volume types", "Volume type access", "Volume type encryption", "Default types")."""

import ast
from typing import Any

from pileus.block_storage import types
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, at_least, is_admin
from pileus.block_storage.resources.types import (
    CHANGED_ENCRYPTION,
    CHANGED_TYPE,
    ENCRYPTION,
    NEW_TYPE,
    SENSITIVE,
    SPECS,
    VISIBLE,
    changed,
    made,
    shown,
    specs,
)  # fmt: skip
from pileus.block_storage.store import DefaultType, VolumeType, VolumeTypeAccess, VolumeTypeEncryption
from pileus.core import clock
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.fields import REQUIRED, Object, Text
from pileus.core.paging import Sort
from pileus.core.wire import Request

ONE = "/types/{type_id}"
RULE = "volume_extension:types_extra_specs"
FILTERS = {"is_public": Filter("is_public"), "name": Filter("name", everybody=False),
           "description": Filter("description", everybody=False), "id": Filter("id", everybody=False)}  # fmt: skip


def kind(rq: Request, type_id: str, *_: str) -> VolumeType:
    """A type that the caller's project may use."""
    if type_id == "default":
        return types.default_type(rq.tx, rq.ctx.project_id)
    found = types.find_type(rq.tx, type_id)
    if not is_admin(rq) and not types.may_use(rq.tx, rq.ctx, found):
        raise NotFound(f"Volume type {type_id[:255]} could not be found.", kind="VolumeTypeNotFound")
    return found


# -- types -------------------------------------------------------------------------------------------------------------


@api.get("/types", policy="volume_extension:type_get_all")
def list_types(rq: Request) -> dict[str, Any]:
    """List volume types."""
    wanted = _wanted(rq)
    ignored = ("is_public", "extra_specs") if at_least(rq, 52) else ("is_public",)
    found = listing(
        rq, VolumeType, "volume_types", FILTERS, ("name", "description", "is_public", "updated_at"), own=False,
        counted=False, sort=Sort("created_at", True), ignored=ignored,
    )  # fmt: skip
    own = {one.volume_type_id for one in rq.tx.select(VolumeTypeAccess, project_id=rq.ctx.project_id or "")}
    rows = [row for row in found.rows if wanted is None or (row.is_public or row.id in own) is wanted]
    if "extra_specs" in ignored and "extra_specs" in rq.query:
        rows = _with_specs(rq, rows)
    return {"volume_types": [shown(rq, row) for row in rows], **found.extra}


def _wanted(rq: Request) -> bool | None:
    """Public ones, private ones, or all; only administrators have the choice."""
    text = (rq.query.get("is_public") or "true").strip().lower()
    if not is_admin(rq):
        return True
    if text == "none":
        return None
    flag = rq.query.flag("is_public")
    return True if flag is None else flag


def _with_specs(rq: Request, rows: list[VolumeType]) -> list[VolumeType]:
    text = rq.query.get("extra_specs") or ""
    try:
        wanted = ast.literal_eval(text) if len(text) < 4000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        wanted = None
    if not isinstance(wanted, dict):
        raise BadRequest("Invalid input received: filter extra_specs must be a dictionary of strings.")
    if any(name not in VISIBLE for name in wanted) and not rq.allows(SENSITIVE):
        return []
    return [row for row in rows if all(row.extra_specs.get(str(name)) == value for name, value in wanted.items())]


@api.post("/types", policy="volume_extension:type_create")
def create_type(rq: Request) -> dict[str, Any]:
    """Create a volume type."""
    given = NEW_TYPE.parse_create(rq)
    row = types.create_type(
        rq.tx, given["name"], given["description"], given["is_public"], given["extra_specs"] or {}
    )  # fmt: skip
    return {"volume_type": made(rq, row)}


@api.get(ONE, policy="volume_extension:type_get", on=kind)
def show_type(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Show a volume type; `default` is the one of volumes that name none."""
    return {"volume_type": shown(rq, found)}


@api.put(ONE, policy="volume_extension:type_update", on=kind)
def update_type(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Change a volume type's name, description, or whether all projects may use it."""
    given = {name: value for name, value in CHANGED_TYPE.parse_update(rq).items() if value is not None}
    if not given:
        raise BadRequest("Specify volume type name, description, is_public or a combination thereof.")
    return {"volume_type": changed(rq, types.update_type(rq.tx, found, given))}


@api.delete(ONE, policy="volume_extension:type_delete", on=kind, status=202)
def delete_type(rq: Request, found: VolumeType) -> None:
    """Delete a volume type."""
    types.delete_type(rq.tx, found)


# -- extra specs -------------------------------------------------------------------------------------------------------


@api.get(f"{ONE}/extra_specs", policy=f"{RULE}:index", on=kind)
def list_specs(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Show what a type demands of backends."""
    return {"extra_specs": specs(rq, found)}


@api.post(f"{ONE}/extra_specs", policy=f"{RULE}:create", on=kind)
def create_specs(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Add to what a type demands of backends."""
    given = SPECS.check(rq.unwrap("extra_specs"))
    types.set_specs(rq.tx, found, {**found.extra_specs, **given})
    return {"extra_specs": given}


@api.get(f"{ONE}/extra_specs/{{key}}", policy=f"{RULE}:show", on=kind)
def show_spec(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Show one thing a type demands of backends."""
    return {rq.params["key"]: _spec(specs(rq, found), found, rq.params["key"])}


def _spec(known: dict[str, str], found: VolumeType, key: str) -> str:
    if key not in known:
        raise NotFound(f"Volume Type {found.id} has no extra specs with key {key[:255]}.")
    return known[key]


@api.put(f"{ONE}/extra_specs/{{key}}", policy=f"{RULE}:update", on=kind)
def update_spec(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Set one thing a type demands of backends."""
    given = SPECS.check(rq.json)
    if rq.params["key"] not in given:
        raise BadRequest("Request body and URI mismatch.")
    if len(given) > 1:
        raise BadRequest("Request body contains too many items.")
    types.set_specs(rq.tx, found, {**found.extra_specs, **given})
    return dict(given)


@api.delete(f"{ONE}/extra_specs/{{key}}", policy=f"{RULE}:delete", on=kind, status=202)
def delete_spec(rq: Request, found: VolumeType) -> None:
    """Let a type demand one thing less of backends."""
    key = rq.params["key"]
    _spec(found.extra_specs, found, key)
    types.set_specs(rq.tx, found, {k: v for k, v in found.extra_specs.items() if k != key})


# -- who may use a private one -----------------------------------------------------------------------------------------


@api.get(f"{ONE}/os-volume-type-access", policy="volume_extension:volume_type_access:get_all_for_type", on=kind)
def list_access(rq: Request, found: VolumeType) -> dict[str, Any]:
    """List the projects that may use a private volume type."""
    if found.is_public:
        raise NotFound("Access list not available for public volume types.")
    rows = rq.tx.select(VolumeTypeAccess, order="project_id", volume_type_id=found.id)
    return {
        "volume_type_access": [{"volume_type_id": row.volume_type_id, "project_id": row.project_id} for row in rows]
    }


def _project(rq: Request, action: str) -> str:
    given: str = Object(action, [Text("project", create=REQUIRED, min=1)]).check(rq.json[action])["project"]
    return given


@api.do(f"{ONE}/action", "addProjectAccess", policy="volume_extension:volume_type_access:addProjectAccess", on=kind)
def add_access(rq: Request, found: VolumeType) -> None:
    """Let a project use a private volume type."""
    types.add_access(rq.tx, found, _project(rq, "addProjectAccess"))


@api.do(
    f"{ONE}/action", "removeProjectAccess", policy="volume_extension:volume_type_access:removeProjectAccess", on=kind
)
def remove_access(rq: Request, found: VolumeType) -> None:
    """Let a project use a private volume type no more."""
    types.remove_access(rq.tx, found, _project(rq, "removeProjectAccess"))


# -- encryption: the records are kept; volumes of such types are refused -----------------------------------------------

ENCRYPTIONS = "volume_extension:volume_type_encryption"


def _encryption(row: VolumeTypeEncryption) -> dict[str, Any]:
    return {
        "volume_type_id": row.volume_type_id, "encryption_id": row.encryption_id, "provider": row.provider,
        "control_location": row.control_location, "cipher": row.cipher, "key_size": row.key_size, "deleted": False,
        "deleted_at": None, "created_at": clock.naive(row.created_at), "updated_at": clock.naive(row.updated_at),
    }  # fmt: skip


@api.get(f"{ONE}/encryption", policy=f"{ENCRYPTIONS}:get", on=kind)
def show_encryption(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Show how a type's volumes are to be encrypted; nothing, when they are not."""
    row = rq.tx.find(VolumeTypeEncryption, volume_type_id=found.id)
    return _encryption(row) if row is not None else {}


@api.post(f"{ONE}/encryption", policy=f"{ENCRYPTIONS}:create", on=kind)
def create_encryption(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Say how a type's volumes are to be encrypted: from then on none can be made, as there are no keys here."""
    given = ENCRYPTION.check(rq.unwrap("encryption"))
    types.check_unused(rq.tx, found, "create")
    if rq.tx.find(VolumeTypeEncryption, volume_type_id=found.id):
        raise Conflict(f"Volume type encryption for type {found.id} already exists.")
    row = VolumeTypeEncryption(found.id, clock.new_id(), created_at=clock.now(), **given)
    rq.tx.insert(row)
    return {"encryption": {**given, "volume_type_id": found.id, "encryption_id": row.encryption_id}}


@api.get(f"{ONE}/encryption/{{key}}", policy=f"{ENCRYPTIONS}:get", on=kind)
def show_encryption_item(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Show one thing about how a type's volumes are to be encrypted."""
    shown_ = _encryption(types.get_encryption(rq.tx, found))
    key = rq.params["key"]
    if key not in shown_:
        raise NotFound(f"Volume type encryption for type {found.id} has no {key[:255]}.")
    return {key: shown_[key]}


@api.put(f"{ONE}/encryption/{{key}}", policy=f"{ENCRYPTIONS}:update", on=kind)
def update_encryption(rq: Request, found: VolumeType) -> dict[str, Any]:
    """Change how a type's volumes are to be encrypted."""
    given = CHANGED_ENCRYPTION.check(rq.unwrap("encryption"))
    types.check_unused(rq.tx, found, "update")
    types.get_encryption(rq.tx, found)
    rq.tx.update(VolumeTypeEncryption, found.id, **given, updated_at=clock.now())
    return {"encryption": given}


@api.delete(f"{ONE}/encryption/{{key}}", policy=f"{ENCRYPTIONS}:delete", on=kind, status=202)
def delete_encryption(rq: Request, found: VolumeType) -> None:
    """Let a type's volumes be as they are."""
    types.check_unused(rq.tx, found, "delete")
    types.get_encryption(rq.tx, found)
    rq.tx.delete(VolumeTypeEncryption, volume_type_id=found.id)


# -- projects' own defaults --------------------------------------------------------------------------------------------


def _default(row: DefaultType) -> dict[str, Any]:
    return {"project_id": row.project_id, "volume_type_id": row.volume_type_id}


@api.get("/default-types", policy="volume_extension:default_get_all", since="3.62")
def list_default_types(rq: Request) -> dict[str, Any]:
    """List the projects that have a default volume type of their own."""
    return {"default_types": [_default(row) for row in rq.tx.select(DefaultType, order="project_id")]}


@api.get("/default-types/{project_id}", policy="volume_extension:default_get", since="3.62")
def show_default_type(rq: Request) -> dict[str, Any]:
    """Show a project's own default volume type."""
    row = rq.tx.find(DefaultType, project_id=rq.params["project_id"])
    if row is None:
        raise NotFound(f"Default type for project {rq.params['project_id'][:255]} not found.")
    return {"default_type": _default(row)}


@api.put("/default-types/{project_id}", policy="volume_extension:default_set_or_update", since="3.62")
def set_default_type(rq: Request) -> dict[str, Any]:
    """Give a project a default volume type of its own."""
    given = Object("default_type", [Text("volume_type", create=REQUIRED, min=1)]).check(rq.unwrap("default_type"))
    try:
        found = types.get_type(rq.tx, rq.ctx, given["volume_type"])
    except NotFound as error:
        raise BadRequest(error.message) from None
    project_id = rq.params["project_id"]
    rq.tx.delete(DefaultType, project_id=project_id)
    row = DefaultType(project_id, found.id)
    rq.tx.insert(row)
    return {"default_type": _default(row)}


@api.delete("/default-types/{project_id}", policy="volume_extension:default_unset", since="3.62")
def unset_default_type(rq: Request) -> None:
    """Let a project's volumes be of the cloud's default type again."""
    rq.tx.delete(DefaultType, project_id=rq.params["project_id"])
