"""Tokens: how one is got, what it says, when it ends."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus import services
from pileus.core import clock
from pileus.core.routes import RouteTable
from pileus.identity.api.base import api
from pileus.identity.login import passwords
from tests.harness import Client, World
from tests.spec.identity.identities import auth, caller, log_in, make, unique

WORDS = st.sampled_from(
    ["identity", "methods", "password", "token", "totp", "user", "id", "name", "domain", "scope", "project", "system",
     "passwordCredentials", "username", "tenantName", "tenantId", "trust_id", "OS-TRUST:trust", "all", ""]
)  # fmt: skip


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


def test_a_domain_may_be_named_in_other_letters_unless_two_differ_by_them_only(
    world: World, admin: Client, anonymous: Client
) -> None:
    def scoped(name: str) -> int:
        return anonymous.post("/v3/auth/tokens", login(world, {"domain": {"name": name}})).status

    assert scoped("Default") == scoped("default") == scoped("DEFAULT") == 201
    assert scoped("Defaults") == scoped("%") == 401
    twin = make(admin, "domain", name="DEFAULT")
    assert scoped("Default") == 201 and scoped("default") == scoped("DEFAULT") == 401
    admin.patch(f"/v3/domains/{twin['id']}", {"domain": {"enabled": False}}).ok()
    admin.delete(f"/v3/domains/{twin['id']}").ok()


def test_scopes(world: World, anonymous: Client) -> None:
    assert "roles" not in anonymous.post("/v3/auth/tokens", login(world)).ok(201)["token"]
    assert anonymous.post("/v3/auth/tokens", login(world, {"system": {"all": True}})).ok(201)["token"]["system"]
    assert anonymous.post("/v3/auth/tokens", login(world, {"domain": {"id": "default"}})).ok(201)["token"]["domain"]


def test_a_token_of_the_system_leads_to_no_project_or_domain(world: World, anonymous: Client) -> None:
    answer = anonymous.post("/v3/auth/tokens", login(world, {"system": {"all": True}}))
    identity = {"methods": ["token"], "token": {"id": answer.headers["x-subject-token"]}}
    for scope in (ADMIN_PROJECT, {"domain": {"id": "default"}}):
        anonymous.post("/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}).refused(403, "system")
    for allowed in ({"system": {"all": True}}, "unscoped"):
        anonymous.post("/v3/auth/tokens", {"auth": {"identity": identity, "scope": allowed}}).ok(201)


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
    assert anonymous.get("/", accept="application/json-home").ok(200)["resources"] == resources
    told = {where.get("href") or where["href-template"] for where in resources.values()}
    assert told == {route.path for route in RouteTable([api]) if route.path.startswith("/v3/")}, "two have one name"
    known = {"OS-EC2": "user_credential", "OS-PKI": "revocations", "OS-FEDERATION": "websso"}
    extension = rel.removesuffix("rel/") + "ext/"
    assert {f"{extension}{name}/1.0/rel/{known[name]}" for name in known} < set(resources)


def test_a_token_says_exactly_this(world: World, anonymous: Client) -> None:
    whole = anonymous.post("/v3/auth/tokens", login(world, ADMIN_PROJECT)).ok(201)["token"]
    always = {"methods", "user", "audit_ids", "issued_at", "expires_at"}
    assert set(whole) - {"service_providers"} == always | {"project", "is_domain", "roles", "catalog"}
    assert set(whole["user"]) == {"id", "name", "domain", "password_expires_at"} and len(whole["audit_ids"]) == 1
    bare = anonymous.post("/v3/auth/tokens", login(world, "unscoped")).ok(201)["token"]
    assert set(bare) - {"service_providers"} == always
    without = anonymous.post("/v3/auth/tokens?nocatalog", login(world, ADMIN_PROJECT)).ok(201)["token"]
    assert set(whole) - set(without) == {"catalog"}


def test_a_token_is_shown_as_it_was_issued_with_its_catalog_or_without(world: World, anonymous: Client) -> None:
    answer = anonymous.post("/v3/auth/tokens", login(world, ADMIN_PROJECT))
    secret = answer.headers["x-subject-token"]
    for _ in range(2):
        shown = anonymous.get("/v3/auth/tokens", x_auth_token=secret, x_subject_token=secret)
        assert shown.ok(200) == answer.json and shown.headers["x-subject-token"] == secret
        less = anonymous.get("/v3/auth/tokens?nocatalog", x_auth_token=secret, x_subject_token=secret).ok(200)
        assert "catalog" not in less["token"] and {**less["token"], "catalog": 0} == {
            **answer.json["token"],
            "catalog": 0,
        }


def test_what_changes_is_seen_in_tokens_at_once(world: World, admin: Client, anonymous: Client) -> None:
    user = make(admin, "user", password="a secret worth keeping")
    secret = log_in(anonymous, user["id"], "a secret worth keeping").headers["x-subject-token"]

    def shown() -> Any:
        return admin.get("/v3/auth/tokens", x_subject_token=secret)

    assert shown().ok()["token"]["user"]["name"] == user["name"]
    admin.patch(f"/v3/users/{user['id']}", {"user": {"name": unique("renamed")}}).ok()
    assert shown().ok()["token"]["user"]["name"].startswith("renamed")
    admin.patch("/v3/domains/default", {"domain": {"description": "d"}}).ok()
    admin.request("DELETE", "/v3/auth/tokens", headers={"x-subject-token": secret}).ok(204)
    shown().refused(404)


def test_a_service_may_ask_for_a_token_that_has_just_ended(world: World, admin: Client, member: Client) -> None:
    tokens = world.cloud.tokens
    service = world.client("service", "reader")

    def ended(seconds: float) -> str:
        payload = tokens.payload(member.user_id, ["password"], "project", member.project_id)
        payload.expires_at = clock.after(-seconds)
        return tokens.seal(payload)

    recent, old = ended(60), ended(3 * 86_400)
    service.get("/v3/auth/tokens?allow_expired=1", x_subject_token=recent).ok(200)
    service.request("HEAD", "/v3/auth/tokens?allow_expired=1", headers={"x-subject-token": member.token or ""})
    for client, query, secret in (
        (service, "", recent),
        (service, "?allow_expired=0", recent),
        (service, "?allow_expired=1", old),
        (admin, "?allow_expired=1", recent),
        (service, "?allow_expired=1", "nonsense"),
    ):
        client.get(f"/v3/auth/tokens{query}", x_subject_token=secret).refused(404)
    member.get("/v3/auth/projects", x_auth_token=recent).refused(401)


def test_tokens_end_with_the_role_and_with_the_domain(world: World, admin: Client, anonymous: Client) -> None:
    domain = make(admin, "domain")
    user = make(admin, "user", password="a secret worth keeping", domain_id=domain["id"])
    project = make(admin, "project", domain_id=domain["id"])
    at = f"/v3/projects/{project['id']}/users/{user['id']}/roles/{world.roles['member']}"
    admin.put(at).ok(204)
    scope = {"project": {"id": project["id"]}}
    own = caller(anonymous, user["id"], "a secret worth keeping", scope)
    own.get("/v3/auth/catalog").ok()
    admin.delete(at).ok(204)
    own.get("/v3/auth/catalog").refused(401)
    log_in(anonymous, user["id"], "a secret worth keeping", scope).refused(401)
    bare = caller(anonymous, user["id"], "a secret worth keeping")
    admin.patch(f"/v3/domains/{domain['id']}", {"domain": {"enabled": False}}).ok()
    bare.get("/v3/auth/projects").refused(401)
    log_in(anonymous, user["id"], "a secret worth keeping").refused(401)


@pytest.mark.parametrize("name", ["catalog", "projects", "domains", "system"])
def test_what_a_caller_may_reach_is_told_also_by_head(admin: Client, anonymous: Client, name: str) -> None:
    shown, checked = (admin.request(method, f"/v3/auth/{name}") for method in ("GET", "HEAD"))
    assert checked.status == shown.status == 200 and checked.headers["content-type"] == shown.headers["content-type"]
    anonymous.request("HEAD", f"/v3/auth/{name}").refused(401)


def test_every_get_may_be_a_head() -> None:
    table = RouteTable(services.apis())
    for route in table:
        if route.method == "GET":
            path = route.service.prefix + re.sub(r"\{[^}]*\}", "x", route.path)
            assert table.find("HEAD", path)[0], route.name


class Counting(PasswordHasher):
    """Counts what takes the time of a log-in."""

    verified = 0

    def verify(self, *given: Any) -> Any:
        Counting.verified += 1
        return super().verify(*given)


def test_log_ins_that_fail_do_the_same_work_whatever_was_wrong(
    admin: Client, anonymous: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make(admin, "user", password="a secret worth keeping")
    disabled = make(admin, "user", password="a secret worth keeping", enabled=False)
    bare = make(admin, "user")
    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    named = {"name": user["name"], "domain": {"name": "no such domain"}, "password": "wrong"}
    bodies = [auth(one["id"], "wrong") for one in (user, disabled, bare, {"id": "nobody"})]
    bodies.append({"auth": {"identity": {"methods": ["password"], "password": {"user": named}}}})
    bodies.append(auth(disabled["id"], "a secret worth keeping"))
    answers, work = [], []
    for body in bodies:
        before = Counting.verified
        answers.append(anonymous.post("/v3/auth/tokens", body).refused(401))
        work.append(Counting.verified - before)
    assert work == [1] * len(bodies) and all(answer == answers[0] for answer in answers)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.dictionaries(st.sampled_from(["auth", "x"]), ANYTHING, max_size=2),
    path=st.sampled_from(["v3/auth", "v2.0"]),
)
def test_no_body_of_a_log_in_is_an_error_of_ours(anonymous: Client, body: Any, path: str) -> None:
    assert 400 <= anonymous.post(f"/{path}/tokens", body).status < 500


METHOD = st.fixed_dictionaries({}, optional=dict.fromkeys(("user", "id", "secret", "name", "domain"), ANYTHING))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    methods=st.lists(st.sampled_from(["password", "totp", "token", "application_credential", "kerberos"]), max_size=3),
    given_=METHOD,
    scope=st.none() | st.sampled_from(["unscoped", "x"]) | st.dictionaries(WORDS, ANYTHING, max_size=2),
)
def test_no_method_is_an_error_of_ours(anonymous: Client, methods: list[str], given_: Any, scope: Any) -> None:
    body = {"auth": {"identity": {"methods": methods, **dict.fromkeys(methods, given_)}, "scope": scope}}
    assert 400 <= anonymous.post("/v3/auth/tokens", body).status < 500


def spelled(secret: str) -> bytes:
    """Base64 has several spellings of the same bytes."""
    letters = re.sub(r"[^A-Za-z0-9_-]", "", secret)
    return base64.urlsafe_b64decode(letters[: len(letters) // 4 * 4]) + letters[len(letters) // 4 * 4 :][:1].encode()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=200), place=st.integers(0, 300), letter=st.characters())
def test_nothing_but_a_token_is_a_token(world: World, member: Client, text: str, place: int, letter: str) -> None:
    good = member.token or ""
    bent = good[:place] + letter + good[place + 1 :]
    for secret in (text, "gAAAAA" + text, bent):
        if spelled(secret) != spelled(good):
            assert world.cloud.tokens.authenticate(secret) is None
            assert world.cloud.receipts.read(secret) is None
    assert world.cloud.receipts.read(good) is None
