"""New keys for tokens, receipts and stored secrets, while controllers run.

A rotation is: the key that waits comes into use, what the old one encrypted in the database is encrypted anew, the oldest
keys go. Controllers that share the folder follow within half a second. Every part may be repeated and may be cut short.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet

from pileus.core.db import Database, Statement, sql
from pileus.core.errors import Unavailable
from pileus.core.tables import columns
from pileus.identity.delegation import credentials
from pileus.identity.delegation.credentials import Vault
from pileus.identity.federation import websso
from pileus.identity.store import AccessToken, Consumer, Credential, DomainOption, RequestToken
from pileus.identity.tokens import keys, provider

RECEIPTS = "keys-receipts"
KINDS = {  # what a person calls it, and its folder
    "tokens": provider.FOLDER,
    "signatures": provider.JWS_FOLDER,
    "receipts": RECEIPTS,
    "credentials": credentials.FOLDER,
    "federation": websso.FOLDER,
}
_WHERE_USED = {"signatures"}  # kinds that a cloud has only if it uses them
# columns that hold what the vault encrypted
SECRETS: list[tuple[type[msgspec.Struct], str]] = [
    (Credential, "encrypted_blob"),
    (Consumer, "encrypted_secret"),
    (RequestToken, "encrypted_secret"),
    (AccessToken, "encrypted_secret"),
    (DomainOption, "encrypted_value"),
]
_BATCH = 200

Progress = Callable[[int, int], None]


class Rotated(msgspec.Struct):
    """What became of one kind of keys."""

    kind: str
    folder: str
    in_use: int
    dropped: list[int]
    reencrypted: int = 0
    skipped: str = ""


def folder(state: Path, kind: str) -> keys.Folder:
    path = state / KINDS[kind]
    if kind == "signatures":
        from pileus.identity.tokens.jws import new_key

        return keys.Folder(path, new_key)
    return keys.Folder(path, Fernet.generate_key)


def present(state: Path) -> list[str]:
    """The kinds this cloud has keys of."""
    return [kind for kind, name in KINDS.items() if (state / name).is_dir()]


def check(state: Path) -> None:
    """Raises ValueError, with a sentence, when the keys cannot be used.

    First ones are made here and not when they are needed: folders that another controller is given are whole then.
    """
    for kind in KINDS:
        if kind not in _WHERE_USED or kind in present(state):
            folder(state, kind).read()


def rotate(db: Database, state: Path, kind: str, keep: int, older: float, progress: Progress) -> Rotated:
    """Rotate one kind, unless its key in use is younger than `older` seconds. Raises ValueError for keys others can read."""
    files = folder(state, kind)
    files.read()
    if older and files.age() < older:
        return Rotated(kind, str(files.path), files.numbers()[0], [], skipped="its key is younger than asked for")
    secret = kind == "credentials"
    count = 0
    if secret:
        # what an earlier rotation left behind comes under the key in use first: then only this key has to stay
        count += reencrypt(db, Vault(state), progress)
    in_use = files.rotate()
    if secret:
        keys.fernet(files.path).changed_now()
        count += reencrypt(db, Vault(state), progress)
        # a controller may still be writing with the key it knew half a second ago
        keep = max(keep, 2)
    return Rotated(kind, str(files.path), in_use, files.drop(keep), count)


def reencrypt(db: Database, vault: Vault, progress: Progress) -> int:
    """Bring all stored secrets under the key in use; returns how many were under another."""
    changed = 0
    for struct, column in SECRETS:
        table_ids, read, write = _statements(struct, column)
        with db.read() as tx:
            ids = [row[0] for row in tx.all(table_ids)]
        for start in range(0, len(ids), _BATCH):
            changed += _batch(db, vault, read, write, ids[start : start + _BATCH])
            progress(min(start + _BATCH, len(ids)), len(ids))
    return changed


def _batch(db: Database, vault: Vault, read: Statement, write: Statement, ids: list[str]) -> int:
    """A few rows in one short transaction: controllers go on beside it. A row that changed meanwhile is left as it is."""
    with db.read() as tx:
        found = [(id, row[0]) for id in ids if (row := tx.one(read, id=id))]
    renewed = [
        {"id": id, "old": closed, "new": vault.close(vault.reveal(closed, f"A secret of {id}"))}
        for id, closed in found
        if vault.stale(closed)
    ]
    if not renewed:
        return 0
    for attempt in range(10):
        try:
            with db.write() as tx:
                return sum(tx.execute(write, **values) for values in renewed)
        except Unavailable:  # the database was busy; the driver has waited already
            if attempt == 9:
                raise
    return 0


def _statements(struct: type[msgspec.Struct], column: str) -> tuple[Statement, Statement, Statement]:
    table = columns(struct).id.table
    return (
        sql(sa.select(table.c.id).order_by(table.c.id)),
        sql(sa.select(table.c[column]).where(table.c.id == sa.bindparam("id"))),
        sql(
            sa.update(table)
            .where(table.c.id == sa.bindparam("id"), table.c[column] == sa.bindparam("old"))
            .values({column: sa.bindparam("new")})
        ),
    )
