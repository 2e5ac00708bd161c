"""`oauth1`: a consumer signs the request with an access token of the user's, which brings its own scope."""

from functools import partial

import msgspec

from pileus.core.errors import Unauthorized
from pileus.identity.delegation import oauth1
from pileus.identity.delegation.credentials import Vault
from pileus.identity.login.methods.claims import WRONG, Attempt, Claim, Method
from pileus.identity.store import User


class Given(msgspec.Struct):
    """Nothing: it is all in the Authorization header."""


def claim(attempt: Attempt, given: Given) -> Claim:
    header = attempt.headers.get("authorization", "")
    if not header.lower().startswith("oauth "):
        raise Unauthorized(WRONG, detail="no OAuth header")
    vault = Vault(attempt.settings.folder)
    found, nonce = oauth1.verify(attempt.tx, vault, oauth1.Signed(attempt.uri, {"Authorization": header}))
    user = attempt.tx.find(User, id=found.user_id)
    accepted = partial(oauth1.remember, nonce=nonce)
    return Claim("oauth1", user, accepted=accepted, access_token=found, expires_at=found.expires_at)


METHOD = Method("oauth1", Given, claim)
