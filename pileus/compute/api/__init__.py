"""The Compute API v2.1: one module a resource."""

from pileus.compute.api import keypairs, versions
from pileus.compute.api.base import api, root

APIS = [api, root]

__all__ = ["APIS", "keypairs", "versions"]
