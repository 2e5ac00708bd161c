"""What is done to volumes that are there (Block Storage API, "Volume actions")."""

from collections.abc import Mapping
from typing import Any

from pileus.block_storage import images, quotas, snapshots, states, types
from pileus.block_storage.attachments import settle
from pileus.block_storage.sagas.extend import EXTEND
from pileus.block_storage.sagas.moves import MIGRATE, RETYPE
from pileus.block_storage.sagas.snapshots import REVERT
from pileus.block_storage.sagas.upload import REIMAGE, UPLOAD
from pileus.block_storage.store import Attachment, QosSpecs, Snapshot, Volume, VolumeType
from pileus.block_storage.volumes import attachments_of, change, refuse
from pileus.core import saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest

MOVABLE = (None, "success", "error", "none")
RESETTABLE_ATTACH = ("attached", "detached", "reserved", "attaching", "detaching", "error_attaching", "error_detaching")
MIGRATIONS = ("migrating", "error", "success", "completing", "none", "starting")


def _begin(tx: Tx, ctx: Context, volume: Volume, work: saga.Saga, status: str, **data: Any) -> None:
    """It is busy from now on, and afterwards what it is now."""
    change(tx, volume.id, status=status, previous_status=volume.status)
    saga.start(tx, work, f"volume/{volume.id}", ctx, back_to=volume.status, **data)


def extend(tx: Tx, ctx: Context, volume: Volume, size: int, *, in_use: bool) -> None:
    """Of a volume in use only where that is wanted. Raises BadRequest, OverQuota."""
    if size <= volume.size:
        raise BadRequest(
            "Invalid input received: New size for extend must be greater than current size. "
            f"(current: {volume.size}, extended: {size})."
        )
    refuse(volume, "extend", (states.AVAILABLE, states.IN_USE) if in_use else (states.AVAILABLE,))
    quotas.check_size(tx, volume.project_id, size)
    quotas.spend(tx, volume.project_id, tx.find(VolumeType, id=volume.volume_type_id), gigabytes=size - volume.size)
    change(tx, volume.id, growing_by=size - volume.size)
    _begin(tx, ctx, volume, EXTEND, states.EXTENDING, new_size=size)


def revert(tx: Tx, ctx: Context, volume: Volume, snapshot_id: Any) -> None:
    """Back to its newest snapshot. Raises BadRequest, Conflict."""
    snapshot = snapshots.check_revert(tx, volume, snapshot_id)
    snapshots.change(tx, snapshot.id, status="restoring")
    _begin(tx, ctx, volume, REVERT, states.REVERTING, snapshot_id=snapshot.id)


def set_readonly(tx: Tx, volume: Volume, readonly: bool) -> None:
    refuse(volume, "update its readonly flag", (states.AVAILABLE,))
    change(tx, volume.id, readonly=readonly)


def set_bootable(tx: Tx, volume: Volume, bootable: bool) -> None:
    change(tx, volume.id, bootable=bootable)


# -- places and types --------------------------------------------------------------------------------------------------


def migrate(tx: Tx, ctx: Context, volume: Volume, host: str, lock: bool) -> None:
    """To another backend. Raises BadRequest for a volume in use, one with snapshots, or one of a group."""
    if volume.host == host or volume.migration_status not in MOVABLE or volume.group_id or _has_snapshots(tx, volume):
        raise BadRequest(
            f"Invalid volume: Volume {volume.id} must not be migrating, have snapshots, be part of a group, or lie on "
            f"{host[:255]} already."
        )
    refuse(volume, "migrate", (states.AVAILABLE,))
    change(tx, volume.id, migration_status="starting")
    status = states.MAINTENANCE if lock else volume.status
    _begin(tx, ctx, volume, MIGRATE, status, target=host)


def _has_snapshots(tx: Tx, volume: Volume) -> bool:
    return tx.count(Snapshot, volume_id=volume.id) > 0


def retype(tx: Tx, ctx: Context, volume: Volume, name: str, may_move: bool) -> None:
    """Raises BadRequest, NotFound, OverQuota."""
    kind = types.get_type(tx, ctx, name)
    refuse(volume, "retype", (states.AVAILABLE, states.IN_USE))
    if volume.migration_status not in MOVABLE or volume.group_id or volume.volume_type_id == kind.id:
        raise BadRequest(
            f"Invalid volume: Volume {volume.id} must not be migrating or part of a group, and have another type than the "
            "one wanted."
        )
    old = tx.find(VolumeType, id=volume.volume_type_id)
    if volume.status == states.IN_USE:
        if types.is_multiattach(kind) != volume.multiattach:
            raise BadRequest("Invalid input received: what affects multiattach is allowed on available volumes only.")
        if _front_end(tx, kind) != _front_end(tx, old):
            raise BadRequest("Invalid volume: for in-use volumes front-end qos specs cannot change.")
    quotas.spend(tx, volume.project_id, kind, **{f"volumes_{kind.name}": 1, f"gigabytes_{kind.name}": volume.size})
    may_move = may_move and volume.status == states.AVAILABLE and not _has_snapshots(tx, volume)
    _begin(tx, ctx, volume, RETYPE, states.RETYPING, volume_type_id=kind.id, may_move=may_move)


def _front_end(tx: Tx, kind: VolumeType | None) -> Any:
    specs = tx.find(QosSpecs, id=kind.qos_specs_id) if kind and kind.qos_specs_id else None
    return specs.specs if specs and specs.consumer != "back-end" else None


# -- images ------------------------------------------------------------------------------------------------------------


def upload(tx: Tx, ctx: Context, volume: Volume, force: bool, given: Mapping[str, Any]) -> Any:
    """An image with the volume's bytes. Raises BadRequest, OverQuota."""
    refuse(volume, "upload", (states.AVAILABLE, states.IN_USE) if force else (states.AVAILABLE,))
    properties = {
        name: value
        for name, value in volume.image_metadata.items()
        if name not in (*images.FACTS, "image_id", "image_name", "signature_verified")
        and not name.startswith(("os_glance", "img_signature"))
    }
    image = images.create_image(
        tx, ctx.project_id or "", name=given["image_name"], disk_format=given["disk_format"],
        container_format=given["container_format"], visibility=given["visibility"], protected=given["protected"],
        properties=properties, min_disk=volume.size if given["disk_format"] == "raw" else 0,
    )  # fmt: skip
    _begin(tx, ctx, volume, UPLOAD, states.UPLOADING, image_id=image.id, disk_format=given["disk_format"])
    return image


def reimage(tx: Tx, ctx: Context, volume: Volume, reference: str, reserved: bool) -> None:
    """Another image's bytes instead of its own. Raises BadRequest."""
    image = images.find_image(tx, ctx, reference)
    images.check_fits(image, volume.size)
    refuse(volume, "reimage", (states.AVAILABLE, states.ERROR, *((states.RESERVED,) if reserved else ())))
    back_to = states.AVAILABLE if volume.status == states.ERROR else volume.status
    change(tx, volume.id, status=states.DOWNLOADING, previous_status=volume.status)
    saga.start(
        tx, REIMAGE, f"volume/{volume.id}", ctx, back_to=back_to, image_id=image.id,
        image_metadata=images.metadata_of(image),
    )  # fmt: skip


# -- what an administrator says ----------------------------------------------------------------------------------------


def reset_status(tx: Tx, volume: Volume, given: Mapping[str, str | None]) -> None:
    """What the row says, whatever is true. Raises BadRequest."""
    status, attach_status, migration = (given.get(name) for name in ("status", "attach_status", "migration_status"))
    changes: dict[str, Any] = {}
    if status:
        if status in (states.DELETING, states.ERROR_DELETING, states.DETACHING):
            raise BadRequest(f"Cannot reset-state to {status}.")
        if status == states.IN_USE and not attachments_of(tx, volume.id):
            raise BadRequest("Cannot reset-state to in-use because volume does not have any attachments.")
        changes["status"] = status
    if migration:
        changes["migration_status"] = None if migration == "none" else migration
    if changes:
        change(tx, volume.id, **changes)
    if attach_status == states.DETACHED:
        tx.delete(Attachment, volume_id=volume.id)
    elif attach_status:
        tx.update(Attachment, {"volume_id": volume.id}, attach_status=attach_status)


# -- attaching, in the steps of before 3.27 ----------------------------------------------------------------------------


def old_reserve(tx: Tx, volume: Volume) -> None:
    refuse(volume, "reserve", (states.AVAILABLE, states.IN_USE) if volume.multiattach else (states.AVAILABLE,))
    change(tx, volume.id, status=states.ATTACHING)


def old_unreserve(tx: Tx, volume: Volume) -> None:
    """Nothing to do for one that is not reserved."""
    if volume.status == states.ATTACHING:
        settle(tx, volume.id)


def old_attach(tx: Tx, ctx: Context, volume: Volume, row: Attachment) -> None:
    """Raises BadRequest."""
    allowed = (states.AVAILABLE, states.ATTACHING, *((states.IN_USE,) if volume.multiattach else ()))
    refuse(volume, "attach", allowed)
    if volume.readonly and row.attach_mode != "ro":
        raise BadRequest(f"Invalid volume attaching mode '{row.attach_mode}': volume {volume.id} is read-only.")
    tx.insert(row)
    if volume.readonly is None:
        change(tx, volume.id, readonly=False)
    settle(tx, volume.id)


def find_attached(tx: Tx, volume: Volume, attachment_id: str | None) -> Attachment | None:
    """The attachment a detach means. Raises BadRequest when that is not clear."""
    found = attachments_of(tx, volume.id)
    if attachment_id is not None:
        found = [one for one in found if one.id == attachment_id]
        if not found:
            raise BadRequest(
                f"Volume attachment could not be found with filter: attachment_id = {attachment_id[:255]}."
            )
    if len(found) > 1:
        raise BadRequest(
            "Invalid volume: Detach volume failed: More than one attachment, but no attachment_id provided."
        )
    return found[0] if found else None
