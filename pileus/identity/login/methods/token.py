"""`token`: a valid token is exchanged for one of another scope, which ends when it does.

One by an application credential stays what it is, and one of the system does not lead to projects and domains.
"""

import msgspec

from pileus.core.errors import Forbidden, NotFound
from pileus.identity.login.methods.claims import Attempt, Claim, Method


class Given(msgspec.Struct):
    id: str


def claim(attempt: Attempt, given: Given) -> Claim:
    found = attempt.tokens.load(attempt.tx, given.id)
    if found is None:
        raise NotFound("The token to be exchanged is void or expired.")  # its own word for it: 404
    payload, credential = found.payload, found.credential
    if payload.delegated and (credential is None or attempt.scope):
        raise Forbidden("A token got by delegation cannot be exchanged for another.")
    if payload.scope == "system" and attempt.scope in ("project", "domain"):
        raise Forbidden("A token of the system cannot be exchanged for one of a project or domain.")
    return Claim("token", found.user, parent=payload, credential=credential, expires_at=payload.expires_at)


METHOD = Method("token", Given, claim)
