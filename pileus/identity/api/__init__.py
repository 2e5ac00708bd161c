"""The Identity API v3: one module a family of routes."""

from pileus.core import routes
from pileus.identity.api.base import api

routes.load(__name__)

APIS = [api]
