"""What is done to a volume (Block Storage API, "Volume actions")."""

from typing import Any

from pileus.block_storage import images, volume_actions, volumes
from pileus.block_storage.api.base import api
from pileus.block_storage.api.volumes import volume
from pileus.block_storage.resources.base import at_least
from pileus.block_storage.states import IN_USE, VOLUME_STATES
from pileus.block_storage.store import Volume
from pileus.core.errors import BadRequest
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Integer, Object, Text, Uuid
from pileus.core.wire import Request

PATH = "/volumes/{volume_id}/action"
ADMIN = "volume_extension:volume_admin_actions"


def body(rq: Request, *fields: Field) -> dict[str, Any]:
    """The action's arguments, checked. Raises BadRequest."""
    action = rq.route.action or ""
    found: dict[str, Any] = Object(action, fields).check(rq.json[action])
    return found


@api.do(PATH, "os-extend", policy="volume:extend", on=volume)
def extend(rq: Request, found: Volume) -> None:
    """Make a volume larger; one in use since 3.42."""
    given = body(rq, Integer("new_size", create=REQUIRED, min=1))
    in_use = at_least(rq, 42)
    if in_use and found.status == IN_USE:
        rq.authorize("volume:extend_attached_volume", found)
    volume_actions.extend(rq.tx, rq.ctx, found, given["new_size"], in_use=in_use)


@api.do(PATH, "os-extend_volume_completion", policy="volume_extension:volume_admin_actions:extend_volume_completion",
        on=volume, since="3.71")  # fmt: skip
def complete_extend(rq: Request, found: Volume) -> None:
    """Say that a guest has seen its volume grow: it has done so by itself (always refused)."""
    body(rq, Field("error", create=OPTIONAL, null=True))
    raise BadRequest(f"Invalid volume: Volume {found.id} does not wait for anybody to complete its extend.")


@api.do(PATH, "os-reset_status", policy=f"{ADMIN}:reset_status", on=volume)
def reset_status(rq: Request, found: Volume) -> None:
    """Set what a volume's row says of its state."""
    given = body(
        rq, Text("status", create=OPTIONAL, null=True), Text("attach_status", create=OPTIONAL, null=True),
        Text("migration_status", create=OPTIONAL, null=True),
    )  # fmt: skip
    given = {name: value.lower() if value else None for name, value in given.items()}
    if not any(given.values()):
        raise BadRequest("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    for name, known in (
        ("status", VOLUME_STATES), ("attach_status", volume_actions.RESETTABLE_ATTACH),
        ("migration_status", volume_actions.MIGRATIONS),
    ):  # fmt: skip
        if given.get(name) and given[name] not in known:
            raise BadRequest(f"Invalid input for field/attribute {name}. Value: {given[name]}. Use {', '.join(known)}.")
    volume_actions.reset_status(rq.tx, found, given)


@api.do(PATH, "os-force_delete", policy=f"{ADMIN}:force_delete", on=volume)
def force_delete(rq: Request, found: Volume) -> None:
    """Delete a volume whatever its state."""
    volumes.delete_volume(rq.tx, rq.ctx, found, force=True)


@api.do(PATH, "os-update_readonly_flag", policy="volume:update_readonly_flag", on=volume)
def set_readonly(rq: Request, found: Volume) -> None:
    """Let a volume be attached to be read only, or again to be written too."""
    volume_actions.set_readonly(rq.tx, found, body(rq, Boolean("readonly", create=REQUIRED))["readonly"])


@api.do(PATH, "os-set_bootable", policy="volume:update", on=volume, status=200)
def set_bootable(rq: Request, found: Volume) -> None:
    """Say whether servers can boot from a volume."""
    volume_actions.set_bootable(rq.tx, found, body(rq, Boolean("bootable", create=REQUIRED))["bootable"])


@api.do(PATH, "os-retype", policy="volume:retype", on=volume)
def retype(rq: Request, found: Volume) -> None:
    """Let a volume be of another type; it goes to another backend for it where that is wanted."""
    given = body(
        rq, Text("new_type", create=REQUIRED, min=1),
        Text("migration_policy", create=OPTIONAL, null=True, choices=["on-demand", "never"]),
    )  # fmt: skip
    may_move = given.get("migration_policy") == "on-demand"
    volume_actions.retype(rq.tx, rq.ctx, found, given["new_type"], may_move)


@api.do(PATH, "os-migrate_volume", policy=f"{ADMIN}:migrate_volume", on=volume)
def migrate(rq: Request, found: Volume) -> None:
    """Take a volume to another backend."""
    fields: list[Field] = [
        Text("host", create=OPTIONAL, null=True), Boolean("force_host_copy", create=OPTIONAL),
        Boolean("lock_volume", create=OPTIONAL, default=False),
    ]  # fmt: skip
    if at_least(rq, 16):
        fields.append(Text("cluster", create=OPTIONAL, null=True))
    given = body(rq, *fields)
    if bool(given.get("host")) == bool(given.get("cluster")):
        raise BadRequest("Invalid input received: one of host and cluster has to be named, and only one.")
    if given.get("cluster"):
        raise BadRequest(f"Invalid input received: there is no cluster {given['cluster']}: backends are not clustered.")
    volume_actions.migrate(rq.tx, rq.ctx, found, given["host"], given["lock_volume"])


@api.do(PATH, "os-migrate_volume_completion", policy=f"{ADMIN}:migrate_volume_completion", on=volume)
def complete_migrate(rq: Request, found: Volume) -> None:
    """Say that another service has copied a volume: nobody else does here (always refused)."""
    body(rq, Uuid("new_volume", create=REQUIRED), Field("error", create=OPTIONAL, null=True))
    raise BadRequest(f"Invalid volume: Source volume {found.id} is not mid-migration.")


@api.do(PATH, "revert", policy="volume:revert_to_snapshot", on=volume, since="3.40")
def revert(rq: Request, found: Volume) -> None:
    """Take a volume back to its newest snapshot."""
    given = rq.unwrap("revert")
    volume_actions.revert(rq.tx, rq.ctx, found, given.get("snapshot_id"))


@api.do(PATH, "os-volume_upload_image", policy="volume_extension:volume_actions:upload_image", on=volume)
def upload_image(rq: Request, found: Volume) -> dict[str, Any]:
    """Make an image of a volume."""
    fields: list[Field] = [
        Text("image_name", create=REQUIRED, min=1), Boolean("force", create=OPTIONAL, default=False),
        Text("disk_format", create=OPTIONAL, default="raw",
             choices=["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]),
        Text("container_format", create=OPTIONAL, null=True, default="bare"),
    ]  # fmt: skip
    if at_least(rq, 1):
        kinds = ["community", "public", "private", "shared"]
        fields += [
            Text("visibility", create=OPTIONAL, default="private", choices=kinds),
            Boolean("protected", create=OPTIONAL, default=False),
        ]
    given = {"visibility": "private", "protected": False, **body(rq, *fields)}
    given["container_format"] = given["container_format"] or "bare"
    if given["disk_format"] == "ploop":
        raise BadRequest("No image of format ploop can be made here.")
    if given["visibility"] == "public":
        rq.authorize("volume_extension:volume_actions:upload_public", found)
    image = volume_actions.upload(rq.tx, rq.ctx, found, given["force"], given)
    answer: dict[str, Any] = {
        "id": found.id, "updated_at": found.updated_at, "status": "uploading", "display_description": found.description,
        "size": found.size, "volume_type": None, "image_id": image.id, "container_format": given["container_format"],
        "disk_format": given["disk_format"], "image_name": image.name,
    }  # fmt: skip
    if at_least(rq, 1):
        answer |= {"visibility": given["visibility"], "protected": given["protected"]}
    return {"os-volume_upload_image": answer}


@api.do(PATH, "os-reimage", policy="volume:reimage", on=volume, since="3.68")
def reimage(rq: Request, found: Volume) -> None:
    """Put another image's bytes into a volume."""
    fields = (Uuid("image_id", create=REQUIRED), Boolean("reimage_reserved", create=OPTIONAL, default=False))
    given = body(rq, *fields)
    if given["reimage_reserved"]:
        rq.authorize("volume:reimage_reserved", found)
    volume_actions.reimage(rq.tx, rq.ctx, found, given["image_id"], given["reimage_reserved"])


# -- what the volume remembers of its image ----------------------------------------------------------------------------


@api.do(PATH, "os-show_image_metadata", policy="volume:get_volume_metadata", on=volume, status=200)
def show_image_metadata(rq: Request, found: Volume) -> dict[str, Any]:
    """Show what a volume remembers of its image."""
    return {"metadata": found.image_metadata}


@api.do(PATH, "os-set_image_metadata", policy="volume_extension:volume_image_metadata:set", on=volume, status=200)
def set_image_metadata(rq: Request, found: Volume) -> dict[str, Any]:
    """Change what a volume remembers of its image."""
    given = body(rq, images.properties("metadata", create=REQUIRED))["metadata"]
    kept = {**found.image_metadata, **given}
    volumes.change(rq.tx, found.id, image_metadata=kept)
    return {"metadata": kept}


@api.do(PATH, "os-unset_image_metadata", policy="volume_extension:volume_image_metadata:remove", on=volume, status=200)
def unset_image_metadata(rq: Request, found: Volume) -> None:
    """Let a volume forget something of its image."""
    key = body(rq, Text("key", create=REQUIRED, min=1))["key"]
    if key not in found.image_metadata:
        raise volumes.no_metadata(found, key)
    volumes.change(rq.tx, found.id, image_metadata={k: v for k, v in found.image_metadata.items() if k != key})
