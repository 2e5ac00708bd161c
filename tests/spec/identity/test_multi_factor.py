"""More than a password: codes of authenticators, rules that want several methods, and the receipts in between."""

import base64
import secrets
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from pileus.core import clock
from pileus.identity.tokens.receipts import Receipt
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import log_in, make

SECRET = "a secret worth keeping"
BOTH = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
RECEIPT = "openstack-auth-receipt"


@pytest.fixture
def seed() -> bytes:
    return secrets.token_bytes(20)


@pytest.fixture
def user(admin: Client, seed: bytes) -> Any:
    made = make(admin, "user", password=SECRET)
    blob = base64.b32encode(seed).decode().rstrip("=")
    body = {"credential": {"type": "totp", "blob": blob, "user_id": made["id"]}}
    admin.post("/v3/credentials", body).ok(201)
    return made


def code(seed: bytes, windows_ago: int = 0) -> str:
    return TOTP(seed, 6, SHA1(), 30, enforce_key_length=False).generate(int(time.time()) - 30 * windows_ago).decode()


def present(client: Client, user: Any, receipt: str = "", scope: Any = None, **methods: Any) -> Answer:
    """A request for a token with `password=...` or `passcode=...`."""
    identity: dict[str, Any] = {"methods": []}
    for word, value in methods.items():
        name = "totp" if word == "passcode" else word
        identity["methods"].append(name)
        identity[name] = {"user": {"id": user["id"], word: value}}
    body = {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}
    return client.request("POST", "/v3/auth/tokens", body, {RECEIPT: receipt} if receipt else {})


def test_a_code_is_taken_once(anonymous: Client, user: Any, seed: bytes) -> None:
    passcode = code(seed)
    token = present(anonymous, user, passcode=passcode).ok(201)["token"]
    assert token["methods"] == ["totp"]
    present(anonymous, user, passcode=passcode).refused(401)


def test_a_code_from_the_window_before_is_taken_but_no_older_one(anonymous: Client, user: Any, seed: bytes) -> None:
    present(anonymous, user, passcode=code(seed, 4)).refused(401)
    present(anonymous, user, passcode=code(seed, -2)).refused(401)
    present(anonymous, user, passcode=code(seed, 1)).ok(201)


def test_no_code_fits_a_user_without_a_seed_or_with_a_broken_one(admin: Client, anonymous: Client) -> None:
    bare = make(admin, "user", password=SECRET)
    refusal = present(anonymous, bare, passcode="000000").refused(401)
    assert present(anonymous, {"id": "nobody"}, passcode="000000").refused(401) == refusal
    for blob in ("not base32!", "", "💥"):
        admin.post("/v3/credentials", {"credential": {"type": "totp", "blob": blob, "user_id": bare["id"]}})
        for passcode in ("000000", "", "💥", "1" * 9000):
            present(anonymous, bare, passcode=passcode).refused(401)


def test_a_user_with_rules_needs_all_methods_of_one(admin: Client, anonymous: Client, user: Any, seed: bytes) -> None:
    admin.patch(f"/v3/users/{user['id']}", {"user": {"options": BOTH}}).ok()
    token = present(anonymous, user, password=SECRET, passcode=code(seed)).ok(201)["token"]
    assert token["methods"] == ["password", "totp"]


def test_one_factor_gets_a_receipt_and_the_other_completes_it(
    admin: Client, anonymous: Client, user: Any, seed: bytes
) -> None:
    admin.patch(f"/v3/users/{user['id']}", {"user": {"options": BOTH}}).ok()
    answer = present(anonymous, user, password=SECRET)
    body = answer.refused(401)
    assert body["required_auth_methods"] == [["password", "totp"]]
    receipt = body["receipt"]
    assert receipt["methods"] == ["password"] and set(receipt) == {"methods", "user", "issued_at", "expires_at"}
    assert receipt["user"] == {
        "id": user["id"],
        "name": user["name"],
        "domain": {"id": "default", "name": "Default"},
    }
    secret = answer.headers[RECEIPT]
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)
    again = present(anonymous, user, receipt=secret, password=SECRET)
    assert again.refused(401)["receipt"]["methods"] == ["password"]
    whole = present(anonymous, user, receipt=secret, passcode=code(seed))
    assert set(whole.ok(201)["token"]["methods"]) == {"password", "totp"}
    token = whole.headers["x-subject-token"]
    exchange = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": "unscoped"}}
    anonymous.post("/v3/auth/tokens", exchange).ok(201)


def test_a_wrong_second_factor_is_refused_like_anything_wrong(admin: Client, anonymous: Client, user: Any) -> None:
    admin.patch(f"/v3/users/{user['id']}", {"user": {"options": BOTH}}).ok()
    secret = present(anonymous, user, password=SECRET).headers[RECEIPT]
    answer = present(anonymous, user, receipt=secret, passcode="000000")
    assert "receipt" not in answer.refused(401) and RECEIPT not in answer.headers


def test_a_receipt_is_good_only_for_its_user_its_time_and_its_password(
    world: World, admin: Client, anonymous: Client, user: Any, seed: bytes
) -> None:
    admin.patch(f"/v3/users/{user['id']}", {"user": {"options": BOTH}}).ok()
    other = make(admin, "user", password=SECRET, options=BOTH)
    receipts = world.cloud.receipts
    ended = Receipt(user["id"], ["password"], clock.after(-400), clock.after(-100))
    foreign, _ = receipts.give(other["id"], ["password"])
    token, _ = world.cloud.tokens.issue(user["id"], ["password", "totp"])
    secret = present(anonymous, user, password=SECRET).headers[RECEIPT]
    void = receipts._fernet.encrypt(msgspec.msgpack.encode(ended)).decode()
    for number, wrong in enumerate((void, foreign, token, "nonsense", "gAAAA\ud800", secret[:-3])):
        assert RECEIPT not in present(anonymous, user, receipt=wrong, password=SECRET).headers, number
        present(anonymous, user, receipt=wrong, password=SECRET).refused(401)
    admin.patch(f"/v3/users/{user['id']}", {"user": {"password": "another"}}).ok()
    present(anonymous, user, receipt=secret, passcode=code(seed)).refused(401)


@pytest.mark.parametrize(
    "options",
    [
        {"multi_factor_auth_enabled": False, "multi_factor_auth_rules": [["password", "totp"]]},
        {"multi_factor_auth_enabled": True},
        {"multi_factor_auth_rules": []},
        {"multi_factor_auth_rules": [["password", "totp"], ["password"]]},
        {"multi_factor_auth_rules": [["password", "no such method"]]},
    ],
)
def test_rules_that_a_password_satisfies(admin: Client, anonymous: Client, options: Any) -> None:
    user = make(admin, "user", password=SECRET, options=options)
    log_in(anonymous, user["id"], SECRET).ok(201)


def test_rules_are_lists_of_lists_of_words(admin: Client) -> None:
    for wrong in ("password", ["password"], [[7]], {"password": True}, [[["password"]]]):
        given = {"name": "wrong", "options": {"multi_factor_auth_rules": wrong}}
        admin.post("/v3/users", {"user": given}).refused(400, "must be")


def test_receipt_keys_are_their_own_and_nobody_elses_to_read(world: World) -> None:
    state = Path(world.cloud.settings.state)
    folder = state / "keys-receipts"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert (folder / "0").read_bytes() != (state / "keys" / "0").read_bytes()
