"""Security compliance: what passwords and log-ins must keep to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from pileus.core import clock
from pileus.identity.login.compliance import DAY
from pileus.identity.reconcile import disable_idle
from pileus.identity.store import LogInState, PastPassword, User
from pileus.settings import SecurityCompliance
from tests.harness import Client, World
from tests.spec.identity.identities import auth, caller, log_in, make

SECRET = "a secret worth keeping"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
    """A cloud whose rules each test sets."""
    made = World(tmp_path_factory.mktemp("strict"))
    yield made
    made.stop()


@pytest.fixture
def rules(strict: World) -> SecurityCompliance:
    strict.cloud.settings.security_compliance = SecurityCompliance()
    return strict.cloud.settings.security_compliance


@pytest.fixture
def boss(strict: World, rules: SecurityCompliance) -> Client:
    return strict.client("admin", "manager", "member", "reader")


@pytest.fixture
def nobody(strict: World) -> Client:
    return strict.anonymous()


def change(client: Client, user: Any, old: str, new: str) -> Any:
    return client.post(f"/v3/users/{user['id']}/password", {"user": {"original_password": old, "password": new}})


def set_row(world: World, kind: Any, key: str, **values: Any) -> None:
    with world.cloud.db.write() as tx:
        assert tx.update(kind, key, **values)


def test_a_user_that_fails_too_often_waits_and_then_may_again(
    strict: World, rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.lockout_failure_attempts, rules.lockout_duration = 2, 5
    user = make(boss, "user", password=SECRET)
    log_in(nobody, user["id"], SECRET).ok(201)
    wrong = [log_in(nobody, user["id"], "wrong").refused(401) for _ in range(2)]
    assert log_in(nobody, user["id"], SECRET).refused(401) == wrong[0], "a lockout looks like a wrong password"
    change(nobody, user, SECRET, "another").refused(401)
    set_row(strict, LogInState, user["id"], failed_at=clock.after(-6))
    log_in(nobody, user["id"], "wrong").refused(401)
    log_in(nobody, user["id"], SECRET).ok(201)
    log_in(nobody, user["id"], "wrong").refused(401)
    log_in(nobody, user["id"], SECRET).ok(201)


def test_a_user_may_be_exempt_from_lockout(rules: SecurityCompliance, boss: Client, nobody: Client) -> None:
    rules.lockout_failure_attempts = 1
    user = make(boss, "user", password=SECRET, options={"ignore_lockout_failure_attempts": True})
    for _ in range(3):
        log_in(nobody, user["id"], "wrong").refused(401)
    log_in(nobody, user["id"], SECRET).ok(201)


def test_a_reset_by_an_administrator_ends_a_lockout(rules: SecurityCompliance, boss: Client, nobody: Client) -> None:
    rules.lockout_failure_attempts = 1
    user = make(boss, "user", password=SECRET)
    log_in(nobody, user["id"], "wrong").refused(401)
    log_in(nobody, user["id"], SECRET).refused(401)
    boss.patch(f"/v3/users/{user['id']}", {"user": {"password": "fresh"}}).ok()
    log_in(nobody, user["id"], "fresh").ok(201)


def test_passwords_last_as_long_as_the_operator_says(
    strict: World, rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.password_expires_days = 90
    user = make(boss, "user", password=SECRET)
    assert clock.epoch(user["password_expires_at"]) > clock.epoch(clock.after(89 * DAY))
    token = log_in(nobody, user["id"], SECRET).ok(201)["token"]
    assert token["user"]["password_expires_at"] == user["password_expires_at"]
    set_row(strict, User, user["id"], password_expires_at=clock.after(-1))
    log_in(nobody, user["id"], "wrong").refused(401, "requires authentication")
    log_in(nobody, user["id"], SECRET).refused(401, "expired")
    change(nobody, user, SECRET, "another").ok(204)
    log_in(nobody, user["id"], "another").ok(201)
    exempt = make(boss, "user", password=SECRET, options={"ignore_password_expiry": True})
    assert exempt["password_expires_at"] is None


def test_users_are_listed_by_when_their_passwords_end(rules: SecurityCompliance, boss: Client) -> None:
    rules.password_expires_days = 10
    soon = make(boss, "user", password=SECRET)
    rules.password_expires_days = 100
    late = make(boss, "user", password=SECRET)
    limit = clock.after(50 * DAY)

    def listed(query: str) -> set[str]:
        return {row["id"] for row in boss.get(f"/v3/users?password_expires_at={query}").ok()["users"]}

    for word, wanted in {"lt": soon, "lte": soon, "gt": late, "gte": late}.items():
        found = listed(f"{word}:{limit}")
        assert wanted["id"] in found and not {soon["id"], late["id"]} <= found
    assert listed(soon["password_expires_at"]) == listed(f"eq:{soon['password_expires_at']}") == {soon["id"]}
    assert soon["id"] not in listed(f"neq:{soon['password_expires_at']}")
    group = make(boss, "group")
    for user in (soon, late):
        boss.put(f"/v3/groups/{group['id']}/users/{user['id']}").ok(204)
    inside = boss.get(f"/v3/groups/{group['id']}/users?password_expires_at=lt:{limit}").ok()["users"]
    assert [row["id"] for row in inside] == [soon["id"]]
    both = f"gt:{clock.after(1)}&password_expires_at=lt:{limit}"
    assert soon["id"] in listed(both) and late["id"] not in listed(both)
    for wrong in ("lt:", "lt:yesterday", "about:2030-01-01", "", "lt:0000-00-00"):
        boss.get(f"/v3/users?password_expires_at={wrong}").refused(400, "password_expires_at")


def test_a_password_from_an_administrator_must_be_changed_at_first_use(
    rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.change_password_upon_first_use, rules.minimum_password_age = True, 1
    user = make(boss, "user", password=SECRET)
    log_in(nobody, user["id"], SECRET).refused(401, "needs to be changed")
    change(nobody, user, SECRET, "another").ok(204)
    log_in(nobody, user["id"], "another").ok(201)
    boss.patch(f"/v3/users/{user['id']}", {"user": {"password": "reset"}}).ok()
    log_in(nobody, user["id"], "reset").refused(401, "needs to be changed")
    exempt = make(boss, "user", password=SECRET, options={"ignore_change_password_upon_first_use": True})
    log_in(nobody, exempt["id"], SECRET).ok(201)


def test_the_last_passwords_cannot_be_chosen_again(
    strict: World, rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.unique_last_password_count = 2
    user = make(boss, "user", password="first")
    change(nobody, user, "first", "second").ok(204)
    for old in ("first", "second"):
        change(nobody, user, "second", old).refused(400, "last 2")
    change(nobody, user, "second", "third").ok(204)
    change(nobody, user, "third", "first").ok(204)
    boss.patch(f"/v3/users/{user['id']}", {"user": {"password": "first"}}).ok()
    with strict.cloud.db.read() as tx:
        kept = tx.select(PastPassword, user_id=user["id"])
    assert len(kept) == 1 and kept[0].password_hash.startswith("$argon2id$")


def test_a_new_password_is_kept_for_a_while(
    strict: World, rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.minimum_password_age = 2
    user = make(boss, "user", password=SECRET)
    change(nobody, user, SECRET, "another").refused(400, "2 day")
    set_row(strict, User, user["id"], password_created_at=clock.after(-3 * DAY))
    change(nobody, user, SECRET, "another").ok(204)


def test_a_password_has_the_form_the_operator_wants(rules: SecurityCompliance, boss: Client, nobody: Client) -> None:
    rules.password_regex, rules.password_regex_description = r"^(?=.*\d).{7,}$", "seven characters, one a digit"
    boss.post("/v3/users", {"user": {"name": "weak", "password": "short"}}).refused(400, "seven characters")
    user = make(boss, "user", password="longenough1")
    boss.patch(f"/v3/users/{user['id']}", {"user": {"password": "short"}}).refused(400, "seven characters")
    change(nobody, user, "longenough1", "short").refused(400, "seven characters")
    change(nobody, user, "longenough1", "longenough2").ok(204)


def test_a_locked_password_is_not_its_users_to_change(boss: Client, nobody: Client) -> None:
    user = make(boss, "user", password=SECRET, options={"lock_password": True})
    change(nobody, user, SECRET, "another").refused(400, "locked")
    boss.patch(f"/v3/users/{user['id']}", {"user": {"options": {"lock_password": None}}}).ok()
    change(nobody, user, SECRET, "another").ok(204)


def test_users_whom_nobody_uses_are_disabled(
    strict: World, rules: SecurityCompliance, boss: Client, nobody: Client
) -> None:
    rules.disable_user_account_days_inactive = 30
    idle, busy, exempt = (make(boss, "user", password=SECRET) for _ in range(3))
    boss.patch(f"/v3/users/{exempt['id']}", {"user": {"options": {"ignore_user_inactivity": True}}}).ok()
    for user in (idle, busy, exempt):
        set_row(strict, User, user["id"], created_at=clock.after(-40 * DAY))
    own = caller(nobody, idle["id"], SECRET)
    log_in(nobody, busy["id"], SECRET).ok(201)
    set_row(strict, LogInState, idle["id"], active_on=clock.after(-31 * DAY)[:10])
    disable_idle(strict.cloud)
    shown = {user["id"]: boss.get(f"/v3/users/{user['id']}").ok()["user"]["enabled"] for user in (idle, busy, exempt)}
    assert shown == {idle["id"]: False, busy["id"]: True, exempt["id"]: True}
    log_in(nobody, idle["id"], SECRET).refused(401)
    boss.patch(f"/v3/users/{idle['id']}", {"user": {"enabled": True}}).ok()
    own.get("/v3/auth/projects").refused(401)
    disable_idle(strict.cloud)
    log_in(nobody, idle["id"], SECRET).ok(201)


def test_a_password_hashed_at_another_cost_is_hashed_anew_at_log_in(
    strict: World, boss: Client, nobody: Client
) -> None:
    user = make(boss, "user", password=SECRET)
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(SECRET)
    set_row(strict, User, user["id"], password_hash=old)
    log_in(nobody, user["id"], "wrong").refused(401)
    with strict.cloud.db.read() as tx:
        assert tx.get(User, id=user["id"]).password_hash == old
    own = caller(nobody, user["id"], SECRET)
    with strict.cloud.db.read() as tx:
        assert tx.get(User, id=user["id"]).password_hash != old
    own.get("/v3/auth/projects").ok()
    log_in(nobody, user["id"], SECRET).ok(201)


class TestLimitsOnFailures:
    @pytest.fixture
    def limited(self, tmp_path: Path) -> Iterator[World]:
        made = World(tmp_path / "limited")
        made.cloud.settings.log_in_limits.per_user = 3
        made.cloud.settings.log_in_limits.per_address = 8
        yield made
        made.stop()

    def send(self, world: World, user: str, password: str, address: str) -> Any:
        return world.anonymous().request("POST", "/v3/auth/tokens", auth(user, password), client=address)

    def test_a_user_is_refused_for_a_while_whether_or_not_it_exists(self, limited: World) -> None:
        user = make(limited.client("admin"), "user", password=SECRET)
        for name in (user["id"], "nobody"):
            for number in range(3):
                self.send(limited, name, "wrong", f"192.0.2.{number}").refused(401)
            answer = self.send(limited, name, SECRET, "192.0.2.9")
            answer.refused(429, "try again")
            assert 0 < int(answer.headers["retry-after"]) <= 60

    def test_a_good_password_in_between_starts_the_count_anew(self, limited: World) -> None:
        user = make(limited.client("admin"), "user", password=SECRET)
        for _ in range(3):
            for _ in range(2):
                self.send(limited, user["id"], "wrong", "").refused(401)
            self.send(limited, user["id"], SECRET, "").ok(201)

    def test_an_address_is_refused_for_a_while(self, limited: World) -> None:
        user = make(limited.client("admin"), "user", password=SECRET)
        for number in range(8):
            self.send(limited, f"guess-{number}", "wrong", "192.0.2.1").refused(401)
        self.send(limited, user["id"], SECRET, "192.0.2.1").refused(429)
        self.send(limited, user["id"], SECRET, "192.0.2.2").ok(201)

    def test_names_without_end_are_counted_and_logged_by_their_beginning(
        self, limited: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        for tail in ("a", "b", "c"):
            self.send(limited, "x" * 100_000 + tail, "wrong", "").refused(401)
        self.send(limited, "x" * 100_000, "wrong", "").refused(429)
        assert caplog.records and max(len(str(vars(record))) for record in caplog.records) < 5000
