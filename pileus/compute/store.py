"""Compute's tables."""

import msgspec

from pileus.core.tables import Key, table


@table("keypairs", unique=[("user_id", "name")])
class KeyPair(msgspec.Struct):
    id: Key
    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str
    created_at: str
