"""Images of servers, and servers made anew from images: createImage, createBackup, rebuild."""

from typing import Any

from pileus.compute import lifecycle
from pileus.compute.api import server_views
from pileus.compute.api.base import api
from pileus.compute.api.server_actions import PATH
from pileus.compute.api.servers import POLICY, server
from pileus.compute.resources.servers import BACKUP, CHANGED, IMAGE, REBUILD, UPDATED, server_links
from pileus.compute.store import Server
from pileus.core.microversions import Version
from pileus.core.wire import Request, Response


def _made(rq: Request, image_id: str) -> Response:
    if rq.version >= Version(2, 45):
        return Response({"image_id": image_id}, 202)
    return Response(None, 202, {"location": f"{rq.root}/image/v2/images/{image_id}"})


@api.do(PATH, "createImage", policy=f"{POLICY}:create_image", on=server)
def create_image(rq: Request, found: Server) -> Response:
    """Make an image of a server's disk."""
    given = IMAGE.parse_create(rq)
    return _made(rq, lifecycle.create_image(rq.tx, rq.ctx, found, given["name"], given["metadata"]))


@api.do(PATH, "createBackup", policy="os_compute_api:os-create-backup", on=server)
def create_backup(rq: Request, found: Server) -> Response:
    """Make an image of a server's disk, and drop the oldest beyond a number."""
    given = BACKUP.parse_create(rq)
    image_id = lifecycle.create_backup(
        rq.tx, rq.ctx, found, given["name"], given["backup_type"], given["rotation"], given["metadata"]
    )
    return _made(rq, image_id) if given["rotation"] else Response(None, 202)


@api.do(PATH, "rebuild", policy=f"{POLICY}:rebuild", on=server)
def rebuild_server(rq: Request, found: Server) -> Response:
    """Make a server's disks anew from an image; its addresses and its place stay."""
    given = REBUILD.parse_create(rq)
    if given.get("name") is not None:
        given["name"] = given["name"].strip()
    rebuilt = lifecycle.rebuild_server(rq.tx, rq.ctx, found, given, reimage=rq.version >= Version(2, 93))
    within = (
        CHANGED if rq.version >= Version(2, 75) else UPDATED | ({"key_name"} if rq.version >= Version(2, 54) else set())
    )
    body: dict[str, Any] = server_views.one(rq, rebuilt, within)["server"]
    body["adminPass"] = rebuilt.admin_pass
    if rq.version >= Version(2, 57):
        body["user_data"] = rebuilt.user_data
    return Response({"server": body}, 202, {"location": server_links(rq.root, found.id)[0]["href"]})
