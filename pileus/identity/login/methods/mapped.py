"""`mapped`, `saml2`, `openid`: a token by an identity provider is exchanged for one of another scope, as by `token`.

What the provider itself says is brought to `/v3/OS-FEDERATION/.../auth`, and not in a body.
"""

from functools import partial

import msgspec

from pileus.core.errors import Unauthorized
from pileus.identity.login.methods import token
from pileus.identity.login.methods.claims import WRONG, Attempt, Claim, Method


class Given(msgspec.Struct):
    id: str | None = None


def claim(attempt: Attempt, given: Given, name: str) -> Claim:
    if given.id is None:
        raise Unauthorized(f"Attempted to authenticate by {name} without a token of an identity provider's user.")
    found = token.claim(attempt, token.Given(given.id))
    if found.parent is None or found.parent.federation is None:
        raise Unauthorized(WRONG, detail="the token's user came by no identity provider")
    found.method = name
    return found


METHODS = [Method(name, Given, partial(claim, name=name)) for name in ("mapped", "saml2", "openid")]
