"""Key pairs: importing a public key or making a pair, of which the private half is shown once and not kept."""

import base64
import binascii
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pileus.compute.store import KeyPair
from pileus.core import clock, quota
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound

LIMIT = 100  # key pairs a user may have


def get_keypair(tx: Tx, user_id: str, name: str) -> KeyPair:
    """Raises NotFound."""
    found = tx.find(KeyPair, user_id=user_id, name=name)
    if found is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}", kind="KeypairNotFound")
    return found


def create_keypair(tx: Tx, user_id: str, name: str, type: str, public_key: str | None) -> tuple[KeyPair, str | None]:
    """Import `public_key`, or make a pair when there is none. Returns it with the private key that was made, if any.

    Raises BadRequest for a key that is none, Conflict for a name in use, OverQuota.
    """
    private_key = None
    if public_key is None:
        public_key, private_key = _make(name) if type == "ssh" else _certificate(user_id)
    if tx.find(KeyPair, user_id=user_id, name=name):
        raise Conflict(f"Key pair '{name}' already exists.", kind="KeyPairExists")
    quota.check("key_pairs", LIMIT, tx.count(KeyPair, user_id=user_id), 1)
    row = KeyPair(clock.new_id(), user_id, name, type, public_key, fingerprint(public_key, type), clock.now())
    tx.insert(row)
    return row, private_key


def delete_keypair(tx: Tx, keypair: KeyPair) -> None:
    tx.delete(KeyPair, id=keypair.id)


def fingerprint(public_key: str, type: str) -> str:
    """MD5 of the key's blob in colon-separated hex, as ssh-keygen -E md5 shows it. Raises BadRequest."""
    if type == "x509":
        try:
            body = "".join(line for line in public_key.splitlines() if not line.startswith("-----"))
            digest = hashlib.sha1(base64.b64decode(body, validate=True), usedforsecurity=False).hexdigest()
        except (binascii.Error, ValueError) as error:
            raise BadRequest(f"Keypair data is invalid: {error}", kind="InvalidKeypair") from None
        return _colons(digest)
    parts = public_key.split()
    try:
        serialization.load_ssh_public_key(public_key.strip().encode())
        blob = base64.b64decode(parts[1], validate=True)
    except (ValueError, IndexError, UnsupportedAlgorithm, binascii.Error) as error:
        raise BadRequest(
            f"Keypair data is invalid: failed to generate fingerprint: {error}", kind="InvalidKeypair"
        ) from None
    return _colons(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def _colons(digest: str) -> str:
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def _certificate(user_id: str) -> tuple[str, str]:
    """A certificate signed by its own key, for guests that take those (Windows): its subject is the user."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _make(name: str) -> tuple[str, str]:
    """An ECDSA pair (P-256): every SSH client takes it, and making one takes a millisecond, where RSA takes a second."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    return f"{public} Generated-by-pileus", private
