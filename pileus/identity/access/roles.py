"""Roles and what they imply. A role with a domain is a name inside it, good only for implying others."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import Conflict, Forbidden, NotFound
from pileus.core.tables import columns, shape
from pileus.identity.delegation import application_credentials
from pileus.identity.projects import get_domain, immutable
from pileus.identity.store import Assignment, ImpliedRole, Role, changed

NEVER_IMPLIED = frozenset({"admin"})  # a role that would make administrators of others by accident


def get_role(tx: Tx, role_id: str) -> Role:
    """Raises NotFound."""
    found = tx.find(Role, id=role_id)
    if found is None:
        raise NotFound(f"Could not find role: {role_id}.")
    return found


def create_role(tx: Tx, given: dict[str, Any]) -> Role:
    """Raises NotFound for a missing domain, Conflict for a name in use."""
    domain_id = given.get("domain_id")
    if domain_id is not None:
        get_domain(tx, domain_id)
    changed(tx)  # first: creates wait for each other, and names outside domains have no index to catch them
    row = Role(
        id=clock.new_hex_id(),
        name=given["name"],
        domain_id=domain_id,
        description=given.get("description"),
        options=given.get("options", {}),
        extra=given.get("extra", {}),
    )
    _check_name(tx, row.name, domain_id)
    tx.insert(row)
    return row


def _check_name(tx: Tx, name: str, domain_id: str | None) -> None:
    if tx.find(Role, name=name, domain_id=domain_id):
        raise Conflict(f"Conflict occurred attempting to store role: the name {name!r} is in use.")


def update_role(tx: Tx, role: Role, values: dict[str, Any]) -> Role:
    """Raises Conflict for a name in use."""
    immutable(role, values)
    changed(tx)
    if values.get("name", role.name) != role.name:
        _check_name(tx, values["name"], role.domain_id)
    tx.update(Role, role.id, **values)
    return get_role(tx, role.id)


def delete_role(tx: Tx, role: Role) -> None:
    """With its assignments, and the application credentials of who had it."""
    immutable(role, None)
    changed(tx)
    for row in tx.select(Assignment, role_id=role.id, actor_type="user", target_type="project"):
        application_credentials.forget(tx, row.actor_id, project_id=row.target_id)
    tx.delete(Role, id=role.id)


# -- implied roles -------------------------------------------------------------------------------------------------------

_roles, _i = shape(Role).table, columns(ImpliedRole)
_IMPLIED = sql(
    sa.select(_roles)
    .join(_i.prior_id.table, _i.implied_id == _roles.c.id)
    .where(_i.prior_id == sa.bindparam("prior_id"))
    .order_by(_roles.c.name)
)


def implied(tx: Tx, prior: Role) -> list[Role]:
    """The roles this one implies directly."""
    return tx.rows(Role, _IMPLIED, prior_id=prior.id)


def inferences(tx: Tx) -> list[tuple[Role, list[Role]]]:
    """Every role that implies others, with those."""
    roles = {role.id: role for role in tx.select(Role, order="name")}
    found: dict[str, list[Role]] = {}
    for row in tx.select(ImpliedRole, order="prior_id"):
        found.setdefault(row.prior_id, []).append(roles[row.implied_id])
    return [(roles[prior_id], below) for prior_id, below in found.items()]


def imply(tx: Tx, prior: Role, below: Role) -> None:
    """May be repeated. Raises Forbidden for a role that must not be implied."""
    if below.name.lower() in NEVER_IMPLIED:
        raise Forbidden(f"Role {below.name} cannot be implied.")
    if prior.domain_id is None and below.domain_id is not None:
        raise Forbidden("A role of the whole cloud cannot imply one of a domain.")
    if not tx.find(ImpliedRole, prior_id=prior.id, implied_id=below.id):
        changed(tx)
        tx.insert(ImpliedRole(prior.id, below.id))


def get_implied(tx: Tx, prior: Role, below: Role) -> ImpliedRole:
    """Raises NotFound."""
    found = tx.find(ImpliedRole, prior_id=prior.id, implied_id=below.id)
    if found is None:
        raise NotFound(f"Role {prior.id} does not imply {below.id}.")
    return found


def forget_implied(tx: Tx, prior: Role, below: Role) -> None:
    """Raises NotFound."""
    get_implied(tx, prior, below)
    changed(tx)
    tx.delete(ImpliedRole, prior_id=prior.id, implied_id=below.id)
