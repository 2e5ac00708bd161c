"""What is asked of a server beyond starting and stopping: each a check of its state, and a saga."""

import json
import secrets
from typing import Any

import msgspec

from pileus.compute import hosts, images, instance_actions, migrations, quotas, states, volumes
from pileus.compute.sagas.evacuate import EVACUATE
from pileus.compute.sagas.live import LIVE
from pileus.compute.sagas.rebuild import REBUILD
from pileus.compute.sagas.rescue import RESCUE, UNRESCUE
from pileus.compute.sagas.resize import CONFIRM, RESIZE, REVERT
from pileus.compute.sagas.shelve import SHELVE, SHELVE_FROM_VOLUME, UNSHELVE
from pileus.compute.sagas.snapshot import IMAGE, IMAGE_OF_VOLUMES
from pileus.compute.scheduler import Need
from pileus.compute.server_create import check_image, get_flavor, get_key, placeable, snapshot
from pileus.compute.servers import begin, plain, save
from pileus.compute.store import ImageSnapshot, Migration, Server, disk_gb
from pileus.core import saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound

# -- rescue ------------------------------------------------------------------------------------------------------------


def rescue_server(
    tx: Tx, ctx: Context, server: Server, image_id: str | None, password: str | None, volume_backed: bool = False
) -> str:
    """Its administrator's password while it is rescued. Raises Conflict, BadRequest."""
    if not server.root_image_id and not volume_backed:
        raise BadRequest(f"Cannot rescue a volume-backed instance {server.id}: that needs microversion 2.87.")
    image = images.get_image(tx, ctx, image_id or server.root_image_id or _image_of_volume(tx, server))
    if image.status != "active":
        raise BadRequest(f"Image {image.id} is not active.")
    _on_a_host(server, "rescue")
    begin(tx, ctx, server, "rescue", "rescue", "compute_rescue_instance")
    password = password or secrets.token_urlsafe(9)
    save(tx, server, rescue_image_id=image.id, admin_pass=password)
    saga.start(tx, RESCUE, f"server/{server.id}", ctx, host=server.host)
    return password


def _image_of_volume(tx: Tx, server: Server) -> str:
    """What the volume that it boots from was made of. Raises BadRequest."""
    row = volumes.boot_volume(tx, server.id)
    volume = volumes.find_volume(tx, row.volume_id) if row else None
    found = volume.image_metadata.get("image_id") if volume else None
    if not found:
        raise BadRequest(f"Instance {server.id} boots from a volume that no image is known of: name one.")
    return str(found)


unrescue_server = plain("unrescue", UNRESCUE, "compute_unrescue_instance")


def _on_a_host(server: Server, verb: str) -> None:
    if server.host is None:
        raise Conflict(f"Cannot '{verb}' instance {server.id}: it was never on a host.")


# -- rebuild -----------------------------------------------------------------------------------------------------------


def rebuild_server(tx: Tx, ctx: Context, server: Server, given: dict[str, Any], reimage: bool = False) -> Server:
    """`reimage`: also of the volume that it boots from. Raises Conflict, BadRequest, Forbidden."""
    _on_a_host(server, "rebuild")
    image = images.get_image(tx, ctx, given["image_id"])
    other = not server.root_image_id and image.id != _image_of_volume(tx, server)
    if other and not reimage:
        raise BadRequest("Unable to rebuild with a different image for a volume-backed server.")
    if server.root_image_id:
        check_image(image, server.flavor)
    changes: dict[str, Any] = {
        "base_image_id": "", "rescue_image_id": "",
        "admin_pass": given.get("admin_pass") or secrets.token_urlsafe(9), "password": "",
    }  # fmt: skip
    if server.root_image_id:
        changes |= {"image": ImageSnapshot(image.id, image.properties), "image_id": image.id}
    if "key_name" in given:
        key = get_key(tx, ctx, given["key_name"])
        changes |= {
            "key_name": key.name if key else None, "public_key": key.public_key if key else None,
            "key_type": key.type if key else None,
        }  # fmt: skip
    if given.get("personality"):
        quotas.check_files(tx, server.project_id, given["personality"])
        changes["files"] = {file["path"]: file["contents"] for file in given["personality"]}
    if "metadata" in given:
        quotas.check_metadata(tx, server.project_id, len(given["metadata"]))
    for name in ("name", "description", "metadata", "user_data", "hostname", "disk_config", "access_ip_v4",
                 "access_ip_v6"):  # fmt: skip
        if name in given:
            changes[name] = given[name]
    begin(tx, ctx, server, "rebuild", "rebuild", "compute_rebuild_instance")
    save(tx, server, **changes)
    saga.start(tx, REBUILD, f"server/{server.id}", ctx, host=server.host, reimage=image.id if other else None)
    return server


# -- images ------------------------------------------------------------------------------------------------------------


def create_image(tx: Tx, ctx: Context, server: Server, name: str, metadata: dict[str, str]) -> str:
    """The id of an image that will have the server's disk. Raises Conflict, OverQuota."""
    begin(tx, ctx, server, "createImage", "createImage", "compute_snapshot_instance")
    if not server.root_image_id:
        image_id = _image(tx, server, name, "snapshot", _snapshots(tx, ctx, server, name) | metadata)
        saga.start(tx, IMAGE_OF_VOLUMES, f"server/{server.id}", ctx, image_id=image_id)
        return image_id
    image_id = _image(tx, server, name, "snapshot", metadata)
    saga.start(tx, IMAGE, f"server/{server.id}", ctx, host=server.host, image_id=image_id)
    return image_id


def _snapshots(tx: Tx, ctx: Context, server: Server, name: str) -> dict[str, str]:
    """A server that boots from a volume becomes snapshots, and an image that only says which these are."""
    devices = []
    for row in volumes.of_server(tx, server.id):
        volume = volumes.find_volume(tx, row.volume_id)
        if volume is not None:
            made = volumes.create_snapshot(tx, ctx, volume, in_use=True, name=f"snapshot for {name}"[:255])
            devices.append({
                "source_type": "snapshot", "destination_type": "volume", "snapshot_id": made.id,
                "boot_index": 0 if row.boot else None, "device_name": f"/dev/{row.device}", "volume_size": volume.size,
                "delete_on_termination": row.delete_on_termination, "tag": row.tag,
            })  # fmt: skip
    told = json.dumps(devices)
    return {"block_device_mapping": told, "bdm_v2": "True", "root_device_name": server.root_device_name or "/dev/vda"}


def create_backup(
    tx: Tx, ctx: Context, server: Server, name: str, kind: str, rotation: int, metadata: dict[str, str]
) -> str:
    """As create_image; of its kind only the newest `rotation` are kept. Raises Conflict, OverQuota."""
    if not server.root_image_id:
        raise BadRequest("Backup is not supported for volume-backed instances.")
    begin(tx, ctx, server, "backup", "createBackup", "compute_backup_instance")
    image_id = _image(tx, server, name, "backup", {**metadata, "backup_type": kind})
    saga.start(
        tx, IMAGE, f"server/{server.id}", ctx, host=server.host, image_id=image_id, rotation=rotation, backup_type=kind
    )
    return image_id


def _image(tx: Tx, server: Server, name: str, kind: str, metadata: dict[str, str]) -> str:
    kept = {key: str(value) for key, value in (server.image.properties if server.image else {}).items()}
    properties = {
        **kept,
        "instance_uuid": server.id,
        "user_id": server.user_id,
        "image_type": kind,
        "base_image_ref": server.image_id,
        **metadata,
    }
    if not server.root_image_id:
        return images.create_image(tx, server.project_id, name, properties, 0, 0, "raw")  # without a byte
    return images.create_image(tx, server.project_id, name, properties, server.flavor.disk, 0)


# -- shelve ------------------------------------------------------------------------------------------------------------


def shelve_server(tx: Tx, ctx: Context, server: Server) -> None:
    """Raises Conflict, OverQuota."""
    begin(tx, ctx, server, "shelve", "shelve", "compute_shelve_instance")
    if not server.root_image_id:
        saga.start(tx, SHELVE_FROM_VOLUME, f"server/{server.id}", ctx, host=server.host)
        return
    image_id = _image(tx, server, f"{server.name}-shelved"[:255], "snapshot", {})
    saga.start(tx, SHELVE, f"server/{server.id}", ctx, host=server.host, image_id=image_id)


def offload_server(tx: Tx, ctx: Context, server: Server) -> None:
    """What is shelved leaves its host at once, so that there is never anything to offload. Raises Conflict."""
    states.check("shelveOffload", server.id, server.vm_state, server.task_state)


def restore_server(tx: Tx, ctx: Context, server: Server) -> None:
    """A delete is never soft, so that there is never anything to bring back. Raises Conflict."""
    states.check("restore", server.id, server.vm_state, server.task_state)


def unshelve_server(
    tx: Tx, ctx: Context, server: Server, zone: str | None, host: str | None, unpin: bool = False
) -> None:
    """In this zone and pinned to it from now on, or unpinned. Raises Conflict, BadRequest."""
    if zone is not None and zone not in hosts.zones(tx):
        raise BadRequest(f"The requested availability zone is not available: {zone}")
    if host is not None:
        placeable(tx, host)
    begin(tx, ctx, server, "unshelve", "unshelve", "compute_unshelve_instance")
    if zone is not None or unpin:
        save(tx, server, pinned_availability_zone=zone)
    need = _need(server, server.flavor, zone or server.pinned_availability_zone, host)
    saga.start(tx, UNSHELVE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need))


def _need(server: Server, flavor: Any, zone: str | None, host: str | None, avoid: list[str] | None = None) -> Need:
    need = Need(flavor.vcpus, flavor.ram, disk_gb(flavor), zone, host)
    need.avoid = avoid or []
    return need


# -- resize and cold migration -----------------------------------------------------------------------------------------


def resize_server(tx: Tx, ctx: Context, server: Server, flavor_id: str, disk_config: str | None) -> None:
    """Raises Conflict, BadRequest, Forbidden (quota)."""
    flavor = get_flavor(tx, ctx, flavor_id)
    if flavor.id == server.flavor_id:
        raise BadRequest("When resizing, instances must change flavor!")
    if flavor.disk < server.flavor.disk and flavor.disk:
        raise BadRequest("Flavor's disk is smaller than the server's: a disk does not shrink.")
    if flavor.disk == 0 and server.flavor.disk:
        raise BadRequest("A server with a root disk cannot be resized to a flavor without one.")
    if flavor.ephemeral < server.flavor.ephemeral:
        raise BadRequest("Flavor's ephemeral disk is smaller than the server's: a disk does not shrink.")
    states.check("resize", server.id, server.vm_state, server.task_state)
    quotas.check_growth(tx, server.project_id, flavor.vcpus - server.vcpus, flavor.ram - server.ram)
    old_disk_config = server.disk_config
    begin(tx, ctx, server, "resize", "resize", "compute_prep_resize")
    move = migrations.begin(tx, ctx, server, snapshot(flavor), "resize")
    if disk_config is not None and disk_config != old_disk_config:
        save(tx, server, disk_config=disk_config)
    need = _need(server, move.new_flavor, server.pinned_availability_zone, None)
    saga.start(tx, RESIZE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need), migration=move.uuid)


def migrate_server(tx: Tx, ctx: Context, server: Server, host: str | None) -> None:
    """To another host, which may be named. Raises Conflict, BadRequest."""
    states.check("migrate", server.id, server.vm_state, server.task_state)
    if host is not None:
        if host == server.host:
            raise BadRequest("The target host can't be the same one.")
        placeable(tx, host)
    begin(tx, ctx, server, "migrate", "migrate", "cold_migrate")
    move = migrations.begin(tx, ctx, server, server.flavor, "migration")
    need = _need(server, server.flavor, server.pinned_availability_zone, host, [server.host or ""])
    need.grouped = "the server is there already"
    saga.start(tx, RESIZE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need), migration=move.uuid)


def has_disks_to_copy(server: Server) -> bool:
    """Volumes stay where they are, and a config drive is made anew."""
    ephemerals, swap = volumes.local_disks(server)
    return bool(server.root_image_id or ephemerals or swap)


def live_migrate_server(tx: Tx, ctx: Context, server: Server, host: str | None) -> None:
    """To another host, which may be named, while it runs. Raises Conflict, BadRequest."""
    if host is not None:
        if host == server.host:
            raise BadRequest("The target host can't be the same one.", kind="UnableToMigrateToSelf")
        placeable(tx, host)
    begin(tx, ctx, server, "os-migrateLive", "live-migration", "conductor_live_migrate_instance")
    move = migrations.begin(tx, ctx, server, server.flavor, migrations.LIVE)
    migrations.set_status(tx, move, "queued")
    need = _need(server, server.flavor, server.pinned_availability_zone, host, [server.host or ""])
    need.grouped = "the server is there already"
    saga.start(tx, LIVE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need), migration=move.uuid)


def abort_live_migration(tx: Tx, ctx: Context, server: Server, move: Migration) -> None:
    """The guest stays where it is, unless it has arrived. Raises BadRequest."""
    if move.status not in ("queued", "preparing", "migrating", "running"):
        raise BadRequest(f"Migration {move.id} state of instance {server.id} is {move.status}: it cannot be aborted.")
    migrations.set_status(tx, move, "cancelling")
    instance_actions.begin(tx, server, ctx, "live_migration_cancel")
    saga.cancel(tx, f"server/{server.id}")


def evacuate_server(tx: Tx, ctx: Context, server: Server, host: str | None, password: str | None, stopped: bool) -> str:
    """Its administrator's password from then on; off if `stopped`, else as it was. Raises Conflict, BadRequest, NotFound."""
    if host is not None and hosts.find_host(tx, host) is None:
        raise NotFound(f"Compute host {host[:255]} not found.", kind="ComputeHostNotFound")
    if host is not None and host == server.host:
        raise BadRequest("The target host can't be the same one.")
    states.check("evacuate", server.id, server.vm_state, server.task_state)
    _on_a_host(server, "evacuate")
    source = hosts.find_host(tx, server.host or "")
    if source is not None and hosts.is_up(source):
        raise BadRequest(f"Compute service of {source.name} is still in use.", kind="ComputeServiceInUse")
    begin(tx, ctx, server, "evacuate", "evacuate", "rebuild_instance")
    move = migrations.begin(tx, ctx, server, server.flavor, "evacuation")
    password = password or secrets.token_urlsafe(9)
    changes: dict[str, Any] = {"admin_pass": password, "rescue_image_id": "", "password": ""}
    save(tx, server, **changes, vm_state=states.STOPPED if stopped else server.vm_state)
    need = _need(server, server.flavor, server.pinned_availability_zone, host, [server.host or ""])
    need.grouped = "the server's own host is down"
    saga.start(tx, EVACUATE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need), migration=move.uuid)
    return password


def confirm_resize(tx: Tx, ctx: Context, server: Server) -> None:
    """Raises Conflict, BadRequest."""
    _settle(tx, ctx, server, "confirmResize", "compute_confirm_resize", CONFIRM)


def revert_resize(tx: Tx, ctx: Context, server: Server) -> None:
    """Raises Conflict, BadRequest."""
    _settle(tx, ctx, server, "revertResize", "compute_revert_resize", REVERT)


def _settle(tx: Tx, ctx: Context, server: Server, verb: str, event: str, kind: saga.Saga) -> None:
    states.check(verb, server.id, server.vm_state, server.task_state)
    try:
        move = migrations.find_open(tx, server.id)
    except NotFound as error:
        raise BadRequest(error.message, kind=error.kind) from None
    if move.status in ("confirming", "reverting"):
        raise Conflict(f"Cannot '{verb}' instance {server.id}: it is {move.status} already.")
    begin(tx, ctx, server, verb, verb, event)
    migrations.set_status(tx, move, "confirming" if kind is CONFIRM else "reverting")
    saga.start(
        tx, kind, f"server/{server.id}", ctx, host=server.host, source=move.source, dest=move.dest, migration=move.uuid
    )
