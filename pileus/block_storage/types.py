"""Volume types: kinds of volumes, with what their backends must be like (Block Storage API, "Volume types")."""

from pileus.block_storage.store import DefaultType, VolumeType, VolumeTypeAccess
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

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
