"""The Identity API v2.0, as clients with OS_TENANT_NAME and an address that ends in /v2.0 use it."""

from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.identity.identities import make

SECRET = "a secret worth keeping"


@pytest.fixture
def user(admin: Client) -> Any:
    made = make(admin, "user", password=SECRET)
    project = make(admin, "project", description="for all")
    role = admin.get("/v3/roles?name=member").ok()["roles"][0]
    admin.put(f"/v3/projects/{project['id']}/users/{made['id']}/roles/{role['id']}").ok(204)
    return {**made, "project": project}


def log_in(client: Client, user: Any, **scope: Any) -> Any:
    given = {"username": user["name"], "password": SECRET}
    return client.post("/v2.0/tokens", {"auth": {"passwordCredentials": given, **scope}})


def test_a_password_gives_a_token_for_a_tenant_by_name_or_id(anonymous: Client, user: Any) -> None:
    project = user["project"]
    for scope in ({"tenantName": project["name"]}, {"tenantId": project["id"]}):
        access = log_in(anonymous, user, **scope).ok(200)["access"]
        assert access["token"]["tenant"] == {
            "id": project["id"],
            "name": project["name"],
            "description": "for all",
            "enabled": True,
        }
        assert access["user"]["name"] == access["user"]["username"] == user["name"]
        assert {"name": "member"} in access["user"]["roles"]
        compute = next(service for service in access["serviceCatalog"] if service["type"] == "compute")
        (endpoint,) = compute["endpoints"]
        assert {"publicURL", "internalURL", "adminURL", "region", "id"} == set(endpoint)
        anonymous.get("/compute/v2.1/flavors", x_auth_token=access["token"]["id"]).ok()


def test_a_user_is_named_by_id_too_and_a_tenant_need_not_be(anonymous: Client, user: Any) -> None:
    given = {"userId": user["id"], "password": SECRET}
    access = anonymous.post("/v2.0/tokens", {"auth": {"passwordCredentials": given}}).ok(200)["access"]
    assert "tenant" not in access["token"] and access["serviceCatalog"] == []
    tenants = anonymous.get("/v2.0/tenants", x_auth_token=access["token"]["id"]).ok()["tenants"]
    assert [tenant["id"] for tenant in tenants] == [user["project"]["id"]]
    exchange = {"token": {"id": access["token"]["id"]}, "tenantName": user["project"]["name"]}
    scoped = anonymous.post("/v2.0/tokens", {"auth": exchange}).ok(200)["access"]
    assert scoped["token"]["tenant"]["id"] == user["project"]["id"]


def test_a_token_is_shown_checked_listed_by_endpoint_and_revoked(admin: Client, anonymous: Client, user: Any) -> None:
    token = log_in(anonymous, user, tenantId=user["project"]["id"]).ok()["access"]["token"]["id"]
    at = f"/v2.0/tokens/{token}"
    assert admin.get(at).ok()["access"]["token"]["id"] == token
    assert admin.get(f"{at}?belongsTo={user['project']['id']}").ok()["access"]["user"]["id"] == user["id"]
    admin.get(f"{at}?belongsTo=other").refused(404)
    admin.request("HEAD", at).ok(200)
    endpoints = admin.get(f"{at}/endpoints").ok()["endpoints"]
    assert {"compute", "identity"} <= {endpoint["type"] for endpoint in endpoints}
    admin.delete(at).ok(204)
    admin.get(at).refused(404)
    anonymous.get("/v2.0/tenants", x_auth_token=token).refused(401)


def test_a_token_is_nobody_elses_to_look_at(anonymous: Client, stranger: Client, user: Any) -> None:
    token = log_in(anonymous, user, tenantId=user["project"]["id"]).ok()["access"]["token"]["id"]
    for method in ("GET", "HEAD", "DELETE"):
        stranger.request(method, f"/v2.0/tokens/{token}").refused(403)
    stranger.get(f"/v2.0/tokens/{token}/endpoints").refused(403)
    stranger.get("/v2.0/tokens/nonsense").refused(404)


def test_tenants_come_in_pages(admin: Client, anonymous: Client, user: Any) -> None:
    second = make(admin, "project")
    role = admin.get("/v3/roles?name=member").ok()["roles"][0]
    admin.put(f"/v3/projects/{second['id']}/users/{user['id']}/roles/{role['id']}").ok(204)
    token = log_in(anonymous, user).ok()["access"]["token"]["id"]
    first = anonymous.get("/v2.0/tenants?limit=1", x_auth_token=token).ok()["tenants"]
    rest = anonymous.get(f"/v2.0/tenants?limit=9&marker={first[0]['id']}", x_auth_token=token).ok()["tenants"]
    assert len(first) == len(rest) == 1 and {first[0]["id"], rest[0]["id"]} == {second["id"], user["project"]["id"]}
    anonymous.get("/v2.0/tenants?marker=none", x_auth_token=token).refused(400, "marker")


def test_other_domains_are_not_seen(admin: Client, anonymous: Client) -> None:
    domain = make(admin, "domain")
    user = make(admin, "user", domain_id=domain["id"], password=SECRET)
    log_in(anonymous, user).refused(401)
    given = {"userId": user["id"], "password": SECRET}
    anonymous.post("/v2.0/tokens", {"auth": {"passwordCredentials": given}}).refused(401)


@pytest.mark.parametrize(
    "auth",
    [
        None,
        [],
        {},
        {"passwordCredentials": None},
        {"passwordCredentials": []},
        {"passwordCredentials": {}},
        {"passwordCredentials": {"username": 7, "password": "x"}},
        {"passwordCredentials": {"username": "x", "password": ["x"]}},
        {"passwordCredentials": {"username": "x", "password": "x"}, "tenantId": {}},
        {"passwordCredentials": {"username": "x", "password": "x"}, "tenantName": 7},
        {"token": {}},
        {"token": {"id": 7}},
    ],
)
def test_malformed_requests_are_refused(anonymous: Client, auth: Any) -> None:
    anonymous.post("/v2.0/tokens", {"auth": auth}).refused(400)


def test_wrong_passwords_and_unknown_users_get_one_answer(anonymous: Client, user: Any) -> None:
    def refusal(name: str) -> Any:
        given = {"username": name, "password": "wrong"}
        return anonymous.post("/v2.0/tokens", {"auth": {"passwordCredentials": given}}).refused(401)

    assert refusal(user["name"]) == refusal("nobody")


def test_every_root_says_which_versions_there_are(anonymous: Client) -> None:
    for root in ("", "/identity"):
        listed = anonymous.get(f"{root}/").refused(300)
        links = {value["id"]: value["links"][0]["href"] for value in listed["versions"]["values"]}
        assert links["v2.0"] == f"http://cloud.test:5000{root}/v2.0/" and links["v3.14"].endswith(f"{root}/v3/")
        assert anonymous.get(f"{root}/v2.0").ok()["version"]["id"] == "v2.0"
        assert anonymous.get(f"{root}/v2.0/").ok()["version"]["status"] == "deprecated"
        extensions = anonymous.get(f"{root}/v2.0/extensions").ok()["extensions"]["values"]
        for extension in extensions:
            assert anonymous.get(f"{root}/v2.0/extensions/{extension['alias']}").ok()["extension"] == extension
    anonymous.get("/v2.0/extensions/none").refused(404)


def test_health_is_told_in_text_or_json(anonymous: Client) -> None:
    assert anonymous.get("/healthcheck").ok(200) == b"OK"
    assert anonymous.get("/healthcheck", accept="application/json").ok(200)["reasons"] == ["OK"]


class TestPagesFromElsewhere:
    """Cross-origin requests (Fetch standard, "CORS protocol")."""

    @pytest.fixture
    def allowed(self, world: World) -> Any:
        world.cloud.settings.cors_allowed_origins = ["https://panel.test"]
        yield
        world.cloud.settings.cors_allowed_origins = []

    def test_are_not_allowed_until_the_operator_says_so(self, anonymous: Client) -> None:
        answer = anonymous.get("/v3", origin="https://panel.test")
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_of_an_allowed_origin_may_read_answers_and_refusals(self, allowed: None, anonymous: Client) -> None:
        for path, status in (("/v3", 200), ("/v3/users", 401)):
            answer = anonymous.get(path, origin="https://panel.test")
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == "https://panel.test"
            assert "X-Subject-Token" in answer.headers["access-control-expose-headers"]
            assert "Origin" in answer.headers["vary"]

    def test_ask_first_without_a_token(self, allowed: None, anonymous: Client) -> None:
        asks = {"origin": "https://panel.test", "access-control-request-method": "PATCH"}
        answer = anonymous.request("OPTIONS", "/v3/users", headers=asks)
        answer.ok(200)
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert "X-Auth-Token" in answer.headers["access-control-allow-headers"]

    def test_of_other_origins_get_nothing(self, allowed: None, anonymous: Client) -> None:
        asks = {"origin": "https://evil.test", "access-control-request-method": "GET"}
        for method in ("GET", "OPTIONS"):
            answer = anonymous.request(method, "/v3/users", headers=asks)
            assert answer.status in (401, 405) and "access-control-allow-origin" not in answer.headers
