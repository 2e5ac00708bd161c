"""Tokens as JSON Web Signatures (RFC 7515): anybody with the public key may read and check one, nobody make one.

ES256 and nothing else: what a token's own header says about algorithms is never asked. The private keys stand in a folder
as `keys.py` keeps them; a token names the one it was signed with by a thumbprint.
"""

import hashlib
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pileus.identity.tokens.keys import Folder, Watched

_ALGORITHM = "ES256"
_LONGEST = 8192  # characters; headers that long reach no handler


class Signatures(Watched):
    """Signs with the key in use, verifies with all."""

    _private: tuple[str, ec.EllipticCurvePrivateKey]
    _public: dict[str, ec.EllipticCurvePublicKey]

    def __init__(self, path: Path):
        super().__init__(Folder(path, new_key))

    def load(self, keys: dict[int, bytes]) -> None:
        private = [_key(self.folder.path / str(number), data) for number, data in keys.items()]
        self._public = {_thumbprint(key.public_key()): key.public_key() for key in private}
        self._private = (_thumbprint(private[0].public_key()), private[0])

    def sign(self, claims: dict[str, Any]) -> str:
        self.current()
        name, key = self._private
        return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": name})

    def verify(self, text: str) -> dict[str, Any] | None:
        """What a token claims, or None when it is not one of ours; whether it has expired is for the caller to see."""
        if len(text) > _LONGEST or not text.isascii():
            return None
        self.current()
        try:
            name = jwt.get_unverified_header(text).get("kid")
            if not isinstance(name, str):
                return None
            if name not in self._public:
                self.changed_now()
            key = self._public.get(name)
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(text, key, algorithms=[_ALGORITHM], options=_SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return None
        return claims


# times and the like are Payload's business: it is the same whatever the token is made of
_SIGNATURE_ONLY: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False,
                        "verify_sub": False, "verify_jti": False}  # fmt: skip


def new_key() -> bytes:
    """A private key, as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key(path: Path, data: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no private key in PEM: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"{path} is no key on the curve P-256, which ES256 is made with.")
    return key


def _thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    return hashlib.sha256(point).hexdigest()[:16]
