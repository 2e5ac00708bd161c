"""The Compute API v2.1: one module a resource."""

from pileus.compute.api import (
    aggregates,
    flavors,
    hosts,
    instance_actions,
    keypairs,
    limits,
    security_groups,
    server_actions,
    server_interfaces,
    server_metadata,
    servers,
    usage,
    versions,
)
from pileus.compute.api.base import api, root

APIS = [api, root]

__all__ = [
    "APIS",
    "aggregates",
    "flavors",
    "hosts",
    "instance_actions",
    "keypairs",
    "limits",
    "security_groups",
    "server_actions",
    "server_interfaces",
    "server_metadata",
    "servers",
    "usage",
    "versions",
]
