"""The Image API v2: one module a resource."""

from pileus.core import routes
from pileus.image.api.base import api

routes.load(__name__)

APIS = [api]
