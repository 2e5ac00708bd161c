"""The Block Storage API v3: one module a resource."""

from pileus.block_storage.api.base import api, root
from pileus.core import routes

routes.load(__name__)

APIS = [api, root]
