"""The Identity API v3: one module a family of routes."""

from pileus.identity.api import (
    application_credentials,
    assignments,
    catalog,
    credentials,
    domains,
    grants,
    groups,
    projects,
    roles,
    tokens,
    trusts,
    users,
    versions,
)
from pileus.identity.api.base import api

APIS = [api]

__all__ = [
    "APIS",
    "application_credentials",
    "assignments",
    "catalog",
    "credentials",
    "domains",
    "grants",
    "groups",
    "projects",
    "roles",
    "tokens",
    "trusts",
    "users",
    "versions",
]
