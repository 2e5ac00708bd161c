"""The Identity API v3: one module a family of routes."""

from pileus.identity.api import (
    assignments,
    catalog,
    domains,
    grants,
    groups,
    projects,
    roles,
    tokens,
    users,
    versions,
)
from pileus.identity.api.base import api

APIS = [api]

__all__ = [
    "APIS",
    "assignments",
    "catalog",
    "domains",
    "grants",
    "groups",
    "projects",
    "roles",
    "tokens",
    "users",
    "versions",
]
