"""A log-in with a directory's password: asked there, outside any transaction, and the user's rows brought up to date."""

from typing import Any

from pileus.core.db import Database, Tx
from pileus.identity.drivers.base import DirectoryContract
from pileus.identity.federation.shadow import settle
from pileus.identity.ldap import mirror
from pileus.identity.ldap.store import Entry
from pileus.identity.store import User

_NOBODY = "cn=nobody"


class Asking:
    """Whether a password is right. What `prove` finds out of the user is in `user` afterwards."""

    def __init__(
        self, db: Database, domain_id: str, directory: DirectoryContract, wanted: dict[str, str], password: str
    ):
        self.db = db
        self.domain_id = domain_id
        self.directory = directory
        self.wanted = wanted
        self.password = password
        self.user: User | None = None

    def prove(self) -> bool:
        person = self.directory.find(**self.wanted)
        # somebody who is not there is asked about all the same: answers come as late as for a wrong password
        right = self.directory.proves(person.dn if person else _NOBODY, self.password)
        if person is None or not right:
            return False
        circles = self.directory.circles_of(person)
        user = settle(self.db, lambda tx: mirror.take_in(tx, self.domain_id, person, circles))
        self.user = user
        return user.enabled


def asking(
    tx: Tx, connections: Any, user_id: str | None, name: str | None, domain_id: str | None, password: str
) -> Asking | None:
    """None where no directory is to be asked: for somebody in an ordinary domain. Raises Unavailable."""
    if user_id:
        entry = tx.find(Entry, public_id=user_id)
        if entry is None or entry.entity_type != "user":
            return None
        domain_id, wanted = entry.domain_id, {"local_id": entry.local_id}
    else:
        wanted = {"name": name or ""}
    directory = connections.directory(tx, domain_id) if domain_id else None
    if directory is None:
        return None
    return Asking(tx.db, domain_id or "", directory, wanted, password)
