"""Attaching in the steps of before 3.27 (Block Storage API, "Volume actions")."""

from typing import Any

import msgspec

from pileus.block_storage import attachments, volume_actions, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.volume_actions import ADMIN, PATH, body
from pileus.block_storage.api.volumes import volume
from pileus.block_storage.states import ATTACHED, ERROR
from pileus.block_storage.store import Attachment, Volume
from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Field, Text, Uuid
from pileus.core.wire import Request

RULE = "volume_extension:volume_actions"


@api.do(PATH, "os-reserve", policy=f"{RULE}:reserve", on=volume)
def reserve(rq: Request, found: Volume) -> None:
    """Mark a volume as about to be attached."""
    volume_actions.old_reserve(rq.tx, found)


@api.do(PATH, "os-unreserve", policy=f"{RULE}:unreserve", on=volume)
def unreserve(rq: Request, found: Volume) -> None:
    """Take that mark back."""
    volume_actions.old_unreserve(rq.tx, found)


@api.do(PATH, "os-begin_detaching", policy=f"{RULE}:begin_detaching", on=volume)
def begin_detaching(rq: Request, found: Volume) -> None:
    """Mark a volume as about to be detached."""
    attachments.begin_detaching(rq.tx, found.id)


@api.do(PATH, "os-roll_detaching", policy=f"{RULE}:roll_detaching", on=volume)
def roll_detaching(rq: Request, found: Volume) -> None:
    """Take that mark back."""
    attachments.roll_detaching(rq.tx, found.id)


@api.do(PATH, "os-attach", policy=f"{RULE}:attach", on=volume)
def attach(rq: Request, found: Volume) -> None:
    """Note that a server or a host has a volume."""
    given = body(
        rq, Text("mountpoint", create=REQUIRED, min=1), Uuid("instance_uuid", create=OPTIONAL),
        Text("host_name", create=OPTIONAL), Text("mode", create=OPTIONAL, default="rw", choices=["rw", "ro"]),
    )  # fmt: skip
    if "instance_uuid" not in given and "host_name" not in given:
        raise BadRequest("Invalid input for field/attribute os-attach. Either instance_uuid or host_name is required.")
    now = clock.now()
    row = Attachment(
        id=clock.new_id(), volume_id=found.id, project_id=found.project_id, server_id=given.get("instance_uuid", ""),
        attach_status=ATTACHED, attach_mode=given["mode"], created_at=now, updated_at=now, mountpoint=given["mountpoint"],
        attached_at=now, connector={"host": given["host_name"]} if "host_name" in given else {}, legacy=True,
    )  # fmt: skip
    volume_actions.old_attach(rq.tx, rq.ctx, found, row)


def _released(rq: Request, found: Volume, attachment_id: str | None) -> None:
    """Outside of a transaction: the volume may be exported."""
    with rq.cloud.db.read() as tx:
        one = volume_actions.find_attached(tx, found, attachment_id)
    if one is not None:
        attachments.release(rq.cloud, one.id)
    else:
        with rq.cloud.db.write() as tx:
            attachments.settle(tx, found.id)


def _volume(rq: Request, volume_id: str) -> Volume:
    """For routes without a transaction of their own."""
    with rq.cloud.db.read() as tx:
        return volumes.get_volume(tx, volume_id)


@api.do(
    PATH,
    "os-detach",
    policy=f"{RULE}:detach",
    on=_volume,
    tx="",
)
def detach(rq: Request, found: Volume) -> None:
    """Note that nobody has a volume any more."""
    rq.json["os-detach"] = rq.json["os-detach"] or {}
    given = body(rq, Uuid("attachment_id", create=OPTIONAL, null=True))
    _released(rq, found, given.get("attachment_id"))


@api.do(PATH, "os-force_detach", policy=f"{ADMIN}:force_detach", on=_volume, tx="")
def force_detach(rq: Request, found: Volume) -> None:
    """Take a volume from whoever is said to have it, without asking there."""
    given = body(rq, Field("connector", create=OPTIONAL, null=True), Text("attachment_id", create=OPTIONAL, null=True))
    _released(rq, found, given.get("attachment_id"))
    with rq.cloud.db.write() as tx:  # also of one that an administrator has marked as broken
        attachments.settle(tx, found.id, whatever=found.status in (ERROR, "error_detaching"))


@api.do(PATH, "os-initialize_connection", policy=f"{RULE}:initialize_connection", on=_volume, tx="", status=200)
def initialize_connection(rq: Request, found: Volume) -> dict[str, Any]:
    """Let a host reach a volume, and tell how."""
    connector = body(rq, Field("connector", create=REQUIRED))["connector"]
    if not isinstance(connector, dict) or not isinstance(connector.get("host"), str):
        raise BadRequest("Invalid input received: connector must be an object that names a host.")
    if found.host is None:
        raise BadRequest(f"Invalid volume: Volume {found.id} lies on no host.")
    reached = rq.cloud.drivers["block_storage"].connect(found.host, found.id, connector["host"], bool(found.readonly))
    data = {name: value for name, value in msgspec.to_builtins(reached).items() if name != "kind"}
    return {"connection_info": {"driver_volume_type": reached.kind, "data": data, "enforce_multipath": False}}


@api.do(PATH, "os-terminate_connection", policy=f"{RULE}:terminate_connection", on=_volume, tx="")
def terminate_connection(rq: Request, found: Volume) -> None:
    """Let a host reach a volume no more."""
    connector = body(rq, Field("connector", create=REQUIRED, null=True))["connector"]
    host = connector.get("host") if isinstance(connector, dict) else None
    if isinstance(host, str) and found.host is not None:
        rq.cloud.drivers["block_storage"].disconnect(found.host, found.id, host)
    with rq.cloud.db.write() as tx:
        volume_actions.old_unreserve(tx, volumes.get_volume(tx, found.id))
