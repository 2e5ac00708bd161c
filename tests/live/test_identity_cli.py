"""Every identity command of the stock `openstack` client, once at least, against a cloud of ours."""

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.live import stock_client
from tests.live.cloud import LiveCloud

pytestmark = pytest.mark.live
COMMANDS = {entry.name.replace("_", " ") for entry in entry_points(group="openstack.identity.v3")}


class Shell:
    """`openstack`, with one identity; `used` are the commands that went well."""

    def __init__(self, environment: dict[str, str], used: set[str], commands: set[str] = COMMANDS):
        self.environment = environment
        self.used = used
        self.commands = commands

    def __call__(self, command: str, *more: str) -> Any:
        """Run a command; the answer is its JSON, or None where it prints nothing."""
        words = [*command.split(), *more]
        name = max((name for name in self.commands if f"{command} ".startswith(f"{name} ")), key=len)
        shows = name.split()[-1] in ("list", "show", "create", "issue", "authorize")
        done = stock_client.run([*words, *(["-f", "json"] if shows else [])], self.environment)
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stderr} {done.stdout}"
        self.used.add(name)
        return json.loads(done.stdout) if shows and done.stdout.strip() else None

    def with_names(self, command: str, *more: str) -> list[str]:
        """The `Name` column of a list."""
        return [row.get("Name") or row["name"] for row in self(command, *more)]


@pytest.fixture(scope="module")
def fake_cloud() -> Iterator[LiveCloud]:
    cloud = LiveCloud("--fake")
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


def test_every_identity_command_of_the_stock_client_works(fake_cloud: LiveCloud, tmp_path: Path) -> None:
    used: set[str] = set()
    admin = Shell(fake_cloud.environment(), used)
    _domains_projects_users(admin)
    _roles(admin)
    person = Shell(fake_cloud.environment(OS_USERNAME="ann", OS_PASSWORD="ann-secret-1", OS_PROJECT_NAME="walk"), used)
    _catalog(admin, tmp_path)
    _limits(admin)
    _own(person, admin)
    _oauth(admin)
    _federation(admin, tmp_path)
    _tokens(person)
    _undo(admin)
    assert COMMANDS - used == set()


def _domains_projects_users(admin: Shell) -> None:
    admin("domain create --description x walk.domain")
    admin("domain set --description y --enable walk.domain")
    assert admin("domain show walk.domain")["description"] == "y"
    assert "walk.domain" in admin.with_names("domain list")
    admin("project create --domain walk.domain --tag a inside")
    admin("project create --description x --tag red walk")
    admin("project create --parent walk below")
    admin("project set --tag blue --property colour=green walk")
    shown = admin("project show --parents walk")
    assert sorted(shown["tags"]) == ["blue", "red"] and shown["colour"] == "green"
    assert admin.with_names("project list --tags red") == ["walk"]
    admin("user create --project walk --password ann-secret-0 --email a@b.c --ignore-lockout-failure-attempts ann")
    admin("user set --password ann-secret-1 --description x ann")
    assert admin("user show ann")["options"] == {"ignore_lockout_failure_attempts": True}
    admin("user create --domain walk.domain bob")
    assert admin.with_names("user list --domain walk.domain") == ["bob"]
    admin("group create --description x crowd")
    admin("group set --description y crowd")
    admin("group add user crowd ann")
    admin("group contains user crowd ann")
    assert admin("group show crowd")["description"] == "y"
    assert admin.with_names("group list --user ann") == ["crowd"]
    assert admin.with_names("user list --group crowd") == ["ann"]


def _roles(admin: Shell) -> None:
    admin("role create --description x walker")
    admin("role create --domain walk.domain inner")
    admin("role set --description y --name walker walker")
    assert admin("role show walker")["description"] == "y"
    assert admin.with_names("role list --domain walk.domain") == ["inner"]
    admin("role add --project walk --user ann member")
    admin("role add --project walk --group crowd walker")
    admin("role add --domain walk.domain --group crowd --inherited walker")
    admin("role add --system all --user ann reader")
    admin("implied role create --implied-role reader walker")
    assert "walker" in {row["Prior Role Name"] for row in admin("implied role list")}
    listed = admin("role assignment list --names --user ann --effective")
    assert {("member", "walk@Default"), ("walker", "inside@walk.domain")} <= {(r["Role"], r["Project"]) for r in listed}
    assert admin("role assignment list --system all --names --user ann")[0]["System"] == "all"
    admin("implied role delete --implied-role reader walker")
    admin("role remove --system all --user ann reader")


def _catalog(admin: Shell, folder: Path) -> None:
    admin("region create --description x walk.region")
    admin("region set --description y walk.region")
    assert admin("region show walk.region")["description"] == "y"
    assert "walk.region" in {row["Region"] for row in admin("region list")}
    admin("service create --name walk.service --description x walking")
    admin("service set --description y walk.service")
    assert admin("service show walk.service")["description"] == "y"
    assert "walk.service" in admin.with_names("service list")
    endpoint = admin("endpoint create --region walk.region walk.service public http://x/")["id"]
    admin("endpoint set --url http://y/", endpoint)
    assert admin("endpoint show", endpoint)["url"] == "http://y/"
    assert [row["ID"] for row in admin("endpoint list --service walk.service")] == [endpoint]
    filters = folder / "filters.json"
    filters.write_text(json.dumps({"region_id": "walk.region"}))
    admin("endpoint group create --description x walk.endpoints", str(filters))
    admin("endpoint group set --name walk.endpoints --description y walk.endpoints --filters", str(filters))
    assert admin("endpoint group show walk.endpoints")["description"] == "y"
    assert admin.with_names("endpoint group list") == ["walk.endpoints"]
    admin("endpoint group add project walk.endpoints below")
    assert [row["ID"] for row in admin("endpoint list --project below")] == [endpoint]
    admin("endpoint group remove project walk.endpoints below")
    admin("endpoint add project", endpoint, "below")
    admin("endpoint remove project", endpoint, "below")
    assert "walk.service" in admin.with_names("catalog list")
    assert admin("catalog show walk.service")["type"] == "walking"
    admin("endpoint group delete walk.endpoints")
    rules = folder / "rules.json"
    rules.write_text("{}")
    policy = admin("policy create --type text/plain", str(rules))["id"]
    admin("policy set --type application/json", policy)
    assert admin("policy show", policy)["type"] == "application/json"
    assert policy in {row["ID"] for row in admin("policy list")}
    admin("policy delete", policy)


def _limits(admin: Shell) -> None:
    of = "--service walk.service --region walk.region"
    registered = admin(f"registered limit create {of} --default-limit 9 steps")["id"]
    admin("registered limit set --default-limit 10", registered)
    assert admin("registered limit show", registered)["default_limit"] == 10
    assert [row["ID"] for row in admin("registered limit list --service walk.service")] == [registered]
    limit = admin(f"limit create {of} --project walk --resource-limit 3 steps")["id"]
    admin("limit set --resource-limit 4 --description x", limit)
    assert admin("limit show", limit)["resource_limit"] == 4
    assert [row["ID"] for row in admin("limit list --project walk")] == [limit]
    admin("limit delete", limit)
    admin("registered limit delete", registered)


def _own(person: Shell, admin: Shell) -> None:
    """What people make for themselves."""
    rules = json.dumps([{"service": "compute", "method": "GET", "path": "/v2.1/servers"}])
    person("application credential create --role member --secret s3cret --access-rules", rules, "walk.key")
    assert person("application credential show walk.key")["Name"] == "walk.key"
    assert person.with_names("application credential list") == ["walk.key"]
    rule = person("access rule list")[0]["ID"]
    assert person("access rule show", rule)["Path"] == "/v2.1/servers"
    person("application credential delete walk.key")
    person("access rule delete", rule)
    made = admin("credential create --type cert --project walk ann {}")["id"]
    admin("credential set --user ann --type cert --data [] --project walk", made)
    assert admin("credential show", made)["blob"] == "[]"
    assert made in {row["ID"] for row in admin("credential list --user ann")}
    admin("credential delete", made)
    access = person("ec2 credentials create")["access"]
    assert person("ec2 credentials show", access)["access"] == access
    assert access in {row["Access"] for row in person("ec2 credentials list")}
    person("ec2 credentials delete", access)
    # what others are called only administrators can look up: a person gives ids
    member, project = admin("role show member")["id"], admin("project show walk")["id"]
    people = [admin(f"user show {name}")["id"] for name in ("ann", "admin")]
    trust = person("trust create --impersonate --project", project, "--role", member, *people)["id"]
    assert person("trust show", trust)["is_impersonation"] is True
    assert trust in {row["ID"] for row in admin("trust list")}
    person("trust delete", trust)


def _oauth(admin: Shell) -> None:
    consumer = admin("consumer create --description x")
    keys = ["--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"]]
    admin("consumer set --description y", consumer["id"])
    assert admin("consumer show", consumer["id"])["description"] == "y"
    assert consumer["id"] in {row["ID"] for row in admin("consumer list")}
    request = admin("request token create --project admin", *keys)
    verifier = admin("request token authorize --role admin --request-key", request["id"])["oauth_verifier"]
    tokens = ["--request-key", request["id"], "--request-secret", request["secret"]]
    assert admin("access token create --verifier", verifier, *keys, *tokens)["id"]
    admin("consumer delete", consumer["id"])


def _federation(admin: Shell, folder: Path) -> None:
    rules = folder / "mapping.json"
    rules.write_text(json.dumps([{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "NAME"}]}]))
    admin("identity provider create --remote-id a --description x walk.idp")
    admin("identity provider set --description y walk.idp")
    assert admin("identity provider show walk.idp")["description"] == "y"
    assert "walk.idp" in {row["ID"] for row in admin("identity provider list")}
    admin("mapping create --rules", str(rules), "walk.mapping")
    admin("mapping set --rules", str(rules), "walk.mapping")
    assert admin("mapping show walk.mapping")["id"] == "walk.mapping"
    assert "walk.mapping" in {row["ID"] for row in admin("mapping list")}
    admin("federation protocol create --identity-provider walk.idp --mapping walk.mapping saml2")
    admin("federation protocol set --identity-provider walk.idp --mapping walk.mapping saml2")
    assert admin("federation protocol show --identity-provider walk.idp saml2")["mapping"] == "walk.mapping"
    assert [row["id"] for row in admin("federation protocol list --identity-provider walk.idp")] == ["saml2"]
    admin("federation protocol delete --identity-provider walk.idp saml2")
    admin("mapping delete walk.mapping")
    admin("identity provider delete walk.idp")
    admin("service provider create --auth-url http://x --service-provider-url http://y walk.sp")
    admin("service provider set --description y walk.sp")
    assert admin("service provider show walk.sp")["description"] == "y"
    assert "walk.sp" in {row["ID"] for row in admin("service provider list")}
    admin("service provider delete walk.sp")
    assert "Default" in admin.with_names("federation domain list")
    assert "admin" in admin.with_names("federation project list")


def _tokens(person: Shell) -> None:
    token = person("token issue")["id"]
    person("token revoke", token)
    person("user password set --original-password ann-secret-1 --password ann-secret-2")


def _undo(admin: Shell) -> None:
    admin("role remove --project walk --user ann member")
    admin("group remove user crowd ann")
    admin("group delete crowd")
    admin("user delete ann")
    admin("role delete walker")
    admin("project delete below")
    admin("project delete walk")
    endpoint = admin("endpoint list --service walk.service")[0]["ID"]
    admin("endpoint delete", endpoint)
    admin("service delete walk.service")
    admin("region delete walk.region")
    admin("domain set --disable walk.domain")
    admin("domain delete walk.domain")
