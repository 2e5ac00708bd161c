"""What once were extensions (Compute API, "Extensions"): clients of old ask for them before they use a part of the API."""

from typing import Any

from pileus.compute.api.base import api
from pileus.core.errors import NotFound
from pileus.core.wire import Request

# Nova's fixed list, which also names what is long gone (its table of aliases, as of version 2.1)
EXTENSIONS = {
    "NMN": "Multinic", "os-access-ips": "AccessIPs", "os-admin-actions": "AdminActions",
    "os-admin-password": "AdminPassword", "os-agents": "Agents", "os-aggregates": "Aggregates",
    "os-assisted-volume-snapshots": "AssistedVolumeSnapshots", "os-attach-interfaces": "AttachInterfaces",
    "os-availability-zone": "AvailabilityZone", "os-baremetal-ext-status": "BareMetalExtStatus",
    "os-baremetal-nodes": "BareMetalNodes", "os-block-device-mapping": "BlockDeviceMapping",
    "os-block-device-mapping-v2-boot": "BlockDeviceMappingV2Boot", "os-cell-capacities": "CellCapacities",
    "os-cells": "Cells", "os-certificates": "Certificates", "os-cloudpipe": "Cloudpipe",
    "os-cloudpipe-update": "CloudpipeUpdate", "os-config-drive": "ConfigDrive",
    "os-console-auth-tokens": "ConsoleAuthTokens", "os-console-output": "ConsoleOutput", "os-consoles": "Consoles",
    "os-create-backup": "CreateBackup", "os-create-server-ext": "Createserverext", "OS-DCF": "DiskConfig",
    "os-deferred-delete": "DeferredDelete", "os-evacuate": "Evacuate", "OS-EXT-AZ": "ExtendedAvailabilityZone",
    "OS-EXT-IMG-SIZE": "ImageSize", "OS-EXT-IPS": "ExtendedIps", "OS-EXT-IPS-MAC": "ExtendedIpsMac",
    "OS-EXT-SRV-ATTR": "ExtendedServerAttributes", "OS-EXT-STS": "ExtendedStatus",
    "os-extended-evacuate-find-host": "ExtendedEvacuateFindHost", "os-extended-floating-ips": "ExtendedFloatingIps",
    "os-extended-hypervisors": "ExtendedHypervisors", "os-extended-networks": "ExtendedNetworks",
    "os-extended-quotas": "ExtendedQuotas", "os-extended-rescue-with-image": "ExtendedRescueWithImage",
    "os-extended-services": "ExtendedServices", "os-extended-services-delete": "ExtendedServicesDelete",
    "os-extended-status": "ExtendedStatus", "os-extended-volumes": "ExtendedVolumes", "os-fixed-ips": "FixedIPs",
    "os-flavor-access": "FlavorAccess", "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage", "os-flavor-rxtx": "FlavorRxtx", "os-flavor-swap": "FlavorSwap",
    "os-floating-ip-dns": "FloatingIpDns", "os-floating-ip-pools": "FloatingIpPools",
    "os-floating-ips": "FloatingIps", "os-floating-ips-bulk": "FloatingIpsBulk", "OS-FLV-DISABLED": "FlavorDisabled",
    "OS-FLV-EXT-DATA": "FlavorExtraData", "os-fping": "Fping", "os-hide-server-addresses": "HideServerAddresses",
    "os-hosts": "Hosts", "os-hypervisor-status": "HypervisorStatus", "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions", "os-instance_usage_audit_log": "OSInstanceUsageAuditLog",
    "os-keypairs": "Keypairs", "os-lock-server": "LockServer", "os-migrate-server": "MigrateServer",
    "os-migrations": "Migrations", "os-multinic": "Multinic", "os-multiple-create": "MultipleCreate",
    "os-networks": "Networks", "os-networks-associate": "NetworkAssociationSupport", "os-pause-server": "PauseServer",
    "os-personality": "Personality", "os-preserve-ephemeral-rebuild": "PreserveEphemeralOnRebuild",
    "os-quota-class-sets": "QuotaClasses", "os-quota-sets": "Quotas", "os-rescue": "Rescue",
    "OS-SCH-HNT": "SchedulerHints", "os-security-group-default-rules": "SecurityGroupDefaultRules",
    "os-security-groups": "SecurityGroups", "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents", "os-server-group-quotas": "ServerGroupQuotas",
    "os-server-groups": "ServerGroups", "os-server-list-multi-status": "ServerListMultiStatus",
    "os-server-password": "ServerPassword", "os-server-sort-keys": "ServerSortKeys",
    "os-server-start-stop": "ServerStartStop", "os-services": "Services", "os-shelve": "Shelve",
    "os-simple-tenant-usage": "SimpleTenantUsage", "OS-SRV-USG": "ServerUsage", "os-suspend-server": "SuspendServer",
    "os-tenant-networks": "OSTenantNetworks", "os-used-limits": "UsedLimits",
    "os-used-limits-for-admin": "UsedLimitsForAdmin", "os-user-data": "UserData", "os-user-quotas": "UserQuotas",
    "os-virtual-interfaces": "VirtualInterfaces", "os-volume-attachment-update": "VolumeAttachmentUpdate",
    "os-volumes": "Volumes",
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
