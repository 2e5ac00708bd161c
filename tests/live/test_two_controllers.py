"""Two controllers of one cloud, processes of their own, over one PostgreSQL."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests import controllers, postgres
from tests.controllers import Controller
from tests.live.cloud import eventually
from tests.postgres import Postgres

pytestmark = pytest.mark.live
SECRET = "a secret worth keeping"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    yield from postgres.running()


@pytest.fixture(scope="module")
def pair(server: Postgres) -> Iterator[tuple[Controller, Controller]]:
    with controllers.two(server.database()) as found:
        yield found


def send(to: Controller, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{to.url}{path}", data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            told = "json" in answer.headers.get("content-type", "")
            return answer.status, json.loads(text) if told else text, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def log_in(to: Controller, name: str, password: str, project: str = "") -> str:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if project:
        auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
    status, body, headers = send(to, "POST", "/v3/auth/tokens", {"auth": auth})
    assert status == 201, body
    return str(headers["x-subject-token"])


def works(at: Controller, token: str) -> bool:
    status, _, _ = send(at, "GET", "/v3/auth/projects", x_auth_token=token)
    assert status in (200, 401)
    return status == 200


def test_a_token_that_one_revokes_is_void_at_the_other(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    token = log_in(here, "admin", here.admin_password, "admin")
    for controller in (here, there, there):  # the second time from memory
        assert works(controller, token)
    assert send(here, "DELETE", "/v3/auth/tokens", x_auth_token=token, x_subject_token=token)[0] == 204
    assert not works(here, token)
    eventually(lambda: not works(there, token))


def test_what_one_changes_of_a_user_holds_at_the_other(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    admin = log_in(there, "admin", here.admin_password, "admin")
    body = {"user": {"name": "both", "password": SECRET}}
    status, made, _ = send(here, "POST", "/v3/users", body, x_auth_token=admin)
    assert status == 201
    token = log_in(there, "both", SECRET)
    assert works(here, token) and works(there, token)
    path = f"/v3/users/{made['user']['id']}"
    assert send(here, "PATCH", path, {"user": {"enabled": False}}, x_auth_token=admin)[0] == 200
    eventually(lambda: not works(there, token))
    shown = send(there, "GET", path, x_auth_token=admin)[1]
    assert shown["user"]["enabled"] is False


def test_a_secret_that_one_stores_opens_at_the_other(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    token = log_in(here, "admin", here.admin_password, "admin")
    user_id = send(here, "GET", "/v3/auth/tokens", x_auth_token=token, x_subject_token=token)[1]["token"]["user"]["id"]
    body = {"credential": {"user_id": user_id, "type": "cert", "blob": SECRET}}
    status, made, _ = send(here, "POST", "/v3/credentials", body, x_auth_token=token)
    assert status == 201
    shown = send(there, "GET", f"/v3/credentials/{made['credential']['id']}", x_auth_token=token)[1]
    assert shown["credential"]["blob"] == SECRET


def test_they_tell_the_same_catalog(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    found = []
    for controller in pair:
        token = log_in(controller, "admin", here.admin_password, "admin")
        found.append(send(controller, "GET", "/v3/auth/catalog", x_auth_token=token)[1]["catalog"])
    assert found[0] == found[1] and here.url in json.dumps(found[0]) and there.url not in json.dumps(found[0])


def test_what_is_staged_at_one_is_imported_or_deleted_at_the_other(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    admin = log_in(here, "admin", here.admin_password, "admin")
    for method, path, body in (("POST", "/import", {"method": {"name": "glance-direct"}}), ("DELETE", "", None)):
        image = new_image(here, admin)
        octets = {"content_type": "application/octet-stream", "x_auth_token": admin}
        assert send(here, "PUT", f"{image}/stage", b"staged", **octets)[0] == 204
        assert send(there, method, f"{image}{path}", body, x_auth_token=admin)[0] in (202, 204)
        if method == "POST":
            eventually(lambda image=image: send(here, "GET", image, x_auth_token=admin)[1]["status"] == "active")
            assert send(there, "GET", f"{image}/file", x_auth_token=admin)[0] == 200
        else:
            assert send(here, "GET", image, x_auth_token=admin)[0] == 404


def test_each_has_an_image_cache_of_its_own(pair: tuple[Controller, Controller]) -> None:
    here, there = pair
    admin = log_in(here, "admin", here.admin_password, "admin")
    image = new_image(here, admin)
    image_id = image.rpartition("/")[2]
    octets = {"content_type": "application/octet-stream", "x_auth_token": admin}
    assert send(here, "PUT", f"{image}/file", b"0123456789", **octets)[0] == 204

    def cached(at: Controller) -> bool:
        listed = send(at, "GET", "/image/v2/cache", x_auth_token=admin)[1]["cached_images"]
        return image_id in [entry["image_id"] for entry in listed]

    assert send(there, "PUT", f"/image/v2/cache/{image_id}", x_auth_token=admin)[0] == 202
    eventually(lambda: cached(there))
    assert not cached(here)
    assert send(here, "PUT", f"/image/v2/cache/{image_id}", x_auth_token=admin)[0] == 202
    eventually(lambda: cached(here))
    assert send(there, "DELETE", "/image/v2/cache", x_auth_token=admin)[0] == 204
    assert cached(here) and not cached(there)


def new_image(at: Controller, token: str) -> str:
    described = {"name": "both", "disk_format": "raw", "container_format": "bare"}
    status, made, _ = send(at, "POST", "/image/v2/images", described, x_auth_token=token)
    assert status == 201
    return f"/image/v2/images/{made['id']}"
