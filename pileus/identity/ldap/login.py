"""A log-in with a directory's password: asked there, outside any transaction, and the user's rows brought up to date."""

from typing import Any

from pileus.core.db import Database, Tx
from pileus.identity.drivers.base import DirectoryContract
from pileus.identity.federation.shadow import settle
from pileus.identity.ldap import mirror
from pileus.identity.ldap.entries import DEPTH, Circle, Person, plain
from pileus.identity.ldap.options import Options
from pileus.identity.ldap.store import Entry
from pileus.identity.store import User

_NOBODY = "cn=nobody"


class Asking:
    """Whether a password is right. What `prove` finds out of the user is in `user` afterwards."""

    def __init__(
        self,
        db: Database,
        domain_id: str,
        options: Options,
        directory: DirectoryContract,
        wanted: dict[str, str],
        password: str,
    ):
        self.db = db
        self.domain_id = domain_id
        self.options = options
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
        circles = around(self.directory, self.options, person)
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
    if not domain_id or (directory := connections.directory(tx, domain_id)) is None:
        return None
    return Asking(tx.db, domain_id, connections.options(tx, domain_id), directory, wanted, password)


def around(directory: DirectoryContract, options: Options, person: Person) -> list[Circle]:
    """The groups somebody is in; and those that these are in, and so on, where groups in groups count.

    Asked level by level, which every directory understands; Active Directory's own word for it only that one does.
    """
    found: dict[str, Circle] = {}
    members = [person.local_id if options.group_members_are_ids else person.dn]
    for _ in range(DEPTH if options.group_ad_nesting else 1):
        fresh = [circle for circle in directory.circles_of(members) if plain(circle.dn) not in found]
        if not fresh:
            break
        found.update({plain(circle.dn): circle for circle in fresh})
        members = [circle.dn for circle in fresh]
    return list(found.values())
