"""Auth receipts: what somebody has proved so far, where a user's rules want more (Identity API v3, "Multi-Factor").

A receipt is Fernet like a token, under keys of its own, so that neither can pass for the other.
"""

from pathlib import Path

import msgspec
from cryptography.fernet import InvalidToken

from pileus.core import clock
from pileus.core.errors import Unauthorized
from pileus.identity.store import Project, User
from pileus.identity.tokens import keys

HEADER = "openstack-auth-receipt"
SECONDS = 300  # to find the second factor


class Receipt(msgspec.Struct, array_like=True):
    user_id: str
    methods: list[str]
    issued_at: str
    expires_at: str


class Receipts:
    def __init__(self, folder: Path):
        self._fernet = keys.fernet(folder)

    def give(self, user_id: str, methods: list[str]) -> tuple[str, Receipt]:
        receipt = Receipt(user_id, methods, clock.now(), clock.after(SECONDS))
        return self._fernet.encrypt(msgspec.msgpack.encode(receipt)).decode().rstrip("="), receipt

    def read(self, secret: str) -> Receipt | None:
        """What a receipt says, if it is ours and has not expired."""
        try:
            data = self._fernet.decrypt(secret.encode() + b"=" * (-len(secret) % 4))
            receipt = msgspec.msgpack.decode(data, type=Receipt)
        except (InvalidToken, msgspec.DecodeError, ValueError):
            return None
        return receipt if receipt.expires_at > clock.now() else None


class MoreWanted(Unauthorized):
    """What was proved is right and not enough: a 401 with a receipt, whose body says what the user's rules want."""

    def __init__(self, user: User, domain: Project, secret: str, receipt: Receipt):
        super().__init__("Additional authentications steps required.", detail=f"user {user.id} has to prove more")
        self.headers = {HEADER: secret, "vary": "X-Auth-Token"}
        self.body = {
            "receipt": {
                "methods": receipt.methods,
                "user": {"id": user.id, "name": user.name, "domain": {"id": domain.id, "name": domain.name}},
                "issued_at": receipt.issued_at,
                "expires_at": receipt.expires_at,
            },
            "required_auth_methods": user.options["multi_factor_auth_rules"],
        }


def enough(user: User, methods: list[str], known: set[str]) -> bool:
    """Do these methods satisfy one of the user's rules? Methods that this cloud does not know are not asked for."""
    rules = user.options.get("multi_factor_auth_rules")
    if not rules or user.options.get("multi_factor_auth_enabled") is False:
        return True
    wanted = [set(rule) & known for rule in rules]
    return any(rule <= set(methods) for rule in wanted if rule) or not any(wanted)
