"""Files that nobody manages (Block Storage API, "Volume manage extension", "Snapshot manage extension")."""

from collections.abc import Callable
from typing import Any

from pileus.block_storage import manageable, types, volumes, zones
from pileus.block_storage.api.base import api
from pileus.block_storage.api.old_attachments import _volume
from pileus.block_storage.api.snapshots import snapshot
from pileus.block_storage.api.volume_actions import PATH
from pileus.block_storage.api.volumes import volume
from pileus.block_storage.resources.base import at_least, metadata, words
from pileus.block_storage.resources.snapshots import detail as snapshot_detail
from pileus.block_storage.resources.volumes import detail, seen
from pileus.block_storage.store import Snapshot, Volume
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, NotFound, Unavailable
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Object, Text, Uuid
from pileus.core.wire import Request

VOLUME_FIELDS: list[Field] = [
    Field("ref", create=REQUIRED), Text("host", create=OPTIONAL, null=True), words("name", create=OPTIONAL),
    words("description", create=OPTIONAL), Text("volume_type", create=OPTIONAL, null=True),
    Text("availability_zone", create=OPTIONAL, null=True), Boolean("bootable", create=OPTIONAL, default=False),
    metadata("metadata", create=OPTIONAL, null=True),
]  # fmt: skip
SNAPSHOT_FIELDS: list[Field] = [
    Field("ref", create=REQUIRED), Uuid("volume_id", create=REQUIRED), words("name", create=OPTIONAL),
    words("description", create=OPTIONAL), metadata("metadata", create=OPTIONAL, null=True),
]  # fmt: skip
Told = Callable[[Tx, Any], list[dict[str, Any]]]


def _host(rq: Request, given: dict[str, Any]) -> str:
    host, cluster = given.get("host"), given.get("cluster")
    if cluster or not host:
        raise BadRequest("Invalid input received: name a host; backends are not clustered.")
    return str(host)


def _sorted(rq: Request, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    key, _, direction = (rq.query.get("sort") or "reference:asc").partition(":")
    key = rq.query.get("sort_key") or key
    if key not in ("reference", "size") or direction not in ("", "asc", "desc"):
        raise BadRequest(f"Invalid input received: sort {key[:100]} must be reference or size, asc or desc.")
    rows.sort(key=lambda row: row[key]["source-name"] if key == "reference" else row[key], reverse=direction == "desc")
    offset = min(rq.query.number("offset") or 0, 10**6)
    limit = rq.query.number("limit")
    return rows[offset:][: 1000 if limit is None else limit]


def _list(rq: Request, told: Told, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """What a host has, asked outside of a transaction."""
    with rq.cloud.db.read() as tx:
        named = {name: rq.query.get(name) for name in ("host", "cluster")}
        host = manageable.backend_host(tx, _host(rq, named))
    stored = rq.cloud.drivers["block_storage"].stored(host)
    with rq.cloud.db.read() as tx:
        rows = _sorted(rq, told(tx, stored))
    return [{name: row[name] for name in names} for row in rows] if names else rows


SHORT = ("reference", "size", "safe_to_manage")


def _declare(path: str, since: str | None) -> None:
    """The same routes under the extensions' names and the newer ones."""
    kinds: tuple[tuple[str, Told, tuple[str, ...], str], ...] = (
        ("volume", manageable.manageable_volumes, SHORT, "volume_extension"),
        ("snapshot", manageable.manageable_snapshots, (*SHORT, "source_reference"), "snapshot_extension"),
    )
    for kind, told, short, rules in kinds:
        for detailed in (False, True):

            def list_files(
                rq: Request, kind: str = kind, told: Told = told, names: tuple[str, ...] = () if detailed else short
            ) -> dict[str, Any]:
                return {f"manageable-{kind}s": _list(rq, told, names)}

            list_files.__doc__ = f"List the files of a host that could be managed as {kind}s{', in detail' * detailed}."
            where = path.format(kind) + "/detail" * detailed
            api.get(where, policy=f"{rules}:list_manageable", since=since, tx="", slow=True)(list_files)
    api.post(path.format("volume"), policy="volume_extension:volume_manage", since=since, status=202)(_manage_volume)
    api.post(
        path.format("snapshot"), policy="snapshot_extension:snapshot_manage", since=since, status=202, tx=""
    )(_manage_snapshot)  # fmt: skip


def _manage_volume(rq: Request) -> dict[str, Any]:
    """Let a file of a host be a volume."""
    fields = [*VOLUME_FIELDS, *([Text("cluster", create=OPTIONAL, null=True)] if at_least(rq, 16) else [])]
    given = Object("volume", fields).check(rq.unwrap("volume"))
    host = manageable.backend_host(rq.tx, _host(rq, given), Unavailable)
    kind = None
    if given.get("volume_type"):
        try:
            kind = types.get_type(rq.tx, rq.ctx, given["volume_type"])
        except NotFound as error:
            raise BadRequest(f"Invalid volume type: {error.message}") from None
    values = {
        "name": given.get("name"), "description": given.get("description"), "metadata": given.get("metadata") or {},
        "bootable": given["bootable"], "availability_zone": zones.check_zone(rq.tx, given.get("availability_zone")),
    }  # fmt: skip
    reference = manageable.referred(given["ref"])
    row = manageable.manage_volume(rq.tx, rq.ctx, host, reference, kind, values)
    return {"volume": detail(rq, seen(rq, [row])[0])}


def _manage_snapshot(rq: Request) -> dict[str, Any]:
    """Let a file of a host be a volume's snapshot."""
    given = Object("snapshot", SNAPSHOT_FIELDS).check(rq.unwrap("snapshot"))
    file = manageable.file_of_snapshot(manageable.referred(given["ref"]))
    found = _volume(rq, given["volume_id"])
    stored = rq.cloud.drivers["block_storage"].stored(found.host) if found.host else []
    values = {name: given.get(name) for name in ("name", "description")}
    with rq.cloud.db.write() as tx:
        found = volumes.get_volume(tx, found.id)
        values["metadata"] = given.get("metadata") or {}
        row = manageable.manage_snapshot(tx, rq.ctx, found, file, stored, values)
    return {"snapshot": snapshot_detail(rq, row)}


_declare("/os-{}-manage", None)
_declare("/manageable_{}s", "3.8")


@api.do(PATH, "os-unmanage", policy="volume_extension:volume_unmanage", on=volume)
def unmanage_volume(rq: Request, found: Volume) -> None:
    """Let a volume be a file that nobody manages."""
    manageable.unmanage_volume(rq.tx, rq.ctx, found)


@api.do("/snapshots/{snapshot_id}/action", "os-unmanage", policy="snapshot_extension:snapshot_unmanage", on=snapshot)
def unmanage_snapshot(rq: Request, found: Snapshot) -> None:
    """Let a snapshot be a file that nobody manages."""
    manageable.unmanage_snapshot(rq.tx, found)


@api.get("/volumes/{volume_id}/encryption", policy="volume_extension:volume_encryption_metadata", on=volume)
def show_encryption(rq: Request, found: Volume) -> dict[str, Any]:
    """Show how a volume is encrypted: none is."""
    return {"encryption_key_id": None}


@api.get("/volumes/{volume_id}/encryption/{key}", policy="volume_extension:volume_encryption_metadata",
         on=lambda rq, volume_id, key: volume(rq, volume_id))  # fmt: skip
def show_encryption_item(rq: Request, found: Volume) -> dict[str, Any]:
    """Show one thing about how a volume is encrypted."""
    if rq.params["key"] != "encryption_key_id":
        raise NotFound(f"Volume {found.id} has no encryption metadata {rq.params['key'][:255]}.")
    return {"encryption_key_id": None}
