"""OAuth 1.0: what a consumer may do for a user, from the first signature to the last token."""

import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import Client as Signer

from pileus.core import clock
from pileus.identity.reconcile import forget_expired
from pileus.identity.store import AccessToken, Nonce, RequestToken
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import make

ROOT = "http://cloud.test:5000"
ACCESS = "/v3/users/{}/OS-OAUTH1/access_tokens"


@pytest.fixture
def consumer(admin: Client) -> dict[str, Any]:
    found: dict[str, Any] = make(admin, "consumer", "/v3/OS-OAUTH1/consumers", description="a program")
    return found


def signed(consumer: dict[str, Any], path: str, token: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    """The Authorization header of a POST, as any OAuth library makes it."""
    signer = Signer(
        consumer["id"], consumer["secret"], (token or {}).get("oauth_token"), (token or {}).get("oauth_token_secret"),
        **more,
    )  # fmt: skip
    _, headers, _ = signer.sign(ROOT + path, http_method="POST")
    return {"authorization": headers["Authorization"]}


def form(answer: Answer) -> dict[str, str]:
    return dict(parse_qsl(answer.ok(201).decode()))


def ask(client: Client, consumer: dict[str, Any], project_id: str, **more: Any) -> Answer:
    path = "/v3/OS-OAUTH1/request_token"
    headers = signed(consumer, path, callback_uri="oob", **more)
    return client.request("POST", path, headers={**headers, "Requested-Project-Id": project_id})


def exchange(client: Client, consumer: dict[str, Any], token: dict[str, str], verifier: str) -> Answer:
    path = "/v3/OS-OAUTH1/access_token"
    return client.request("POST", path, headers=signed(consumer, path, token, verifier=verifier))


def authorize(client: Client, token: dict[str, str], *role_ids: str) -> Answer:
    body = {"roles": [{"id": role_id} for role_id in role_ids]}
    return client.put(f"/v3/OS-OAUTH1/authorize/{token['oauth_token']}", body)


def log_in(client: Client, consumer: dict[str, Any], token: dict[str, str], scope: Any = None) -> Answer:
    body: dict[str, Any] = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    if scope:
        body["auth"]["scope"] = scope
    path = "/v3/auth/tokens"
    return client.request("POST", path, body, headers=signed(consumer, path, token))


@pytest.fixture
def access(world: World, admin: Client, anonymous: Client, consumer: dict[str, Any]) -> dict[str, str]:
    """An access token with the role reader on the admin's project."""
    request = form(ask(anonymous, consumer, admin.project_id))
    verifier = authorize(admin, request, world.roles["reader"]).ok(200)["token"]["oauth_verifier"]
    return form(exchange(anonymous, consumer, request, verifier))


def test_a_consumer_is_made_shown_changed_and_deleted(admin: Client, consumer: dict[str, Any]) -> None:
    at = f"/v3/OS-OAUTH1/consumers/{consumer['id']}"
    assert consumer["links"]["self"].endswith(at) and len(consumer["secret"]) == 32
    shown = admin.get(at).ok()["consumer"]
    assert "secret" not in shown and shown["description"] == "a program" and shown["links"] == consumer["links"]
    assert admin.patch(at, {"consumer": {"description": "else"}}).ok()["consumer"]["description"] == "else"
    admin.patch(at, {"consumer": {"secret": "mine"}}).refused(400, "secret")
    assert consumer["id"] in {row["id"] for row in admin.get("/v3/OS-OAUTH1/consumers").ok()["consumers"]}
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_consumers_are_administrators_business(member: Client, consumer: dict[str, Any]) -> None:
    at = f"/v3/OS-OAUTH1/consumers/{consumer['id']}"
    for method, path in (("GET", "/v3/OS-OAUTH1/consumers"), ("GET", at), ("DELETE", at)):
        member.request(method, path).refused(403)
    member.post("/v3/OS-OAUTH1/consumers", {"consumer": {}}).refused(403)
    member.patch(at, {"consumer": {"description": ""}}).refused(403)
    member.get(ACCESS.format(member.user_id)).refused(403)


def test_an_access_token_logs_in_with_the_roles_it_was_given(
    world: World, admin: Client, anonymous: Client, consumer: dict[str, Any], access: dict[str, str]
) -> None:
    answer = log_in(anonymous, consumer, access)
    token = answer.ok(201)["token"]
    assert token["methods"] == ["oauth1"] and token["user"]["id"] == admin.user_id
    assert token["project"]["id"] == admin.project_id
    assert [role["id"] for role in token["roles"]] == [world.roles["reader"]]
    assert token["OS-OAUTH1"] == {"consumer_id": consumer["id"], "access_token_id": access["oauth_token"]}
    secret = answer.headers["x-subject-token"]
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": secret}}}}
    anonymous.post("/v3/auth/tokens", body).refused(403, "delegation")
    log_in(anonymous, consumer, access, {"project": {"id": admin.project_id}}).refused(401)
    at = f"{ACCESS.format(admin.user_id)}/{access['oauth_token']}"
    admin.delete(at).ok(204)
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)
    log_in(anonymous, consumer, access).refused(401)


def test_an_access_token_is_shown_with_its_roles(
    world: World, admin: Client, stranger: Client, consumer: dict[str, Any], access: dict[str, str]
) -> None:
    base = ACCESS.format(admin.user_id)
    at = f"{base}/{access['oauth_token']}"
    shown = admin.get(at).ok()["access_token"]
    assert shown.pop("links")["roles"].endswith(f"{at}/roles")
    assert shown == {
        "id": access["oauth_token"], "consumer_id": consumer["id"], "authorizing_user_id": admin.user_id,
        "project_id": admin.project_id, "expires_at": access["oauth_expires_at"],
    }  # fmt: skip
    assert [row["id"] for row in admin.get(base).ok()["access_tokens"]] == [access["oauth_token"]]
    assert [row["id"] for row in admin.get(f"{at}/roles").ok()["roles"]] == [world.roles["reader"]]
    assert admin.get(f"{at}/roles/{world.roles['reader']}").ok()["role"]["name"] == "reader"
    admin.get(f"{at}/roles/{world.roles['admin']}").refused(404)
    admin.get(f"{ACCESS.format(stranger.user_id)}/{access['oauth_token']}").refused(404)


def test_what_an_access_token_gives_is_less_than_its_user(
    admin: Client, anonymous: Client, consumer: dict[str, Any], access: dict[str, str]
) -> None:
    acting = Client(anonymous.application, log_in(anonymous, consumer, access).headers["x-subject-token"])
    acting.get("/v3/users").refused(403)
    body = {
        "trustor_user_id": admin.user_id, "trustee_user_id": admin.user_id, "impersonation": False,
        "project_id": admin.project_id, "roles": [{"name": "reader"}],
    }  # fmt: skip
    acting.post("/v3/OS-TRUST/trusts", {"trust": body}).refused(403, "delegation")
    own = f"/v3/users/{admin.user_id}/application_credentials"
    acting.post(own, {"application_credential": {"name": "x"}}).refused(403)
    acting.get(own).refused(403)


def test_a_signature_is_taken_once(admin: Client, anonymous: Client, consumer: dict[str, Any]) -> None:
    fixed = {"nonce": "12345678901234567890", "timestamp": str(int(time.time()))}
    ask(anonymous, consumer, admin.project_id, **fixed).ok(201)
    ask(anonymous, consumer, admin.project_id, **fixed).refused(401)
    ask(anonymous, consumer, admin.project_id, **{**fixed, "nonce": "another7890"}).ok(201)


def test_a_request_token_is_exchanged_once(
    world: World, admin: Client, anonymous: Client, consumer: dict[str, Any]
) -> None:
    request = form(ask(anonymous, consumer, admin.project_id))
    exchange(anonymous, consumer, request, "abcdefgh").refused(401)
    verifier = authorize(admin, request, world.roles["member"]).ok()["token"]["oauth_verifier"]
    wrong = "".join("b" if letter == "a" else "a" for letter in verifier)
    exchange(anonymous, consumer, request, wrong).refused(401)
    exchange(anonymous, consumer, request, verifier).ok(201)
    exchange(anonymous, consumer, request, verifier).refused(401)


def test_only_roles_that_the_user_has_can_be_given(
    world: World, admin: Client, member: Client, anonymous: Client, consumer: dict[str, Any]
) -> None:
    request = form(ask(anonymous, consumer, admin.project_id))
    member.put(f"/v3/OS-OAUTH1/authorize/{request['oauth_token']}", {"roles": []}).refused(403)
    authorize(admin, request, make(admin, "role")["id"]).refused(401, "roles")
    authorize(admin, request, "none").refused(404, "role")
    authorize(admin, {"oauth_token": "0" * 32}, world.roles["reader"]).refused(404, "request token")
    admin.put(f"/v3/OS-OAUTH1/authorize/{request['oauth_token']}", {"roles": "all"}).refused(400, "roles")


def test_what_has_expired_is_refused_and_forgotten(
    world: World, admin: Client, anonymous: Client, consumer: dict[str, Any], access: dict[str, str]
) -> None:
    request = form(ask(anonymous, consumer, admin.project_id))
    with world.cloud.db.write() as tx:
        for kind, id in ((RequestToken, request["oauth_token"]), (AccessToken, access["oauth_token"])):
            tx.update(kind, id, expires_at=clock.after(-1))
        tx.insert(Nonce("old", clock.after(-1)))
    authorize(admin, request, world.roles["reader"]).refused(401, "expired")
    exchange(anonymous, consumer, request, "abcdefgh").refused(401)
    log_in(anonymous, consumer, access).refused(401)
    forget_expired(world.cloud)
    with world.cloud.db.read() as tx:
        assert not tx.find(RequestToken, id=request["oauth_token"]) and not tx.find(Nonce, id="old")
    admin.get(f"{ACCESS.format(admin.user_id)}/{access['oauth_token']}").refused(404)


def test_with_the_consumer_goes_what_it_was_let_do(
    admin: Client, anonymous: Client, consumer: dict[str, Any], access: dict[str, str]
) -> None:
    secret = log_in(anonymous, consumer, access).headers["x-subject-token"]
    admin.delete(f"/v3/OS-OAUTH1/consumers/{consumer['id']}").ok()
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)
    assert admin.get(ACCESS.format(admin.user_id)).ok()["access_tokens"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_key": "f" * 32}, 401),
        ({"client_key": "short"}, 400),
        ({"timestamp": "1000000000"}, 400),
        ({"timestamp": "x"}, 400),
        ({"nonce": "a b"}, 400),
        ({"signature_method": "PLAINTEXT"}, 201),
        ({"signature_method": "PLAINTEXT", "client_secret": "wrong"}, 401),
        ({"signature_method": "HMAC-SHA256"}, 201),
        ({"callback_uri": None}, 400),
    ],
)
def test_a_wrong_signature_is_refused(
    admin: Client, anonymous: Client, consumer: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    path = "/v3/OS-OAUTH1/request_token"
    options = {"client_key": consumer["id"], "client_secret": consumer["secret"], "callback_uri": "oob", **change}
    _, headers, _ = Signer(**options).sign(ROOT + path, http_method="POST")
    sent = {"authorization": headers["Authorization"], "requested-project-id": admin.project_id}
    assert anonymous.request("POST", path, headers=sent).status == status


def test_a_request_for_another_address_project_or_without_either_is_refused(
    admin: Client, anonymous: Client, consumer: dict[str, Any]
) -> None:
    path = "/v3/OS-OAUTH1/request_token"
    header = signed(consumer, path, callback_uri="oob")
    anonymous.request("POST", path, headers=header).refused(400, "Requested-Project-Id")
    anonymous.post(path, requested_project_id=admin.project_id).refused(400, "Authorization")
    elsewhere = {**header, "requested-project-id": admin.project_id}
    anonymous.request("POST", f"{path}?other=1", headers=elsewhere).refused(401)
    anonymous.request("POST", f"/identity{path}", headers=elsewhere).ok(201)  # the same place by its other name
    ask(anonymous, consumer, "none").refused(404, "project")
    body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    anonymous.post("/v3/auth/tokens", body).refused(401)


def test_a_form_in_the_body_is_part_of_the_signature(
    admin: Client, anonymous: Client, consumer: dict[str, Any]
) -> None:
    path, kind = "/v3/OS-OAUTH1/request_token", "application/x-www-form-urlencoded"
    signer = Signer(consumer["id"], consumer["secret"], callback_uri="oob")
    _, headers, _ = signer.sign(ROOT + path, "POST", body="a=b", headers={"Content-Type": kind})
    sent = {"authorization": headers["Authorization"], "content-type": kind, "requested-project-id": admin.project_id}
    anonymous.request("POST", path, b"a=c", sent).refused(401)
    found = parse_qs(anonymous.request("POST", path, b"a=b", sent).ok(201).decode())
    assert set(found) == {"oauth_token", "oauth_token_secret", "oauth_callback_confirmed", "oauth_expires_at"}


PARTS = st.sampled_from(
    ['oauth_consumer_key="', 'oauth_nonce="', 'oauth_signature_method="HMAC-SHA1"', 'oauth_timestamp="9999999999"',
     'oauth_version="1.0"', 'oauth_callback="oob"', 'oauth_token="', 'oauth_verifier="', 'realm="', 'oauth_signature="',
     "0" * 32, '"', ",", "=", "%", "%zz", "%00", "é", "\n"]
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.one_of(st.text(), st.lists(PARTS, max_size=14).map("".join)), body=st.binary(max_size=40))
@pytest.mark.parametrize("path", ["/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH1/access_token", "/v3/auth/tokens"])
def test_nonsense_in_the_header_is_refused(anonymous: Client, path: str, header: str, body: bytes) -> None:
    sent = {"authorization": f"OAuth {header}", "requested-project-id": "x"}
    if path.endswith("tokens"):
        asked: Any = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    else:
        asked, sent["content-type"] = body, "application/x-www-form-urlencoded"
    assert anonymous.request("POST", path, asked, sent).status in (400, 401, 404)
