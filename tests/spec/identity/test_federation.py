"""Who is trusted to vouch for users: identity providers, their protocols, mappings; and service providers."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.identity.identities import make, unique

AT = "/v3/OS-FEDERATION"
RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "sub"}]}]


def put(client: Client, kind: str, **given: Any) -> Any:
    name = unique(kind[:3])
    return client.put(f"{AT}/{kind}s/{name}", {kind: given}).ok(201)[kind]


def service_provider(client: Client, **change: Any) -> Any:
    urls = {"auth_url": "https://far.test/v3", "sp_url": "https://far.test/ecp"}
    return put(client, "service_provider", **{**urls, **change})


def test_an_identity_provider_has_a_domain_for_its_users(admin: Client) -> None:
    made = put(admin, "identity_provider", description="us")
    at = f"{AT}/identity_providers/{made['id']}"
    assert made["enabled"] is False and made["remote_ids"] == [] and made["authorization_ttl"] is None
    assert made["links"]["protocols"].endswith(f"{at}/protocols")
    assert made["id"] in admin.get(f"/v3/domains/{made['domain_id']}").ok()["domain"]["description"]
    assert admin.get(at).ok()["identity_provider"] == made
    admin.put(at, {"identity_provider": {}}).refused(409, "in use")
    admin.put(f"{at}x", {"identity_provider": {"domain_id": "nowhere"}}).refused(404, "domain")
    domain = make(admin, "domain")
    assert put(admin, "identity_provider", domain_id=domain["id"])["domain_id"] == domain["id"]


def test_an_identity_provider_is_found_changed_and_deleted(admin: Client) -> None:
    made, other = put(admin, "identity_provider", enabled=True), put(admin, "identity_provider")
    at = f"{AT}/identity_providers/{made['id']}"
    ids = {row["id"] for row in admin.get(f"{AT}/identity_providers?enabled=true").ok()["identity_providers"]}
    assert made["id"] in ids and other["id"] not in ids
    [found] = admin.get(f"{AT}/identity_providers?id={made['id']}").ok()["identity_providers"]
    assert found == made
    changed = admin.patch(at, {"identity_provider": {"enabled": False, "authorization_ttl": 7}}).ok()
    assert changed["identity_provider"]["authorization_ttl"] == 7 and not changed["identity_provider"]["enabled"]
    admin.patch(at, {"identity_provider": {"domain_id": other["domain_id"]}}).refused(400, "domain_id")
    admin.patch(at, {"identity_provider": {}}).refused(400)
    admin.delete(at).ok(204)
    admin.get(at).refused(404, "identity provider")


def test_a_remote_id_belongs_to_one_identity_provider(admin: Client) -> None:
    remote = unique("https://op.test")
    first, second = put(admin, "identity_provider", remote_ids=[remote]), put(admin, "identity_provider")
    at = f"{AT}/identity_providers/{second['id']}"
    admin.patch(at, {"identity_provider": {"remote_ids": [remote]}}).refused(409, remote)
    admin.put(f"{at}x", {"identity_provider": {"remote_ids": [remote]}}).refused(409, remote)
    admin.get(f"{at}x").refused(404)
    admin.patch(f"{AT}/identity_providers/{first['id']}", {"identity_provider": {"remote_ids": []}}).ok()
    admin.patch(at, {"identity_provider": {"remote_ids": [remote]}}).ok()


@pytest.mark.parametrize(
    "wrong",
    [
        {"authorization_ttl": -1}, {"authorization_ttl": "soon"}, {"enabled": "perhaps"}, {"remote_ids": ["a", "a"]},
        {"remote_ids": [1]}, {"remote_ids": "a"}, {"name": "x"}, {"id": "other"},
    ],
)  # fmt: skip
def test_a_malformed_identity_provider_is_refused_by_field(admin: Client, wrong: dict[str, Any]) -> None:
    name = unique()
    admin.put(f"{AT}/identity_providers/{name}", {"identity_provider": wrong}).refused(400, next(iter(wrong)))
    admin.get(f"{AT}/identity_providers/{name}").refused(404)


def test_a_protocol_reads_users_through_a_mapping(admin: Client) -> None:
    idp, mapping = put(admin, "identity_provider"), put(admin, "mapping", rules=RULES)
    at = f"{AT}/identity_providers/{idp['id']}/protocols"
    given = {"mapping_id": mapping["id"], "remote_id_attribute": "iss"}
    made = admin.put(f"{at}/openid", {"protocol": given}).ok(201)["protocol"]
    assert made["id"] == "openid" and made["links"]["identity_provider"].endswith(idp["id"])
    assert admin.get(f"{at}/openid").ok()["protocol"] == made
    assert admin.get(at).ok()["protocols"] == [made]
    admin.put(f"{at}/openid", {"protocol": given}).refused(409)
    admin.put(f"{at}/other", {"protocol": {"mapping_id": "none"}}).refused(400, "no mapping none")
    admin.put(f"{at}/other", {"protocol": {}}).refused(400, "mapping_id")
    admin.patch(f"{at}/openid", {"protocol": {"mapping_id": "none"}}).refused(400, "no mapping none")
    admin.put(f"{AT}/identity_providers/none/protocols/openid", {"protocol": given}).refused(404)
    second = put(admin, "mapping", rules=RULES)
    changed = admin.patch(f"{at}/openid", {"protocol": {"mapping_id": second["id"]}}).ok()["protocol"]
    assert (changed["mapping_id"], changed["remote_id_attribute"]) == (second["id"], "iss")
    admin.delete(f"{at}/openid").ok(204)
    admin.get(f"{at}/openid").refused(404)


def test_a_mapping_is_kept_changed_and_deleted(admin: Client) -> None:
    made = put(admin, "mapping", rules=RULES)
    at = f"{AT}/mappings/{made['id']}"
    assert made["rules"] == RULES and made["schema_version"] == "1.0"
    assert admin.get(at).ok()["mapping"] == made
    assert made in admin.get(f"{AT}/mappings").ok()["mappings"]
    other = [{"local": [{"group": {"id": "x"}}], "remote": [{"type": "sub"}]}]
    changed = admin.patch(at, {"mapping": {"rules": other, "schema_version": "2.0"}}).ok()["mapping"]
    assert changed["rules"] == other and changed["schema_version"] == "2.0"
    admin.patch(at, {"mapping": {"rules": []}}).refused(400, "rules")
    admin.put(at, {"mapping": {"rules": RULES}}).refused(409)
    admin.put(f"{at}x", {"mapping": {}}).refused(400, "rules")
    admin.put(f"{at}x", {"mapping": {"rules": RULES, "id": "y"}}).refused(400, "id")
    admin.put(f"{at}y", {"mapping": {"rules": RULES, "id": f"{made['id']}y"}}).ok(201)
    admin.put(f"{at}x", {"mapping": {"rules": [{"local": [], "remote": []}]}}).refused(400, "rules[0].remote")
    admin.delete(at).ok(204)
    admin.get(at).refused(404)


def test_enabled_service_providers_are_told_of_in_tokens(admin: Client, member: Client) -> None:
    made, off = service_provider(admin, enabled=True), service_provider(admin)
    assert made["relay_state_prefix"] == "ss:mem:" and off["enabled"] is False
    at = f"{AT}/service_providers/{made['id']}"
    assert admin.get(at).ok()["service_provider"] == made
    told = member.get("/v3/auth/tokens", x_subject_token=member.token or "").ok()["token"]["service_providers"]
    assert {"id": made["id"], "auth_url": made["auth_url"], "sp_url": made["sp_url"]} in told
    assert off["id"] not in {row["id"] for row in told}
    listed = admin.get(f"{AT}/service_providers?enabled=false").ok()["service_providers"]
    assert off in listed and made not in listed
    assert not admin.patch(at, {"service_provider": {"enabled": False}}).ok()["service_provider"]["enabled"]
    admin.patch(at, {"service_provider": {"auth_url": "nonsense"}}).refused(400, "auth_url")
    admin.put(at, {"service_provider": {}}).refused(400, "auth_url")
    admin.delete(at).ok(204)
    admin.delete(f"{AT}/service_providers/{off['id']}").ok(204)


def test_only_administrators_touch_federation(admin: Client, member: Client) -> None:
    idp = put(admin, "identity_provider")
    for kind in ("identity_provider", "mapping", "service_provider"):
        member.get(f"{AT}/{kind}s").refused(403)
        member.put(f"{AT}/{kind}s/x", {kind: {}}).refused(403)
        member.delete(f"{AT}/{kind}s/x").refused(403)
    member.get(f"{AT}/identity_providers/{idp['id']}").refused(403)
    member.put(f"{AT}/identity_providers/{idp['id']}/protocols/x", {"protocol": {}}).refused(403)


def test_projects_and_domains_are_also_found_where_they_used_to_be(member: Client) -> None:
    [project] = member.get(f"{AT}/projects").ok()["projects"]
    assert project["id"] == member.project_id
    assert member.get(f"{AT}/domains").ok()["domains"] == []


def test_a_user_may_be_known_to_identity_providers_beforehand(admin: Client) -> None:
    idp, mapping = put(admin, "identity_provider"), put(admin, "mapping", rules=RULES)
    admin.put(f"{AT}/identity_providers/{idp['id']}/protocols/p", {"protocol": {"mapping_id": mapping["id"]}}).ok(201)
    federated = [{"idp_id": idp["id"], "protocols": [{"protocol_id": "p", "unique_id": "alice"}]}]
    user = make(admin, "user", federated=federated)
    assert user["federated"] == federated
    assert admin.get(f"/v3/users/{user['id']}").ok()["user"]["federated"] == federated
    for query in (f"idp_id={idp['id']}", f"protocol_id=p&idp_id={idp['id']}", f"unique_id=alice&idp_id={idp['id']}"):
        assert [row["id"] for row in admin.get(f"/v3/users?{query}").ok()["users"]] == [user["id"]]
    assert admin.get(f"/v3/users?idp_id={idp['id']}&unique_id=bob").ok()["users"] == []
    body = {"name": unique(), "federated": federated}
    admin.post("/v3/users", {"user": body}).refused(409, "alice")
    federated[0]["protocols"][0]["unique_id"] = "alicia"
    changed = admin.patch(f"/v3/users/{user['id']}", {"user": {"federated": federated}}).ok()["user"]
    assert changed["federated"] == federated
    missing = [{"idp_id": "none", "protocols": [{"protocol_id": "p", "unique_id": "x"}]}]
    admin.patch(f"/v3/users/{user['id']}", {"user": {"federated": missing}}).refused(400, "none")
    for wrong in ([{}], [{"idp_id": "x"}], [{"idp_id": "x", "protocols": [{}]}], "x"):
        admin.post("/v3/users", {"user": {"name": unique(), "federated": wrong}}).refused(400, "federated")
    assert "federated" not in admin.patch(f"/v3/users/{user['id']}", {"user": {"federated": []}}).ok()["user"]
