"""Tokens: how one is got, what it says, when it ends."""

import json
from pathlib import Path
from typing import Any

from pileus.identity.reconcile import forget_expired
from pileus.identity.store import Revocation
from tests.harness import Client, World


def password(world: World) -> str:
    found: str = json.loads((Path(world.cloud.settings.state) / "secrets.json").read_text())["admin_password"]
    return found


def login(world: World, scope: Any = None, secret: str | None = None) -> dict[str, Any]:
    user = {"name": "admin", "domain": {"id": "default"}, "password": secret or password(world)}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


ADMIN_PROJECT = {"project": {"name": "admin", "domain": {"id": "default"}}}


def test_a_password_gives_a_token_with_roles_and_catalog(world: World, anonymous: Client) -> None:
    answer = anonymous.post("/v3/auth/tokens", login(world, ADMIN_PROJECT))
    token = answer.ok(201)["token"]
    assert {role["name"] for role in token["roles"]} == {"admin", "manager", "member", "reader"}
    assert {"identity", "compute", "network", "image"} <= {service["type"] for service in token["catalog"]}
    shown = anonymous.get(
        "/v3/auth/tokens",
        x_auth_token=answer.headers["x-subject-token"],
        x_subject_token=answer.headers["x-subject-token"],
    ).ok(200)
    assert shown["token"]["user"]["name"] == "admin"


def test_scopes(world: World, anonymous: Client) -> None:
    assert "roles" not in anonymous.post("/v3/auth/tokens", login(world)).ok(201)["token"]
    assert anonymous.post("/v3/auth/tokens", login(world, {"system": {"all": True}})).ok(201)["token"]["system"]
    assert anonymous.post("/v3/auth/tokens", login(world, {"domain": {"id": "default"}})).ok(201)["token"]["domain"]


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(world: World, anonymous: Client) -> None:
    wrong = anonymous.post("/v3/auth/tokens", login(world, secret="nonsense")).refused(401)
    body = login(world)
    body["auth"]["identity"]["password"]["user"]["name"] = "nobody"
    assert anonymous.post("/v3/auth/tokens", body).refused(401) == wrong


def test_a_revoked_token_is_void_at_once(world: World, anonymous: Client) -> None:
    secret = anonymous.post("/v3/auth/tokens", login(world, ADMIN_PROJECT)).headers["x-subject-token"]
    anonymous.get("/v3/auth/projects", x_auth_token=secret).ok(200)
    anonymous.request("DELETE", "/v3/auth/tokens", headers={"x-auth-token": secret, "x-subject-token": secret}).ok(204)
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)


def test_a_token_is_exchanged_for_another_scope_and_keeps_its_end(world: World, anonymous: Client) -> None:
    first = anonymous.post("/v3/auth/tokens", login(world))
    secret = first.headers["x-subject-token"]
    auth = {"auth": {"identity": {"methods": ["token"], "token": {"id": secret}}, "scope": ADMIN_PROJECT}}
    second = anonymous.post("/v3/auth/tokens", auth).ok(201)
    assert second["token"]["expires_at"] == first.json["token"]["expires_at"]
    assert second["token"]["audit_ids"][1] == first.json["token"]["audit_ids"][0]


def test_malformed_requests_are_refused_by_name(anonymous: Client) -> None:
    for body in (
        {},
        {"auth": {}},
        {"auth": {"identity": {"methods": "password"}}},
        {"auth": {"identity": {"methods": []}}},
    ):
        anonymous.post("/v3/auth/tokens", body).refused(400)
    anonymous.request("POST", "/v3/auth/tokens", b"[]").refused(400)


def test_a_token_is_checked_without_a_body(member: Client, stranger: Client) -> None:
    headers = {"x-subject-token": member.token or ""}
    member.request("HEAD", "/v3/auth/tokens", headers=headers).ok(200)
    stranger.request("HEAD", "/v3/auth/tokens", headers=headers).refused(403)
    stranger.get("/v3/auth/tokens", x_subject_token=member.token or "").refused(403)
    stranger.request("DELETE", "/v3/auth/tokens", headers=headers).refused(403)
    member.get("/v3/auth/tokens", x_subject_token="nonsense").refused(404)


def test_the_json_home_says_where_everything_is(anonymous: Client) -> None:
    answer = anonymous.get("/v3", accept="application/json-home")
    rel = "https://docs.openstack.org/api/openstack-identity/3/rel/"
    resources = answer.ok(200)["resources"]
    assert answer.headers["content-type"] == "application/json-home"
    assert resources[rel + "users"] == {"href": "/v3/users"}
    grants = resources[rel + "project_user_role"]
    assert grants["href-template"] == "/v3/projects/{project_id}/users/{user_id}/roles/{role_id}"
    assert set(grants["href-vars"]) == {"project_id", "user_id", "role_id"}
    for where in resources.values():
        assert anonymous.get(where.get("href", "/v3")).status != 404


def test_revocations_are_forgotten_when_the_tokens_they_void_have_ended(fresh: World) -> None:
    with fresh.cloud.db.write() as tx:
        tx.insert(Revocation("ended", "2001-01-01T00:00:00.000000Z"))
        tx.insert(Revocation("not ended", "2999-01-01T00:00:00.000000Z"))
    forget_expired(fresh.cloud)
    with fresh.cloud.db.read() as tx:
        assert [row.audit_id for row in tx.select(Revocation)] == ["not ended"]
