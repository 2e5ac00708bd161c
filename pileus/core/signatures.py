"""Signatures over streams, as images carry them: RSA-PSS, DSA and elliptic curves, by a certificate's key."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, NamedTuple

HASHES = {"SHA-224": "SHA224", "SHA-256": "SHA256", "SHA-384": "SHA384", "SHA-512": "SHA512"}
CURVES = ("SECT571K1", "SECT409K1", "SECT571R1", "SECT409R1", "SECP521R1", "SECP384R1")
KEY_TYPES = ("RSA-PSS", "DSA", *(f"ECC_{curve}" for curve in CURVES))


class BadSignature(Exception):
    """The signature does not hold, or cannot be checked; the message says which."""


class Signed(NamedTuple):
    """What a signature over bytes consists of; `certificate` is PEM."""

    signature: str
    hash_method: str
    key_type: str
    certificate: bytes


class Verifier:
    """Eats the bytes, and says at their end whether the signature is theirs."""

    def __init__(self, signed: Signed):
        from cryptography.hazmat.primitives import hashes

        if signed.hash_method not in HASHES:
            raise BadSignature(f"the hash method {signed.hash_method[:50]!r} is not one of {', '.join(HASHES)}")
        if signed.key_type not in KEY_TYPES:
            raise BadSignature(f"the key type {signed.key_type[:50]!r} is not one of {', '.join(KEY_TYPES)}")
        try:
            self._signature = base64.b64decode(signed.signature, validate=True)
        except (binascii.Error, ValueError):
            raise BadSignature("the signature is not base64") from None
        self._key = public_key(signed)
        self._type = signed.key_type
        self._algorithm: Any = getattr(hashes, HASHES[signed.hash_method])()
        self._hash = hashes.Hash(self._algorithm)

    def eat(self, chunk: bytes) -> None:
        self._hash.update(chunk)

    def finish(self) -> None:
        """Raises BadSignature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        digest, prehashed = self._hash.finalize(), Prehashed(self._algorithm)
        try:
            if self._type == "RSA-PSS":
                # whatever salt the signer took: cursive and openssl differ in it
                pss = padding.PSS(padding.MGF1(self._algorithm), padding.PSS.AUTO)
                self._key.verify(self._signature, digest, pss, prehashed)
            elif self._type == "DSA":
                self._key.verify(self._signature, digest, prehashed)
            else:
                self._key.verify(self._signature, digest, ec.ECDSA(prehashed))
        except InvalidSignature:
            raise BadSignature("the signature is not that of these bytes") from None
        except ValueError as error:
            raise BadSignature(f"the signature cannot be checked: {error}") from None


def public_key(signed: Signed) -> Any:
    """The certificate's key, if it is valid today and of the announced type. Raises BadSignature."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        certificate = x509.load_pem_x509_certificate(signed.certificate)
        key = certificate.public_key()
    except Exception as error:
        raise BadSignature(f"the certificate cannot be read: {error}") from None
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise BadSignature("the certificate is not valid today")
    fits = (
        (signed.key_type == "RSA-PSS" and isinstance(key, rsa.RSAPublicKey))
        or (signed.key_type == "DSA" and isinstance(key, dsa.DSAPublicKey))
        or (isinstance(key, ec.EllipticCurvePublicKey) and signed.key_type == f"ECC_{key.curve.name.upper()}")
    )
    if not fits:
        raise BadSignature(f"the certificate's key is not of type {signed.key_type}")
    return key
