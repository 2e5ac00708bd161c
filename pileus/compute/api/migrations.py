"""Records of moves (Compute API, "Migrations", "Server migrations")."""

from typing import Any, NamedTuple

from pileus.compute import hosts, lifecycle, migrations
from pileus.compute.api.base import api
from pileus.compute.api.server_actions import without_transaction
from pileus.compute.api.servers import server
from pileus.compute.store import Migration, Server
from pileus.core import clock, paging
from pileus.core.errors import BadRequest, EngineError, EngineUnavailable
from pileus.core.fields import Field, Integer, Text
from pileus.core.microversions import Version
from pileus.core.paging import Sort, Where
from pileus.core.resources import Resource
from pileus.core.wire import Request
from pileus.node import protocol as p

POLICY = "os_compute_api:os-migrations"
ONES = "os_compute_api:servers:migrations"


def _number(flavor_id: str) -> int | None:
    """Clients want a number here, which most flavors do not have."""
    return int(flavor_id) if flavor_id.isascii() and flavor_id.isdigit() and len(flavor_id) < 10 else None


MIGRATION = Resource(
    "migration",
    [
        Integer("id"),
        Text("uuid", since="2.59"),
        Text("source_node", show=lambda row: row.source),
        Text("dest_node", show=lambda row: row.dest or None),
        Text("source_compute", show=lambda row: row.source),
        Text("dest_compute", show=lambda row: row.dest or None),
        Text("dest_host", show=lambda row: None),
        Text("status"),
        Text("instance_uuid", show=lambda row: row.server_id),
        Field("old_instance_type_id", show=lambda row: _number(row.old_flavor.id)),
        Field("new_instance_type_id", show=lambda row: _number(row.new_flavor.id)),
        Text("created_at", show=lambda row: clock.naive(row.created_at)),
        Text("updated_at", show=lambda row: clock.naive(row.updated_at)),
        Text("migration_type", since="2.23", show=lambda row: row.kind),
        Text("user_id", since="2.80"),
        Text("project_id", since="2.80"),
    ],
)
FILTERS = {
    "status": "status", "instance_uuid": "server_id", "source_compute": "source", "migration_type": "kind",
    "user_id": "user_id", "project_id": "project_id",
}  # fmt: skip
QUERY = {*FILTERS, "host", "hidden", "limit", "marker", "changes-since", "changes-before"}


@api.get("/os-migrations", policy=f"{POLICY}:index", query=QUERY)
def list_migrations(rq: Request) -> dict[str, Any]:
    """List moves of servers, newest first: one's project's own, or for administrators all."""
    if (project_id := rq.query.get("project_id")) is None or project_id != rq.ctx.project_id:
        rq.authorize(f"{POLICY}:index:all_projects")
    where = []
    for name, column in FILTERS.items():
        if name == "user_id" and rq.version < Version(2, 80):
            continue
        if value := rq.query.get(name):
            where.append(Where(column, "eq", value))
    for name, operator, since in (("changes-since", "gte", (2, 59)), ("changes-before", "lte", (2, 66))):
        text = rq.query.get(name)
        if text and rq.version >= Version(*since):
            try:
                where.append(Where("updated_at", operator, clock.canonical(text)))
            except (ValueError, OverflowError):
                raise BadRequest(f"Invalid filter field: {name}. Value: {text[:100]}. It must be a time.") from None
    paged = rq.version >= Version(2, 59)
    limit = rq.query.number("limit") if paged else None
    found = paging.page(
        rq, Migration, where, [Sort("created_at", True)], limit=min(1000 if limit is None else limit, 1000),
        marker=rq.query.get("marker") if paged else None, marker_column="uuid",
    )  # fmt: skip
    view = MIGRATION.viewer(rq)
    host = rq.query.get("host")
    rows = [row for row in found.rows if host in (None, "", row.source, row.dest)]
    body: dict[str, Any] = {"migrations": [_placed(view(row), rq.allows(f"{POLICY}:index:host")) for row in rows]}
    more = paging.links(rq, "", found, id_of=lambda row: row.uuid) if paged else {}
    return body | ({"migrations_links": more["_links"]} if more else {})


PLACES = {"source_node", "dest_node", "source_compute", "dest_compute", "dest_host"}


def _placed(body: dict[str, Any], hosts_shown: bool) -> dict[str, Any]:
    """Whoever may not know hosts sees that there are some."""
    return body if hosts_shown else {name: None if name in PLACES else value for name, value in body.items()}


# -- live migrations that go on ----------------------------------------------------------------------------------------


class Progress(NamedTuple):
    """A live migration, and what its host says of it; a host that does not answer says nothing."""

    move: Migration
    told: p.Migration


def _count(name: str) -> Integer:
    return Integer(f"{name}_bytes", show=lambda seen: getattr(seen.told, name) or None)


LIVE = Resource(
    "migration",
    [
        Integer("id", show=lambda seen: seen.move.id),
        Text("uuid", since="2.59", show=lambda seen: seen.move.uuid),
        Text("server_uuid", show=lambda seen: seen.move.server_id),
        Text("status", show=lambda seen: seen.move.status),
        Text("source_node", show=lambda seen: seen.move.source),
        Text("dest_node", show=lambda seen: seen.move.dest or None),
        Text("source_compute", show=lambda seen: seen.move.source),
        Text("dest_compute", show=lambda seen: seen.move.dest or None),
        Text("dest_host", show=lambda seen: None),
        *(_count(f"{what}_{part}") for what in ("memory", "disk") for part in ("total", "processed", "remaining")),
        Text("created_at", show=lambda seen: clock.naive(seen.move.created_at)),
        Text("updated_at", show=lambda seen: clock.naive(seen.move.updated_at)),
        Text("user_id", since="2.80", show=lambda seen: seen.move.user_id),
        Text("project_id", since="2.80", show=lambda seen: seen.move.project_id),
    ],
)
NOBODY = p.Migration(state="none")


def _told(rq: Request, move: Migration) -> p.Migration:
    try:
        node: p.Node = rq.cloud.drivers["compute"].get(move.source)
        return node.migration(p.ServerRef(move.server_id))
    except (EngineUnavailable, EngineError):
        return NOBODY


@api.get("/servers/{server_id}/migrations", policy=f"{ONES}:index", on=without_transaction, since="2.23", tx="")
def list_live_migrations(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's live migrations that go on: one at most."""
    with rq.cloud.db.read() as tx:
        moves = migrations.going_on(tx, found.id)
    view, hosts_shown = LIVE.viewer(rq), rq.allows(f"{ONES}:index:host", found)
    return {"migrations": [_placed(view(Progress(move, _told(rq, move))), hosts_shown) for move in moves]}


@api.get(
    "/servers/{server_id}/migrations/{migration_id}", policy=f"{ONES}:show", on=without_transaction, since="2.23", tx=""
)
def show_live_migration(rq: Request, found: Server) -> dict[str, Any]:
    """Show a live migration that goes on."""
    with rq.cloud.db.read() as tx:
        move = migrations.get_live(tx, found.id, rq.params["migration_id"])
    return {"migration": LIVE.view(rq, Progress(move, _told(rq, move)))}


@api.delete(
    "/servers/{server_id}/migrations/{migration_id}", policy=f"{ONES}:delete", on=server, since="2.24", status=202
)
def abort_live_migration(rq: Request, found: Server) -> None:
    """Abort a live migration: the guest stays where it is."""
    move = migrations.get_live(rq.tx, found.id, rq.params["migration_id"])
    if move.status == "queued" and rq.version < Version(2, 65):
        raise BadRequest(f"Migration {move.id} of instance {found.id} is queued: it cannot be aborted yet.")
    lifecycle.abort_live_migration(rq.tx, rq.ctx, found, move)


@api.do(
    "/servers/{server_id}/migrations/{migration_id}/action", "force_complete", policy=f"{ONES}:force_complete",
    on=without_transaction, since="2.22", tx="",
)  # fmt: skip
def force_live_migration(rq: Request, found: Server) -> None:
    """Let a live migration end by letting the guest stand still meanwhile."""
    if rq.json["force_complete"] is not None:
        raise BadRequest("Invalid input for field/attribute force_complete. It takes no arguments.")
    with rq.cloud.db.read() as tx:
        move = migrations.get_live(tx, found.id, rq.params["migration_id"])
    if move.status != "running":
        raise BadRequest(f"Migration {move.id} state of instance {found.id} is {move.status}: it is not running.")
    rq.cloud.drivers["compute"].get(move.source).pause_migration(p.ServerRef(found.id))


# -- the audit of usage that hosts once wrote --------------------------------------------------------------------------

AUDIT = "os_compute_api:os-instance-usage-audit-log"


def _audit(rq: Request, before: str | None) -> dict[str, Any]:
    names = [row.name for row in hosts.list_hosts(rq.tx)]
    end = clock.naive(clock.now() if before is None else before)
    return {
        "total_errors": 0, "total_instances": 0, "hosts_not_run": names, "num_hosts": len(names), "num_hosts_done": 0,
        "num_hosts_not_run": len(names), "num_hosts_running": 0,
        "overall_status": f"0 of {len(names)} hosts done. 0 errors.",
        "period_beginning": end, "period_ending": end, "log": {},
    }  # fmt: skip


@api.get("/os-instance_usage_audit_log", policy=f"{AUDIT}:list")
def list_usage_audits(rq: Request) -> dict[str, Any]:
    """Show the audit of usage of the last period: hosts here keep none."""
    return {"instance_usage_audit_logs": _audit(rq, None)}


@api.get("/os-instance_usage_audit_log/{before}", policy=f"{AUDIT}:show")
def show_usage_audit(rq: Request) -> dict[str, Any]:
    """Show the audit of usage before a time: hosts here keep none."""
    text = rq.params["before"]
    try:
        return {"instance_usage_audit_log": _audit(rq, clock.canonical(text.replace("%20", " ")))}
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid timestamp for date {text[:100]}") from None
