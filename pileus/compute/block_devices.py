"""What disks a new server was asked to have: a list of devices becomes local disks, volumes that are there, and volumes
that are made for it (Compute API, "Create server", block_device_mapping_v2 and the older block_device_mapping)."""

import json
from typing import Any

import msgspec

from pileus.compute import images, volumes
from pileus.compute.images import BootImage
from pileus.compute.store import Flavor, Server, ServerVolume
from pileus.compute.volume_attachments import check_shared
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, NotFound

MAX_LOCAL = 3
INVALID = "Block Device Mapping is Invalid"
DESTINATION = {"volume": "volume", "snapshot": "volume", "image": "local", "blank": "local"}
FORMATS = {None: "ext4", "ext2": "ext4", "ext3": "ext4", "ext4": "ext4", "vfat": "vfat"}


class Device(msgspec.Struct, kw_only=True):
    """A volume that is there (`volume`), or one to be made, empty or from an image or a snapshot."""

    volume: volumes.Volume | None = None
    image_id: str | None = None
    snapshot_id: str | None = None
    size: int | None = None
    volume_type: str | None = None
    boot: bool = False
    delete_on_termination: bool = False
    tag: str | None = None


class Devices(msgspec.Struct, kw_only=True):
    """Of one server; `image` is what its own root disk is made from, if it has one."""

    image: BootImage | None = None
    properties: dict[str, Any] = {}  # of what it boots from
    volumes: list[Device] = []
    local: dict[str, Any] = {}


def plan(tx: Tx, ctx: Context, given: dict[str, Any], flavor: Flavor, count: int, shared: bool) -> Devices:
    """Everything that can be checked before a server is there. Raises BadRequest, Forbidden."""
    image_id, asked = given.get("image_id") or "", given.get("block_device_mapping_v2") or []
    if given.get("block_device_mapping"):
        if asked:
            raise BadRequest("Using different block_device_mapping syntaxes is not allowed in the same request.")
        asked = from_older(given["block_device_mapping"], image_id)
    elif image_id:
        asked = _with_image(tx, ctx, image_id, asked)
    asked = [one for one in asked if "no_device" not in one]
    if not asked:
        raise BadRequest("Invalid imageRef provided: a server boots from an image or from a volume.")
    _check_order(asked)
    planned = Devices()
    locals_: list[dict[str, Any]] = []
    for one in sorted(asked, key=lambda one: (_index(one) is None, _index(one) or 0)):
        _check_one(one)
        if one["destination_type"] == "volume":
            planned.volumes.append(_volume(tx, ctx, one, count, shared))
        else:
            locals_.append(one)
            if one["source_type"] == "image":
                if image_id and one["uuid"] != image_id:
                    raise BadRequest(f"{INVALID}: it boots from another image than imageRef.")
                planned.image = images.get_image(tx, ctx, one["uuid"])
    if len(locals_) > MAX_LOCAL:
        raise Forbidden(f"{INVALID}: You specified more local devices than the limit allows")
    planned.local = _local([one for one in locals_ if one["source_type"] == "blank"], flavor)
    planned.properties = _properties(tx, ctx, planned)
    return planned


def from_older(mapping: list[dict[str, Any]], image_id: str) -> list[dict[str, Any]]:
    """The first version's devices in the words of the second. Without an image the first one is booted from."""
    found: list[dict[str, Any]] = []
    if image_id:
        found.append({"source_type": "image", "destination_type": "local", "uuid": image_id, "boot_index": 0})
    for one in mapping:
        kind = next((kind for kind in ("volume", "snapshot") if one.get(f"{kind}_id")), None)
        if kind is None:
            if one.get("virtual_name") or "no_device" in one:
                continue
            raise BadRequest(f"{INVALID}: it names neither volume_id nor snapshot_id.")
        boots = not any(other.get("boot_index") == 0 for other in found)
        found.append({
            "source_type": kind, "destination_type": "volume", "uuid": one[f"{kind}_id"],
            "volume_size": one.get("volume_size"), "boot_index": 0 if boots else -1,
            "delete_on_termination": bool(one.get("delete_on_termination")),
        })  # fmt: skip
    return found


def _with_image(tx: Tx, ctx: Context, image_id: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An image of a server that booted from a volume says itself what is to be made from it."""
    try:
        told = images.look_up(tx, ctx, image_id).properties.get("block_device_mapping")
        own = json.loads(told) if told else []
    except NotFound:
        own = []  # refused with the others' words
    except ValueError:
        raise BadRequest(f"{INVALID}: image {image_id} tells of devices that cannot be read.") from None
    own = [one for one in own if isinstance(one, dict) and one.get("source_type") == "snapshot"]
    if own:
        kept = [one for one in asked if not (one.get("source_type") == "image" and one.get("uuid") == image_id)]
        boots = any(_index(one) == 0 for one in kept)
        return [
            *({**one, "uuid": one.get("snapshot_id")} for one in own if not (boots and _index(one) == 0)),
            *kept,
        ]
    if asked:
        return asked
    return [{"source_type": "image", "destination_type": "local", "uuid": image_id, "boot_index": 0}]


def _index(one: dict[str, Any]) -> int | None:
    index = one.get("boot_index")
    return index if isinstance(index, int) and index >= 0 else None


def _check_order(asked: list[dict[str, Any]]) -> None:
    order = sorted(index for one in asked if (index := _index(one)) is not None)
    if order != list(range(len(order))) or not order:
        raise BadRequest(
            f"{INVALID}: Boot sequence for the instance and image/block device mapping combination is not valid."
        )


def _check_one(one: dict[str, Any]) -> None:
    """Fills in where it is to be."""
    kind = one.get("source_type")
    if kind not in DESTINATION:
        raise BadRequest(f"{INVALID}: source_type must be volume, image, snapshot or blank.")
    where = one.setdefault("destination_type", DESTINATION[kind])
    if kind == "blank" and one.get("uuid"):
        raise BadRequest(f"{INVALID}: a blank device has no uuid.")
    if kind != "blank" and not one.get("uuid"):
        raise BadRequest(f"{INVALID}: Missing device UUID.")
    if where == "local" and (kind not in ("image", "blank") or (kind == "image" and _index(one) != 0)):
        raise BadRequest(f"{INVALID}: Mapping {kind} to local is not supported.")
    if where not in ("local", "volume"):
        raise BadRequest(f"{INVALID}: destination_type must be volume or local.")


def _volume(tx: Tx, ctx: Context, one: dict[str, Any], count: int, shared: bool) -> Device:
    kind, size = one["source_type"], one.get("volume_size") or None
    device = Device(
        boot=_index(one) == 0, size=size, tag=one.get("tag"), volume_type=one.get("volume_type"),
        delete_on_termination=bool(one.get("delete_on_termination")),
    )  # fmt: skip
    try:
        if kind == "volume":
            device.volume = volumes.get_volume(tx, ctx, one["uuid"])
            if count > 1 and not device.volume.multiattach:
                raise BadRequest("Cannot attach one or more volumes to multiple instances")
            check_shared(device.volume, shared)
            if device.boot and not device.volume.bootable:
                raise BadRequest(f"{INVALID}: Volume {device.volume.id} is not bootable.")
        elif kind == "snapshot":
            snapshot = volumes.get_snapshot(tx, ctx, one["uuid"])
            device.snapshot_id, device.size = snapshot.id, size or snapshot.volume_size
        elif kind == "image":
            device.image_id = images.get_image(tx, ctx, one["uuid"]).id
    except NotFound as error:
        raise BadRequest(f"{INVALID}: failed to get {kind} {one['uuid'][:255]}.", kind=error.kind) from None
    if kind in ("image", "blank") and not size:
        what = "Images with destination_type 'volume'" if kind == "image" else "Blank volumes"
        raise BadRequest(f"{INVALID}: {what} need to have a non-zero size specified")
    return device


def _local(blank: list[dict[str, Any]], flavor: Flavor) -> dict[str, Any]:
    """What is asked for must be within what the flavor has."""
    swaps = [one for one in blank if one.get("guest_format") == "swap"]
    ephemerals = [one for one in blank if one.get("guest_format") != "swap"]
    local: dict[str, Any] = {}
    if swaps:
        size = sum(one.get("volume_size") or flavor.swap for one in swaps)
        if len(swaps) > 1 or size > flavor.swap:
            raise BadRequest(f"{INVALID}: Swap drive requested is larger than instance type allows.")
        local["swap_mb"] = size
    if ephemerals:
        sizes = [one.get("volume_size") or flavor.ephemeral for one in ephemerals]
        if sum(sizes) > flavor.ephemeral or 0 in sizes:
            raise BadRequest(f"{INVALID}: Ephemeral disks requested are larger than the instance type allows.")
        formats = [FORMATS.get(one.get("guest_format"), "ext4") for one in ephemerals]
        local["ephemerals"] = [{"size_gb": size, "format": kind} for size, kind in zip(sizes, formats, strict=True)]
    return local


def _properties(tx: Tx, ctx: Context, planned: Devices) -> dict[str, Any]:
    if planned.image is not None:
        return planned.image.properties
    boot = next(device for device in planned.volumes if device.boot)
    if boot.image_id:
        return images.get_image(tx, ctx, boot.image_id).properties
    told: dict[str, str] = boot.volume.image_metadata if boot.volume else {}
    return {name: value for name, value in told.items() if name.startswith(images.PROPERTIES)}


def attach(tx: Tx, ctx: Context, server: Server, planned: list[Device]) -> None:
    """The rows of a server that is being created: promises of volumes, or volumes to wait for.

    Raises BadRequest, OverQuota.
    """
    rows: list[ServerVolume] = []
    for device in planned:
        volume = device.volume or _make(tx, ctx, server, device)
        row = volumes.new_row(
            server.id, volume.id, volumes.free_device(server, rows, device.boot), len(rows), boot=device.boot,
            tag=device.tag, delete_on_termination=device.delete_on_termination,
        )  # fmt: skip
        if device.volume is not None:
            volumes.reserve(tx, row, volume, server.project_id)
        tx.insert(row)
        rows.append(row)


def _make(tx: Tx, ctx: Context, server: Server, device: Device) -> volumes.Volume:
    blank = device.image_id is None and device.snapshot_id is None
    return volumes.create_volume(
        tx, ctx, size=device.size, image_id=device.image_id, snapshot_id=device.snapshot_id,
        volume_type=device.volume_type, name=f"{server.id}-blank-vol" if blank else "",
    )  # fmt: skip
