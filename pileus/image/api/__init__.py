"""The Image API v2: one module a resource."""

from pileus.image.api import data, images, imports, info, members, schemas, versions
from pileus.image.api.base import api

APIS = [api]

__all__ = ["APIS", "data", "images", "imports", "info", "members", "schemas", "versions"]
