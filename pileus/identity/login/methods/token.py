"""`token`: a valid token is exchanged for one of another scope, which ends when it does."""

import msgspec

from pileus.core.errors import Forbidden, NotFound
from pileus.identity.login.methods.claims import Attempt, Claim, Method


class Given(msgspec.Struct):
    id: str


def claim(attempt: Attempt, given: Given) -> Claim:
    found = attempt.tokens.load(attempt.tx, given.id)
    if found is None:
        raise NotFound("The token to be exchanged is void or expired.")  # its own word for it: 404
    if found.payload.delegated:
        raise Forbidden("A token got by delegation cannot be exchanged for another.")
    return Claim("token", found.user, parent=found.payload, expires_at=found.payload.expires_at)


METHOD = Method("token", Given, claim)
