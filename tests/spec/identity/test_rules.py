"""Keystone's rules are all there, by their names and with their scopes; domain's managers keep to their domain."""

from pathlib import Path

from pileus import services
from tests.harness import World
from tests.spec.identity.identities import unique

NAMES = Path(__file__).with_name("rules.txt")


def test_every_rule_of_keystones_is_there_with_its_scopes() -> None:
    rules = {rule.name: rule for rule in services.rules()["identity"]}
    told = [line.partition(": ") for line in NAMES.read_text().splitlines() if not line.startswith("#")]
    missing = {name for name, _, _ in told} - set(rules)
    assert not missing, f"{sorted(missing)}: operators' policy files may name them"
    wrong = {
        name: rules[name].scopes
        for name, _, scopes in told
        if name in rules and " ".join(rules[name].scopes or ["any"]) != scopes
    }
    assert not wrong, f"these ask for other scopes than Keystone's: {wrong}"


def test_an_administrator_of_a_domain_is_none_of_the_cloud_unless_scope_is_not_enforced(tmp_path: Path) -> None:
    for enforced, status in ((True, 403), (False, 201)):
        world = World(tmp_path / str(enforced), enforce_scope=enforced)
        admin = world.client("admin")
        admin.put(f"/v3/domains/default/users/{admin.user_id}/roles/{world.roles['admin']}").ok(204)
        admin.token, _ = world.cloud.tokens.issue(admin.user_id, ["password"], "domain", "default")
        assert admin.post("/v3/regions", {"region": {"id": unique()}}).status == status
        world.stop()
