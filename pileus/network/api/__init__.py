"""The Networking API v2.0: one module a family of resources."""

from pileus.core import routes
from pileus.network.api.base import api, root

routes.load(__name__)

APIS = [api, root]
