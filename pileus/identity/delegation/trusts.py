"""Trusts: a user (the trustor) lets another (the trustee) act with some of its roles on a project."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from pileus.core.tables import columns
from pileus.identity.access import grants
from pileus.identity.access.roles import get_role
from pileus.identity.delegation.chains import broken, chain, expired
from pileus.identity.projects import get_project
from pileus.identity.store import Role, Trust, User, changed
from pileus.identity.tokens import revocations
from pileus.identity.users import get_user

MOST_REDELEGATIONS = 3


def get_trust(tx: Tx, trust_id: str) -> Trust:
    """Raises NotFound, also for one that has expired or is used up."""
    found = tx.find(Trust, id=trust_id)
    if found is None or expired(found) or found.remaining_uses == 0:
        raise NotFound(f"Could not find trust: {trust_id}.")
    return found


def list_trusts(tx: Tx, **equal: str) -> list[Trust]:
    return [row for row in tx.select(Trust, order="created_at", **equal) if not expired(row)]


def create_trust(tx: Tx, given: dict[str, Any], role_ids: list[str], source: Trust | None) -> Trust:
    """`source` is the trust that this one hands on. Raises Forbidden for more than the trustor has."""
    get_user(tx, given["trustor_user_id"])
    get_user(tx, given["trustee_user_id"])
    project_id = given.get("project_id")
    if project_id:
        if not role_ids:
            raise Forbidden("A trust on a project names at least one role.")
        holder = chain(tx, source)[-1].trustor_user_id if source else given["trustor_user_id"]
        held = {role.id for role in grants.roles_on_project(tx, holder, get_project(tx, project_id))}
        for role_id in role_ids:
            if role_id not in held:
                raise NotFound(f"Could not find role: {role_id}: the trustor does not have it on the project.")
    elif role_ids:
        raise BadRequest("Invalid input for field 'roles': without a project there are none.")
    row = Trust(
        id=clock.new_hex_id(),
        trustor_user_id=given["trustor_user_id"],
        trustee_user_id=given["trustee_user_id"],
        project_id=project_id,
        impersonation=given["impersonation"],
        role_ids=role_ids,
        expires_at=given.get("expires_at"),
        remaining_uses=given.get("remaining_uses"),
        redelegated_trust_id=source.id if source else None,
        redelegation_count=_redelegations(given),
        created_at=clock.now(),
        extra=given.get("extra", {}),
    )
    if source is not None:
        for link in chain(tx, source):
            _limit(row, link, given, first=link is source)
    if row.expires_at and tx.find(Trust, **{name: getattr(row, name) for name in _SAME}):
        raise Conflict("Conflict occurred attempting to store trust: there is one between the same users already.")
    tx.insert(row)
    return row


def _redelegations(given: dict[str, Any]) -> int:
    count = given.get("redelegation_count")
    if not given.get("allow_redelegation") or count == 0:
        return 0
    if given.get("remaining_uses") is not None:
        raise BadRequest(
            "Invalid input for field 'remaining_uses': a trust that may be handed on has no limit of uses."
        )
    if count is not None and count > MOST_REDELEGATIONS:
        raise Forbidden(f"A trust can be handed on at most {MOST_REDELEGATIONS} times.")
    return count or MOST_REDELEGATIONS


_SAME = ("trustor_user_id", "trustee_user_id", "project_id", "impersonation", "expires_at")


def _limit(row: Trust, source: Trust, given: dict[str, Any], first: bool) -> None:
    """A trust that is handed on grants no more than those it comes from, the first of which says how often it still may."""
    if source.redelegation_count < 1:
        raise Forbidden("The trust may not be handed on any further.")
    if row.redelegation_count and first:
        if given.get("redelegation_count") not in (None, source.redelegation_count - 1):
            raise Forbidden("redelegation_count follows from the trust that is handed on; leave it out.")
        row.redelegation_count = source.redelegation_count - 1
    if row.remaining_uses is not None:
        raise Forbidden("A trust that is handed on has no limit of uses.")
    if row.project_id != source.project_id or not set(row.role_ids) <= set(source.role_ids):
        raise Forbidden("Only roles of the trust that is handed on can be given, on its project.")
    if row.impersonation and not source.impersonation:
        raise Forbidden("The trust that is handed on does not allow impersonation.")
    if source.expires_at is not None:
        if row.expires_at is not None and row.expires_at > source.expires_at:
            raise Forbidden("The trust that is handed on ends earlier.")
        row.expires_at = row.expires_at or source.expires_at


def delete_trust(tx: Tx, trust: Trust) -> None:
    """With those handed on from it."""
    changed(tx)
    revocations.note(tx, trust_id=trust.id)
    for row in tx.select(Trust, redelegated_trust_id=trust.id):
        delete_trust(tx, row)
    tx.delete(Trust, id=trust.id)


def roles_of(tx: Tx, trust: Trust) -> list[Role]:
    return [role for role_id in trust.role_ids if (role := tx.find(Role, id=role_id))]


def role_of(tx: Tx, trust: Trust, role_id: str) -> Role:
    """Raises NotFound for a role the trust does not give."""
    if role_id not in trust.role_ids:
        raise NotFound(f"Could not find role {role_id} in trust {trust.id}.")
    return get_role(tx, role_id)


def find_usable(tx: Tx, trust_id: str) -> Trust | None:
    """One that has not ended, between people who are all there and enabled, and roles that the trustor still has."""
    trust = tx.find(Trust, id=trust_id)
    return trust if trust is not None and trust.remaining_uses != 0 and not broken(tx, trust) else None


def redeem(tx: Tx, trust_id: str, trustee: User) -> Trust:
    """The trust somebody wants to use. Raises Unauthorized, or Forbidden for one that is for others or no longer whole."""
    trust = tx.find(Trust, id=trust_id)
    if trust is None or expired(trust):
        raise Unauthorized("The request you have made requires authentication.", detail="no such trust")
    if trust.trustee_user_id != trustee.id:
        raise Forbidden("The trust is for another user.")
    if trust.remaining_uses == 0:
        raise Forbidden("The trust has been used as often as it may be.")
    if why := broken(tx, trust):
        raise Forbidden(why)
    return trust


_t = columns(Trust)
_USE = sql(
    sa.update(_t.id.table)
    .where(_t.id == sa.bindparam("id"), _t.remaining_uses > 0)
    .values(remaining_uses=_t.remaining_uses - 1)
)


def use(tx: Tx, trust: Trust) -> None:
    """Count one use, in one statement: of two requests for the last one, one gets it. Raises Forbidden for the other."""
    if not tx.execute(_USE, id=trust.id):
        raise Forbidden("The trust has been used as often as it may be.")
