"""`totp`: a user and the code its authenticator shows (RFC 6238), by a seed kept as a credential of type totp."""

import base64
import binascii
import hmac
import time
from collections.abc import Iterable
from functools import partial

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from pileus.core.db import Tx
from pileus.core.errors import Unauthorized
from pileus.identity.delegation.credentials import Vault
from pileus.identity.login import compliance
from pileus.identity.login.methods.claims import WRONG, Attempt, Claim, Method, UserRef, find_user, named
from pileus.identity.store import Credential, TotpUse

STEP = 30  # seconds that a code is shown for
DIGITS = 6


class UserWithCode(UserRef):
    passcode: str | None = None


class Given(msgspec.Struct):
    user: UserWithCode


class Proving:
    """Which of the user's seeds makes the code, if any, now or a little while ago."""

    def __init__(self, seeds: dict[str, bytes], code: str, steps: Iterable[int], locked: bool):
        self.seeds = seeds
        self.code = code.encode()
        self.steps = list(steps)
        self.locked = locked
        self.found: tuple[str, int] | None = None

    def prove(self) -> bool:
        for credential_id, seed in self.seeds.items():
            totp = TOTP(seed, DIGITS, SHA1(), STEP, enforce_key_length=False)  # noqa: S303
            for step in self.steps:
                if hmac.compare_digest(totp.generate(step * STEP), self.code):
                    self.found = (credential_id, step)
        return self.found is not None and not self.locked

    def accepted(self, tx: Tx) -> None:
        """In one transaction with the look at what was used: of two requests with one code, one gets a token."""
        assert self.found is not None
        credential_id, step = self.found
        used = tx.find(TotpUse, credential_id=credential_id)
        if used is None:
            tx.insert(TotpUse(credential_id, step))
        elif used.step >= step or not tx.update(
            TotpUse, {"credential_id": credential_id, "step": used.step}, step=step
        ):
            raise Unauthorized(WRONG, detail="the code was used before")


def claim(attempt: Attempt, given: Given) -> Claim:
    user = find_user(attempt.tx, given.user)
    rows = attempt.tx.select(Credential, user_id=user.id, type="totp") if user else []
    vault = Vault(attempt.settings.folder)
    seeds = {row.id: seed for row in rows if (seed := _seed(vault.open(row)))}
    now = int(time.time()) // STEP
    steps = range(now, now - attempt.settings.totp_previous_windows - 1, -1)
    rules = attempt.settings.security_compliance
    locked = user is not None and compliance.locked(attempt.tx, rules, user)
    # nobody's seed, so that there is the same to do
    proving = Proving(seeds or {"": b"0123456789abcdef0123"}, given.user.passcode or "", steps, locked)
    return Claim(
        "totp",
        user if seeds else None,
        proving.prove,
        named=named(user, given.user),
        accepted=proving.accepted,
        refused=partial(compliance.failed, rules=rules, user=user) if user and not locked else None,
    )


def _seed(blob: str) -> bytes | None:
    """The bytes of a seed in base32, as authenticators are given it; None when it is none."""
    text = "".join(blob.split()).upper().rstrip("=")
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8)) or None
    except (binascii.Error, ValueError):
        return None


METHOD = Method("totp", Given, claim)
