"""What is done to a server beyond starting and stopping it: rescue, shelve, resize, migrate."""

from typing import Any

from pileus.compute import lifecycle, servers
from pileus.compute.api.base import api
from pileus.compute.api.server_actions import PATH, arguments, no_arguments, null_or_arguments, simple
from pileus.compute.api.servers import POLICY, server
from pileus.compute.resources.servers import FLAVOR_REF, Reference
from pileus.compute.store import Server
from pileus.core.errors import BadRequest, Conflict, NotBuilt
from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Text
from pileus.core.microversions import Version
from pileus.core.resources import Resource
from pileus.core.wire import Request

RULE = "os_compute_api"
_PASSWORD = Text("adminPass")
_RESCUE_IMAGE = Reference("rescue_image_ref", min=1)
_ZONE = Text("availability_zone", min=1)
_HOST = Text("host", min=1)
_DISK_CONFIG = Text("OS-DCF:diskConfig", choices=["AUTO", "MANUAL"])


# -- rescue ------------------------------------------------------------------------------------------------------------


@api.do(PATH, "rescue", policy=f"{RULE}:os-rescue", on=server, status=200)
def rescue_server(rq: Request, found: Server) -> dict[str, Any]:
    """Boot a server from another image, its own disk beside it."""
    given = null_or_arguments(rq, "rescue", "adminPass", "rescue_image_ref")
    password = _PASSWORD.check(given["adminPass"]) if "adminPass" in given else None
    image_id = _RESCUE_IMAGE.check(given["rescue_image_ref"]) if "rescue_image_ref" in given else None
    return {
        "adminPass": lifecycle.rescue_server(
            rq.tx, rq.ctx, found, image_id, password, volume_backed=rq.version >= Version(2, 87)
        )
    }


simple("unrescue", f"{RULE}:os-unrescue", lifecycle.unrescue_server, "Boot a rescued server from its own disk again.")


# -- shelve ------------------------------------------------------------------------------------------------------------


simple("shelve", f"{RULE}:os-shelve:shelve", lifecycle.shelve_server, "Keep a server as an image, and free its host.")
simple(
    "shelveOffload", f"{RULE}:os-shelve:shelve_offload", lifecycle.offload_server,
    "Free a shelved server's host: here shelving has done so already, so this is always refused.",
)  # fmt: skip


@api.do(PATH, "unshelve", policy=f"{RULE}:os-shelve:unshelve", on=server)
def unshelve_server(rq: Request, found: Server) -> None:
    """Make a shelved server anew, on some host."""
    allowed = [
        name for name, since in (("availability_zone", (2, 77)), ("host", (2, 91))) if rq.version >= Version(*since)
    ]
    given = null_or_arguments(rq, "unshelve", *allowed) if allowed else {}
    if not allowed:
        no_arguments(rq, "unshelve")
    elif rq.json["unshelve"] == {}:
        raise BadRequest("Invalid input for field/attribute unshelve. It must not be empty: null is.")
    zone = given.get("availability_zone")
    unpin = "availability_zone" in given and zone is None and rq.version >= Version(2, 91)
    host = _HOST.check(given["host"]) if "host" in given else None
    if host is not None:
        rq.authorize(f"{RULE}:os-shelve:unshelve_to_host", found)
    if "availability_zone" in given and not unpin:
        zone = _ZONE.check(zone)
    lifecycle.unshelve_server(rq.tx, rq.ctx, found, zone, host, unpin)


# -- resize and migrate ------------------------------------------------------------------------------------------------


@api.do(PATH, "resize", policy=f"{POLICY}:resize", on=server)
def resize_server(rq: Request, found: Server) -> None:
    """Give a server another flavor, to be confirmed or reverted."""
    given = arguments(rq, "resize", "flavorRef", "OS-DCF:diskConfig")
    if "flavorRef" not in given:
        raise BadRequest("Invalid input for field/attribute resize. 'flavorRef' is a required property.")
    config = given.get("OS-DCF:diskConfig")
    config = None if config is None else _DISK_CONFIG.check(config)
    lifecycle.resize_server(rq.tx, rq.ctx, found, FLAVOR_REF.check(given["flavorRef"]), config)


simple(
    "confirmResize", f"{RULE}:servers:confirm_resize", lifecycle.confirm_resize,
    "Keep what a resize or migration made, and drop what was before.", status=204,
)  # fmt: skip
simple("revertResize", f"{RULE}:servers:revert_resize", lifecycle.revert_resize, "Go back to what was before a resize.")


@api.do(PATH, "migrate", policy=f"{RULE}:os-migrate-server:migrate", on=server)
def migrate_server(rq: Request, found: Server) -> None:
    """Move a server to another host while it is off, to be confirmed or reverted."""
    host = None
    if rq.version >= Version(2, 56):
        host = null_or_arguments(rq, "migrate", "host").get("host")
        if host is not None:
            rq.authorize(f"{RULE}:os-migrate-server:migrate:host", found)
    else:
        no_arguments(rq, "migrate")
    lifecycle.migrate_server(rq.tx, rq.ctx, found, None if host is None else _HOST.check(host))


# -- deletes that are configured away, and what is not built -----------------------------------------------------------


simple(
    "restore", f"{RULE}:os-deferred-delete:restore", lifecycle.restore_server,
    "Bring back what was deleted only softly: nothing ever is, so this is always refused.",
)  # fmt: skip


@api.do(PATH, "injectNetworkInfo", policy=f"{RULE}:os-admin-actions:inject_network_info", on=server)
def inject_network_info(rq: Request, found: Server) -> None:
    """Tell a server's guest its addresses anew, in its metadata."""
    no_arguments(rq, "injectNetworkInfo")
    servers.begin(rq.tx, rq.ctx, found, "inject_network_info", "injectNetworkInfo", None)
    rq.tx.after_commit(lambda: servers.tell_guest(rq.cloud, found.id, addresses=True))


@api.do(PATH, "changePassword", policy=f"{RULE}:os-admin-password", on=server)
def change_password(rq: Request, found: Server) -> None:
    """Change a guest's password: it takes an agent in the guest, which none has here, so this is refused."""
    given = arguments(rq, "changePassword", "adminPass")
    _PASSWORD.check(given.get("adminPass"))
    raise Conflict(f"Set admin password is not supported: instance {found.id} has no QEMU guest agent.")


class Auto(Boolean):
    """Also `auto`: as it has to be."""

    def convert(self, value: Any) -> Any:
        return True if value == "auto" else super().convert(value)


LIVE = Resource(
    "os-migrateLive",
    [
        Text("host", create=REQUIRED, null=True, min=1, max=255),
        Auto("block_migration", create=REQUIRED, source="with_disks"),
    ],
    earlier=[
        Boolean("block_migration", create=REQUIRED, until="2.24", source="with_disks"),
        Boolean("disk_over_commit", create=REQUIRED, until="2.24"),
        Boolean("force", create=OPTIONAL, since="2.30", until="2.67"),
    ],
)


@api.do(PATH, "os-migrateLive", policy=f"{RULE}:os-migrate-server:migrate_live", on=server)
def live_migrate(rq: Request, found: Server) -> None:
    """Move a running server to another host, with its memory and its disks."""
    given = LIVE.parse_create(rq)
    host = given["host"]
    if host is not None:
        rq.authorize(f"{RULE}:os-migrate-server:migrate_live:host", found)
    if given.get("force") and host is None:
        raise BadRequest("Can't force to a non-provided destination")
    if not given["with_disks"] and lifecycle.has_disks_to_copy(found):
        raise BadRequest(f"{found.host} is not on shared storage: its disks have to go with it (block_migration).")
    lifecycle.live_migrate_server(rq.tx, rq.ctx, found, host)


EVACUATE = Resource(
    "evacuate",
    [Text("host", create=OPTIONAL, min=1, max=255), Text("adminPass", create=OPTIONAL, source="admin_pass")],
    earlier=[
        Boolean("onSharedStorage", create=REQUIRED, until="2.13", source="shared"),
        Boolean("force", create=OPTIONAL, since="2.29", until="2.67"),
    ],
)


@api.do(PATH, "evacuate", policy=f"{RULE}:os-evacuate", on=server, status=200)
def evacuate_server(rq: Request, found: Server) -> dict[str, Any] | None:
    """Make a server anew elsewhere whose host is down; since 2.95 it is off then."""
    given = EVACUATE.parse_create(rq)
    host = given.get("host")
    if given.get("force") and host is None:
        raise BadRequest("Can't force to a non-provided destination")
    if given.get("shared"):
        raise BadRequest("Disks are not on shared storage here: what the server wrote is lost with its host.")
    stopped = rq.version >= Version(2, 95)
    password = lifecycle.evacuate_server(rq.tx, rq.ctx, found, host, given.get("admin_pass"), stopped)
    return {"adminPass": password} if rq.version < Version(2, 14) else None


@api.do(PATH, "trigger_crash_dump", policy=f"{POLICY}:trigger_crash_dump", on=server, since="2.17")
def trigger_crash_dump(rq: Request, found: Server) -> None:
    """Not built yet (501): let a guest dump its memory."""
    raise NotBuilt("Crash dumps are not built yet.")
