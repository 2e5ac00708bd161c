"""Credentials kept for users (EC2 keys, TOTP seeds), encrypted in the database with keys of their own."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.fernet import InvalidToken

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, Fault, NotFound
from pileus.identity.store import Credential
from pileus.identity.tokens.keys import fernet
from pileus.identity.tokens.provider import Payload

FOLDER = "keys-credentials"  # in the state folder


class Vault:
    """Encrypts and decrypts what the database keeps secret."""

    def __init__(self, state: Path):
        self._keys = fernet(state / FOLDER)

    def close(self, secret: str) -> str:
        return self._keys.encrypt(secret.encode()).decode()

    def open(self, row: Credential) -> str:
        return self.reveal(row.encrypted_blob, f"Credential {row.id}")

    def reveal(self, closed: str, what: str) -> str:
        """Raises Fault, naming `what`, when the key is gone."""
        try:
            return self._keys.decrypt(closed.encode()).decode()
        except InvalidToken:
            raise Fault(f"{what} cannot be decrypted: its key is not in {FOLDER}.") from None

    def stale(self, closed: str) -> bool:
        """Is this under an older key than the one in use?"""
        return self._keys.stale(closed.encode())


def get_credential(tx: Tx, credential_id: str) -> Credential:
    """Raises NotFound."""
    found = tx.find(Credential, id=credential_id)
    if found is None:
        raise NotFound(f"Could not find credential: {credential_id}.")
    return found


# what a token was delegated by, under the names it has in an EC2 credential's blob: tokens got by the pair are no more
DELEGATED = {"trust_id": "trust_id", "application_credential_id": "app_cred_id", "access_token_id": "access_token_id"}


def create_credential(
    tx: Tx, vault: Vault, given: dict[str, Any], user_id: str, by: Payload | None = None
) -> Credential:
    """`by` is the caller's token. Raises BadRequest for an EC2 credential without project or keys, Conflict for an access
    key in use."""
    credential_id, blob = clock.new_hex_id(), given["blob"]
    if given["type"] == "ec2":
        if not given.get("project_id"):
            raise BadRequest("Invalid input for field 'project_id': a credential of type ec2 needs one.")
        said = _ec2(blob)
        if set(said) & set(DELEGATED.values()):
            raise BadRequest(
                "Invalid input for field 'blob': what a credential was delegated by is not the client's to say."
            )
        delegated = {key: value for name, key in DELEGATED.items() if (value := by and getattr(by, name))}
        blob = json.dumps({**said, **delegated}) if delegated else blob
        credential_id = hashlib.sha256(said["access"].encode(errors="replace")).hexdigest()
    if tx.find(Credential, id=credential_id):
        raise Conflict("Conflict occurred attempting to store credential: the access key is in use.")
    row = Credential(
        id=credential_id,
        user_id=user_id,
        project_id=given.get("project_id"),
        type=given["type"],
        encrypted_blob=vault.close(blob),
        extra=given.get("extra", {}),
    )
    tx.insert(row)
    return row


def _ec2(blob: str) -> dict[str, Any]:
    """Raises BadRequest."""
    try:
        found = json.loads(blob)
    except (ValueError, RecursionError):
        raise BadRequest("Invalid input for field 'blob': for type ec2 it is a JSON object.") from None
    if not isinstance(found, dict) or not isinstance(found.get("access"), str) or not found["access"]:
        raise BadRequest("Invalid input for field 'blob': for type ec2 it has an access key under 'access'.")
    return found


def update_credential(tx: Tx, vault: Vault, row: Credential, values: dict[str, Any]) -> Credential:
    """Only the blob and what nobody declared can change. Raises BadRequest when it would be delegated by something else."""
    if "blob" in values:
        blob = values.pop("blob")
        if row.type == "ec2":
            old, new = _ec2(vault.open(row)), _ec2(blob)
            if any(old.get(key) != new.get(key) for key in DELEGATED.values()):
                raise BadRequest(
                    "Invalid input for field 'blob': what the credential was delegated by cannot be changed."
                )
        values["encrypted_blob"] = vault.close(blob)
    tx.update(Credential, row.id, **values)
    return get_credential(tx, row.id)
