"""Signed images: four properties say by whom and how; the certificates are PEM files in a folder of the operator's."""

import re
from pathlib import Path
from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.signatures import BadSignature, Signed, Verifier
from pileus.image.store import Image

SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE = PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")


def is_signed(image: Image) -> bool:
    """Has it all four properties? With fewer nothing is claimed, so nothing is checked."""
    return all(name in image.properties for name in PROPERTIES)


def signed(cloud: Any, image: Image) -> Signed | None:
    """The image's signature with its certificate, None when it has none. Raises BadSignature."""
    if not is_signed(image):
        return None
    name = image.properties[CERTIFICATE]
    if not _NAME.fullmatch(name):
        raise BadSignature(f"{name[:100]!r} is no certificate's name")
    folder = cloud.drivers["image"].options.certificates or cloud.settings.folder / "certificates"
    try:
        pem = (Path(folder) / f"{name}.pem").read_bytes()
    except OSError:
        raise BadSignature(f"there is no certificate {name} here") from None
    return Signed(
        image.properties[SIGNATURE], image.properties[HASH_METHOD], image.properties[KEY_TYPE], pem
    )  # fmt: skip


def verifiers(cloud: Any, image: Image) -> list["Checked"]:
    """What an upload's bytes have to pass. Raises BadRequest."""
    try:
        found = signed(cloud, image)
        return [Checked(Verifier(found))] if found else []
    except BadSignature as error:
        raise BadRequest(f"Signature verification for the image failed: {error}.") from None


class Checked:
    """A verifier that speaks to clients."""

    def __init__(self, verifier: Verifier):
        self._verifier = verifier

    def eat(self, chunk: bytes) -> None:
        self._verifier.eat(chunk)

    def finish(self) -> None:
        try:
            self._verifier.finish()
        except BadSignature as error:
            raise BadRequest(f"Signature verification for the image failed: {error}.") from None
