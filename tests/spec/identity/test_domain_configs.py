"""Options of one domain only: listed names, secrets kept, groups and single options."""

from typing import Any

import pytest

from pileus.identity import domain_configs
from pileus.identity.delegation.credentials import Vault
from pileus.identity.store import DomainOption
from tests.harness import Client, World
from tests.spec.identity.identities import make

LDAP = {"url": "ldap://directory", "user": "cn=%(password)s", "password": "hush-hush", "user_attribute_ignore": ["a"]}
CONFIG = {"config": {"identity": {"driver": "ldap"}, "ldap": LDAP}}
SHOWN = {"identity": {"driver": "ldap"}, "ldap": {name: LDAP[name] for name in LDAP if name != "password"}}


@pytest.fixture
def path(admin: Client) -> str:
    return f"/v3/domains/{make(admin, 'domain')['id']}/config"


def test_a_domain_can_have_options_of_its_own(admin: Client, path: str) -> None:
    admin.get(path).refused(404, "any options")
    assert admin.put(path, CONFIG).ok(201) == {"config": SHOWN}
    assert admin.get(path).ok() == {"config": SHOWN}
    assert admin.get(f"{path}/identity").ok() == {"config": {"identity": {"driver": "ldap"}}}
    assert admin.get(f"{path}/ldap/url").ok() == {"config": {"url": "ldap://directory"}}
    assert admin.put(path, {"config": {"ldap": {"url": "ldap://b"}}}).ok(200) == {
        "config": {"ldap": {"url": "ldap://b"}}
    }
    admin.get(f"{path}/identity").refused(404, "group identity")
    admin.delete(path).ok(204)
    admin.get(path).refused(404)


def test_options_change_one_by_one_by_group_and_together(admin: Client, path: str) -> None:
    admin.put(path, CONFIG).ok(201)
    answer = admin.patch(f"{path}/ldap/url", {"config": {"url": "ldap://c"}}).ok(200)
    assert answer["config"]["ldap"]["url"] == "ldap://c" and answer["config"]["identity"] == {"driver": "ldap"}
    admin.patch(f"{path}/ldap", {"config": {"ldap": {"page_size": 5}}}).ok(200)
    shown = admin.patch(path, {"config": {"identity": {"driver": "sql"}}}).ok(200)["config"]
    assert shown["identity"] == {"driver": "sql"} and shown["ldap"]["page_size"] == 5
    admin.delete(f"{path}/ldap/url").ok(204)
    admin.get(f"{path}/ldap/url").refused(404, "option url")
    admin.delete(f"{path}/ldap/url").refused(404)
    admin.patch(f"{path}/ldap/url", {"config": {"url": "x"}}).refused(404)
    admin.delete(f"{path}/ldap").ok(204)
    admin.patch(f"{path}/ldap", {"config": {"ldap": {"url": "x"}}}).refused(404)


@pytest.mark.parametrize(
    ("below", "config", "status", "word"),
    [
        ("", {}, 403, "no options"),
        ("", [], 400, "object"),
        ("", {"nothing": {"a": 1}}, 403, "no group"),
        ("", {"ldap": {}}, 403, "ldap"),
        ("", {"ldap": {"use_magic": True}}, 403, "use_magic"),
        ("", {"ldap": {"url": {"a": 1}}}, 400, "url"),
        ("", {"ldap": {"url": [1]}}, 400, "url"),
        ("", {"ldap": {"url": "x" * 70000}}, 400, "too long"),
        ("/nothing", {"nothing": {"a": 1}}, 403, "no group"),
        ("/ldap", {"identity": {"driver": "sql"}}, 403, "ldap"),
        ("/ldap/url", {"user": "x"}, 403, "url"),
        ("/ldap/nothing", {"nothing": "x"}, 403, "nothing"),
    ],
)
def test_only_listed_options_can_be_set(
    admin: Client, path: str, below: str, config: Any, status: int, word: str
) -> None:
    admin.put(path, CONFIG).ok(201)
    admin.patch(path + below, {"config": config}).refused(status, word)
    if not below:
        admin.put(path, {"config": config}).refused(status, word)


def test_a_sensitive_option_is_never_shown_and_nothing_lies_open(world: World, admin: Client, path: str) -> None:
    admin.put(path, CONFIG).ok(201)
    admin.get(f"{path}/ldap/password").refused(404)
    admin.get("/v3/domains/config/ldap/password/default").refused(403)
    domain_id = path.split("/")[3]
    with world.cloud.db.read() as tx:
        stored = " ".join(row.encrypted_value for row in tx.select(DomainOption, domain_id=domain_id))
        found = domain_configs.effective(tx, Vault(world.cloud.settings.folder), domain_id)
        assert domain_configs.effective(tx, Vault(world.cloud.settings.folder), "default") == {}
    assert "hush" not in stored and "directory" not in stored
    assert (found["ldap"]["password"], found["ldap"]["user"]) == ("hush-hush", "cn=hush-hush")
    assert found["identity"]["driver"] == "ldap" and found["ldap"]["query_scope"] == "one"


def test_what_holds_without_options_can_be_asked(admin: Client) -> None:
    whole = admin.get("/v3/domains/config/default").ok()["config"]
    assert whole["identity"]["driver"] == "sql" and "password" not in whole["ldap"]
    assert admin.get("/v3/domains/config/ldap/default").ok() == {"config": {"ldap": whole["ldap"]}}
    assert admin.get("/v3/domains/config/ldap/url/default").ok() == {"config": {"url": "ldap://localhost"}}
    admin.get("/v3/domains/config/nothing/default").refused(403)


def test_what_passwords_must_be_like_is_told_to_everybody(reader: Client) -> None:
    path = "/v3/domains/default/config/security_compliance"
    assert reader.get(path).ok() == {
        "config": {"security_compliance": {"password_regex": None, "password_regex_description": None}}
    }
    assert reader.get(f"{path}/password_regex").ok() == {"config": {"password_regex": None}}
    reader.get(f"{path}/lockout_duration").refused(403)


@pytest.mark.parametrize("below", ["", "/password_regex", "/lockout_duration"])
def test_what_passwords_must_be_like_is_no_domains_to_change(admin: Client, reader: Client, below: str) -> None:
    path = f"/v3/domains/default/config/security_compliance{below}"
    for config in ({"security_compliance": {"password_regex": "x"}}, {"password_regex": "x"}, {}):
        admin.patch(path, {"config": config}).refused(403, "no group 'security_compliance'")
    admin.delete(path).refused(403, "no group 'security_compliance'")
    reader.patch(path, {"config": {}}).refused(403, "identity:update_domain_config")
    admin.put(path, {"config": {}}).refused(405)


def test_options_of_a_domain_are_administrators_business(member: Client, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        member.request(method, path, CONFIG).refused(403)
    member.get("/v3/domains/config/default").refused(403)


def test_options_go_with_their_domain(world: World, admin: Client, path: str) -> None:
    admin.put(path, CONFIG).ok(201)
    domain = path.removesuffix("/config")
    admin.patch(domain, {"domain": {"enabled": False}}).ok()
    admin.delete(domain).ok(204)
    with world.cloud.db.read() as tx:
        assert tx.select(DomainOption, domain_id=domain.split("/")[3]) == []
    admin.get(path).refused(404)
