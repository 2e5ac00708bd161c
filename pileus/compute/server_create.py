"""Server create, the request's part: everything is checked, then rows, quota and saga are written in one transaction.

What follows (a host, ports, disks, the guest) is `sagas/create.py`.
"""

import re
import secrets
import unicodedata
from typing import Any

import msgspec

from pileus.compute import (
    block_devices,
    flavors,
    hosts,
    images,
    instance_actions,
    keypairs,
    networks,
    quotas,
    server_groups,
    states,
)
from pileus.compute.block_devices import Devices
from pileus.compute.images import BootImage
from pileus.compute.sagas.create import CREATE
from pileus.compute.scheduler import Need
from pileus.compute.store import Flavor, FlavorSnapshot, ImageSnapshot, KeyPair, Server, ServerPort, ServerTag, disk_gb
from pileus.core import clock, saga
from pileus.core.context import Context
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound

ZONE = re.compile(r"[^:]*(:[^:]*){0,2}")


class Made(msgspec.Struct):
    """What a create request returns."""

    servers: list[Server]
    reservation_id: str


class Placing(msgspec.Struct):
    """Where a server was asked to be."""

    zone: str | None = None
    host: str | None = None
    forced: bool = False
    hints: dict[str, Any] = {}
    shared_volumes: bool = False  # the caller's version knows of volumes that several servers have


def create_servers(tx: Tx, ctx: Context, given: dict[str, Any], placing: Placing) -> Made:
    """One or more servers of one kind. Raises BadRequest, Forbidden, Conflict, NotFound, OverQuota."""
    project_id = ctx.project_id or ""
    least, most = _counts(given)
    flavor = get_flavor(tx, ctx, given["flavor_id"])
    quotas.check_files(tx, project_id, given.get("personality") or [])
    planned = block_devices.plan(tx, ctx, given, flavor, most, placing.shared_volumes)
    if planned.image is not None:
        check_image(planned.image, flavor)
    key = get_key(tx, ctx, given.get("key_name"))
    quotas.check_metadata(tx, project_id, len(given["metadata"]))
    groups = list(dict.fromkeys(group["name"] for group in given["security_groups"])) or ["default"]
    wanted = given.get("networks")
    _check_many(wanted, most)
    if placing.zone and placing.zone not in hosts.zones(tx):
        raise BadRequest("The requested availability zone is not available")
    first = networks.plan(tx, ctx, wanted, groups)
    count = quotas.spend(tx, project_id, least, most, flavor.vcpus, flavor.ram)
    made = Made([], f"r-{secrets.token_hex(4)}")
    for index in range(count):
        server = _server(ctx, given, flavor, planned, key, groups, made.reservation_id)
        if count > 1:
            server.name, server.hostname = f"{server.name}-{index + 1}", f"{server.hostname[:60]}-{index + 1}"
            server.launch_index = index
        server.pinned_availability_zone, server.scheduler_hints = placing.zone, placing.hints
        server.availability_zone = placing.zone or ""
        _write(tx, ctx, server, first if index == 0 else networks.plan(tx, ctx, wanted, groups), placing)
        block_devices.attach(tx, ctx, server, planned.volumes)
        made.servers.append(server)
    return made


def _write(tx: Tx, ctx: Context, server: Server, ports: list[ServerPort], placing: Placing) -> None:
    tx.insert(server)
    server_groups.join(tx, ctx, server, server.scheduler_hints)
    tx.insert_many(ServerTag(server.id, tag) for tag in server.tags)
    for position, port in enumerate(ports):
        port.server_id, port.position = server.id, position
        networks.create(tx, ctx, server, port)
    instance_actions.begin(tx, server, ctx, "create", "compute__do_build_and_run_instance")
    need = Need(server.vcpus, server.ram, disk_gb(server.flavor), placing.zone, placing.host, placing.forced)
    saga.start(tx, CREATE, f"server/{server.id}", ctx, need=msgspec.to_builtins(need))


def _server(
    ctx: Context, given: dict[str, Any], flavor: Flavor, planned: Devices, key: KeyPair | None,
    groups: list[str], reservation_id: str,
) -> Server:  # fmt: skip
    now = clock.now()
    server_id = clock.new_id()
    image_id = planned.image.id if planned.image else ""
    return Server(
        id=server_id,
        project_id=ctx.project_id or "",
        user_id=ctx.user_id or "",
        name=given["name"],
        description=given.get("description"),
        hostname=given.get("hostname") or host_name(given["name"], server_id),
        vm_state=states.BUILDING,
        task_state=states.SCHEDULING,
        image=ImageSnapshot(image_id, planned.properties),
        image_id=image_id,
        local_disks=planned.local,
        flavor=snapshot(flavor),
        flavor_id=flavor.id,
        vcpus=flavor.vcpus,
        ram=flavor.ram,
        key_name=key.name if key else None,
        public_key=key.public_key if key else None,
        key_type=key.type if key else None,
        user_data=given["user_data"],
        files={file["path"]: file["contents"] for file in given.get("personality") or []},
        metadata=given["metadata"],
        config_drive=bool(given["config_drive"]),
        admin_pass=given.get("admin_pass") or secrets.token_urlsafe(9),
        security_groups=groups,
        tags=given.get("tags") or [],
        reservation_id=reservation_id,
        disk_config=given["disk_config"],
        access_ip_v4=given["access_ip_v4"],
        access_ip_v6=given["access_ip_v6"],
        root_device_name="/dev/vda",
        created_at=now,
        updated_at=now,
    )  # fmt: skip


def snapshot(flavor: Flavor) -> FlavorSnapshot:
    return FlavorSnapshot(
        flavor.id, flavor.name, flavor.vcpus, flavor.ram, flavor.disk, flavor.ephemeral, flavor.swap, flavor.extra_specs
    )


def host_name(name: str, server_id: str) -> str:
    """A server's name as its guest may be called (RFC 1123): what does not fit is left out."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-zA-Z0-9-]", "", re.sub(r"[ _.]", "-", plain)).strip("-").lower()[:63].strip("-")
    return plain or f"server-{server_id}"


# -- checks ------------------------------------------------------------------------------------------------------------


def _counts(given: dict[str, Any]) -> tuple[int, int]:
    least = given["min_count"]
    most = given.get("max_count") or least
    if least > most:
        raise BadRequest("min_count must be <= max_count")
    return least, most


def _check_many(wanted: networks.Wanted, most: int) -> None:
    if most > 1 and isinstance(wanted, list):
        for nic in wanted:
            if nic.get("port") or nic.get("fixed_ip"):
                raise BadRequest("Several servers cannot share a port or a fixed IP: ask for them one by one.")


def get_flavor(tx: Tx, ctx: Context, flavor_id: str) -> Flavor:
    """One the caller may use. Raises BadRequest."""
    try:
        return flavors.get_flavor(tx, flavor_id, ctx.project_id, all_projects="admin" in ctx.roles)
    except NotFound as error:
        raise BadRequest(error.message, kind=error.kind) from None


def placeable(tx: Tx, host: str) -> None:
    """Raises BadRequest for a host that is not there."""
    if hosts.find_host(tx, host) is None:
        raise BadRequest(f"Compute host {host[:255]} could not be found.", kind="ComputeHostNotFound")


def check_image(image: BootImage, flavor: Flavor | FlavorSnapshot) -> None:
    """Whether a server of this size can boot from it. Raises BadRequest."""
    image_id = image.id
    if image.status != "active":
        raise BadRequest(f"Image {image_id} is not active.")
    if flavor.ram < image.min_ram:
        raise BadRequest("Flavor's memory is too small for requested image.")
    if flavor.disk:
        if flavor.disk < image.min_disk:
            raise BadRequest(
                f"The created instance's disk would be too small: {flavor.disk} GiB, the image wants {image.min_disk}."
            )
        if max(image.size, image.virtual_size or 0) > flavor.disk << 30:
            raise BadRequest("Flavor's disk is too small for requested image.")
    if image.format not in images.FORMATS:
        raise BadRequest(f"Image {image_id} has disk_format {image.format}: no host here can boot from that.")


def get_key(tx: Tx, ctx: Context, name: str | None) -> KeyPair | None:
    if name is None:
        return None
    try:
        return keypairs.get_keypair(tx, ctx.user_id or "", name)
    except NotFound:
        raise BadRequest(f"Invalid key_name provided: there is no key pair {name}.") from None
