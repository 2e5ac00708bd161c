"""Users, their passwords, and groups."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.identity.identities import auth, caller, log_in, make, unique

SECRET = "a secret worth keeping"


@pytest.fixture
def user(admin: Client) -> Any:
    return make(admin, "user", password=SECRET)


def test_a_user_is_created_shown_listed_changed_and_deleted(admin: Client) -> None:
    made = make(admin, "user", password=SECRET, email="a@example.org", description="someone", enabled=True)
    assert made["domain_id"] == "default" and made["email"] == "a@example.org" and made["password_expires_at"] is None
    assert "password" not in made and "default_project_id" not in made
    at = f"/v3/users/{made['id']}"
    assert admin.get(at).ok(200)["user"] == made
    assert admin.get(f"/v3/users?name={made['name']}").ok()["users"] == [made]
    changed = admin.patch(at, {"user": {"email": "b@example.org", "default_project_id": "p"}}).ok()["user"]
    assert (changed["email"], changed["default_project_id"], changed["description"]) == (
        "b@example.org",
        "p",
        "someone",
    )
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_names_are_unique_in_a_domain(admin: Client, user: Any) -> None:
    admin.post("/v3/users", {"user": {"name": user["name"]}}).refused(409, "in use")
    domain = make(admin, "domain")
    made = make(admin, "user", name=user["name"], domain_id=domain["id"])
    assert made["domain_id"] == domain["id"]
    admin.patch(f"/v3/users/{make(admin, 'user')['id']}", {"user": {"name": user["name"]}}).refused(409)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "user"),
        ({"user": []}, "user"),
        ({"user": {}}, "name"),
        ({"user": {"name": ""}}, "name"),
        ({"user": {"name": "x" * 256}}, "name"),
        ({"user": {"name": "x", "enabled": 7}}, "enabled"),
        ({"user": {"name": "x", "domain_id": 7}}, "domain_id"),
        ({"user": {"name": "x", "password": 7}}, "password"),
        ({"user": {"name": "x", "options": {"unknown": True}}}, "options"),
    ],
)
def test_a_malformed_user_is_refused_by_field(admin: Client, body: Any, word: str) -> None:
    admin.post("/v3/users", body).refused(400, word)


def test_a_missing_domain_is_told(admin: Client) -> None:
    admin.post("/v3/users", {"user": {"name": "x", "domain_id": "nowhere"}}).refused(404, "domain")


def test_what_identifies_a_user_cannot_change(admin: Client, user: Any) -> None:
    at = f"/v3/users/{user['id']}"
    admin.patch(at, {"user": {"id": "other"}}).refused(400, "id")
    admin.patch(at, {"user": {"domain_id": "other"}}).refused(400, "domain_id")
    admin.patch(at, {"user": {"id": user["id"], "domain_id": "default", "name": user["name"]}}).ok(200)
    admin.patch(at, {"user": {}}).refused(400, "user")


def test_users_log_in_with_the_password_and_change_it_with_the_old_one(
    admin: Client, anonymous: Client, user: Any
) -> None:
    own = caller(anonymous, user["id"], SECRET)
    at = f"/v3/users/{user['id']}/password"
    anonymous.post(at, {"user": {"password": "new"}}).refused(400, "original_password")
    anonymous.post(at, {"user": {"original_password": "wrong", "password": "new"}}).refused(401)
    own.get("/v3/auth/projects").ok()
    own.post(at, {"user": {"original_password": SECRET, "password": "another one"}}).ok(204)
    own.get("/v3/auth/projects").refused(401)
    log_in(anonymous, user["id"], SECRET).refused(401)
    log_in(anonymous, user["id"], "another one").ok(201)


def test_a_new_password_from_an_administrator_voids_tokens(admin: Client, anonymous: Client, user: Any) -> None:
    own = caller(anonymous, user["id"], SECRET)
    admin.patch(f"/v3/users/{user['id']}", {"user": {"password": "reset"}}).ok()
    own.get("/v3/auth/projects").refused(401)
    log_in(anonymous, user["id"], "reset").ok(201)


def test_a_disabled_user_is_out_and_old_tokens_stay_void(admin: Client, anonymous: Client, user: Any) -> None:
    own = caller(anonymous, user["id"], SECRET)
    at = f"/v3/users/{user['id']}"
    admin.patch(at, {"user": {"enabled": False}}).ok()
    own.get("/v3/auth/projects").refused(401)
    log_in(anonymous, user["id"], SECRET).refused(401)
    admin.patch(at, {"user": {"enabled": True}}).ok()
    own.get("/v3/auth/projects").refused(401)
    caller(anonymous, user["id"], SECRET).get("/v3/auth/projects").ok()


def test_a_deleted_users_token_is_void(admin: Client, anonymous: Client, user: Any) -> None:
    own = caller(anonymous, user["id"], SECRET)
    admin.delete(f"/v3/users/{user['id']}").ok()
    own.get("/v3/auth/projects").refused(401)


def test_a_disabled_project_voids_its_tokens_for_good(admin: Client, anonymous: Client, user: Any) -> None:
    project = make(admin, "project")
    role = make(admin, "role")
    admin.put(f"/v3/projects/{project['id']}/users/{user['id']}/roles/{role['id']}").ok(204)
    scope = {"project": {"id": project["id"]}}
    own = caller(anonymous, user["id"], SECRET, scope)
    for enabled in (False, True):
        admin.patch(f"/v3/projects/{project['id']}", {"project": {"enabled": enabled}}).ok()
        own.get("/v3/auth/projects").refused(401)
    caller(anonymous, user["id"], SECRET, scope).get("/v3/auth/projects").ok()


def test_a_user_without_a_password_cannot_log_in(admin: Client, anonymous: Client) -> None:
    log_in(anonymous, make(admin, "user")["id"], "").refused(401)


def test_groups_have_members(admin: Client, user: Any) -> None:
    group = make(admin, "group", description="us")
    at = f"/v3/groups/{group['id']}"
    assert admin.patch(at, {"group": {"description": "them"}}).ok()["group"]["description"] == "them"
    admin.post("/v3/groups", {"group": {"name": group["name"]}}).refused(409)
    admin.get(f"{at}/users/{user['id']}").refused(404)
    for _ in range(2):
        admin.put(f"{at}/users/{user['id']}").ok(204)
    admin.request("HEAD", f"{at}/users/{user['id']}").ok(204)
    assert [row["id"] for row in admin.get(f"{at}/users").ok()["users"]] == [user["id"]]
    assert [row["id"] for row in admin.get(f"/v3/users/{user['id']}/groups").ok()["groups"]] == [group["id"]]
    admin.delete(f"{at}/users/{user['id']}").ok(204)
    admin.delete(f"{at}/users/{user['id']}").refused(404)
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_users_are_listed_in_pages(admin: Client) -> None:
    domain = make(admin, "domain")
    made = {make(admin, "user", domain_id=domain["id"])["id"] for _ in range(3)}
    first = admin.get(f"/v3/users?domain_id={domain['id']}&limit=2").ok()
    rest = admin.get(first["links"]["next"].partition("5000")[2]).ok()
    assert {row["id"] for row in first["users"] + rest["users"]} == made


class TestWithoutTheRightRole:
    def test_a_member_sees_only_themselves(self, member: Client, stranger: Client) -> None:
        assert member.get(f"/v3/users/{member.user_id}").ok()["user"]["id"] == member.user_id
        member.get(f"/v3/users/{member.user_id}/groups").ok()
        assert len(member.get(f"/v3/users/{member.user_id}/projects").ok()["projects"]) == 1
        for path in ("", "/groups", "/projects"):
            member.get(f"/v3/users/{stranger.user_id}{path}").refused(403)
        member.get("/v3/users/nobody").refused(403)
        member.get("/v3/users").refused(403)

    def test_a_member_changes_nobody(self, member: Client) -> None:
        member.post("/v3/users", {"user": {"name": unique()}}).refused(403)
        member.patch(f"/v3/users/{member.user_id}", {"user": {"email": "x"}}).refused(403)
        member.delete(f"/v3/users/{member.user_id}").refused(403)
        member.post("/v3/groups", {"group": {"name": unique()}}).refused(403)

    def test_nobody_without_a_token(self, anonymous: Client) -> None:
        anonymous.get("/v3/users").refused(401)
        anonymous.post("/v3/users", {"user": {"name": "x"}}).refused(401)


class TestADomainsManager:
    @pytest.fixture
    def manager(self, admin: Client, anonymous: Client) -> tuple[Client, str]:
        domain = make(admin, "domain")
        user = make(admin, "user", domain_id=domain["id"], password=SECRET)
        role = admin.get("/v3/roles?name=manager").ok()["roles"][0]
        admin.put(f"/v3/domains/{domain['id']}/users/{user['id']}/roles/{role['id']}").ok(204)
        return caller(anonymous, user["id"], SECRET, {"domain": {"id": domain["id"]}}), domain["id"]

    def test_makes_users_projects_and_groups_in_the_domain(self, manager: tuple[Client, str]) -> None:
        client, domain_id = manager
        for kind in ("user", "project", "group"):
            made = make(client, kind, domain_id=domain_id)
            assert made["domain_id"] == domain_id
            if kind != "project":  # only what names the domain is theirs to make
                client.post(f"/v3/{kind}s", {kind: {"name": unique()}}).refused(403)
            listed = client.get(f"/v3/{kind}s").ok()[f"{kind}s"]
            assert {row["domain_id"] for row in listed} == {domain_id}
            client.post(f"/v3/{kind}s", {kind: {"name": unique(), "domain_id": "default"}}).refused(403)

    def test_makes_no_projects_below_another_domains(self, manager: tuple[Client, str], admin: Client) -> None:
        client, domain_id = manager
        parent = make(admin, "project")
        for given in ({}, {"domain_id": domain_id}):
            refusal = client.post("/v3/projects", {"project": {"name": unique(), "parent_id": parent["id"], **given}})
            assert refusal.status in (400, 403)
        client.post("/v3/projects", {"project": {"name": unique(), "is_domain": True}}).refused(403)

    def test_hands_out_ordinary_roles_only(self, manager: tuple[Client, str], admin: Client) -> None:
        client, domain_id = manager
        project, user = make(client, "project"), make(client, "user", domain_id=domain_id)
        roles = {row["name"]: row["id"] for row in client.get("/v3/roles").ok()["roles"]}
        at = f"/v3/projects/{project['id']}/users/{user['id']}/roles"
        client.put(f"{at}/{roles['member']}").ok(204)
        client.put(f"{at}/{roles['admin']}").refused(403)
        elsewhere = make(admin, "project")
        client.put(f"/v3/projects/{elsewhere['id']}/users/{user['id']}/roles/{roles['member']}").refused(403)

    def test_makes_no_domains(self, manager: tuple[Client, str]) -> None:
        manager[0].post("/v3/domains", {"domain": {"name": unique()}}).refused(403)


def test_the_body_of_a_log_in_is_checked(anonymous: Client, user: Any) -> None:
    body = auth(user["id"], SECRET, {"project": {"id": "x"}, "domain": {"id": "y"}})
    anonymous.post("/v3/auth/tokens", body).refused(400, "scope")
    anonymous.post("/v3/auth/tokens", auth(user["id"], SECRET, {"project": {"id": "x"}})).refused(401)
