"""The Networking API v2.0: one module for each family of resources."""

from pileus.network.api import (
    floating_ips,
    networks,
    operators,
    pools,
    ports,
    qos,
    quotas,
    rbac,
    routers,
    security_groups,
    subnets,
    tags,
    trunks,
    versions,
)
from pileus.network.api.base import api, root

APIS = [api, root]

__all__ = [
    "APIS", "floating_ips", "networks", "operators", "pools", "ports", "qos", "quotas", "rbac", "routers", "security_groups",
    "subnets", "tags", "trunks", "versions",
]  # fmt: skip
