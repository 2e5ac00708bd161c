"""Application credentials: further passwords of a user, each for one project and some of the roles there."""

import secrets
from typing import Any

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.identity.delegation import access_rules
from pileus.identity.store import ApplicationCredential, changed


def new_secret() -> str:
    return secrets.token_urlsafe(64)


def get_credential(tx: Tx, credential_id: str) -> ApplicationCredential:
    """Raises NotFound."""
    found = tx.find(ApplicationCredential, id=credential_id)
    if found is None:
        raise NotFound(f"Could not find application credential: {credential_id}.")
    return found


def create_credential(
    tx: Tx, user_id: str, project_id: str, given: dict[str, Any], role_ids: list[str], secret_hash: str
) -> ApplicationCredential:
    """Raises Conflict for a name in use."""
    if tx.find(ApplicationCredential, user_id=user_id, name=given["name"]):
        name = given["name"]
        raise Conflict(f"Conflict occurred attempting to store application_credential: the name {name!r} is in use.")
    row = ApplicationCredential(
        id=clock.new_hex_id(),
        user_id=user_id,
        name=given["name"],
        description=given.get("description"),
        project_id=project_id,
        secret_hash=secret_hash,
        role_ids=role_ids,
        expires_at=given.get("expires_at"),
        unrestricted=given.get("unrestricted", False),
        access_rule_ids=[_rule(tx, user_id, rule) for rule in given.get("access_rules") or []],
    )
    tx.insert(row)
    return row


def _rule(tx: Tx, user_id: str, given: dict[str, Any]) -> str:
    if "id" in given:
        return access_rules.get_rule(tx, user_id, given["id"]).id
    missing = {"service", "method", "path"} - set(given)
    if missing:
        raise BadRequest(f"Invalid input for field 'access_rules': {', '.join(sorted(missing))} is missing.")
    return access_rules.ensure(tx, user_id, given["service"], given["method"], given["path"]).id


def delete_credential(tx: Tx, credential: ApplicationCredential) -> None:
    """Its tokens are void at once."""
    changed(tx)
    tx.delete(ApplicationCredential, id=credential.id)


def forget(tx: Tx, user_id: str, **where: str) -> None:
    """All of a user's, or those for one project: the user was disabled, or has lost a role there."""
    if tx.delete(ApplicationCredential, user_id=user_id, **where):
        changed(tx)
