"""Compute's wire shapes: what clients send and see, since which microversion; one module a resource."""

from pileus.compute.resources.flavors import FLAVOR
from pileus.compute.resources.keypairs import KEYPAIR
from pileus.compute.resources.servers import SERVER

__all__ = ["FLAVOR", "KEYPAIR", "SERVER"]
