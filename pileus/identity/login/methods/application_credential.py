"""`application_credential`: a second password of a user, which brings its own scope."""

from functools import partial

import msgspec

from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.identity.login import passwords
from pileus.identity.login.methods.claims import Attempt, Claim, Method, UserRef, find_user
from pileus.identity.store import ApplicationCredential, User


class Given(msgspec.Struct):
    secret: str
    id: str | None = None
    name: str | None = None
    user: UserRef | None = None


def claim(attempt: Attempt, given: Given) -> Claim:
    tx, found = attempt.tx, None
    if given.id:
        found = tx.find(ApplicationCredential, id=given.id)
    elif given.name and given.user:
        owner = find_user(tx, given.user)
        found = tx.find(ApplicationCredential, user_id=owner.id, name=given.name) if owner else None
    else:
        raise BadRequest("Expecting to find id, or name and user, in application_credential.")
    if found is not None and found.expires_at is not None and found.expires_at <= clock.now():
        found = None
    prove = partial(passwords.verify, given.secret, found.secret_hash if found else None)
    user = tx.find(User, id=found.user_id) if found else None
    who = f"application credential {given.id or given.name}"
    ends = found.expires_at if found else None
    return Claim("application_credential", user, prove, named=who, credential=found, expires_at=ends)


METHOD = Method("application_credential", Given, claim)
