"""The Identity API v3: one module a family of routes."""

from pileus.identity.api import tokens, versions
from pileus.identity.api.base import api

APIS = [api]

__all__ = ["APIS", "tokens", "versions"]
