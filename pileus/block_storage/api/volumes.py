"""Volumes (Block Storage API, "Volumes")."""

from typing import Any

from pileus.block_storage import backups, groups, images, snapshots, types, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import at_least, everybody, flag
from pileus.block_storage.resources.volumes import (
    CHANGED_VOLUME,
    FILTERS,
    LOOSE_VOLUME,
    NEW_VOLUME,
    SORTS,
    detail,
    extended,
    seen,
    summary,
)  # fmt: skip
from pileus.block_storage.store import Volume
from pileus.core.errors import BadRequest, NotFound
from pileus.core.paging import Where, page
from pileus.core.wire import Request


def volume(rq: Request, volume_id: str) -> Volume:
    return volumes.get_volume(rq.tx, volume_id)


def one(rq: Request, row: Volume) -> dict[str, Any]:
    return {"volume": detail(rq, seen(rq, [row])[0])}


def mine(rq: Request, rule: str, row: Any) -> Any:
    """A thing named in a body, that the caller may see. Raises NotFound."""
    if not rq.allows(rule, row):
        raise NotFound(f"{type(row).__name__} {row.id} could not be found.")
    return row


# -- lists -------------------------------------------------------------------------------------------------------------


@api.get("/volumes", policy="volume:get_all")
def list_volumes(rq: Request) -> dict[str, Any]:
    """List volumes, by name."""
    found = listing(rq, Volume, "volumes", FILTERS, SORTS)
    return {"volumes": [summary(rq, row) for row in found.rows], **found.extra}


@api.get("/volumes/detail", policy="volume:get_all")
def list_volumes_in_detail(rq: Request) -> dict[str, Any]:
    """List volumes, in detail."""
    found = listing(rq, Volume, "volumes", FILTERS, SORTS)
    return {"volumes": [extended(rq, each) for each in seen(rq, found.rows)], **found.extra}


@api.get("/volumes/summary", policy="volume:get_all", since="3.12")
def summarize_volumes(rq: Request) -> dict[str, Any]:
    """Show how many volumes there are, how large all are, and since 3.36 what metadata they have."""
    where = [] if everybody(rq) else [Where("project_id", "eq", rq.ctx.project_id)]
    rows = page(rq, Volume, where).rows
    body: dict[str, Any] = {"total_count": len(rows), "total_size": sum(row.size for row in rows)}
    if at_least(rq, 36):
        words: dict[str, list[str]] = {}
        for row in rows:
            for key, value in row.metadata.items():
                if value not in words.setdefault(key, []):
                    words[key].append(value)
        body["metadata"] = words
    return {"volume-summary": body}


# -- one ---------------------------------------------------------------------------------------------------------------


def _given(rq: Request) -> dict[str, Any]:
    unknown = set(rq.json) - {"volume", "OS-SCH-HNT:scheduler_hints"}
    if unknown:
        raise BadRequest(f"Additional properties are not allowed ({', '.join(sorted(unknown))[:200]}).")
    given = dict(rq.unwrap("volume"))
    hints = given.pop("OS-SCH-HNT:scheduler_hints", given.pop("scheduler_hints", None))
    hints = rq.json.get("OS-SCH-HNT:scheduler_hints", hints)
    if hints is not None and not isinstance(hints, dict):
        raise BadRequest("Invalid input for field/attribute OS-SCH-HNT:scheduler_hints. It must be an object.")
    found = (NEW_VOLUME if at_least(rq, 53) else LOOSE_VOLUME).parse_create(rq, given)
    for older, name in (("display_name", "name"), ("display_description", "description")):
        if older in found:
            found[name] = found.pop(older)
    return {**found, "hints": hints or {}}


@api.post("/volumes", policy="volume:create", status=202)
def create_volume(rq: Request) -> dict[str, Any]:
    """Create a volume: empty, or from an image, a snapshot, another volume or a backup."""
    given = _given(rq)
    if given["multiattach"]:
        raise BadRequest("The multiattach parameter has been removed: use a volume type with multiattach enabled.")
    wanted = volumes.Wanted(
        size=given["size"], name=given["name"], description=given["description"],
        volume_type=types.get_type(rq.tx, rq.ctx, given["volume_type"]) if given["volume_type"] else None,
        metadata=given["metadata"] or {}, availability_zone=given["availability_zone"], hints=given["hints"],
    )  # fmt: skip
    _sources(rq, given, wanted)
    if types.is_multiattach(wanted.volume_type):
        rq.authorize("volume:multiattach")
    return one(rq, volumes.create_volume(rq.tx, rq.ctx, wanted))


def _sources(rq: Request, given: dict[str, Any], wanted: volumes.Wanted) -> None:
    """What the body names, looked up as its caller sees it."""
    if given["snapshot_id"]:
        found = snapshots.get_snapshot(rq.tx, given["snapshot_id"])
        wanted.snapshot = mine(rq, "volume:get_snapshot", found)
    if given["source_volid"]:
        wanted.source = mine(rq, "volume:get", volumes.get_volume(rq.tx, given["source_volid"]))
    reference = given["imageRef"] if given["imageRef"] is not None else given["image_id"]
    if reference is not None:
        rq.authorize("volume:create_from_image")
        image = images.find_image(rq.tx, rq.ctx, reference)
        snapshot_id = images.snapshot_of(image) if at_least(rq, 46) else None
        if snapshot_id is not None:
            wanted.snapshot = mine(rq, "volume:get_snapshot", snapshots.get_snapshot(rq.tx, snapshot_id))
        else:
            wanted.image = image
    if given.get("backup_id"):
        wanted.backup = mine(rq, "backup:get", backups.get_backup(rq.tx, given["backup_id"]))
    if group_id := given.get("group_id") or given["consistencygroup_id"]:
        wanted.group = mine(rq, "group:get", groups.get_group(rq.tx, group_id))


@api.get("/volumes/{volume_id}", policy="volume:get", on=volume)
def show_volume(rq: Request, found: Volume) -> dict[str, Any]:
    """Show a volume."""
    return {"volume": extended(rq, seen(rq, [found])[0])}


@api.put("/volumes/{volume_id}", policy="volume:update", on=volume)
def update_volume(rq: Request, found: Volume) -> dict[str, Any]:
    """Change a volume's name, description or metadata."""
    given = CHANGED_VOLUME.parse_update(rq)
    for older, name in (("display_name", "name"), ("display_description", "description")):
        if older in given:
            given[name] = given.pop(older)
    if not given and at_least(rq, 53):
        raise BadRequest("Invalid input for field/attribute volume. There is nothing in it to change.")
    return one(rq, volumes.update_volume(rq.tx, found, given))


@api.delete("/volumes/{volume_id}", policy="volume:delete", on=volume, status=202)
def delete_volume(rq: Request, found: Volume) -> None:
    """Delete a volume; with `cascade` its snapshots too, with `force` whatever its state."""
    force = bool(at_least(rq, 23) and "force" in rq.query and flag(rq.query.get("force"), "force"))
    cascade = bool("cascade" in rq.query and flag(rq.query.get("cascade"), "cascade"))
    if force:
        rq.authorize("volume:force_delete", found)
    volumes.delete_volume(rq.tx, rq.ctx, found, cascade=cascade, force=force)
