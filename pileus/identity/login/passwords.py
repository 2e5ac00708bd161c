"""Passwords: hashed with Argon2id at the library's recommended cost (RFC 9106, "low memory" profile).

Hashing is slow by design; a password that was just verified is remembered for a minute under a keyed hash in memory, so
that a client that logs in before each command does not pay every time. Nothing of it reaches a disk.
"""

import functools
import hashlib
import hmac
import secrets
import threading
import time

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
_key = secrets.token_bytes(32)
_remembered: dict[bytes, float] = {}
_REMEMBER = 60.0
_hashing = threading.Semaphore(2)  # 64 MiB each: bounded, however many log in at once


@functools.cache
def _nobodys() -> str:
    """What is verified against when the user is unknown, so that an answer's time does not tell who exists."""
    return _hasher.hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    with _hashing:
        return _hasher.hash(password)


def verify(password: str, stored: str | None) -> bool:
    """Does the password fit? With nothing stored it takes as long, and the answer is no."""
    fingerprint = hmac.new(_key, f"{stored}\0{password}".encode(), hashlib.sha256).digest()
    now = time.monotonic()
    if _remembered.get(fingerprint, 0) > now:
        return True
    try:
        with _hashing:
            _hasher.verify(stored or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    if stored is None:
        return False
    if len(_remembered) > 10_000:
        _remembered.clear()
    _remembered[fingerprint] = now + _REMEMBER
    return True


_costs: dict[str, bool] = {}  # by a hash's own words for its cost: there are few


def outdated(stored: str) -> bool:
    """Was this hashed at another cost than today's?"""
    cost = stored.rsplit("$", 2)[0]
    if cost not in _costs:
        try:
            _costs[cost] = _hasher.check_needs_rehash(stored)
        except InvalidHashError:  # no hash of ours: no password fits it
            return False
    return _costs[cost]
