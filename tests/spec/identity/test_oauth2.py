"""OAuth 2.0: application credentials as clients, and the bearer tokens they get."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness import Answer, Client

KIND = "application/x-www-form-urlencoded"


def ask(client: Client, body: Any = None, basic: str | bytes | None = None) -> Answer:
    headers = {"content-type": KIND}
    if basic is not None:
        raw = basic if isinstance(basic, bytes) else basic.encode()
        headers["authorization"] = f"Basic {base64.b64encode(raw).decode()}"
    data = body if isinstance(body, bytes) else urlencode(body or {"grant_type": "client_credentials"}).encode()
    return client.request("POST", "/v3/OS-OAUTH2/token", data, headers)


@pytest.fixture
def credential(member: Client) -> dict[str, Any]:
    at = f"/v3/users/{member.user_id}/application_credentials"
    found: dict[str, Any] = member.post(at, {"application_credential": {"name": "x"}}).ok(201)["application_credential"]
    return found


def test_a_client_gets_a_bearer_token(member: Client, anonymous: Client, credential: dict[str, Any]) -> None:
    form = {"client_id": credential["id"], "client_secret": credential["secret"], "grant_type": "client_credentials"}
    for answer in (ask(anonymous, form), ask(anonymous, basic=f"{credential['id']}:{credential['secret']}")):
        found = answer.ok(200)
        assert found["token_type"] == "Bearer" and found["expires_in"] > 0
        assert answer.headers["cache-control"] == "no-store"
        seen = anonymous.get("/v3/auth/projects", authorization=f"Bearer {found['access_token']}").ok()["projects"]
        assert [row["id"] for row in seen] == [member.project_id]
        anonymous.get("/compute/v2.1/os-keypairs", authorization=f"bearer {found['access_token']}").ok()
        anonymous.get("/v3/auth/projects", x_auth_token=found["access_token"]).ok()


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "Basic eDp5", "x", ""])
def test_another_authorization_is_none(anonymous: Client, header: str) -> None:
    anonymous.get("/v3/auth/projects", authorization=header).refused(401)


@pytest.mark.parametrize(
    ("form", "basic", "status", "error"),
    [
        ({"client_id": "x"}, None, 400, "invalid_request"),
        ({"grant_type": ""}, None, 400, "invalid_request"),
        (b"grant_type=client_credentials&grant_type=client_credentials", None, 400, "invalid_request"),
        (b"grant_type", None, 400, "invalid_request"),
        (b"\xff=\xff", None, 400, "invalid_request"),
        ({"grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "x"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, "x:y", 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, "x", 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, b"\xff:\xff", 401, "invalid_client"),
    ],
)
def test_a_refusal_is_in_the_words_of_the_standard(
    anonymous: Client, form: Any, basic: Any, status: int, error: str
) -> None:
    answer = ask(anonymous, form, basic)
    said = answer.refused(status)
    assert said["error"] == error and said["error_description"]
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_wrong_secret_is_refused(anonymous: Client, credential: dict[str, Any]) -> None:
    assert ask(anonymous, basic=f"{credential['id']}:wrong").refused(401)["error"] == "invalid_client"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60), header=st.text(max_size=30))
def test_nonsense_is_refused(anonymous: Client, body: bytes, header: str) -> None:
    sent = {"content-type": KIND, "authorization": f"Basic {header}"}
    for data in (body, b"grant_type=client_credentials&" + body):
        answer = anonymous.request("POST", "/v3/OS-OAUTH2/token", data, sent)
        assert answer.status in (400, 401) and answer.json["error"]
