"""Chains of trusts: a trust may be handed on, and what hangs on it is good only while every link holds."""

from pileus.core import clock
from pileus.core.db import Tx
from pileus.identity.access import grants
from pileus.identity.store import Project, Trust, User


def expired(trust: Trust) -> bool:
    return trust.expires_at is not None and trust.expires_at <= clock.now()


def chain(tx: Tx, trust: Trust) -> list[Trust]:
    """The trust, the one it was handed on from, and so on to the first."""
    found = [trust]
    while found[-1].redelegated_trust_id and (parent := tx.find(Trust, id=found[-1].redelegated_trust_id)):
        found.append(parent)
    return found


def broken(tx: Tx, trust: Trust) -> str:
    """Why tokens by a trust are void, or an empty text. That its uses are spent is no reason: the last one is good."""
    links = chain(tx, trust)
    if any(expired(link) for link in links) or links[-1].redelegated_trust_id:
        return "The trust is gone or has expired."
    people = {user_id for link in links for user_id in (link.trustor_user_id, link.trustee_user_id)}
    if any((person := tx.find(User, id=user_id)) is None or not person.enabled for user_id in people):
        return "The trustor or a trustee is gone or disabled."
    project = tx.find(Project, id=trust.project_id) if trust.project_id else None
    if project is not None:
        held = {role.id for role in grants.roles_on_project(tx, links[-1].trustor_user_id, project)}
        if not set(trust.role_ids) <= held:
            return "The trustor no longer has all the roles of the trust."
    return ""
