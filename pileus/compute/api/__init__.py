"""The Compute API v2.1: one module a resource."""

from pileus.compute.api import (
    flavors,
    hosts,
    instance_actions,
    keypairs,
    limits,
    server_actions,
    server_interfaces,
    server_metadata,
    servers,
    versions,
)
from pileus.compute.api.base import api, root

APIS = [api, root]

__all__ = [
    "APIS",
    "flavors",
    "hosts",
    "instance_actions",
    "keypairs",
    "limits",
    "server_actions",
    "server_interfaces",
    "server_metadata",
    "servers",
    "versions",
]
