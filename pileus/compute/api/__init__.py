"""The Compute API v2.1: one module a resource."""

from pileus.compute.api.base import api, root
from pileus.core import routes

routes.load(__name__)

APIS = [api, root]
