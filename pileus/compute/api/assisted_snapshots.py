"""Snapshots of volumes in use, as block storage may ask for them (Compute API, "Assisted volume snapshots").

Elsewhere a server's hypervisor makes them, in a file that block storage names. Here the volume's host copies the volume
under the snapshot's id while its servers stand still, as for every snapshot.
"""

import json
from typing import Any

from pileus.compute import volumes
from pileus.compute.api.base import api
from pileus.core.errors import BadRequest
from pileus.core.fields import REQUIRED, Object, Text, Uuid
from pileus.core.wire import Request

POLICY = "os_compute_api:os-assisted-volume-snapshots"
SNAPSHOT = Object(
    "snapshot",
    [
        Uuid("volume_id", create=REQUIRED),
        Object(
            "create_info",
            [
                Uuid("snapshot_id", create=REQUIRED), Text("type", create=REQUIRED, choices=["qcow2"]),
                Text("new_file", create=REQUIRED, min=1), Text("id"),
            ],
            create=REQUIRED,
        ),
    ],
)  # fmt: skip
DELETE = Object("delete_info", [Uuid("volume_id", create=REQUIRED)], open=True)


@api.post("/os-assisted-volume-snapshots", policy=f"{POLICY}:create", tx="")
def create_assisted_snapshot(rq: Request) -> dict[str, Any]:
    """Make a snapshot of a volume that a server has."""
    given = SNAPSHOT.check(rq.unwrap("snapshot"))
    info = given["create_info"]
    volumes.copy_in_use(rq.cloud, given["volume_id"], info["snapshot_id"])
    return {"snapshot": {"id": info.get("id") or info["snapshot_id"], "volumeId": given["volume_id"]}}


@api.delete(
    "/os-assisted-volume-snapshots/{snapshot_id}", policy=f"{POLICY}:delete", status=204, tx="", query={"delete_info"}
)
def delete_assisted_snapshot(rq: Request) -> None:
    """Delete a snapshot that was made so."""
    try:
        info = DELETE.check(json.loads(rq.query.get("delete_info") or "null"))
    except ValueError:
        raise BadRequest("Invalid input for query parameters delete_info. It must be an object in JSON.") from None
    volumes.drop_copy(rq.cloud, info["volume_id"], Uuid("snapshot_id").check(rq.params["snapshot_id"]))
