"""Attachments (Block Storage API, "Attachments"); since 3.27, completed since 3.44, with a mode since 3.54."""

from typing import Any

from pileus.block_storage import attachments, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, at_least
from pileus.block_storage.states import ATTACHED
from pileus.block_storage.store import Attachment
from pileus.core import clock
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import OPTIONAL, REQUIRED, Field, Object, Text, Uuid
from pileus.core.wire import Request

FILTERS = {
    "volume_id": Filter("volume_id", like=True), "status": Filter("attach_status", like=True),
    "instance_id": Filter("server_id", like=True), "attach_status": Filter("attach_status", like=True),
}  # fmt: skip
SORTS = ("volume_id", "server_id", "attach_status", "updated_at")


def attachment(rq: Request, attachment_id: str) -> Attachment:
    return attachments.get_attachment(rq.tx, attachment_id)


def outside(rq: Request, attachment_id: str) -> Attachment:
    """For routes without a transaction of their own."""
    with rq.cloud.db.read() as tx:
        return attachments.get_attachment(tx, attachment_id)


def _summary(row: Attachment) -> dict[str, Any]:
    return {"id": row.id, "status": row.attach_status, "instance": row.server_id or None, "volume_id": row.volume_id}


def _detail(row: Attachment) -> dict[str, Any]:
    return {
        **_summary(row),
        "attached_at": clock.naive(row.attached_at) or "",
        "detached_at": clock.naive(row.detached_at) or "",
        "attach_mode": row.attach_mode,
        "connection_info": row.connection_info,
    }


def _told(rq: Request, row: Attachment) -> dict[str, Any]:
    """How a volume is reached is told to those who may attach it."""
    with rq.cloud.db.read() as tx:
        return {"attachment": _detail(attachments.get_attachment(tx, row.id))}


@api.get("/attachments", policy="volume:attachment_get_all", since="3.27")
def list_attachments(rq: Request) -> dict[str, Any]:
    """List attachments."""
    found = listing(rq, Attachment, "attachments", FILTERS, SORTS, counted=False)
    return {"attachments": [_summary(row) for row in found.rows], **found.extra}


@api.get("/attachments/detail", policy="volume:attachment_get_all", since="3.27")
def list_attachments_in_detail(rq: Request) -> dict[str, Any]:
    """List attachments, in detail."""
    found = listing(rq, Attachment, "attachments", FILTERS, SORTS, counted=False)
    return {"attachments": [_detail(row) for row in found.rows], **found.extra}


@api.get("/attachments/{attachment_id}", policy="volume:attachment_get", on=attachment, since="3.27")
def show_attachment(rq: Request, found: Attachment) -> dict[str, Any]:
    """Show an attachment."""
    return {"attachment": _detail(found)}


def _mode(given: dict[str, Any], connector: dict[str, Any] | None) -> str:
    mode = given.get("mode") or (connector or {}).get("mode") or "rw"
    if mode not in ("rw", "ro"):
        raise BadRequest(f"Invalid volume attaching mode '{str(mode)[:100]}'.")
    return str(mode)


def _check(connector: dict[str, Any]) -> str:
    """The host that a connector names. Raises BadRequest."""
    host = connector.get("host")
    if not isinstance(host, str) or not host or len(host) > 255:
        raise BadRequest("Invalid input received: the connector must name a host.")
    return host


@api.post("/attachments", policy="volume:attachment_create", since="3.27", tx="", slow=True)
def create_attachment(rq: Request) -> dict[str, Any]:
    """Reserve a volume for a server; with a connector also let its host reach it."""
    fields: list[Field] = [
        Uuid("volume_uuid", create=REQUIRED), Uuid("instance_uuid", create=OPTIONAL),
        Object("connector", create=OPTIONAL, null=True, open=True),
    ]  # fmt: skip
    if at_least(rq, 54):
        fields.append(Text("mode", create=OPTIONAL, choices=["rw", "ro"]))
    given = Object("attachment", fields).check(rq.unwrap("attachment"))
    connector = given.get("connector")
    host = _check(connector) if connector else None
    with rq.cloud.db.write() as tx:
        volume = volumes.get_volume(tx, given["volume_uuid"])
        if not rq.allows("volume:attachment_create", volume):
            raise NotFound(f"Volume {volume.id} could not be found.", kind="VolumeNotFound")
        if volume.bootable and volume.multiattach and volume.status != "available":
            rq.authorize("volume:multiattach_bootable_volume", volume)
        attachment_id = attachments.reserve(
            tx, volume.id, given.get("instance_uuid", ""), project_id=volume.project_id, mode=_mode(given, connector)
        )
        row = attachments.get_attachment(tx, attachment_id)
    if host is not None and connector is not None:
        _connect(rq, row, host, connector)
    return _told(rq, row)


def _connect(rq: Request, row: Attachment, host: str, connector: dict[str, Any]) -> None:
    with rq.cloud.db.write() as tx:
        mountpoint = connector.get("mountpoint")
        tx.update(
            Attachment, row.id, connector=connector,
            mountpoint=mountpoint if isinstance(mountpoint, str) else row.mountpoint,
        )  # fmt: skip
    attachments.connection(rq.cloud, row.id, host)
    if not at_least(rq, 44):  # nobody will say later that it is complete
        with rq.cloud.db.write() as tx:
            attachments.complete(tx, row.id)


@api.put("/attachments/{attachment_id}", policy="volume:attachment_update", on=outside, since="3.27", tx="", slow=True)
def update_attachment(rq: Request, found: Attachment) -> dict[str, Any]:
    """Let a host reach the volume that was reserved."""
    fields = [Object("connector", create=REQUIRED, open=True)]
    connector = Object("attachment", fields).check(rq.unwrap("attachment"))["connector"]
    host = _check(connector)
    if found.attach_status == ATTACHED:
        raise BadRequest(f"Invalid volume: attachment {found.id} is complete already.")
    _connect(rq, found, host, connector)
    return _told(rq, found)


@api.do("/attachments/{attachment_id}/action", "os-complete", policy="volume:attachment_complete", on=attachment,
        since="3.44", status=204)  # fmt: skip
def complete_attachment(rq: Request, found: Attachment) -> None:
    """Say that the server has the volume."""
    attachments.complete(rq.tx, found.id)


@api.delete("/attachments/{attachment_id}", policy="volume:attachment_delete", on=outside, since="3.27", status=200,
            tx="")  # fmt: skip
def delete_attachment(rq: Request, found: Attachment) -> dict[str, Any]:
    """Let the host reach the volume no more, and the volume be available again; answers what else is attached."""
    attachments.release(rq.cloud, found.id)
    with rq.cloud.db.read() as tx:
        others = volumes.attachments_of(tx, found.volume_id)
    return {"attachments": [_summary(row) for row in others]}
