"""What compute asks of block storage, all in one place; and which names a server's disks have."""

from collections.abc import Iterable
from itertools import product
from string import ascii_lowercase
from typing import Any

import sqlalchemy as sa

from pileus import block_storage as front
from pileus.compute.store import Server, ServerVolume
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import BadRequest, NotFound, OverQuota
from pileus.core.tables import columns, shape
from pileus.node import protocol as p

Volume = front.Volume
Snapshot = front.Snapshot
PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd"}
LETTERS = [*ascii_lowercase, *map("".join, product(ascii_lowercase, repeat=2))]
_OF_SERVERS = sql(
    sa.select(shape(ServerVolume).table)
    .where(in_list(columns(ServerVolume).server_id, "servers"))
    .order_by(columns(ServerVolume).position)
)


# -- rows --------------------------------------------------------------------------------------------------------------


def of_server(tx: Tx, server_id: str) -> list[ServerVolume]:
    return tx.select(ServerVolume, order="position", server_id=server_id)


def of_servers(tx: Tx, server_ids: list[str]) -> dict[str, list[ServerVolume]]:
    """One query for a page of servers."""
    found: dict[str, list[ServerVolume]] = {}
    for row in tx.rows(ServerVolume, _OF_SERVERS, servers=server_ids) if server_ids else []:
        found.setdefault(row.server_id, []).append(row)
    return found


def get_attached(tx: Tx, server_id: str, volume_id: str) -> ServerVolume:
    """Raises NotFound."""
    found = tx.find(ServerVolume, server_id=server_id, volume_id=volume_id)
    if found is None:
        raise NotFound(
            f"Instance {server_id} is not attached to volume {volume_id[:255]}", kind="VolumeAttachmentNotFound"
        )
    return found


def boot_volume(tx: Tx, server_id: str) -> ServerVolume | None:
    """What a server without a root disk of its own starts from."""
    return tx.find(ServerVolume, server_id=server_id, boot=True)


def attached(tx: Tx, server_id: str) -> list[p.AttachedVolume]:
    """As its node needs them."""
    return [as_attached(row) for row in of_server(tx, server_id) if row.attached]


def as_attached(row: ServerVolume) -> p.AttachedVolume:
    return p.AttachedVolume(
        volume_id=row.volume_id, device=row.device, kind="nbd" if row.kind == "nbd" else "file", address=row.address,
        port=row.port, read_only=row.read_only, shared=row.shared, bus=row.bus, tag=row.tag,
        limits=row.limits,
    )  # fmt: skip


# -- names of devices --------------------------------------------------------------------------------------------------


def free_device(server: Server, rows: Iterable[ServerVolume], boot: bool = False) -> str:
    """The next name that neither a volume nor one of the server's own disks has; it boots from the first one.

    Raises BadRequest.
    """
    properties = server.image.properties if server.image else {}
    prefix = PREFIX.get(str(properties.get("hw_disk_bus")), "vd")
    if boot:
        return f"{prefix}a"
    taken = {row.device for row in rows}
    names = [prefix + letters for letters in LETTERS]
    own = [name for name in names if name not in taken][: own_disks(server)]
    for name in names:
        if name not in taken and name not in own:
            return str(name)
    raise BadRequest(f"Instance {server.id} has no room for another disk.")


def own_disks(server: Server) -> int:
    """How many disks a server has beside its volumes."""
    ephemerals, swap = local_disks(server)
    return int(bool(server.root_image_id)) + len(ephemerals) + int(bool(swap)) + int(server.config_drive)


def local_disks(server: Server) -> tuple[list[p.EphemeralDisk], int]:
    """Its ephemeral disks, and MiB of swap: its flavor's, or those that it was created with."""
    flavor, given = server.flavor, server.local_disks
    ephemerals = [p.EphemeralDisk(size_gb=flavor.ephemeral)] if flavor.ephemeral else []
    if "ephemerals" in given:
        ephemerals = [p.EphemeralDisk(size_gb=one["size_gb"], format=one["format"]) for one in given["ephemerals"]]
    return ephemerals, int(given.get("swap_mb", flavor.swap))


# -- volumes -----------------------------------------------------------------------------------------------------------


def get_volume(tx: Tx, ctx: Context, volume_id: str) -> front.Volume:
    """Raises NotFound."""
    return front.get_volume(tx, ctx, volume_id)


def get_snapshot(tx: Tx, ctx: Context, snapshot_id: str) -> front.Snapshot:
    """Raises NotFound."""
    return front.get_snapshot(tx, ctx, snapshot_id)


def find_volume(tx: Tx, volume_id: str) -> front.Volume | None:
    return front.find_volume(tx, volume_id)


def create_volume(tx: Tx, ctx: Context, **wanted: Any) -> front.Volume:
    """For a server that is being created. Raises BadRequest, OverQuota."""
    try:
        return front.create_for_server(tx, ctx, **wanted)
    except NotFound as error:
        raise BadRequest(error.message, kind=error.kind) from None
    except OverQuota as error:
        raise OverQuota(f"Volume resource quota exceeded: {error.message}") from None


def attachments_of(tx: Tx, volume_id: str) -> list[front.Attachment]:
    return front.attachments_of(tx, volume_id)


def list_volumes(tx: Tx, ctx: Context) -> list[front.Volume]:
    """The caller's project's, newest first."""
    return sorted(tx.select(front.Volume, project_id=ctx.project_id), key=lambda one: one.created_at, reverse=True)


def list_snapshots(tx: Tx, ctx: Context) -> list[front.Snapshot]:
    return sorted(tx.select(front.Snapshot, project_id=ctx.project_id), key=lambda one: one.created_at, reverse=True)


def type_name(tx: Tx, volume: front.Volume) -> str | None:
    return front.type_name(tx, volume)


def remove_volume(tx: Tx, ctx: Context, volume: front.Volume) -> None:
    """Raises BadRequest for one that is busy."""
    front.delete_for_server(tx, ctx, volume.id)


def create_snapshot(tx: Tx, ctx: Context, volume: front.Volume, **values: Any) -> front.Snapshot:
    """Raises BadRequest, OverQuota."""
    return front.create_snapshot(tx, ctx, volume, **values)


def delete_snapshot(tx: Tx, ctx: Context, snapshot: front.Snapshot) -> None:
    """Raises BadRequest for one that is busy."""
    front.delete_snapshot(tx, ctx, snapshot)


def reserve(tx: Tx, row: ServerVolume, volume: front.Volume, project_id: str) -> None:
    """The volume is promised to the server. Raises BadRequest unless it is free, or shared."""
    row.shared, row.read_only = volume.multiattach, bool(volume.readonly)
    row.attachment_id = front.reserve(
        tx, volume.id, row.server_id, project_id=project_id, mode="ro" if row.read_only else "rw"
    )


def connect(cloud: Any, row: ServerVolume, host: str) -> ServerVolume:
    """How the volume is reached from a host, from now on. Outside of transactions; may be repeated."""
    found = front.connection(cloud, row.attachment_id, host)
    address, _, port = found.address.removeprefix("nbd://").partition("/")[0].rpartition(":")
    row.kind, row.address, row.port, row.limits = found.kind, address.strip("[]"), int(port or 0), found.limits
    return row


def note_connection(tx: Tx, row: ServerVolume, **more: Any) -> None:
    tx.update(ServerVolume, row.id, kind=row.kind, address=row.address, port=row.port, limits=row.limits, **more)


def keep_connection(tx: Tx, row: ServerVolume) -> None:
    """A server that starts from now on, starts with it."""
    note_connection(tx, row, attached=True)


def disconnect(cloud: Any, row: ServerVolume, host: str) -> None:
    """The server has left this host, and keeps the volume. Outside of transactions; may be repeated."""
    if row.attachment_id:
        front.disconnect(cloud, row.attachment_id, host)


def copy_in_use(cloud: Any, volume_id: str, snapshot_id: str) -> None:
    """Outside of transactions. Raises NotFound, BadRequest for a volume that no server has."""
    with cloud.db.read() as tx:
        volume = tx.find(front.Volume, id=volume_id)
        if volume is None or volume.host is None:
            raise NotFound(f"Volume {volume_id} could not be found.", kind="VolumeNotFound")
        if tx.find(ServerVolume, volume_id=volume_id) is None:
            raise BadRequest(f"Volume {volume_id} is attached to no server.")
    cloud.drivers["block_storage"].create_snapshot(volume.host, volume_id, snapshot_id)


def drop_copy(cloud: Any, volume_id: str, snapshot_id: str) -> None:
    """Outside of transactions. Raises NotFound, and BadRequest for a snapshot that block storage has itself."""
    with cloud.db.read() as tx:
        volume = tx.find(front.Volume, id=volume_id)
        if volume is None or volume.host is None:
            raise NotFound(f"Volume {volume_id} could not be found.", kind="VolumeNotFound")
        known = tx.find(front.Snapshot, id=snapshot_id)
    if known is not None and known.status not in ("deleting", "error_deleting"):
        raise BadRequest(f"Snapshot {snapshot_id} is {known.status}: block storage deletes it.")
    cloud.drivers["block_storage"].remove_snapshot(volume.host, volume_id, snapshot_id)


def reimage(tx: Tx, ctx: Context, row: ServerVolume, image_id: str) -> None:
    """Another image instead of what is in the volume, whose server is off meanwhile: wait until it is reserved again.

    Raises BadRequest for an image that does not fit.
    """
    front.hold(tx, row.attachment_id)
    front.reimage(tx, ctx, tx.get(front.Volume, id=row.volume_id), image_id, True)


def complete(tx: Tx, row: ServerVolume) -> None:
    front.complete(tx, row.attachment_id, f"/dev/{row.device}")


def begin_detaching(tx: Tx, row: ServerVolume) -> None:
    """Raises BadRequest unless the volume is in use."""
    front.begin_detaching(tx, row.volume_id, row.server_id)


def roll_detaching(tx: Tx, row: ServerVolume) -> None:
    front.roll_detaching(tx, row.volume_id, row.server_id)


def release(cloud: Any, row: ServerVolume) -> None:
    """The server has it no more: its attachment goes, then our row. Outside of transactions; may be repeated."""
    if row.attachment_id:
        front.release(cloud, row.attachment_id)
    with cloud.db.write() as tx:
        tx.delete(ServerVolume, id=row.id)


def delete_volume(tx: Tx, ctx: Context, volume_id: str) -> None:
    """With its server. What cannot be deleted now stays its user's."""
    try:
        front.delete_for_server(tx, ctx, volume_id)
    except BadRequest:
        return


def new_row(server_id: str, volume_id: str, device: str, position: int, **more: Any) -> ServerVolume:
    return ServerVolume(clock.new_id(), server_id, volume_id, device, position, **more)
