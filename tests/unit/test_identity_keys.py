"""Folders of keys: rotation while others read, keys that others may read, and tokens nobody of ours has signed."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.identity.tokens import keys
from pileus.identity.tokens.jws import Signatures, new_key
from pileus.identity.tokens.keys import Exposed, Fernets, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "keys", Fernet.generate_key)


def test_a_new_folder_and_its_keys_are_for_their_owner_alone(folder: Folder) -> None:
    folder.read()
    folder.rotate()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {0o600}


@pytest.mark.parametrize(("name", "mode"), [(".", 0o750), (".", 0o701), ("0", 0o640), ("0", 0o604)])
def test_keys_that_others_may_read_are_refused(folder: Folder, name: str, mode: int) -> None:
    folder.read()
    os.chmod(folder.path / name, mode)
    with pytest.raises(Exposed, match="others may read"):
        folder.read()


def test_the_key_that_comes_next_is_known_before_it_is_used(folder: Folder) -> None:
    folder.read()
    folder.rotate()
    for _ in range(3):
        waiting = folder.read()[0]
        number = folder.rotate()
        found = folder.read()
        assert next(iter(found)) == number and found[number] == waiting != found[0]


def test_what_an_old_key_made_is_good_until_the_key_is_dropped(folder: Folder) -> None:
    here, there = Fernets(folder.path), Fernets(folder.path)  # two controllers
    old = here.encrypt(b"old")
    for _ in range(keys.KEEP - 1):
        folder.rotate()
        assert folder.drop(keys.KEEP) == [] and there.decrypt(old) == b"old"
    here.changed_now()
    new = here.encrypt(b"new")
    assert there.decrypt(new) == b"new"
    folder.rotate()
    assert len(folder.drop(keys.KEEP)) == 1
    for one in (here, there):
        one.changed_now()
        assert one.decrypt(new) == b"new"
        with pytest.raises(InvalidToken):
            one.decrypt(old)


def test_a_running_process_takes_new_keys_up_by_itself(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Fernets(folder.path)
    version = reader.current()
    folder.rotate()
    monkeypatch.setattr(keys, "_LOOK", 0.0)
    assert reader.current() == version + 1
    assert reader.stale(Fernet(folder.read()[1]).encrypt(b"x"))


def test_a_rotation_that_was_cut_short_is_finished_by_the_next(folder: Folder) -> None:
    folder.read()
    folder.rotate()
    os.rename(folder.path / "0", folder.path / "3")  # killed after the first half
    (folder.path / "new-1-1").write_bytes(b"half a k")
    reader = Fernets(folder.path)
    sealed = reader.encrypt(b"x")
    assert folder.rotate() == 4
    assert folder.numbers() == [4, 3, 2, 1, 0] and not list(folder.path.glob("new-*"))
    reader.changed_now()
    assert reader.decrypt(sealed) == b"x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_new_keys_belong_to_whom_the_folder_belongs(folder: Folder) -> None:
    folder.read()
    for path in (folder.path, folder.path / "0"):
        os.chown(path, 12345, 12346)
    folder.rotate()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.path.iterdir()} == {(12345, 12346)}


def test_keys_that_were_spoiled_while_we_run_are_not_taken_up(folder: Folder) -> None:
    reader = Fernets(folder.path)
    sealed = reader.encrypt(b"x")
    (folder.path / "1").write_bytes(b"nonsense")
    assert not reader.changed_now() and reader.decrypt(sealed) == b"x"
    (folder.path / "1").unlink()
    folder.rotate()
    assert reader.changed_now() and reader.decrypt(sealed) == b"x"


def test_a_file_that_is_no_key_is_named(folder: Folder) -> None:
    folder.read()
    (folder.path / "0").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="no Fernet key"):
        Fernets(folder.path)


# -- signatures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signatures:
    return Signatures(tmp_path_factory.mktemp("jws") / "keys-jws")


@pytest.fixture(scope="module")
def signed(signer: Signatures) -> str:
    return signer.sign({"sub": "a", "n": [1, 2, 3]})


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found


def test_a_signature_is_read_again_also_after_a_rotation(signer: Signatures) -> None:
    text = signer.sign({"sub": "a"})
    signer.folder.rotate()
    other = Signatures(signer.folder.path)
    assert signer.verify(text) == other.verify(text) == {"sub": "a"}
    assert signer.verify(other.sign({"sub": "b"})) == {"sub": "b"}  # at once, not at the next look


def _none(signer: Signatures, kid: str) -> str:
    return f"{_part({'alg': 'none', 'kid': kid})}.{_part({'sub': 'admin'})}."


def _hmac_with_the_public_key(signer: Signatures, kid: str) -> str:
    public = serialization.load_pem_private_key(next(iter(signer.folder.read().values())), None)
    said = f"{_part({'alg': 'HS256', 'kid': kid})}.{_part({'sub': 'admin'})}"
    mac = hmac.new(_pem(public), said.encode(), hashlib.sha256).digest()
    return f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _another_key(signer: Signatures, kid: str) -> str:
    return jwt.encode({"sub": "admin"}, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": kid})


def _another_curve(signer: Signatures, kid: str) -> str:
    return jwt.encode({"sub": "admin"}, ec.generate_private_key(ec.SECP384R1()), "ES384", headers={"kid": kid})


def _rsa(signer: Signatures, kid: str) -> str:
    return jwt.encode({"sub": "admin"}, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": kid})


def _own_key_inside(signer: Signatures, kid: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode({"sub": "admin"}, key, "ES256", headers={"kid": kid, "jwk": {"kty": "EC", "crv": "P-256"}})


def _unknown_key(signer: Signatures, kid: str) -> str:
    return jwt.encode({"sub": "admin"}, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "../0"})


def _no_key(signer: Signatures, kid: str) -> str:
    return jwt.encode({"sub": "admin"}, ec.generate_private_key(ec.SECP256R1()), "ES256")


def _zeros(signer: Signatures, kid: str) -> str:
    said = f"{_part({'alg': 'ES256', 'kid': kid})}.{_part({'sub': 'admin'})}"
    return f"{said}.{'A' * 86}"


def _deep(signer: Signatures, kid: str) -> str:
    nested = base64.urlsafe_b64encode(b'{"kid":' + b"[" * 5000).rstrip(b"=").decode()
    return f"{nested}.e30."


FORGERIES = [_none, _hmac_with_the_public_key, _another_key, _another_curve, _rsa, _own_key_inside, _unknown_key, _no_key,
             _zeros, _deep]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forged_signature_is_refused(signer: Signatures, forge: Callable[[Signatures, str], str]) -> None:
    kid = jwt.get_unverified_header(signer.sign({}))["kid"]
    assert signer.verify(forge(signer, kid)) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_signature_is_refused(signer: Signatures, signed: str, data: st.DataObject) -> None:
    """Cut anywhere, or with any character before the signature's last one changed (that one has bits that say nothing)."""
    text = signed
    if data.draw(st.booleans()):
        assert signer.verify(text[: data.draw(st.integers(0, len(text) - 2))]) is None
    else:
        at = data.draw(st.integers(0, len(text) - 2))
        other = data.draw(st.characters(blacklist_characters=text[at]))
        assert signer.verify(text[:at] + other + text[at + 1 :]) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.from_regex(r"eyJ[\w-]{0,60}(\.[\w-]{0,40}){0,4}", fullmatch=True)))
def test_nonsense_is_no_signature(signer: Signatures, text: str) -> None:
    assert signer.verify(text) is None


def test_only_keys_on_the_right_curve_are_taken(tmp_path: Path) -> None:
    wrong = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    Folder(tmp_path / "a", lambda: wrong).read()
    with pytest.raises(ValueError, match="P-256"):
        Signatures(tmp_path / "a")
    assert b"PRIVATE KEY" in new_key()
