"""Logging in to a cloud of two processes: clients of the old version, and tokens that one process revokes."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.harness import eventually
from tests.live.cloud import Cli, LiveCloud

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def cloud() -> Iterator[LiveCloud]:
    made = LiveCloud("--fake")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def password(cloud: LiveCloud) -> str:
    found: str = json.loads((cloud.state / "secrets.json").read_text())["admin_password"]
    return found


def send(method: str, url: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"content-type": "application/json", **sent}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def log_in(cloud: LiveCloud) -> str:
    user = {"name": "admin", "domain": {"id": "default"}, "password": password(cloud)}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    status, headers, _ = send("POST", f"http://127.0.0.1:{cloud.port}/v3/auth/tokens", {"auth": auth})
    assert status == 201
    return headers["x-subject-token"]


def test_a_keystonerc_of_version_2_works_with_the_stock_client(cloud: LiveCloud) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    old = {
        "OS_USERNAME": "admin",
        "OS_TENANT_NAME": "admin",
        "OS_PASSWORD": password(cloud),
        "OS_AUTH_URL": f"http://127.0.0.1:{cloud.port}/v2.0/",
    }
    for version in ({}, {"OS_IDENTITY_API_VERSION": "2"}):
        client = Cli({**kept, **old, **version})
        assert client("token issue")["id"].startswith("gAAAA")
    assert client("flavor list") == []


def test_a_token_that_one_process_revokes_is_void_in_the_other_within_a_second(cloud: LiveCloud) -> None:
    token = log_in(cloud)
    api, bodies = f"http://127.0.0.1:{cloud.port}", f"http://127.0.0.1:{cloud.port + 1}"

    def status() -> int:
        return send("GET", f"{bodies}/image/v2/images", x_auth_token=token)[0]

    assert status() == 200
    done, _, _ = send("DELETE", f"{api}/v3/auth/tokens", x_auth_token=token, x_subject_token=token)
    assert done == 204
    eventually(lambda: status() == 401, tries=50)


def test_head_has_the_headers_of_get_and_no_body(cloud: LiveCloud) -> None:
    token = log_in(cloud)
    for path in ("/v3/auth/tokens", "/v3/auth/catalog", "/v3/projects", "/healthcheck", "/v2.0"):
        url = f"http://127.0.0.1:{cloud.port}{path}"
        (status, shown, body), (head, told, nothing) = (
            send(method, url, x_auth_token=token, x_subject_token=token) for method in ("GET", "HEAD")
        )
        assert head == status == 200 and nothing == b"" and body, path
        if path != "/v3/auth/tokens":  # checking a token is an operation of its own
            assert told["content-length"] == str(len(body)) and told["content-type"] == shown["content-type"], path
