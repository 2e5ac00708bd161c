"""A new cloud's first identities: default domain, roles, the admin, and the catalog. Repeating it changes nothing."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pileus.core import clock, quota
from pileus.core.db import Database, Tx
from pileus.core.tables import shape
from pileus.identity.access.grants import SYSTEM
from pileus.identity.login import passwords
from pileus.identity.store import (
    DEFAULT_DOMAIN,
    Assignment,
    CatalogService,
    Endpoint,
    ImpliedRole,
    Project,
    Region,
    RegisteredLimit,
    Role,
    User,
    changed,
)

# who has the left role has the right one too (OpenStack's default roles)
IMPLIED = [("admin", "manager"), ("manager", "member"), ("member", "reader")]
ROLES = ["admin", "manager", "member", "reader", "service"]
# type, name, path below the cloud's address, served by the process for bodies
CATALOG = [
    ("identity", "keystone", "/identity", False),
    ("compute", "nova", "/compute/v2.1", False),
    ("placement", "placement", "/placement", False),
    ("network", "neutron", "/network", False),
    ("image", "glance", "/image", True),
    ("block-storage", "cinder", "/volume/v3", False),
    ("volumev3", "cinderv3", "/volume/v3", False),
    ("object-store", "swift", "/object/v1/AUTH_$(project_id)s", True),
]
# what else services ask about: registered without an end, for operators to set limits of
LIMITED = {
    "image": ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"),
}


def admin_password(state: Path) -> str:
    """The admin's first password: from secrets.json, where one is made when there is none yet."""
    path = state / "secrets.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if "admin_password" not in found:
        found["admin_password"] = secrets.token_urlsafe(18)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(found, file, indent=2)
    return str(found["admin_password"])


def bootstrap(db: Database, settings: Any) -> None:
    """Make what is missing. An existing admin keeps its password; endpoints follow the settings' address."""
    with db.read() as tx:
        fresh = tx.find(User, domain_id=DEFAULT_DOMAIN, name="admin") is None
    # hashed before the transaction: it takes long
    hashed = passwords.hash_password(admin_password(settings.folder)) if fresh else None
    with db.write() as tx:
        if fresh:
            _identities(tx, hashed)
        _catalog(tx, settings)
        if fresh:
            _limits(tx, settings)
        changed(tx)


def _identities(tx: Tx, hashed: str | None) -> None:
    _ensure(tx, Project(DEFAULT_DOMAIN, "Default", None, None, "The default domain", True, True))
    roles = {name: _role(tx, name) for name in ROLES}
    for prior, implied in IMPLIED:
        _ensure(tx, ImpliedRole(roles[prior], roles[implied]))
    admin_project = _project(tx, "admin", "The administrators' project")
    _project(tx, "service", "Owner of the cloud's own resources")
    user = User(clock.new_hex_id(), "admin", DEFAULT_DOMAIN, True, hashed, None, None, clock.now())
    tx.insert(user)
    _ensure(tx, Assignment(user.id, admin_project, roles["admin"], 0, "user", "project"))
    _ensure(tx, Assignment(user.id, DEFAULT_DOMAIN, roles["admin"], 0, "user", "domain"))
    _ensure(tx, Assignment(user.id, SYSTEM, roles["admin"], 0, "user", "system"))


def _catalog(tx: Tx, settings: Any) -> None:
    _ensure(tx, Region(settings.region, "", None))
    for kind, name, path, bodies in CATALOG:
        service = tx.find(CatalogService, type=kind)
        if service is None:
            service = CatalogService(clock.new_hex_id(), kind, name, None, True)
            tx.insert(service)
        url = (settings.bodies_url if bodies else settings.url) + path
        for interface in ("public", "internal", "admin"):
            endpoint = tx.find(Endpoint, service_id=service.id, interface=interface, region_id=settings.region)
            if endpoint is None:
                tx.insert(Endpoint(clock.new_hex_id(), service.id, interface, url, settings.region, True))
            elif endpoint.url != url:
                tx.update(Endpoint, endpoint.id, url=url)


def _limits(tx: Tx, settings: Any) -> None:
    for kind, names in LIMITED.items():
        service = tx.get(CatalogService, type=kind)
        for name in names:
            tx.insert(RegisteredLimit(clock.new_hex_id(), service.id, settings.region, name, quota.UNLIMITED, None))


def _ensure(tx: Tx, row: Any) -> None:
    keys = {key: getattr(row, key) for key in shape(type(row)).primary}
    if tx.find(type(row), **keys) is None:
        tx.insert(row)


def _role(tx: Tx, name: str) -> str:
    found = tx.find(Role, name=name, domain_id=None)
    if found is None:
        found = Role(clock.new_hex_id(), name, None, None)
        tx.insert(found)
    return found.id


def _project(tx: Tx, name: str, description: str) -> str:
    found = tx.find(Project, name=name, domain_id=DEFAULT_DOMAIN)
    if found is None:
        found = Project(clock.new_hex_id(), name, DEFAULT_DOMAIN, DEFAULT_DOMAIN, description, True, False)
        tx.insert(found)
    return found.id
