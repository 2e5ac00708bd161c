"""Volume types: kinds of volumes, with what their backends must be like (Block Storage API, "Volume types")."""

from typing import Any

from pileus.block_storage.store import DefaultType, Group, Volume, VolumeType, VolumeTypeAccess, VolumeTypeEncryption
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotBuilt, NotFound

DEFAULT = "__DEFAULT__"


def bootstrap(tx: Tx) -> None:
    """The type of volumes whose users name none."""
    if tx.count(VolumeType) == 0:
        tx.insert(VolumeType(clock.new_id(), DEFAULT, "Default Volume Type", True, {}, clock.now()))


def may_use(tx: Tx, ctx: Context, kind: VolumeType) -> bool:
    return (
        kind.is_public
        or "admin" in ctx.roles
        or tx.find(VolumeTypeAccess, volume_type_id=kind.id, project_id=ctx.project_id or "") is not None
    )


def get_type(tx: Tx, ctx: Context, name_or_id: str) -> VolumeType:
    """Raises NotFound, also for what the caller's project may not use."""
    found = tx.find(VolumeType, id=name_or_id) or tx.find(VolumeType, name=name_or_id)
    if found is None or not may_use(tx, ctx, found):
        raise NotFound(f"Volume type {name_or_id[:255]} could not be found.", kind="VolumeTypeNotFound")
    return found


def default_type(tx: Tx, project_id: str | None) -> VolumeType:
    """A project's own, or else the cloud's."""
    own = tx.find(DefaultType, project_id=project_id or "")
    if own is not None:
        return tx.get(VolumeType, id=own.volume_type_id)
    found = tx.find(VolumeType, name=DEFAULT)
    if found is None:
        raise BadRequest(f"There is no volume type {DEFAULT}: name one.")
    return found


def is_multiattach(kind: VolumeType | None) -> bool:
    return kind is not None and kind.extra_specs.get("multiattach", "").strip().lower() == "<is> true"


def check_usable(tx: Tx, kind: VolumeType) -> None:
    """Raises NotBuilt for a type whose volumes would have to be encrypted."""
    if tx.find(VolumeTypeEncryption, volume_type_id=kind.id) is not None:
        raise NotBuilt(f"Volumes of type {kind.name} are to be encrypted, and no volume can be encrypted here yet.")


# -- by administrators -------------------------------------------------------------------------------------------------


def find_type(tx: Tx, type_id: str) -> VolumeType:
    """By its id alone, whoever may use it. Raises NotFound."""
    found = tx.find(VolumeType, id=type_id)
    if found is None:
        raise NotFound(f"Volume type {type_id[:255]} could not be found.", kind="VolumeTypeNotFound")
    return found


def _check_name(tx: Tx, name: str, but: str = "") -> None:
    other = tx.find(VolumeType, name=name)
    if other is not None and other.id != but:
        raise Conflict(f"Volume Type {name} already exists.")


def create_type(tx: Tx, name: str, description: str | None, is_public: bool, extra_specs: dict[str, str]) -> VolumeType:
    """Raises Conflict for a name in use."""
    _check_name(tx, name)
    row = VolumeType(clock.new_id(), name, description, is_public, extra_specs, clock.now())
    tx.insert(row)
    return row


def update_type(tx: Tx, kind: VolumeType, changes: dict[str, Any]) -> VolumeType:
    """Raises Conflict for a name in use, BadRequest for the name of the default."""
    if "name" in changes:
        _check_name(tx, changes["name"], but=kind.id)
    tx.update(VolumeType, kind.id, **changes, updated_at=clock.now())
    return find_type(tx, kind.id)


def delete_type(tx: Tx, kind: VolumeType) -> None:
    """Raises BadRequest while there are volumes or groups of it, and for the default."""
    if kind.name == DEFAULT:
        raise BadRequest(f"The volume type {DEFAULT} is the default: it cannot be deleted.")
    used = tx.count(Volume, volume_type_id=kind.id) or tx.count(DefaultType, volume_type_id=kind.id)
    if used or any(kind.id in group.volume_types for group in tx.select(Group)):
        raise BadRequest("Target volume type is still in use.")
    tx.delete(VolumeType, id=kind.id)


def set_specs(tx: Tx, kind: VolumeType, extra_specs: dict[str, str]) -> None:
    """Raises BadRequest for what would change what volumes that are there can do."""
    changed = VolumeType(kind.id, kind.name, None, True, extra_specs, "")
    if is_multiattach(kind) != is_multiattach(changed) and tx.count(Volume, volume_type_id=kind.id):
        raise BadRequest(f"Volume Type is currently in use: multiattach of {kind.name} cannot change.")
    tx.update(VolumeType, kind.id, extra_specs=extra_specs, updated_at=clock.now())


def add_access(tx: Tx, kind: VolumeType, project_id: str) -> None:
    """Raises BadRequest for a public type, Conflict for a project that has access."""
    _private(kind)
    if tx.find(VolumeTypeAccess, volume_type_id=kind.id, project_id=project_id):
        raise Conflict(f"Volume type access for {kind.id} / {project_id} combination already exists.")
    tx.insert(VolumeTypeAccess(kind.id, project_id))


def remove_access(tx: Tx, kind: VolumeType, project_id: str) -> None:
    """Raises BadRequest for a public type, NotFound for a project that has no access."""
    _private(kind)
    if not tx.delete(VolumeTypeAccess, volume_type_id=kind.id, project_id=project_id):
        raise NotFound(f"Volume type access not found for {kind.id} / {project_id} combination.")


def _private(kind: VolumeType) -> None:
    if kind.is_public:
        raise BadRequest("Invalid volume type: Type access modification is not applicable to public volume type.")


# -- encryption --------------------------------------------------------------------------------------------------------


def get_encryption(tx: Tx, kind: VolumeType) -> VolumeTypeEncryption:
    found = tx.find(VolumeTypeEncryption, volume_type_id=kind.id)
    if found is None:
        raise NotFound(f"Volume type encryption for type {kind.id} does not exist.")
    return found


def check_unused(tx: Tx, kind: VolumeType, verb: str) -> None:
    """Raises BadRequest while there are volumes of it."""
    if tx.count(Volume, volume_type_id=kind.id):
        raise BadRequest(f"Cannot {verb} encryption specs. Volume type in use.")
