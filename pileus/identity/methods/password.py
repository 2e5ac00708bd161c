"""`password`: a user and its password."""

from functools import partial

import msgspec

from pileus.identity import passwords
from pileus.identity.methods.claims import Attempt, Claim, Method, UserRef, find_user


class UserWithPassword(UserRef):
    password: str | None = None


class Given(msgspec.Struct):
    user: UserWithPassword


def claim(attempt: Attempt, given: Given) -> Claim:
    user = find_user(attempt.tx, given.user)
    hashed = user.password_hash if user else None
    return Claim("password", user, partial(passwords.verify, given.user.password or "", hashed))


METHOD = Method("password", Given, claim)
