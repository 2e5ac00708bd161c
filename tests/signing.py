"""Keys and certificates to sign images with, made once a run."""

import base64
import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa


@functools.cache
def key(kind: str) -> Any:
    if kind == "RSA-PSS":
        return rsa.generate_private_key(65537, 2048)
    if kind == "DSA":
        return dsa.generate_private_key(1024)
    return ec.generate_private_key(getattr(ec, kind.removeprefix("ECC_"))())


@functools.cache
def certificate(kind: str, days: int = 1) -> bytes:
    """Self-signed, PEM; with negative days it is past its time."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    end = datetime.now(UTC) + timedelta(days=days)
    signer = key("RSA-PSS")
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key(kind).public_key())
        .serial_number(1).not_valid_before(end - timedelta(days=30)).not_valid_after(end).sign(signer, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


def signed(kind: str, data: bytes, algorithm: Any = None) -> tuple[bytes, str]:
    """The certificate, and the signature in base64."""
    algorithm = algorithm or hashes.SHA256()
    if kind == "RSA-PSS":
        value = key(kind).sign(data, padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH), algorithm)
    elif kind == "DSA":
        value = key(kind).sign(data, algorithm)
    else:
        value = key(kind).sign(data, ec.ECDSA(algorithm))
    return certificate(kind), base64.b64encode(value).decode()
