"""Signed images: what their signature does not hold for is refused."""

from typing import Any

import pytest

from tests.harness import Client, World
from tests.signing import certificate, signed
from tests.spec.image.images import bare, bring_in, ended, show, stage, upload
from tests.spec.image.web import Web

NAME = "11111111-2222-3333-4444-555555555555"


def properties(kind: str, data: bytes, **changes: str) -> dict[str, Any]:
    return {
        "img_signature": signed(kind, data)[1],
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": NAME,
        **changes,
    }


def trust(world: World, kind: str, name: str = NAME, days: int = 1) -> None:
    folder = world.cloud.settings.folder / "certificates"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pem").write_bytes(certificate(kind, days))


@pytest.mark.parametrize("kind", ["RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECP521R1"])
def test_a_signed_upload_is_taken_when_its_signature_holds(wide: World, importer: Client, kind: str) -> None:
    trust(wide, kind)
    image = bare(importer, **properties(kind, b"bytes"))
    upload(importer, image, b"others").refused(400, "signature is not that of these bytes")
    assert show(importer, image)["status"] == "queued"
    upload(importer, image, b"by", b"tes").ok(204)
    assert show(importer, image)["status"] == "active"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"img_signature": "no base64!"}, "base64"),
        ({"img_signature": "QUJD"}, "signature"),
        ({"img_signature_hash_method": "MD5"}, "hash method"),
        ({"img_signature_key_type": "ROT13"}, "key type"),
        ({"img_signature_key_type": "DSA"}, "not of type DSA"),
        ({"img_signature_certificate_uuid": "99999999"}, "no certificate"),
        ({"img_signature_certificate_uuid": "../keys/0"}, "is no certificate"),
        ({"img_signature_certificate_uuid": "old"}, "not valid today"),
        ({"img_signature_certificate_uuid": "broken"}, "cannot be read"),
    ],
)
def test_a_signature_that_cannot_be_checked_is_refused(
    wide: World, importer: Client, changes: dict[str, str], words: str
) -> None:
    trust(wide, "RSA-PSS")
    trust(wide, "RSA-PSS", "old", days=-1)
    (wide.cloud.settings.folder / "certificates/broken.pem").write_bytes(b"no certificate")
    image = bare(importer, **properties("RSA-PSS", b"bytes", **changes))
    upload(importer, image, b"bytes").refused(400, words)
    assert show(importer, image)["status"] == "queued"


def test_imports_are_held_to_signatures_too(wide: World, importer: Client, web: Web) -> None:
    trust(wide, "RSA-PSS")
    for data, status in ((b"bytes", "success"), (b"other", "failure")):
        image = bare(importer, **properties("RSA-PSS", b"bytes"))
        stage(importer, image, data).ok(204)
        bring_in(importer, image).ok(202)
        assert ended(importer, image)["status"] == status
        image = bare(importer, **properties("RSA-PSS", b"bytes"))
        bring_in(importer, image, "web-download", source={"uri": web.put("/signed", data)}).ok(202)
        assert ended(importer, image)["status"] == status
