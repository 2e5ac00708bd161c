"""Backends, zones and what this API can do (Block Storage API, "Back-end storage pools", "Capabilities", "Extensions")."""

from typing import Any

from pileus.block_storage import scheduler, types, zones
from pileus.block_storage.api.base import api
from pileus.block_storage.resources.base import at_least
from pileus.core.errors import BadRequest, NotFound
from pileus.core.wire import Request

# alias: name, and what it adds
EXTENSIONS = {
    "backups": ("Backups", "Backups support."),
    "capabilities": ("Capabilities", "Capabilities support."),
    "cgsnapshots": ("Cgsnapshots", "cgsnapshots support."),
    "consistencygroups": ("Consistencygroups", "consistency groups support."),
    "encryption": ("VolumeTypeEncryption", "Encryption support for volume types."),
    "os-admin-actions": ("AdminActions", "Enable admin actions."),
    "os-availability-zone": ("AvailabilityZones", "Describe Availability Zones."),
    "os-extended-services": ("ExtendedServices", "Extended services support."),
    "os-extended-snapshot-attributes": ("ExtendedSnapshotAttributes", "Extended SnapshotAttributes support."),
    "os-hosts": ("Hosts", "Admin-only host administration."),
    "os-quota-class-sets": ("QuotaClasses", "Quota classes management support."),
    "os-quota-sets": ("Quotas", "Quota management support."),
    "os-services": ("Services", "Services support."),
    "os-snapshot-actions": ("SnapshotActions", "Enable snapshot manager actions."),
    "os-snapshot-manage": ("SnapshotManage", "Allows existing backend storage to be 'managed' by Cinder."),
    "os-snapshot-unmanage": ("SnapshotUnmanage", "Enable volume unmanage operation."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Type extra specs support."),
    "os-types-manage": ("TypesManage", "Types manage support."),
    "os-used-limits": ("UsedLimits", "Provide data on limited resources that are being used."),
    "os-vol-host-attr": ("VolumeHostAttribute", "Expose host as an attribute of a volume."),
    "os-vol-image-meta": ("VolumeImageMetadata", "Show image metadata associated with the volume."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "Expose migration_status as an attribute of a volume."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "Expose the internal project_id as an attribute of a volume."),
    "os-volume-actions": ("VolumeActions", "Enable volume actions."),
    "os-volume-encryption-metadata": ("VolumeEncryptionMetadata", "Volume encryption metadata retrieval support."),
    "os-volume-manage": ("VolumeManage", "Allows existing backend storage to be 'managed' by Cinder."),
    "os-volume-transfer": ("VolumeTransfer", "Volume transfer management support."),
    "os-volume-type-access": ("VolumeTypeAccess", "Volume type access support."),
    "os-volume-unmanage": ("VolumeUnmanage", "Enable volume unmanage operation."),
    "qos-specs": ("Qos_specs_manage", "QoS specs support."),
    "scheduler-stats": ("Scheduler_stats", "Scheduler stats support."),
}
# what lists can be narrowed by, for those who may do no more
RESOURCE_FILTERS = {
    "volume": ["name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size",
               "created_at", "updated_at"],
    "backup": ["name", "status", "volume_id"],
    "snapshot": ["name", "status", "volume_id", "metadata", "consumes_quota", "created_at", "updated_at"],
    "group": [],
    "group_snapshot": ["status", "group_id"],
    "attachment": ["volume_id", "status", "instance_id", "attach_status"],
    "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    "pool": ["name", "volume_type"],
    "volume_type": ["is_public"],
}  # fmt: skip


@api.get("/scheduler-stats/get_pools", policy="scheduler_extension:scheduler_stats:get_pools")
def list_pools(rq: Request) -> dict[str, Any]:
    """List the pools that volumes are made in."""
    known = {"detail", *(["name"] if at_least(rq, 28) else []), *(["volume_type"] if at_least(rq, 35) else [])}
    unknown = set(rq.query.names()) - known
    if unknown and at_least(rq, 31):
        raise BadRequest(f"Invalid filters {','.join(sorted(unknown))[:200]} are found in query options.")
    found = scheduler.backends(rq.tx)
    if "name" in known and (name := rq.query.get("name")):
        found = [backend for backend in found if backend.host == name]
    if "volume_type" in known and (wanted := rq.query.get("volume_type")):
        kind = types.get_type(rq.tx, rq.ctx, wanted)
        found = [backend for backend in found if scheduler.suits(rq.tx, backend.host, kind)]
    detail = bool(rq.query.flag("detail"))
    return {
        "pools": [
            {"name": backend.host, **({"capabilities": backend.capabilities} if detail else {})} for backend in found
        ]
    }


@api.get("/capabilities/{host_name}", policy="volume_extension:capabilities")
def show_capabilities(rq: Request) -> dict[str, Any]:
    """Show what a backend can do."""
    host = rq.params["host_name"]
    found = next((one for one in scheduler.backends(rq.tx) if host in (one.host, one.service.host)), None)
    if found is None:
        raise NotFound(f"Can't find service: {host[:255]}")
    known = found.capabilities
    return {
        "namespace": f"OS::Storage::Capabilities::{found.service.host}",
        "vendor_name": known["vendor_name"], "volume_backend_name": known["volume_backend_name"],
        "pool_name": found.host.partition("#")[2], "driver_version": known["driver_version"],
        "storage_protocol": known["storage_protocol"], "display_name": "Files of a node",
        "description": "Volumes as files on the node they lie on", "visibility": "pool", "replication_targets": [],
        "properties": {
            name: {"title": title, "description": told, "type": "boolean"}
            for name, title, told in (
                ("thin_provisioning", "Thin Provisioning", "Takes room as it is written to."),
                ("compression", "Compression", "Compresses what is written: it does not."),
                ("qos", "QoS", "Limits what is read and written: the guest's host does."),
                ("replication_enabled", "Replication", "Keeps a copy elsewhere: it does not."),
            )
        },
    }  # fmt: skip


@api.get("/os-availability-zone", policy="volume:availability_zone_list")
def list_zones(rq: Request) -> dict[str, Any]:
    """List availability zones."""
    return {
        "availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": usable}} for name, usable in zones.zones(rq.tx).items()
        ]
    }


@api.get("/resource_filters", policy="volume:get_resource_filters", since="3.33")
def list_resource_filters(rq: Request) -> dict[str, Any]:
    """List what lists can be narrowed by."""
    wanted = rq.query.get("resource")
    return {
        "resource_filters": [
            {"resource": name, "filters": filters}
            for name, filters in RESOURCE_FILTERS.items()
            if wanted in (None, name)
        ]
    }


def _extension(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {"name": name, "alias": alias, "description": description, "links": [],
            "updated": "2016-01-01T00:00:00+00:00"}  # fmt: skip


@api.get("/extensions", policy="volume:extensions")
def list_extensions(rq: Request) -> dict[str, Any]:
    """List what was added to the API before there were microversions."""
    return {"extensions": [_extension(alias) for alias in EXTENSIONS]}


@api.get("/extensions/{alias}", policy="volume:extensions")
def show_extension(rq: Request) -> dict[str, Any]:
    """Show one of them."""
    alias = rq.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension {alias[:255]} could not be found.")
    return {"extension": _extension(alias)}
