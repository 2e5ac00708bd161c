"""Attachments: who uses a volume (Block Storage API, "Attachments"), and the states a volume goes through for it.

reserved -> attaching -> in-use -> detaching -> available; with several attachments the volume is what the busiest is.
"""

from typing import Any

import msgspec

from pileus.block_storage import states
from pileus.block_storage.drivers.base import Connection, Volumes
from pileus.block_storage.limits import limits_of
from pileus.block_storage.store import Attachment, Volume
from pileus.block_storage.volumes import attachments_of, get_volume
from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound


def get_attachment(tx: Tx, attachment_id: str) -> Attachment:
    found = tx.find(Attachment, id=attachment_id)
    if found is None:
        raise NotFound(f"Volume attachment could not be found with filter: attachment_id = {attachment_id[:255]}.")
    return found


def find_attachment(tx: Tx, volume_id: str, server_id: str) -> Attachment | None:
    return tx.find(Attachment, volume_id=volume_id, server_id=server_id)


def reserve(
    tx: Tx, volume_id: str, server_id: str, *, project_id: str, mode: str = "rw", multiattach_ok: bool = True
) -> str:
    """Promise a volume to a server; returns the attachment's id. Raises NotFound, BadRequest, Conflict."""
    volume = get_volume(tx, volume_id)
    others = [one for one in attachments_of(tx, volume_id) if one.attach_status != states.DETACHED]
    if any(one.server_id == server_id for one in others):
        raise BadRequest(f"Invalid volume: volume {volume_id} is already attached to server {server_id}.")
    shared = (
        volume.multiattach and multiattach_ok and volume.status in (states.IN_USE, states.RESERVED, states.ATTACHING)
    )
    if volume.status != states.AVAILABLE and not shared:
        allowed = "available or in-use or reserved or attaching" if volume.multiattach else "available"
        raise BadRequest(
            f"Invalid volume: volume {volume_id} status must be {allowed} to reserve, but the current status is "
            f"{volume.status}."
        )
    if volume.readonly and mode != "ro":
        raise BadRequest(f"Invalid volume attaching mode '{mode}' for volume {volume_id}: it is read-only.")
    if volume.migration_status not in (None, "success", "error", "deleting"):
        raise Conflict(f"Volume {volume_id} is migrating.")
    now = clock.now()
    row = Attachment(
        id=clock.new_id(), volume_id=volume_id, project_id=project_id, server_id=server_id,
        attach_status=states.RESERVED, attach_mode=mode, created_at=now, updated_at=now,
    )  # fmt: skip
    tx.insert(row)
    settle(tx, volume_id)
    return row.id


def connection(cloud: Any, attachment_id: str, node: str) -> Connection:
    """How a guest on this node reaches the volume, from now on. Outside of transactions; may be repeated."""
    with cloud.db.read() as tx:
        attachment = get_attachment(tx, attachment_id)
        volume = get_volume(tx, attachment.volume_id)
        limits = limits_of(tx, volume)
    if volume.host is None:
        raise Conflict(f"Volume {volume.id} lies nowhere.")
    driver: Volumes = cloud.drivers["block_storage"]
    with cloud.db.write() as tx:  # before the effect: whoever takes it back knows where to look
        tx.update(Attachment, attachment_id, attached_host=node, updated_at=clock.now())
    found = driver.connect(volume.host, volume.id, node, attachment.attach_mode == "ro")
    found = msgspec.structs.replace(found, limits=limits)
    with cloud.db.write() as tx:
        status = attachment.attach_status
        tx.update(
            Attachment, attachment_id, connection_info=msgspec.to_builtins(found), updated_at=clock.now(),
            attach_status=states.ATTACHING if status == states.RESERVED else status,
        )  # fmt: skip
        settle(tx, volume.id)
    return found


def complete(tx: Tx, attachment_id: str, device: str | None = None) -> None:
    """The guest has it. May be repeated."""
    attachment = get_attachment(tx, attachment_id)
    now = clock.now()
    mountpoint = device or attachment.mountpoint
    tx.update(
        Attachment, attachment_id, attach_status=states.ATTACHED, mountpoint=mountpoint,
        attached_at=attachment.attached_at or now, updated_at=now,
    )  # fmt: skip
    settle(tx, attachment.volume_id)


def begin_detaching(tx: Tx, volume_id: str, server_id: str | None = None) -> None:
    """Raises BadRequest unless it is in use."""
    volume = get_volume(tx, volume_id)
    attached = [
        one for one in attachments_of(tx, volume_id)
        if one.attach_status == states.ATTACHED and server_id in (None, one.server_id)
    ]  # fmt: skip
    if volume.status != states.IN_USE or not attached:
        raise BadRequest(
            "Invalid volume: Unable to detach volume. Volume status must be 'in-use' and attach_status must be "
            f"'attached' to detach: volume {volume_id} is {volume.status}."
        )
    if server_id is not None:
        tx.update(Attachment, attached[0].id, attach_status=states.DETACHING, updated_at=clock.now())
        settle(tx, volume_id)
    else:
        tx.update(Volume, volume_id, status=states.DETACHING, updated_at=clock.now())


def roll_detaching(tx: Tx, volume_id: str, server_id: str | None = None) -> None:
    """The guest keeps it. Nothing to do if nobody was detaching."""
    for one in attachments_of(tx, volume_id):
        if one.attach_status == states.DETACHING and server_id in (None, one.server_id):
            tx.update(Attachment, one.id, attach_status=states.ATTACHED, updated_at=clock.now())
    settle(tx, volume_id)


def hold(tx: Tx, attachment_id: str) -> None:
    """Its server is off, and keeps the volume from others: what is in it may be replaced. `connection` goes on from here."""
    attachment = get_attachment(tx, attachment_id)
    tx.update(Attachment, attachment_id, attach_status=states.RESERVED, updated_at=clock.now())
    settle(tx, attachment.volume_id)


def disconnect(cloud: Any, attachment_id: str, node: str) -> None:
    """The server has left this node and keeps the volume. Outside of transactions; may be repeated."""
    with cloud.db.read() as tx:
        attachment = tx.find(Attachment, id=attachment_id)
        if attachment is None:
            return
        volume = get_volume(tx, attachment.volume_id)
        others = [one for one in attachments_of(tx, volume.id) if one.attached_host == node and one.id != attachment_id]
    if volume.host is not None and not others:
        driver: Volumes = cloud.drivers["block_storage"]
        driver.disconnect(volume.host, volume.id, node)
    if attachment.attached_host == node:
        with cloud.db.write() as tx:
            tx.update(Attachment, attachment_id, attached_host=None, updated_at=clock.now())


def release(cloud: Any, attachment_id: str) -> None:
    """Nobody uses it by this attachment any more: not exported, and gone. Outside of transactions; may be repeated."""
    with cloud.db.read() as tx:
        attachment = tx.find(Attachment, id=attachment_id)
        if attachment is None:
            return
        volume = get_volume(tx, attachment.volume_id)
        here = [
            one.id for one in attachments_of(tx, volume.id)
            if one.attached_host == attachment.attached_host and one.id != attachment_id
        ]  # fmt: skip
    if volume.host is not None and attachment.attached_host is not None and not here:
        driver: Volumes = cloud.drivers["block_storage"]
        driver.disconnect(volume.host, volume.id, attachment.attached_host)
    with cloud.db.write() as tx:
        forget(tx, attachment)


def forget(tx: Tx, attachment: Attachment) -> None:
    """The row goes, and the volume is what its other attachments make it."""
    tx.delete(Attachment, id=attachment.id)
    settle(tx, attachment.volume_id)


# what a volume is, by the attachments it has: the first of these that one of them is in
_ORDER = (
    (states.DETACHING, states.DETACHING), (states.ATTACHED, states.IN_USE), (states.ATTACHING, states.ATTACHING),
    (states.RESERVED, states.RESERVED), ("error_attaching", states.ATTACHING), ("error_detaching", states.IN_USE),
)  # fmt: skip
_OF_ATTACHMENTS = {states.AVAILABLE, states.RESERVED, states.ATTACHING, states.IN_USE, states.DETACHING}


def settle(tx: Tx, volume_id: str, whatever: bool = False) -> None:
    """Let the volume's state follow its attachments, unless something else is being done to it, or `whatever` it is."""
    volume = tx.find(Volume, id=volume_id)
    if volume is None:
        return
    have = {one.attach_status for one in attachments_of(tx, volume_id)}
    status = next((found for attach_status, found in _ORDER if attach_status in have), states.AVAILABLE)
    if volume.status in _OF_ATTACHMENTS or whatever:
        tx.update(Volume, volume_id, status=status, updated_at=clock.now())
    elif volume.previous_status in _OF_ATTACHMENTS:
        tx.update(Volume, volume_id, previous_status=status)
