"""The Object Storage API v1: one module a resource, and one a way of doing things with them."""

from pileus.core import routes
from pileus.object_storage.api.base import api
from pileus.object_storage.api.info import about, root

routes.load(__name__)

APIS = [api, about, root]
