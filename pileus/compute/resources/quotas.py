"""Quotas and limits, as clients send and see them. The network's were shown here once; now that service has them."""

from typing import Any

from pileus.core.fields import Boolean, Field, Integer, Text
from pileus.core.resources import Resource

OWN = ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members")
NETWORKS = ("floating_ips", "fixed_ips", "security_groups", "security_group_rules")
FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")


class Limit(Integer):
    """Shown from a dictionary by resource; what is not compute's own is unlimited here."""

    def __init__(self, name: str, since: str | None = None, until: str | None = None):
        super().__init__(name, min=-1, update=True, since=since, until=until, show=self._shown)

    def _shown(self, limits: dict[str, Any]) -> Any:
        return limits.get(self.name, limits.get("*", -1))


def _limits(networks_until: str, groups_since: str | None) -> list[Field]:
    return [
        *(Limit(name, since=groups_since if "group" in name else None) for name in OWN),
        *(Limit(name, until=networks_until) for name in NETWORKS),
        *(Limit(name, until="2.56") for name in FILES),
    ]


QUOTA_SET = Resource(
    "quota_set",
    [
        *_limits(networks_until="2.35", groups_since=None),
        Boolean("force", update=True),
        Text("tenant_id", update=True),
        Integer("networks", min=-1, update=True, until="2.35"),
    ],
)
QUOTA_CLASS_SET = Resource("quota_class_set", _limits(networks_until="2.49", groups_since="2.50"))
SHOWN = {*OWN, *NETWORKS, *FILES}


class Absolute(Integer):
    """One of the absolute limits: of a quota, or of what is used."""

    def __init__(self, name: str, resource: str, until: str | None = None):
        super().__init__(name, until=until, show=lambda limits: limits.get(resource, 0))


ABSOLUTE = Resource(
    "absolute",
    [
        Absolute("maxTotalInstances", "instances"),
        Absolute("maxTotalCores", "cores"),
        Absolute("maxTotalRAMSize", "ram"),
        Absolute("maxTotalKeypairs", "key_pairs"),
        Absolute("maxServerMeta", "metadata_items"),
        Absolute("maxServerGroups", "server_groups"),
        Absolute("maxServerGroupMembers", "server_group_members"),
        Absolute("totalInstancesUsed", "used_instances"),
        Absolute("totalCoresUsed", "used_cores"),
        Absolute("totalRAMUsed", "used_ram"),
        Absolute("totalServerGroupsUsed", "used_server_groups"),
        Absolute("maxTotalFloatingIps", "unlimited", until="2.35"),
        Absolute("maxSecurityGroups", "unlimited", until="2.35"),
        Absolute("maxSecurityGroupRules", "unlimited", until="2.35"),
        Absolute("totalFloatingIpsUsed", "nothing", until="2.35"),
        Absolute("totalSecurityGroupsUsed", "nothing", until="2.35"),
        Absolute("maxImageMeta", "metadata_items", until="2.38"),
        Absolute("maxPersonality", "injected_files", until="2.56"),
        Absolute("maxPersonalitySize", "injected_file_content_bytes", until="2.56"),
    ],
)
