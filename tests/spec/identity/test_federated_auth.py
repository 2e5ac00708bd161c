"""Log-in by those whom an OpenID Connect provider vouches for."""

import json
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from tests import oidc_provider
from tests.harness import Answer, Client, World
from tests.oidc_provider import Key, Provider
from tests.spec.identity.identities import make, unique
from tests.spec.identity.test_federation import AT, put

DASHBOARD = "https://dash.test/auth/websso/"
USER = {"user": {"name": "{0}"}}
NAME = {"type": "OIDC-preferred_username"}


class Corp:
    """An identity provider of the cloud, with a real one behind it."""

    def __init__(self, world: World, admin: Client, provider: Provider, **idp: Any):
        self.world, self.admin, self.provider = world, admin, provider
        self.idp = put(admin, "identity_provider", enabled=True, **{"remote_ids": [provider.issuer], **idp})
        self.id = self.idp["id"]
        self.mapping = put(admin, "mapping", rules=[{"local": [USER], "remote": [NAME]}])
        self.path = f"{AT}/identity_providers/{self.id}/protocols/openid"
        admin.put(self.path, {"protocol": {"mapping_id": self.mapping["id"]}}).ok(201)
        self.connect()

    def connect(self, **more: Any) -> None:
        path = Path(self.world.cloud.settings.state) / "federation.json"
        told = {"trusted_dashboards": [DASHBOARD], "identity_providers": {self.id: self.provider.settings(**more)}}
        path.write_text(json.dumps(told))

    def rules(self, local: list[Any], remote: list[Any], version: str = "2.0") -> None:
        body = {"mapping": {"rules": [{"local": local, "remote": remote}], "schema_version": version}}
        self.admin.patch(f"{AT}/mappings/{self.mapping['id']}", body).ok()

    def bring(self, token: str) -> Answer:
        return self.world.anonymous().post(f"{self.path}/auth", None, authorization=f"Bearer {token}")

    def arrive(self, user: str = "alice") -> Client:
        """Somebody with an unscoped token of this cloud."""
        answer = self.bring(self.provider.access_token(user))
        body = answer.ok(201)["token"]
        return Client(self.world.application, answer.headers["x-subject-token"], user_id=body["user"]["id"])

    def body(self, user: str = "alice") -> Any:
        return self.bring(self.provider.access_token(user)).ok(201)["token"]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider.running() as running:
        yield running


@pytest.fixture
def corp(world: World, admin: Client, provider: Provider) -> Corp:
    return Corp(world, admin, provider)


def scoped(client: Client, project_id: str) -> Answer:
    identity = {"methods": ["token"], "token": {"id": client.token}}
    return client.post("/v3/auth/tokens", {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}})


# -- tokens --------------------------------------------------------------------------------------------------------------


def test_a_token_of_the_provider_buys_an_unscoped_one(corp: Corp, admin: Client) -> None:
    token = corp.body()
    assert token["methods"] == ["openid"] and "project" not in token and "catalog" not in token
    user = token["user"]
    assert (user["name"], user["domain"]["id"]) == ("alice", corp.idp["domain_id"])
    described = {"identity_provider": {"id": corp.id}, "protocol": {"id": "openid"}, "groups": []}
    assert user["OS-FEDERATION"] == described and "password_expires_at" not in user
    known = {"idp_id": corp.id, "protocols": [{"protocol_id": "openid", "unique_id": "alice"}]}
    assert admin.get(f"/v3/users/{user['id']}").ok()["user"]["federated"] == [known]
    assert corp.body()["user"]["id"] == user["id"]


def test_the_token_may_be_brought_by_get_and_a_browser_sent_by_post(corp: Corp, anonymous: Client) -> None:
    bearer = f"Bearer {corp.provider.access_token('alice')}"
    anonymous.get(f"{corp.path}/auth", authorization=bearer).ok(201)
    there = f"/v3/auth/OS-FEDERATION/identity_providers/{corp.id}/protocols/openid/websso?origin={quote(DASHBOARD)}"
    assert anonymous.post(there).status == 302


def test_it_is_exchanged_for_one_of_a_project(corp: Corp, admin: Client) -> None:
    alice = corp.arrive()
    project = make(admin, "project")
    scoped(alice, project["id"]).refused(401)
    roles = {row["name"]: row["id"] for row in admin.get("/v3/roles").ok()["roles"]}
    admin.put(f"/v3/projects/{project['id']}/users/{alice.user_id}/roles/{roles['member']}").ok(204)
    assert [row["id"] for row in alice.get(f"{AT}/projects").ok()["projects"]] == [project["id"]]
    answer = scoped(alice, project["id"])
    token = answer.ok(201)["token"]
    assert set(token["methods"]) == {"token", "openid"} and token["project"]["id"] == project["id"]
    assert token["user"]["OS-FEDERATION"]["identity_provider"]["id"] == corp.id and token["catalog"]


@pytest.mark.parametrize("method", ["mapped", "saml2", "openid"])
def test_it_is_exchanged_by_the_older_names_of_that_too(corp: Corp, admin: Client, method: str) -> None:
    alice, project = corp.arrive(), make(admin, "project")
    roles = {row["name"]: row["id"] for row in admin.get("/v3/roles").ok()["roles"]}
    admin.put(f"/v3/projects/{project['id']}/users/{alice.user_id}/roles/{roles['member']}").ok(204)
    scope = {"project": {"id": project["id"]}}

    def exchanged(**given: Any) -> Answer:
        identity = {"methods": [method], method: given}
        return alice.post("/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})

    token = exchanged(id=alice.token).ok(201)["token"]
    assert set(token["methods"]) == {"openid", method} and token["project"]["id"] == project["id"]
    exchanged(id=admin.token).refused(401)
    exchanged(id="made-up").refused(404)
    exchanged(identity_provider=corp.id, protocol="openid").refused(401, method)
    exchanged(id=5).refused(400)


def test_no_token_lives_when_its_identity_provider_is_disabled_or_gone(corp: Corp, admin: Client) -> None:
    alice, at = corp.arrive(), f"{AT}/identity_providers/{corp.id}"
    admin.patch(at, {"identity_provider": {"enabled": False}}).ok()
    alice.get("/v3/auth/projects").refused(401)
    corp.bring(corp.provider.access_token("alice")).refused(403, "disabled")
    admin.patch(at, {"identity_provider": {"enabled": True}}).ok()
    alice.get("/v3/auth/projects").ok()
    admin.delete(at).ok(204)
    alice.get("/v3/auth/projects").refused(401)
    admin.get(f"/v3/users/{alice.user_id}").refused(404)


def test_deleting_a_protocol_takes_the_users_that_came_only_by_it(corp: Corp, admin: Client) -> None:
    alice = corp.arrive()
    admin.delete(corp.path).ok(204)
    admin.get(f"/v3/users/{alice.user_id}").refused(404)
    corp.bring("x").refused(404, "protocol")


def test_an_opaque_token_is_asked_about(corp: Corp) -> None:
    corp.provider.opaque = True
    assert corp.body()["user"]["name"] == "alice"
    corp.bring("made-up").refused(401)
    corp.provider.wrong = {"aud": "another", "client_id": "another"}
    corp.bring(corp.provider.access_token("alice")).refused(401)
    corp.provider.wrong = {"iss": "https://another.test"}
    corp.bring(corp.provider.access_token("alice")).refused(401)
    corp.provider.wrong = {"active": "yes"}
    corp.bring(corp.provider.access_token("alice")).refused(401)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://another.test"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"aud": ["x", "y"]},
        {"aud": {"x": 1}}, {"exp": 1000000000}, {"exp": None}, {"nbf": 4000000000}, {"sub": None}, {"sub": 7},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    ],
)  # fmt: skip
def test_a_token_that_says_the_wrong_thing_is_refused(corp: Corp, change: dict[str, Any]) -> None:
    corp.bring(corp.provider.token("alice", **change)).refused(401)


def test_a_token_that_others_signed_is_refused(corp: Corp) -> None:
    provider, forger = corp.provider, Key("first")
    corp.bring(provider.token("alice", key=forger)).refused(401)
    public = provider.keys[0].public()["n"]
    corp.bring(provider.token("alice", algorithm="HS256", secret=public)).refused(401)
    corp.bring(provider.token("alice", algorithm="none", secret="")).refused(401)
    good = provider.token("alice")
    corp.bring(good).ok(201)
    head, body, signature = good.split(".")
    for wrong in (
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body[:-2]}AA.{signature}",
        "",
        "a.b.c",
        "é",
        "." * 9,
        "x" * 40000,
    ):
        corp.bring(wrong).refused(401)


def test_a_new_key_of_the_provider_is_looked_for_once_in_a_while(corp: Corp) -> None:
    provider = corp.provider
    corp.body()
    provider.keys = [Key("second")]
    corp.bring(provider.token("alice", key=Key("third"))).refused(401)
    asked = provider.asked.count("/jwks")
    corp.bring(provider.token("alice", key=Key("fourth"))).refused(401)
    assert provider.asked.count("/jwks") == asked


def test_an_audience_may_be_added(corp: Corp) -> None:
    token = corp.provider.token("alice", aud=["account"], azp="cli")
    corp.bring(token).refused(401)
    corp.connect(audiences=["cli"])
    corp.bring(token).ok(201)


def test_nobody_comes_without_a_token_or_by_an_unknown_way(corp: Corp, anonymous: Client, admin: Client) -> None:
    answer = anonymous.get(f"{corp.path}/auth")
    answer.refused(401, "Authorization")
    assert answer.headers["www-authenticate"] == "Bearer"
    anonymous.post(f"{corp.path}/auth", None, authorization="Basic YTpi").refused(401)
    anonymous.get(f"{AT}/identity_providers/none/protocols/openid/auth").refused(404)
    anonymous.get(f"{AT}/identity_providers/{corp.id}/protocols/none/auth").refused(404)
    other = Corp(corp.world, admin, corp.provider, remote_ids=[])
    corp.bring(corp.provider.token("alice")).refused(401)  # connected to nothing now
    other.bring(corp.provider.token("alice")).ok(201)


def test_only_the_remote_ids_named_speak_for_an_identity_provider(corp: Corp, admin: Client) -> None:
    at = f"{AT}/identity_providers/{corp.id}"
    admin.patch(at, {"identity_provider": {"remote_ids": [unique("https://another.test")]}}).ok()
    corp.bring(corp.provider.token("alice")).refused(403, "identifier")
    admin.patch(at, {"identity_provider": {"remote_ids": ["eu"]}}).ok()
    admin.patch(corp.path, {"protocol": {"remote_id_attribute": "office"}}).ok()
    corp.bring(corp.provider.token("alice")).refused(403, "identifier")
    corp.bring(corp.provider.token("alice", office="eu")).ok(201)
    admin.patch(at, {"identity_provider": {"remote_ids": []}}).ok()


def test_failed_log_ins_count_against_their_address(corp: Corp) -> None:
    corp.world.cloud.failed_log_ins.limits.per_address, before = 2, corp.world.cloud.failed_log_ins.limits.per_address
    headers, anonymous = {"authorization": "Bearer wrong"}, corp.world.anonymous()
    try:
        for status in (401, 401, 429):
            answer = anonymous.request("POST", f"{corp.path}/auth", None, headers, client="192.0.2.7")
            answer.refused(status)
        anonymous.request("POST", f"{corp.path}/auth", None, headers, client="192.0.2.8").refused(401)
    finally:
        corp.world.cloud.failed_log_ins.limits.per_address = before


def test_a_provider_that_is_down_is_told_of(corp: Corp) -> None:
    corp.provider.down = True
    corp.bring(corp.provider.token("alice")).refused(503, "identity provider")
    asked = len(corp.provider.asked)
    corp.bring(corp.provider.token("alice")).refused(503, "identity provider")
    assert len(corp.provider.asked) == asked


# -- mapping -------------------------------------------------------------------------------------------------------------


def test_groups_by_mapping_come_and_go_with_what_the_provider_says(corp: Corp, admin: Client) -> None:
    groups = [make(admin, "group", domain_id=corp.idp["domain_id"]) for _ in range(2)]
    project = make(admin, "project")
    roles = {row["name"]: row["id"] for row in admin.get("/v3/roles").ok()["roles"]}
    admin.put(f"/v3/projects/{project['id']}/groups/{groups[0]['id']}/roles/{roles['member']}").ok(204)
    corp.rules([USER, {"groups": "{1}", "domain": {"id": corp.idp["domain_id"]}}], [NAME, {"type": "groups"}], "1.0")
    corp.provider.claims["alice"]["groups"] = [groups[0]["name"], "not here"]
    alice = corp.arrive()
    assert corp.body()["user"]["OS-FEDERATION"]["groups"] == [{"id": groups[0]["id"]}]
    answer = scoped(alice, project["id"])
    answer.ok(201)
    mine = Client(alice.application, answer.headers["x-subject-token"], user_id=alice.user_id)
    mine.get("/v3/auth/projects").ok()
    corp.provider.claims["alice"]["groups"] = [groups[1]["name"]]
    assert corp.body()["user"]["OS-FEDERATION"]["groups"] == [{"id": groups[1]["id"]}]
    mine.get("/v3/auth/projects").refused(401)


def test_a_membership_by_mapping_ends(corp: Corp, admin: Client) -> None:
    from pileus.identity.reconcile import leave_groups
    from pileus.identity.store import Membership

    group = make(admin, "group")
    corp.rules([USER, {"group": {"id": group["id"]}}], [NAME])
    alice = corp.arrive()
    cloud = corp.world.cloud
    with cloud.db.write() as tx:
        tx.update(Membership, {"user_id": alice.user_id}, expires_at="2020-01-01T00:00:00.000000Z")
    [found] = alice.get(f"/v3/users/{alice.user_id}/groups").ok()["groups"]
    assert found["membership_expires_at"].startswith("2020")
    leave_groups(cloud)
    assert alice.get(f"/v3/users/{alice.user_id}/groups").ok()["groups"] == []
    corp.arrive()
    admin.put(f"/v3/groups/{group['id']}/users/{alice.user_id}").ok(204)
    with cloud.db.read() as tx:
        assert tx.get(Membership, user_id=alice.user_id).expires_at is None
    corp.rules([USER], [NAME])
    corp.arrive()
    assert alice.get(f"/v3/users/{alice.user_id}/groups").ok()["groups"]


def test_projects_are_made_by_mapping(corp: Corp, admin: Client) -> None:
    name = unique("home")
    projects = [{"name": f"{name} of {{0}}", "roles": [{"name": "member"}, {"name": "reader"}]}]
    corp.rules([USER, {"projects": projects}], [NAME])
    alice = corp.arrive()
    [project] = alice.get("/v3/auth/projects").ok()["projects"]
    assert (project["name"], project["domain_id"]) == (f"{name} of alice", corp.idp["domain_id"])
    assert {role["name"] for role in scoped(alice, project["id"]).ok(201)["token"]["roles"]} == {"member", "reader"}
    corp.arrive()
    domain = make(admin, "domain")
    corp.rules([USER, {"projects": [{**projects[0], "domain": {"name": domain["name"]}}]}], [NAME], "3.0")
    corp.arrive()
    [project] = alice.get("/v3/auth/projects").ok()["projects"]  # version 3.0 takes back what is not said any more
    assert project["domain_id"] == domain["id"]
    corp.rules([USER, {"projects": [{"name": "x", "roles": [{"name": "none such"}]}]}], [NAME])
    corp.bring(corp.provider.token("alice")).refused(401)


def test_a_mapping_may_name_a_local_user(corp: Corp, admin: Client) -> None:
    user = make(admin, "user")
    corp.rules([{"user": {"type": "local", "name": "{0}", "domain": {"id": "default"}}}], [NAME])
    corp.bring(corp.provider.token("alice")).refused(401)
    token = corp.bring(corp.provider.token("alice", preferred_username=user["name"])).ok(201)["token"]
    assert token["user"]["id"] == user["id"] and "OS-FEDERATION" not in token["user"]
    admin.patch(f"/v3/users/{user['id']}", {"user": {"enabled": False}}).ok()
    corp.bring(corp.provider.token("alice", preferred_username=user["name"])).refused(401)


@pytest.mark.parametrize(
    ("local", "claims"),
    [
        ([USER], {"preferred_username": "x" * 300}),
        ([USER], {"preferred_username": "a\0b"}),
        ([USER, {"group_ids": "{0}"}], {}),
        ([USER, {"group": {"name": "x", "domain": {"name": "no such domain"}}}], {}),
        ([{"user": {"name": "{0}", "domain": {"id": "no such domain"}}}], {}),
        ([{"group": {"id": "none"}}], {}),
        ([USER], {"preferred_username": None}),
        ([USER], {"preferred_username": []}),
    ],
)
def test_an_assertion_that_makes_nobody_is_refused(corp: Corp, local: list[Any], claims: dict[str, Any]) -> None:
    corp.provider.claims["alice"] = {"preferred_username": "alice"}
    corp.rules(local, [NAME])
    corp.bring(corp.provider.token("alice", **claims)).refused(401)


def test_users_follow_their_name_and_address_elsewhere(corp: Corp, admin: Client) -> None:
    corp.rules([{"user": {"id": "{0}", "name": "{1}", "email": "{2}"}}], [{"type": "sub"}, NAME, {"type": "email"}])
    alice = corp.arrive()
    corp.provider.claims["bob"] = {"preferred_username": "alice", "email": "bob@op.test"}
    bob = corp.arrive("bob")
    assert bob.user_id != alice.user_id
    assert admin.get(f"/v3/users/{bob.user_id}").ok()["user"]["name"] == "alice (id-of-bob)"
    corp.provider.claims["alice"] = {"preferred_username": "alicia", "email": "new@op.test"}
    assert corp.arrive().user_id == alice.user_id
    shown = admin.get(f"/v3/users/{alice.user_id}").ok()["user"]
    assert (shown["name"], shown["email"]) == ("alicia", "new@op.test")


def test_an_identity_provider_speaks_for_no_other_ones_users(corp: Corp, admin: Client) -> None:
    alice = corp.arrive()
    with oidc_provider.running() as second:
        other = Corp(corp.world, admin, second, domain_id=corp.idp["domain_id"])
        other.bring(second.token("alice")).refused(401)
        second.claims["carol"] = {"preferred_username": "carol"}
        assert other.arrive("carol").user_id != alice.user_id


# -- in the browser ------------------------------------------------------------------------------------------------------


def cookies(answer: Answer) -> str:
    found: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in found.items())


def sent_away(client: Client, corp: Corp, origin: str = DASHBOARD) -> Answer:
    return client.get(
        f"/v3/auth/OS-FEDERATION/identity_providers/{corp.id}/protocols/openid/websso?origin={quote(origin)}"
    )


def followed(answer: Answer) -> str:
    """The path that the provider sends the browser back to."""
    back = urlsplit(httpx.get(answer.headers["location"]).headers["location"])
    return f"{back.path}?{back.query}"


def test_a_browser_logs_in_at_the_provider_and_brings_a_token_to_the_dashboard(corp: Corp, anonymous: Client) -> None:
    away = sent_away(anonymous, corp)
    assert away.status == 302 and "HttpOnly" in away.headers["set-cookie"]
    asked = parse_qs(urlsplit(away.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["redirect_uri"][0].endswith("/openid/websso")
    page = anonymous.get(followed(away), cookie=f"other=1; {cookies(away)}")
    text = page.ok(200).decode()
    assert f'action="{DASHBOARD}"' in text and "Max-Age=0" in page.headers["set-cookie"]
    assert "no-store" in page.headers["cache-control"]
    token = re.findall(r'name="token" id="token" value="([^"]+)"', text)[0]
    Client(anonymous.application, token).get("/v3/auth/projects").ok()


def test_the_protocol_alone_is_enough_where_one_provider_has_it(corp: Corp, anonymous: Client, admin: Client) -> None:
    name = unique("p")
    admin.put(
        f"{AT}/identity_providers/{corp.id}/protocols/{name}", {"protocol": {"mapping_id": corp.mapping["id"]}}
    ).ok()
    answer = anonymous.get(f"/v3/auth/OS-FEDERATION/websso/{name}?origin={quote(DASHBOARD)}")
    assert answer.status == 302 and answer.headers["location"].startswith(corp.provider.issuer)
    anonymous.post(f"/v3/auth/OS-FEDERATION/websso/{name}?origin={quote(DASHBOARD)}")
    anonymous.get("/v3/auth/OS-FEDERATION/websso/none?origin=x").refused(404)


def test_tokens_go_to_trusted_dashboards_only(corp: Corp, anonymous: Client) -> None:
    path = f"/v3/auth/OS-FEDERATION/identity_providers/{corp.id}/protocols/openid/websso"
    anonymous.get(path).refused(400, "origin")
    for wrong in ("https://evil.test/", f"{DASHBOARD}x", DASHBOARD.rstrip("/"), '"><script>'):
        sent_away(anonymous, corp, wrong).refused(401, "trusted")


def test_what_comes_back_must_be_what_was_sent_away(corp: Corp, anonymous: Client) -> None:
    away = sent_away(anonymous, corp)
    back = followed(away)
    anonymous.get(back).refused(401)  # another browser
    anonymous.get(back, cookie=cookies(sent_away(anonymous, corp))).refused(401)
    state = parse_qs(urlsplit(back).query)["state"][0]
    here = back.partition("?")[0]
    anonymous.get(f"{here}?state={state[:-4]}AAAA&code=x", cookie=cookies(away)).refused(401)
    anonymous.get(f"{here}?state={quote('é')}&code=x", cookie=cookies(away)).refused(401)
    anonymous.get(f"{here}?state={state}&code=made-up", cookie=cookies(away)).refused(401)
    anonymous.get(f"{here}?state={state}&error=access_denied", cookie=cookies(away)).refused(401)
    anonymous.get(back, cookie=cookies(away)).ok(200)
    anonymous.get(back, cookie=cookies(away)).refused(401)  # a code is good once


@pytest.mark.parametrize("wrong", [{"nonce": "x"}, {"nonce": None}, {"aud": "x"}, {"aud": ["pileus", "x"]}, {"exp": 1}])
def test_an_id_token_that_does_not_fit_the_log_in_is_refused(corp: Corp, anonymous: Client, wrong: Any) -> None:
    corp.provider.wrong = wrong
    away = sent_away(anonymous, corp)
    anonymous.get(followed(away), cookie=cookies(away)).refused(401)
