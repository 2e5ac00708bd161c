"""Acting for others, or with less: trusts and application credentials."""

from typing import Any

import pytest

from pileus.core.errors import Forbidden
from pileus.identity.delegation import trusts
from tests.harness import Answer, Client, World
from tests.spec.identity.identities import auth, caller, make

SECRET = "a secret worth keeping"
LATER, BEFORE = "2999-01-01T00:00:00.000000Z", "2001-01-01T00:00:00Z"


@pytest.fixture
def people(admin: Client, anonymous: Client) -> dict[str, Any]:
    """A trustor with two roles on a project, and a trustee without any."""
    project, roles = make(admin, "project"), [make(admin, "role") for _ in range(2)]
    trustor, trustee = (make(admin, "user", password=SECRET) for _ in range(2))
    for role in roles:
        admin.put(f"/v3/projects/{project['id']}/users/{trustor['id']}/roles/{role['id']}").ok()
    scope = {"project": {"id": project["id"]}}
    return {
        "project": project["id"],
        "roles": roles,
        "trustor": caller(anonymous, trustor["id"], SECRET, scope),
        "trustee": caller(anonymous, trustee["id"], SECRET),
    }


def trust(people: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {
        "trust": {
            "trustor_user_id": people["trustor"].user_id,
            "trustee_user_id": people["trustee"].user_id,
            "project_id": people["project"],
            "impersonation": False,
            "roles": [{"name": people["roles"][0]["name"]}],
            **change,
        }
    }


def redeem(client: Client, trust_id: str) -> Answer:
    scope = {"OS-TRUST:trust": {"id": trust_id}}
    return client.post("/v3/auth/tokens", auth(client.user_id, SECRET, scope))


def test_a_trust_gives_the_trustee_some_of_the_trustors_roles(people: dict[str, Any]) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, expires_at=LATER)).ok(201)["trust"]
    assert made["expires_at"] == LATER and [row["id"] for row in made["roles"]] == [people["roles"][0]["id"]]
    assert made["links"]["self"].endswith(f"/v3/OS-TRUST/trusts/{made['id']}")
    token = redeem(people["trustee"], made["id"]).ok(201)["token"]
    assert [row["id"] for row in token["roles"]] == [people["roles"][0]["id"]]
    assert token["user"]["id"] == people["trustee"].user_id
    assert token["OS-TRUST:trust"]["id"] == made["id"]
    redeem(people["trustor"], made["id"]).refused(403)


def test_with_impersonation_the_trustee_appears_as_the_trustor(people: dict[str, Any]) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, impersonation=True)).ok(201)["trust"]
    token = redeem(people["trustee"], made["id"]).ok(201)["token"]
    assert token["user"]["id"] == people["trustor"].user_id


def test_a_trust_taken_back_voids_its_tokens(people: dict[str, Any], anonymous: Client) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people)).ok(201)["trust"]
    secret = redeem(people["trustee"], made["id"]).headers["x-subject-token"]
    anonymous.get("/v3/auth/catalog", x_auth_token=secret).ok()
    people["trustor"].delete(f"/v3/OS-TRUST/trusts/{made['id']}").ok(204)
    anonymous.get("/v3/auth/catalog", x_auth_token=secret).refused(401)
    people["trustor"].get(f"/v3/OS-TRUST/trusts/{made['id']}").refused(404)
    redeem(people["trustee"], made["id"]).refused(401)


def test_a_trusts_token_is_exchanged_for_no_other(people: dict[str, Any], anonymous: Client) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people)).ok(201)["trust"]
    secret = redeem(people["trustee"], made["id"]).headers["x-subject-token"]
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": secret}}}}
    anonymous.post("/v3/auth/tokens", body).refused(403)


def test_uses_are_counted(people: dict[str, Any]) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, remaining_uses=1)).ok(201)["trust"]
    redeem(people["trustee"], made["id"]).ok(201)
    redeem(people["trustee"], made["id"]).refused(403)


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"expires_at": "bad.123Z"}, 400, "expires_at"),
        ({"expires_at": BEFORE}, 400, "expires_at"),
        ({"impersonation": None}, 400, "impersonation"),
        ({"remaining_uses": 0}, 400, "remaining_uses"),
        ({"roles": []}, 403, "role"),
        ({"roles": [{"id": "none"}]}, 404, "role"),
        ({"roles": [{"name": "admin"}]}, 404, "role"),
        ({"trustee_user_id": "none"}, 404, "user"),
        ({"trustor_user_id": "somebody"}, 403, ""),
        ({"allow_redelegation": True, "remaining_uses": 3}, 400, "remaining_uses"),
        ({"allow_redelegation": True, "redelegation_count": 9}, 403, "handed on"),
    ],
)
def test_a_wrong_trust_is_refused(people: dict[str, Any], change: Any, status: int, word: str) -> None:
    people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, **change)).refused(status, word)


def test_a_trust_may_be_handed_on_with_no_more_than_it_has(
    people: dict[str, Any], admin: Client, anonymous: Client
) -> None:
    third = make(admin, "user", password=SECRET)
    first = people["trustor"].post(
        "/v3/OS-TRUST/trusts", trust(people, allow_redelegation=True, impersonation=True)
    ).ok(201)["trust"]  # fmt: skip
    acting = Client(anonymous.application, redeem(people["trustee"], first["id"]).headers["x-subject-token"])
    body = trust(people, trustee_user_id=third["id"], impersonation=True)
    second = acting.post("/v3/OS-TRUST/trusts", body).ok(201)["trust"]
    assert second["redelegated_trust_id"] == first["id"]
    body["trust"]["roles"].append({"id": people["roles"][1]["id"]})
    acting.post("/v3/OS-TRUST/trusts", body).refused(403)
    people["trustor"].delete(f"/v3/OS-TRUST/trusts/{first['id']}").ok()
    people["trustor"].get(f"/v3/OS-TRUST/trusts/{second['id']}").refused(404)


def test_a_chain_of_trusts_is_no_longer_than_the_first_says_and_no_stronger_than_its_links(
    people: dict[str, Any], admin: Client, anonymous: Client
) -> None:
    users = [make(admin, "user", password=SECRET) for _ in range(3)]
    given: dict[str, Any] = {"allow_redelegation": True, "redelegation_count": 2, "impersonation": True}
    acting, trustee, ids = people["trustor"], people["trustee"].user_id, []
    for user in users:
        body = trust(people, trustee_user_id=trustee, expires_at=LATER, **given)
        made = acting.post("/v3/OS-TRUST/trusts", body).ok(201)["trust"]
        assert made["redelegation_count"] == 2 - len(ids) and made["expires_at"] == LATER
        ids.append(made["id"])
        answer = redeem(Client(anonymous.application, None, user_id=trustee), made["id"])
        acting = Client(anonymous.application, answer.headers["x-subject-token"])
        trustee = user["id"]
        given = {"allow_redelegation": True, "impersonation": True}
    acting.post("/v3/OS-TRUST/trusts", trust(people, trustee_user_id=trustee, impersonation=True)).refused(
        403, "handed on"
    )
    acting.get("/v3/auth/projects").ok()
    admin.patch(f"/v3/users/{users[0]['id']}", {"user": {"enabled": False}}).ok()  # the second link's trustee
    acting.get("/v3/auth/projects").refused(401)
    redeem(Client(anonymous.application, None, user_id=users[1]["id"]), ids[2]).refused(403, "disabled")


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        ({}, {}, "handed on"),
        ({"allow_redelegation": True}, {"redelegation_count": 1, "allow_redelegation": True}, "leave it out"),
        ({"allow_redelegation": True}, {"remaining_uses": 1}, "uses"),
        ({"allow_redelegation": True, "expires_at": "2998-01-01T00:00:00Z"}, {"expires_at": LATER}, "earlier"),
        ({"allow_redelegation": True}, {"impersonation": True}, "impersonation"),
    ],
)
def test_what_is_handed_on_is_no_more(
    people: dict[str, Any], admin: Client, anonymous: Client, first: Any, second: Any, word: str
) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, **first)).ok(201)["trust"]
    acting = Client(anonymous.application, redeem(people["trustee"], made["id"]).headers["x-subject-token"])
    third = make(admin, "user")["id"]
    body = trust(people, trustor_user_id=people["trustee"].user_id, trustee_user_id=third, **second)
    acting.post("/v3/OS-TRUST/trusts", body).refused(403, word)


def test_a_trust_whose_trustor_lost_a_role_is_void(people: dict[str, Any], admin: Client, anonymous: Client) -> None:
    both = [{"id": role["id"]} for role in people["roles"]]
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, roles=both)).ok(201)["trust"]
    secret = redeem(people["trustee"], made["id"]).headers["x-subject-token"]
    at = f"/v3/projects/{people['project']}/users/{people['trustor'].user_id}/roles/{people['roles'][1]['id']}"
    admin.delete(at).ok()
    anonymous.get("/v3/auth/projects", x_auth_token=secret).refused(401)
    redeem(people["trustee"], made["id"]).refused(403, "role")
    admin.put(at).ok()
    anonymous.get("/v3/auth/projects", x_auth_token=secret).ok()


def test_the_same_trust_is_given_once(people: dict[str, Any]) -> None:
    people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, expires_at=LATER)).ok(201)
    people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, expires_at=LATER)).refused(409)
    people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, expires_at=LATER, impersonation=True)).ok(201)


def test_the_last_use_of_a_trust_is_taken_once(people: dict[str, Any], world: World) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people, remaining_uses=2)).ok(201)["trust"]
    with world.cloud.db.write() as tx:
        row = trusts.get_trust(tx, made["id"])
        trusts.use(tx, row)
        trusts.use(tx, row)  # as another request would, which read the row before the first was counted
        with pytest.raises(Forbidden):
            trusts.use(tx, row)
    people["trustor"].get(f"/v3/OS-TRUST/trusts/{made['id']}").refused(404)


def test_trusts_are_listed_for_those_they_concern(people: dict[str, Any], admin: Client, member: Client) -> None:
    made = people["trustor"].post("/v3/OS-TRUST/trusts", trust(people)).ok(201)["trust"]
    trustor, trustee = people["trustor"], people["trustee"]
    for client, query in (
        (trustor, f"?trustor_user_id={trustor.user_id}"),
        (trustee, f"?trustee_user_id={trustee.user_id}"),
    ):
        assert [row["id"] for row in client.get("/v3/OS-TRUST/trusts" + query).ok()["trusts"]] == [made["id"]]
        client.get("/v3/OS-TRUST/trusts").refused(403)
        member.get("/v3/OS-TRUST/trusts" + query).refused(403)
    assert made["id"] in {row["id"] for row in admin.get("/v3/OS-TRUST/trusts").ok()["trusts"]}
    at = f"/v3/OS-TRUST/trusts/{made['id']}/roles"
    assert [row["id"] for row in trustee.get(at).ok()["roles"]] == [people["roles"][0]["id"]]
    trustee.request("HEAD", f"{at}/{people['roles'][0]['id']}").ok(200)
    trustee.get(f"{at}/{people['roles'][1]['id']}").refused(404)
    member.get(f"/v3/OS-TRUST/trusts/{made['id']}").refused(403)
    trustee.delete(f"/v3/OS-TRUST/trusts/{made['id']}").refused(403)


# -- application credentials ---------------------------------------------------------------------------------------------


def credential(client: Client, **given: Any) -> Answer:
    body = {"application_credential": {"name": "c", **given}}
    return client.post(f"/v3/users/{client.user_id}/application_credentials", body)


def use(client: Client, made: dict[str, Any], secret: str | None = None) -> Answer:
    method = {"id": made["id"], "secret": secret or made["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": method}
    return client.post("/v3/auth/tokens", {"auth": {"identity": identity}})


def test_an_application_credential_logs_in_to_its_project(people: dict[str, Any], anonymous: Client) -> None:
    own, role = people["trustor"], people["roles"][0]
    made = credential(own, roles=[{"id": role["id"]}], expires_at="2999-01-01T00:00:00").ok(201)[
        "application_credential"
    ]
    assert made["expires_at"] == "2999-01-01T00:00:00.000000" and made["project_id"] == people["project"]
    at = f"/v3/users/{own.user_id}/application_credentials"
    assert "secret" not in own.get(f"{at}/{made['id']}").ok()["application_credential"]
    assert [row["id"] for row in own.get(f"{at}?name=c").ok()["application_credentials"]] == [made["id"]]
    credential(own).refused(409, "in use")
    answer = use(anonymous, made)
    token = answer.ok(201)["token"]
    assert token["project"]["id"] == people["project"] and [row["id"] for row in token["roles"]] == [role["id"]]
    assert token["methods"] == ["application_credential"] and token["application_credential"]["restricted"] is True
    use(anonymous, made, "wrong").refused(401)
    secret = answer.headers["x-subject-token"]
    own.delete(f"{at}/{made['id']}").ok(204)
    anonymous.get("/v3/auth/catalog", x_auth_token=secret).refused(401)
    use(anonymous, made).refused(401)


def test_it_may_be_named_by_its_owner_and_name(people: dict[str, Any], anonymous: Client) -> None:
    made = credential(people["trustor"], secret="chosen").ok(201)["application_credential"]
    assert made["secret"] == "chosen"
    method = {"name": "c", "user": {"id": people["trustor"].user_id}, "secret": "chosen"}
    body: dict[str, Any] = {
        "auth": {"identity": {"methods": ["application_credential"], "application_credential": method}}
    }
    anonymous.post("/v3/auth/tokens", body).ok(201)
    body["auth"]["scope"] = {"project": {"id": people["project"]}}
    anonymous.post("/v3/auth/tokens", body).refused(401)


def test_its_token_is_exchanged_for_no_more_than_it_is(people: dict[str, Any], anonymous: Client) -> None:
    rules = [{"service": "identity", "method": "GET", "path": "/v3/auth/*"}]
    made = credential(people["trustor"], access_rules=rules).ok(201)["application_credential"]
    first = use(anonymous, made)
    identity = {"methods": ["token"], "token": {"id": first.headers["x-subject-token"]}}
    answer = anonymous.post("/v3/auth/tokens", {"auth": {"identity": identity}})
    before, token = first.ok(201)["token"], answer.ok(201)["token"]
    for same in ("project", "roles", "application_credential", "expires_at"):
        assert token[same] == before[same]
    assert set(token["methods"]) == {"application_credential", "token"}
    acting = Client(anonymous.application, answer.headers["x-subject-token"])
    acting.get("/v3/auth/projects").ok()
    acting.get(f"/v3/users/{people['trustor'].user_id}").refused(401, "access rules")
    for scope in ("unscoped", {"project": {"id": people["project"]}}, {"domain": {"id": "default"}}):
        anonymous.post("/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}).refused(403, "delegation")


def test_it_loses_what_its_owner_loses(people: dict[str, Any], anonymous: Client, admin: Client) -> None:
    own, role = people["trustor"], people["roles"][0]
    made = credential(own, roles=[{"id": role["id"]}]).ok(201)["application_credential"]
    admin.delete(f"/v3/projects/{people['project']}/users/{own.user_id}/roles/{role['id']}").ok()
    use(anonymous, made).refused(401)


@pytest.mark.parametrize("how", ["role", "disabled"])
def test_it_is_gone_when_its_owner_is_less(people: dict[str, Any], admin: Client, how: str) -> None:
    own, role = people["trustor"], people["roles"][1]
    made = credential(own, roles=[{"id": people["roles"][0]["id"]}]).ok(201)["application_credential"]
    at = f"/v3/users/{own.user_id}/application_credentials/{made['id']}"
    admin.get(at).ok()
    if how == "role":
        admin.delete(f"/v3/roles/{role['id']}").ok()
    else:
        admin.patch(f"/v3/users/{own.user_id}", {"user": {"enabled": False}}).ok()
    admin.get(at).refused(404)


def test_a_restricted_one_makes_no_others(people: dict[str, Any], anonymous: Client) -> None:
    own = people["trustor"]
    for name, unrestricted, status in (("a", False, 403), ("b", True, 201)):
        made = credential(own, name=name, unrestricted=unrestricted).ok(201)["application_credential"]
        acting = Client(anonymous.application, use(anonymous, made).headers["x-subject-token"], user_id=own.user_id)
        assert credential(acting, name=f"from-{name}").status == status
        acting.post("/v3/OS-TRUST/trusts", trust(people)).refused(403)


def test_access_rules_say_all_it_may_call(people: dict[str, Any], anonymous: Client) -> None:
    own = people["trustor"]
    rules = [{"service": "identity", "method": "GET", "path": "/v3/auth/*"}]
    made = credential(own, access_rules=rules).ok(201)["application_credential"]
    rule_id = made["access_rules"][0]["id"]
    acting = Client(anonymous.application, use(anonymous, made).headers["x-subject-token"])
    acting.get("/v3/auth/projects").ok()
    acting.get("/identity/v3/auth/catalog").ok()
    acting.get(f"/v3/users/{own.user_id}").refused(401, "access rules")
    acting.get("/compute/v2.1/os-keypairs").refused(401, "access rules")
    acting.post("/v3/OS-TRUST/trusts", trust(people)).refused(401)
    at = f"/v3/users/{own.user_id}/access_rules"
    assert [row["id"] for row in own.get(at).ok()["access_rules"]] == [rule_id]
    own.delete(f"{at}/{rule_id}").refused(403, "in use")
    own.delete(f"/v3/users/{own.user_id}/application_credentials/{made['id']}").ok()
    assert own.get(f"{at}/{rule_id}").ok()["access_rule"]["path"] == "/v3/auth/*"
    own.delete(f"{at}/{rule_id}").ok(204)


def test_a_token_with_access_rules_is_told_of_only_to_who_keeps_them(
    people: dict[str, Any], admin: Client, anonymous: Client
) -> None:
    own = people["trustor"]
    rules = [{"service": "identity", "method": "GET", "path": "/v3/auth/*"}]
    made = credential(own, access_rules=rules).ok(201)["application_credential"]
    secret = use(anonymous, made).headers["x-subject-token"]
    for said in ({}, {"openstack_identity_access_rules": "0.5"}, {"openstack_identity_access_rules": "yes"}):
        admin.get("/v3/auth/tokens", x_subject_token=secret, **said).refused(404)
    body = admin.get("/v3/auth/tokens", x_subject_token=secret, openstack_identity_access_rules="1").ok()
    assert body["token"]["application_credential"]["access_rules"][0]["path"] == "/v3/auth/*"
    admin.delete("/v3/auth/tokens", x_subject_token=secret).ok(204)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "name"),
        ({"expires_at": BEFORE}, "expires_at"),
        ({"roles": [{"name": "admin"}]}, "roles"),
        ({"roles": "admin"}, "roles"),
        ({"access_rules": [{"path": "/x"}]}, "access_rules"),
        ({"access_rules": [{"path": "/x", "method": "LOOK", "service": "compute"}]}, "method"),
        ({"unrestricted": "perhaps"}, "unrestricted"),
        ({"secret": 7}, "secret"),
    ],
)
def test_a_wrong_application_credential_is_refused(people: dict[str, Any], change: Any, word: str) -> None:
    credential(people["trustor"], **change).refused(400, word)


def test_application_credentials_are_their_owners(people: dict[str, Any], member: Client, admin: Client) -> None:
    own = people["trustor"]
    made = credential(own).ok(201)["application_credential"]
    at = f"/v3/users/{own.user_id}/application_credentials"
    member.get(at).refused(403)
    member.get(f"{at}/{made['id']}").refused(403)
    member.get(f"/v3/users/{member.user_id}/application_credentials/{made['id']}").refused(403)
    admin.post(at, {"application_credential": {"name": "x"}}).refused(403)
    admin.delete(f"{at}/{made['id']}").ok(204)


def test_a_trust_is_shown_to_its_trustor(member: Client, stranger: Client) -> None:
    trust = {"trustor_user_id": member.user_id, "trustee_user_id": stranger.user_id, "impersonation": False}
    made = member.post("/v3/OS-TRUST/trusts", {"trust": {**trust, "project_id": None}}).ok(201)["trust"]
    assert member.get(f"/v3/OS-TRUST/trusts/{made['id']}").ok(200)["trust"]["id"] == made["id"]
