"""`password`: a user and its password."""

import msgspec

from pileus.core.db import Tx
from pileus.identity.ldap import login as directory
from pileus.identity.login import compliance, passwords
from pileus.identity.login.methods.claims import Attempt, Claim, Method, UserRef, find_domain, find_user, named
from pileus.identity.store import User
from pileus.settings import SecurityCompliance


class UserWithPassword(UserRef):
    password: str | None = None


class Given(msgspec.Struct):
    user: UserWithPassword


class Proving:
    """Whether a password is right; and one that was hashed at another cost than today's is hashed anew."""

    def __init__(self, tx: Tx, rules: SecurityCompliance, user: User | None, password: str):
        self.rules = rules
        self.user = user
        self.password = password
        self.locked = user is not None and compliance.locked(tx, rules, user)
        self.renewed: str | None = None

    def prove(self) -> bool:
        stored = self.user.password_hash if self.user else None
        right = passwords.verify(self.password, stored)
        if right and not self.locked and stored and passwords.outdated(stored):
            self.renewed = passwords.hash_password(self.password)
        return right and not self.locked

    def accepted(self, tx: Tx) -> None:
        if self.renewed and self.user is not None:
            where = {"id": self.user.id, "password_hash": self.user.password_hash}
            tx.update(User, where, password_hash=self.renewed)

    def refused(self, tx: Tx) -> None:
        if self.user is not None and not self.locked:
            compliance.failed(tx, self.rules, self.user)


def _elsewhere(attempt: Attempt, user: User | None, given: UserWithPassword) -> Claim | None:
    """The claim of somebody whose password a directory knows; None for everybody else."""
    if user is not None and user.password_hash is not None:
        return None
    domain = find_domain(attempt.tx, given.domain) if given.domain and not given.id else None
    domain_id = user.domain_id if user else domain.id if domain else None
    asking = directory.asking(attempt.tx, attempt.connections, given.id, given.name, domain_id, given.password or "")
    if asking is None:
        return None
    found = Claim("password", user, named=named(user, given))

    def prove() -> bool:
        right = asking.prove()
        found.user = asking.user
        return right

    found.prove = prove
    return found


def claim(attempt: Attempt, given: Given) -> Claim:
    user = find_user(attempt.tx, given.user)
    if elsewhere := _elsewhere(attempt, user, given.user):
        return elsewhere
    proving = Proving(attempt.tx, attempt.settings.security_compliance, user, given.user.password or "")
    found = Claim("password", user, proving.prove, named=named(user, given.user), refused=proving.refused)
    if user and user.password_hash and passwords.outdated(user.password_hash):
        found.accepted = proving.accepted
    if user is not None and compliance.password_expired(user):
        found.objection = f"The password is expired and needs to be changed for user: {user.id}."
    return found


METHOD = Method("password", Given, claim)
