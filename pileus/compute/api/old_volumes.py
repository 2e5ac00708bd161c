"""Volumes as compute once had them: an older door to block storage, closed since 2.36."""

from typing import Any

from pileus.compute import volumes
from pileus.compute.api.base import api
from pileus.compute.volumes import Snapshot, Volume
from pileus.core import clock
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Strings, Text
from pileus.core.resources import Resource
from pileus.core.wire import Request, Response

POLICY, UNTIL = "os_compute_api:os-volumes", "2.35"
_NAMES = [Text("display_name", create=OPTIONAL, null=True), Text("display_description", create=OPTIONAL, null=True)]
VOLUME = Resource(
    "volume",
    [
        *_NAMES, Integer("size", min=1, create=REQUIRED), Text("volume_type", create=OPTIONAL, null=True),
        Strings("metadata", create=OPTIONAL), Text("snapshot_id", create=OPTIONAL, null=True),
        Text("availability_zone", create=OPTIONAL, null=True),
    ],
)  # fmt: skip
SNAPSHOT = Resource(
    "snapshot", [*_NAMES, Text("volume_id", create=REQUIRED), Boolean("force", create=OPTIONAL, default=False)]
)


def volume(rq: Request, volume_id: str, *_: str) -> Volume:
    return volumes.get_volume(rq.tx, rq.ctx, volume_id)


def snapshot(rq: Request, snapshot_id: str, *_: str) -> Snapshot:
    return volumes.get_snapshot(rq.tx, rq.ctx, snapshot_id)


def _volume(rq: Request, found: Volume) -> dict[str, Any]:
    attached = [
        {"id": found.id, "volumeId": found.id, "serverId": one.server_id, "device": one.mountpoint}
        for one in volumes.attachments_of(rq.tx, found.id)
    ]
    return {
        "id": found.id, "status": found.status, "size": found.size, "availabilityZone": found.availability_zone,
        "createdAt": clock.naive(found.created_at), "attachments": attached or [{}], "displayName": found.name,
        "displayDescription": found.description, "snapshotId": found.snapshot_id, "metadata": found.metadata,
        "volumeType": volumes.type_name(rq.tx, found),
    }  # fmt: skip


def _snapshot(found: Snapshot) -> dict[str, Any]:
    return {
        "id": found.id, "status": found.status, "size": found.volume_size, "createdAt": clock.naive(found.created_at),
        "displayName": found.name, "displayDescription": found.description, "volumeId": found.volume_id,
    }  # fmt: skip


def _page(rq: Request, found: list[Any]) -> list[Any]:
    limit, offset = rq.query.number("limit"), rq.query.number("offset") or 0
    return found[offset : None if limit is None else offset + limit]


@api.get("/os-volumes", policy=f"{POLICY}:list", until=UNTIL, query={"limit", "offset"})
def list_volumes(rq: Request) -> dict[str, Any]:
    """List volumes."""
    return {"volumes": [_volume(rq, one) for one in _page(rq, volumes.list_volumes(rq.tx, rq.ctx))]}


@api.get("/os-volumes/detail", policy=f"{POLICY}:detail", until=UNTIL, query={"limit", "offset"})
def list_volumes_detail(rq: Request) -> dict[str, Any]:
    """List volumes with all they say."""
    return {"volumes": [_volume(rq, one) for one in _page(rq, volumes.list_volumes(rq.tx, rq.ctx))]}


@api.post("/os-volumes", policy=f"{POLICY}:create", until=UNTIL)
def create_volume(rq: Request) -> Response:
    """Create a volume."""
    given = VOLUME.parse_create(rq)
    made = volumes.create_volume(
        rq.tx, rq.ctx, size=given["size"], name=given.get("display_name"), snapshot_id=given.get("snapshot_id"),
        description=given.get("display_description"), metadata=given.get("metadata") or {},
        volume_type=given.get("volume_type"), availability_zone=given.get("availability_zone"),
    )  # fmt: skip
    return Response({"volume": _volume(rq, made)}, 200, {"location": f"{rq.base}/os-volumes/{made.id}"})


@api.get("/os-volumes/{volume_id}", policy=f"{POLICY}:show", on=volume, until=UNTIL)
def show_volume(rq: Request, found: Volume) -> dict[str, Any]:
    """Show a volume."""
    return {"volume": _volume(rq, found)}


@api.delete("/os-volumes/{volume_id}", policy=f"{POLICY}:delete", on=volume, until=UNTIL, status=202)
def delete_volume(rq: Request, found: Volume) -> None:
    """Delete a volume."""
    volumes.remove_volume(rq.tx, rq.ctx, found)


@api.get("/os-snapshots", policy=f"{POLICY}:snapshots:list", until=UNTIL, query={"limit", "offset"})
def list_snapshots(rq: Request) -> dict[str, Any]:
    """List snapshots of volumes."""
    return {"snapshots": [_snapshot(one) for one in _page(rq, volumes.list_snapshots(rq.tx, rq.ctx))]}


@api.get("/os-snapshots/detail", policy=f"{POLICY}:snapshots:detail", until=UNTIL, query={"limit", "offset"})
def list_snapshots_detail(rq: Request) -> dict[str, Any]:
    """List snapshots of volumes with all they say."""
    return {"snapshots": [_snapshot(one) for one in _page(rq, volumes.list_snapshots(rq.tx, rq.ctx))]}


@api.post("/os-snapshots", policy=f"{POLICY}:snapshots:create", until=UNTIL)
def create_snapshot(rq: Request) -> dict[str, Any]:
    """Create a snapshot of a volume."""
    given = SNAPSHOT.parse_create(rq)
    found = volumes.get_volume(rq.tx, rq.ctx, given["volume_id"])
    made = volumes.create_snapshot(
        rq.tx, rq.ctx, found, in_use=given["force"], name=given.get("display_name"),
        description=given.get("display_description"),
    )  # fmt: skip
    return {"snapshot": _snapshot(made)}


@api.get("/os-snapshots/{snapshot_id}", policy=f"{POLICY}:snapshots:show", on=snapshot, until=UNTIL)
def show_snapshot(rq: Request, found: Snapshot) -> dict[str, Any]:
    """Show a snapshot of a volume."""
    return {"snapshot": _snapshot(found)}


@api.delete("/os-snapshots/{snapshot_id}", policy=f"{POLICY}:snapshots:delete", on=snapshot, until=UNTIL, status=202)
def delete_snapshot(rq: Request, found: Snapshot) -> None:
    """Delete a snapshot of a volume."""
    volumes.delete_snapshot(rq.tx, rq.ctx, found)
