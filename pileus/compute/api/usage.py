"""Usage reports and extensions (Compute API, "Usage reports", "Extensions")."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pileus.compute import usage
from pileus.compute.api.base import api
from pileus.compute.api.limits import Target
from pileus.core import clock
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request

PERIOD = ("start", "end")
POLICY = "os_compute_api:os-simple-tenant-usage"


def _times(rq: Request) -> tuple[datetime, datetime, datetime]:
    now = clock.parse(clock.now())
    found = []
    for name, default in (("start", now - timedelta(weeks=4)), ("end", now)):
        text = rq.query.get(name)
        try:
            found.append(clock.parse(text) if text else default)
        except (ValueError, OverflowError):
            shown = (text or "")[:100]
            raise BadRequest(f"Invalid input for query parameter {name}. Value: {shown}. It must be a time.") from None
    start, stop = (moment.astimezone(UTC) for moment in found)
    if stop < start:
        raise BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return start, stop, now


def _usage(rq: Request, project_id: str, servers: list[Any], detailed: bool) -> dict[str, Any]:
    start, stop, now = _times(rq)
    usages = [usage.server_usage(server, start, stop, now) for server in servers]
    body = usage.total(project_id, usages, start, stop)
    return {**body, "server_usages": usages} if detailed else body


@api.get("/os-simple-tenant-usage", policy=f"{POLICY}:list", query=(*PERIOD, "detailed", "limit", "marker"))
def list_usage(rq: Request) -> dict[str, Any]:
    """Sum up what each project used."""
    start, stop, _ = _times(rq)
    detailed = rq.query.get("detailed") == "1"
    found = usage.by_project(rq.tx, start, stop)
    return {"tenant_usages": [_usage(rq, project, servers, detailed) for project, servers in sorted(found.items())]}


@api.get(
    "/os-simple-tenant-usage/{project_id}",
    policy=f"{POLICY}:show",
    on=Target,
    query=(*PERIOD, "limit", "marker"),
)
def show_usage(rq: Request, found: Target) -> dict[str, Any]:
    """Sum up what a project used, server by server."""
    start, stop, _ = _times(rq)
    servers = usage.by_project(rq.tx, start, stop, found.id).get(found.id, [])
    return {"tenant_usage": _usage(rq, found.id, servers, True) if servers else {}}


# What clients of old ask for before they use a part of the API
EXTENSIONS = {
    "os-availability-zone": "AvailabilityZone", "os-aggregates": "Aggregates", "os-console-output": "ConsoleOutput",
    "os-flavor-access": "FlavorAccess", "os-flavor-extra-specs": "FlavorExtraSpecs", "os-hypervisors": "Hypervisors",
    "os-flavor-manage": "FlavorManage", "os-instance-actions": "InstanceActions", "os-keypairs": "Keypairs",
    "os-lock-server": "LockServer", "os-multinic": "Multinic", "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas", "os-security-groups": "SecurityGroups", "os-services": "Services",
    "os-consoles": "Consoles", "os-hosts": "Hosts", "os-floating-ips": "FloatingIps", "os-server-groups": "ServerGroups",
    "os-server-password": "ServerPassword", "os-migrations": "Migrations", "os-networks": "Networks",
    "os-tenant-networks": "OSTenantNetworks", "os-rescue": "Rescue", "os-shelve": "Shelve",
    "os-pause-server": "PauseServer", "os-suspend-server": "SuspendServer", "os-create-backup": "CreateBackup",
    "os-migrate-server": "MigrateServer", "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents",
    "os-simple-tenant-usage": "SimpleTenantUsage", "os-user-data": "UserData", "os-attach-interfaces": "AttachInterfaces",
    "OS-DCF": "DiskConfig", "OS-EXT-AZ": "ExtendedAvailabilityZone", "OS-EXT-STS": "ExtendedStatus",
    "OS-EXT-SRV-ATTR": "ExtendedServerAttributes", "OS-SRV-USG": "ServerUsage", "os-config-drive": "ConfigDrive",
    "os-extended-quotas": "ExtendedQuotas", "os-used-limits": "UsedLimits", "os-server-start-stop": "ServerStartStop",
}  # fmt: skip


def _extension(alias: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": EXTENSIONS[alias],
        "description": "",
        "links": [],
        "namespace": "https://docs.openstack.org/api-ref/compute/",
        "updated": "2014-12-03T00:00:00Z",
    }


@api.get("/extensions", policy="os_compute_api:extensions")
def list_extensions(rq: Request) -> dict[str, Any]:
    """List the parts of the API that once were extensions."""
    return {"extensions": [_extension(alias) for alias in sorted(EXTENSIONS)]}


@api.get("/extensions/{alias}", policy="os_compute_api:extensions")
def show_extension(rq: Request) -> dict[str, Any]:
    """Show one part of the API."""
    alias = rq.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"There is no extension {alias[:100]}.")
    return {"extension": _extension(alias)}
