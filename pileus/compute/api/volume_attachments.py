"""Volumes of servers (Compute API, "Servers with volume attachments")."""

from typing import Any

from pileus.compute import volume_attachments, volumes
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.resources.servers import TAG
from pileus.compute.store import Server, ServerVolume
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Text, Uuid
from pileus.core.microversions import Version
from pileus.core.resources import Resource
from pileus.core.wire import Request

POLICY = "os_compute_api:os-volumes-attachments"
ALL, ONE = "/servers/{server_id}/os-volume_attachments", "/servers/{server_id}/os-volume_attachments/{volume_id}"
DEVICE = r"(/dev/)?[A-Za-z0-9._/-]*"

ATTACHMENT = Resource(
    "volumeAttachment",
    [
        Uuid("volumeId", create=REQUIRED, source="volume_id", show=lambda row: row.volume_id),
        Text("serverId", show=lambda row: row.server_id),
        Text("device", create=OPTIONAL, null=True, min=1, pattern=DEVICE, show=lambda row: f"/dev/{row.device}"),
        Text("tag", create=OPTIONAL, min=1, max=60, pattern=TAG, since="2.70", show=lambda row: row.tag),
        Boolean("delete_on_termination", create=OPTIONAL, default=False, since="2.79",
                show=lambda row: row.delete_on_termination),
        Field("attachment_id", since="2.89", show=lambda row: row.attachment_id),
        Field("bdm_uuid", since="2.89", show=lambda row: row.id),
    ],
    earlier=[
        Field("id", until="2.88", show=lambda row: row.volume_id),
        Text("tag", create=OPTIONAL, min=1, max=60, pattern=TAG, since="2.49", until="2.69"),
    ],
)  # fmt: skip
SHOWN = ["id", "volumeId", "serverId", "device", "tag", "delete_on_termination", "attachment_id", "bdm_uuid"]
MADE = {"id", "volumeId", "serverId", "device", "tag", "delete_on_termination"}
CHANGE = Resource(
    "volumeAttachment",
    [
        Uuid("volumeId", create=REQUIRED, source="volume_id"),
        Text("device", create=OPTIONAL, null=True),
        Text("tag", create=OPTIONAL, null=True, since="2.85"),
        Text("id", create=OPTIONAL, since="2.85", source="attachment"),
        Text("serverId", create=OPTIONAL, since="2.85", source="server_id"),
        Boolean("delete_on_termination", create=OPTIONAL, since="2.85"),
    ],
)  # fmt: skip


def _shown(rq: Request, row: ServerVolume) -> dict[str, Any]:
    view = ATTACHMENT.viewer(rq, only=set(SHOWN) - ({"tag"} if rq.version < Version(2, 70) else set()))
    return view(row)


@api.get(ALL, policy=f"{POLICY}:index", on=server, query={"limit", "offset"})
def list_volume_attachments(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's volumes."""
    rows = volumes.of_server(rq.tx, found.id)
    limit, offset = _number(rq, "limit"), _number(rq, "offset") or 0
    rows = rows[offset : None if limit is None else offset + limit]
    return {"volumeAttachments": [_shown(rq, row) for row in rows]}


def _number(rq: Request, name: str) -> int | None:
    text = rq.query.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise BadRequest(f"Invalid input for query parameters {name}. Value: {text[:100]}. It must be a number.")
    return int(text)


@api.get(ONE, policy=f"{POLICY}:show", on=server)
def show_volume_attachment(rq: Request, found: Server) -> dict[str, Any]:
    """Show one of a server's volumes."""
    return {"volumeAttachment": _shown(rq, volumes.get_attached(rq.tx, found.id, rq.params["volume_id"]))}


@api.post(ALL, policy=f"{POLICY}:create", on=server)
def attach_volume(rq: Request, found: Server) -> dict[str, Any]:
    """Give a server a volume; it is plugged in while the guest runs."""
    given = ATTACHMENT.parse_create(rq)
    row = volume_attachments.attach_volume(
        rq.tx, rq.ctx, found, given["volume_id"], shared=rq.version >= Version(2, 60), tag=given.get("tag"),
        delete_on_termination=bool(given.get("delete_on_termination")),
    )  # fmt: skip
    body = _shown(rq, row)
    return {"volumeAttachment": {"id": row.volume_id} | {name: body[name] for name in body if name in MADE}}


@api.put(ONE, policy=f"{POLICY}:update", on=server, status=202)
def update_volume_attachment(rq: Request, found: Server) -> None:
    """Change what becomes of a volume when its server is deleted; or, for administrators, give another instead."""
    given = CHANGE.parse_create(rq)
    row = volumes.get_attached(rq.tx, found.id, rq.params["volume_id"])
    if given["volume_id"] != row.volume_id or rq.version < Version(2, 85):
        rq.authorize(f"{POLICY}:swap", found)
        if given["volume_id"] == row.volume_id:
            raise BadRequest("Old and new volume are the same.")
        volume_attachments.swap_volume(rq.tx, rq.ctx, found, row, given["volume_id"])
        return
    fixed = {"attachment": row.volume_id, "server_id": found.id, "device": f"/dev/{row.device}", "tag": row.tag}
    for name, value in fixed.items():
        if name in given and given[name] != value:
            raise BadRequest(f"An attachment's {name} cannot be changed.")
    if "delete_on_termination" in given:
        volume_attachments.update_attachment(rq.tx, row, given["delete_on_termination"])


@api.delete(ONE, policy=f"{POLICY}:delete", on=server, status=202)
def detach_volume(rq: Request, found: Server) -> None:
    """Take a volume from a server; the guest is asked to let go of it."""
    row = volumes.get_attached(rq.tx, found.id, rq.params["volume_id"])
    volume_attachments.detach_volume(rq.tx, rq.ctx, found, row)
