"""EC2 credentials: pairs of an access key and a secret, and the tokens got by what was signed with one."""

import hashlib
import json
import secrets
from typing import Any

from pileus.core.db import Tx
from pileus.core.errors import NotFound, Unauthorized
from pileus.identity.delegation import credentials, oauth1, trusts
from pileus.identity.delegation.credentials import Vault
from pileus.identity.projects import get_project
from pileus.identity.store import ApplicationCredential, Credential
from pileus.identity.tokens.provider import Payload, Token, Tokens, resolve
from pileus.identity.users import get_user

TYPE = "ec2"
METHOD = "ec2credential"


def id_of(access: str) -> str:
    """A credential's id is made of its access key, so that the key finds it."""
    return hashlib.sha256(access.encode(errors="replace")).hexdigest()


def create(tx: Tx, vault: Vault, user_id: str, project_id: str, by: Payload | None) -> Credential:
    """A new pair; what the caller's own token was delegated by, the pair's tokens will be. Raises NotFound."""
    blob = {"access": secrets.token_hex(16), "secret": secrets.token_hex(16)}
    given = {"type": TYPE, "blob": json.dumps(blob), "project_id": get_project(tx, project_id).id}
    return credentials.create_credential(tx, vault, given, get_user(tx, user_id).id, by)


def get(tx: Tx, access: str) -> Credential:
    """Raises NotFound."""
    found = tx.find(Credential, id=id_of(access), type=TYPE)
    if found is None:
        raise NotFound(f"Could not find credential: {access[:64]}.")
    return found


def found_by(tx: Tx, vault: Vault, access: str) -> tuple[Credential, dict[str, Any]]:
    """The credential of an access key and what is in it. Raises NotFound, Unauthorized for one without a secret."""
    found = tx.find(Credential, id=id_of(access), type=TYPE)
    if found is None:
        raise NotFound("The EC2 access key could not be found.")
    try:
        blob = json.loads(vault.open(found))
    except (ValueError, RecursionError):
        blob = None
    if not isinstance(blob, dict) or not isinstance(blob.get("secret"), str):
        raise Unauthorized("The EC2 credential has no secret.")
    return found, blob


def log_in(tx: Tx, tokens: Tokens, found: Credential, blob: dict[str, Any]) -> tuple[str, Token]:
    """A token for whom the credential is. Raises Unauthorized when something it stands on is gone."""
    delegated = {name: blob.get(key) for name, key in credentials.DELEGATED.items()}
    if trust_id := delegated["trust_id"]:
        trust = trusts.find_usable(tx, str(trust_id))
        _same(found, trust, "trustor_user_id" if trust is not None and trust.impersonation else "trustee_user_id")
        if trust is not None and trust.remaining_uses is not None:
            trusts.use(tx, trust)
    elif credential_id := delegated["application_credential_id"]:
        credential = tx.find(ApplicationCredential, id=str(credential_id))
        _same(found, credential)
    elif token_id := delegated["access_token_id"]:
        access = oauth1.find_access_token(tx, str(token_id))
        _same(found, access)
    payload = tokens.payload(found.user_id, [METHOD], "project", found.project_id, **delegated)
    return tokens.seal(payload), resolve(tx, payload)


def _same(found: Credential, by: Any, owner: str = "user_id") -> None:
    """What the credential was delegated by is there, and for the same user and project. Raises Unauthorized."""
    if by is None or by.project_id != found.project_id or getattr(by, owner) != found.user_id:
        raise Unauthorized("What the EC2 credential was delegated by is gone, or is for somebody or something else.")
