"""Credentials kept for users, encrypted; policy documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.identity.identities import make, unique


def keys(word: str) -> str:
    return json.dumps({"access": unique(word), "secret": "very secret"})


def credential(client: Client, **change: Any) -> Any:
    body = {"type": "ec2", "blob": keys("a"), "user_id": client.user_id, "project_id": client.project_id, **change}
    return client.post("/v3/credentials", {"credential": body})


def test_a_credential_is_kept_changed_listed_and_deleted(member: Client, admin: Client) -> None:
    made = credential(member).ok(201)["credential"]
    at = f"/v3/credentials/{made['id']}"
    assert member.get(at).ok()["credential"] == made
    blob = keys("b")
    assert member.patch(at, {"credential": {"blob": blob}}).ok()["credential"]["blob"] == blob
    member.patch(at, {"credential": {"type": "totp"}}).refused(400, "type")
    assert [row["id"] for row in member.get("/v3/credentials").ok()["credentials"]] == [made["id"]]
    assert [row["id"] for row in member.get("/v3/credentials?type=ec2").ok()["credentials"]] == [made["id"]]
    assert member.get("/v3/credentials?type=totp").ok()["credentials"] == []
    member.delete(at).ok(204)
    member.get(at).refused(403)  # whose it was is known no more
    admin.get(at).refused(404)


def test_blobs_are_encrypted_in_the_database(world: World, member: Client) -> None:
    credential(member).ok(201)
    state = Path(world.cloud.settings.state)
    key = state / "keys-credentials" / "0"
    assert key.stat().st_mode & 0o777 == 0o600 and key.parent.stat().st_mode & 0o777 == 0o700
    if world.cloud.db.sqlite:
        assert all(b"very secret" not in path.read_bytes() for path in state.glob("pileus.db*"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"project_id": None}, "project_id"),
        ({"blob": "no json"}, "blob"),
        ({"blob": "{}"}, "access"),
        ({"blob": {"access": "x"}}, "blob"),
        ({"type": None}, "type"),
    ],
)
def test_a_malformed_credential_is_refused_by_field(member: Client, change: Any, word: str) -> None:
    credential(member, **change).refused(400, word)


def test_an_access_key_is_one_credentials(member: Client) -> None:
    blob = keys("c")
    credential(member, blob=blob).ok(201)
    credential(member, blob=blob).refused(409)


def test_credentials_are_their_users_and_administrators(member: Client, stranger: Client, admin: Client) -> None:
    made = credential(member).ok(201)["credential"]
    at = f"/v3/credentials/{made['id']}"
    stranger.get(at).refused(403)
    stranger.delete(at).refused(403)
    assert stranger.get(f"/v3/credentials?user_id={member.user_id}").ok()["credentials"] == []
    assert stranger.get("/v3/credentials").ok()["credentials"] == []
    credential(stranger, user_id=member.user_id).refused(403)
    assert made["id"] in {row["id"] for row in admin.get("/v3/credentials").ok()["credentials"]}


def test_a_list_of_credentials_has_pages_and_filters(member: Client) -> None:
    ids = sorted(credential(member, blob=keys(f"page-{n}")).ok(201)["credential"]["id"] for n in range(3))
    body = {"credential": {"type": "totp", "blob": "GEZDGNBVGY3TQOJQ"}}
    seed = member.post("/v3/credentials", body).ok(201)["credential"]["id"]
    first = member.get("/v3/credentials?type=ec2&limit=2").ok()
    assert [row["id"] for row in first["credentials"]] == ids[:2]
    following = first["links"]["next"].partition("cloud.test:5000")[2]
    assert [row["id"] for row in member.get(following).ok()["credentials"]] == ids[2:]
    assert [row["id"] for row in member.get("/v3/credentials?type=totp").ok()["credentials"]] == [seed]
    member.get("/v3/credentials?marker=none").refused(400, "marker")


def test_credentials_go_with_their_user_and_project(admin: Client) -> None:
    user, project = make(admin, "user"), make(admin, "project")
    first = credential(admin, user_id=user["id"]).ok(201)["credential"]
    second = credential(admin, project_id=project["id"]).ok(201)["credential"]
    admin.delete(f"/v3/users/{user['id']}").ok()
    admin.delete(f"/v3/projects/{project['id']}").ok()
    for made in (first, second):
        admin.get(f"/v3/credentials/{made['id']}").refused(404)


def test_policy_documents(admin: Client, member: Client) -> None:
    made = admin.post("/v3/policies", {"policy": {"type": "application/json", "blob": "{}"}}).ok(201)["policy"]
    at = f"/v3/policies/{made['id']}"
    assert admin.patch(at, {"policy": {"type": "text/plain"}}).ok()["policy"]["type"] == "text/plain"
    assert made["id"] in {row["id"] for row in admin.get("/v3/policies").ok()["policies"]}
    member.get(at).refused(403)
    member.post("/v3/policies", {"policy": {"type": "x", "blob": "x"}}).refused(403)
    admin.post("/v3/policies", {"policy": {"type": "x", "blob": {}}}).refused(400, "blob")
    admin.delete(at).ok(204)
    admin.get(at).refused(404)
