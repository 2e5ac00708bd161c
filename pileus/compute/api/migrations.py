"""Records of moves (Compute API, "Migrations", "Server migrations")."""

from typing import Any

from pileus.compute import hosts
from pileus.compute.api.base import api
from pileus.compute.api.servers import server
from pileus.compute.store import Migration, Server
from pileus.core import clock, paging
from pileus.core.errors import BadRequest, NotFound
from pileus.core.fields import Field, Integer, Text
from pileus.core.microversions import Version
from pileus.core.paging import Sort, Where
from pileus.core.resources import Resource
from pileus.core.wire import Request

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
    """List moves of servers, newest first."""
    where = []
    for name, column in FILTERS.items():
        if name in ("user_id", "project_id") and rq.version < Version(2, 80):
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
    body: dict[str, Any] = {"migrations": [view(row) for row in rows]}
    more = paging.links(rq, "", found, id_of=lambda row: row.uuid) if paged else {}
    return body | ({"migrations_links": more["_links"]} if more else {})


# What is moving while it runs: that is not built, so that there never is any.


@api.get("/servers/{server_id}/migrations", policy=f"{ONES}:index", on=server, since="2.23")
def list_live_migrations(rq: Request, found: Server) -> dict[str, Any]:
    """List a server's live migrations that are going on: none, as long as there is no live migration."""
    return {"migrations": []}


def _none(rq: Request, found: Server) -> NotFound:
    number = rq.params["migration_id"][:100]
    return NotFound(f"Migration {number} for server {found.id} is not live-migration.", kind="MigrationNotFound")


@api.get("/servers/{server_id}/migrations/{migration_id}", policy=f"{ONES}:show", on=server, since="2.23")
def show_live_migration(rq: Request, found: Server) -> dict[str, Any]:
    """Show a live migration that is going on."""
    raise _none(rq, found)


@api.delete("/servers/{server_id}/migrations/{migration_id}", policy=f"{ONES}:delete", on=server, since="2.24")
def abort_live_migration(rq: Request, found: Server) -> None:
    """Abort a live migration."""
    raise _none(rq, found)


@api.do(
    "/servers/{server_id}/migrations/{migration_id}/action", "force_complete", policy=f"{ONES}:force_complete",
    on=server, since="2.22",
)  # fmt: skip
def force_live_migration(rq: Request, found: Server) -> None:
    """Let a live migration end by pausing the guest."""
    raise _none(rq, found)


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
