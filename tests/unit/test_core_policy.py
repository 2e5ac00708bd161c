"""The policy language, held against oslo.policy itself."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_policy import policy as oslo

from pileus import services
from pileus.core.context import Context
from pileus.core.policy import Policy, Rule, by_service, load_overrides

NAMES = ["admin", "member", "Reader", "p1", "p2", "u1", "True", "None", "7"]
LITERALS = [name for name in NAMES if name != "None"]
KEYS = ["project_id", "user_id", "domain_id", "role", "flag", "target.project.id", "missing"]

atoms = st.one_of(
    st.sampled_from(["@", "!", "rule:known", "rule:other", "rule:missing", "is_admin:True", "is_admin:False"]),
    st.sampled_from(NAMES).map(lambda name: f"role:{name}"),
    st.sampled_from(KEYS).map(lambda key: f"role:%({key})s"),
    st.tuples(st.sampled_from(["project_id", "user_id", "system_scope", "nobody"]), st.sampled_from(KEYS)).map(
        lambda pair: f"{pair[0]}:%({pair[1]})s"
    ),
    # a literal None has a test of its own: whom it lets in depends on how the attribute is missing
    st.tuples(
        st.sampled_from(["project_id", "user_id", "system_scope"]), st.sampled_from([*LITERALS, "all", "'p1'"])
    ).map(":".join),
    st.tuples(st.sampled_from(["'p1'", '"p2"', "True", "None", "7"]), st.sampled_from(KEYS)).map(
        lambda pair: f"{pair[0]}:%({pair[1]})s"
    ),
    st.sampled_from(["project_id:p%(digit)s", "project_id:%(letter)s1", "user_id:%(letter)s%(digit)s"]),
)
checks = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" and ".join),
        st.lists(inner, min_size=2, max_size=3).map(" or ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"not ({text})"),
        atoms.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"( {text.replace(' and ', ' AND ')} )"),
    ),
    max_leaves=8,
)
values = st.one_of(st.sampled_from(NAMES), st.none(), st.booleans())
targets = st.fixed_dictionaries(
    {},
    optional={
        "project_id": values, "user_id": values, "domain_id": values, "role": values, "flag": st.booleans(),
        "target.project.id": values, "digit": st.sampled_from("12"), "letter": st.sampled_from("pu"),
    },
)  # fmt: skip
callers = st.builds(
    Context,
    project_id=st.sampled_from(["p1", "p2", None]),
    user_id=st.sampled_from(["u1", "p1"]),
    domain_id=st.sampled_from(["p1", None]),
    system=st.booleans(),
    roles=st.frozensets(st.sampled_from([name.lower() for name in NAMES])),
)
RULES = {"known": "role:member or project_id:%(project_id)s", "other": "not rule:known and role:admin"}


class Reference:
    """oslo.policy, asked the same. It takes None for a value like any other; we say that None equals nothing."""

    def __init__(self) -> None:
        self.enforcer = oslo.Enforcer(cfg.ConfigOpts(), use_conf=False)
        self.enforcer.conf([])

    def allows(self, check: str, caller: Context, target: dict[str, Any]) -> bool:
        self.enforcer.set_rules(oslo.Rules.from_dict({**RULES, "asked": check}), use_conf=False)
        credentials = {key: value for key, value in caller.credentials.items() if value is not None and "." not in key}
        return bool(self.enforcer.enforce("asked", target, {**credentials, "roles": sorted(caller.roles)}))


reference = Reference()


def allows(check: str, caller: Context, target: Any) -> bool:
    rules = [Rule(name, text) for name, text in {**RULES, "asked": check}.items()]
    return Policy(rules).allows("asked", caller, target)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(checks, callers, targets)
def test_every_check_means_what_oslo_policy_says(check: str, caller: Context, target: dict[str, Any]) -> None:
    assert allows(check, caller, target) == reference.allows(check, caller, target), check


MEMBER = Context(user_id="u1", project_id="p1", roles=frozenset({"member", "reader"}))


@pytest.mark.parametrize(
    ("check", "target", "allowed"),
    [
        ("", {}, True),
        ("role:MEMBER", {}, True),
        ("role:admin or role:member and project_id:%(project_id)s", {"project_id": "p1"}, True),
        ("role:admin or role:member and project_id:%(project_id)s", {"project_id": "p2"}, False),
        ("(role:admin or role:member) and user_id:%(user_id)s", {"user_id": "u2"}, False),
        ("not role:admin and role:member", {}, True),
        ("not (role:admin or role:member)", {}, False),
        ("'public':%(visibility)s", {"visibility": "public"}, True),
        ("False:%(protected)s", {"protected": True}, False),
        ("user_id:%(target.token.user_id)s", {"target": {"token": {"user_id": "u1"}}}, True),
        ("tenant:%(tenant_id)s", {"tenant_id": "p1"}, True),
        ("domain_id:%(domain_id)s", {"domain_id": None}, False),  # belongs to nobody: not to the unscoped either
    ],
)
def test_checks_as_services_write_them(check: str, target: Any, allowed: bool) -> None:
    assert allows(check, MEMBER, target) is allowed


def test_a_literal_none_is_for_who_has_no_such_thing() -> None:
    """As with oslo.policy and the contexts that services give it, in which a missing project is None."""
    assert allows("project_id:None", Context(user_id="u1"), {})
    assert not allows("project_id:None", MEMBER, {})
    assert not allows("nobody:None", MEMBER, {})


def test_a_target_may_be_a_row() -> None:
    class Row:
        project_id = "p1"

    assert allows("project_id:%(project_id)s and tenant:%(tenant_id)s", MEMBER, Row())
    assert not allows("project_id:%(owner)s", MEMBER, Row())


@pytest.mark.parametrize("check", ["role:a role:b", "(role:a", "role:a)", "and", "role:a or", "nonsense", "not", "()"])
def test_a_check_that_cannot_be_read_is_an_error_at_start(check: str) -> None:
    with pytest.raises(ValueError, match="policy check"):
        Policy([Rule("bad", check)])


def test_a_rule_with_scopes_refuses_tokens_of_another_unless_scope_is_not_enforced() -> None:
    rules = [Rule("base", "role:admin", scopes=("system",)), Rule("own", "rule:base", scopes=("system", "project"))]
    system, domain, project = (
        Context(roles=frozenset({"admin"}), **scope)
        for scope in ({"system": True}, {"domain_id": "d1"}, {"project_id": "p1"})
    )
    policy = Policy(rules, {"own": "role:admin or @"})
    assert [policy.allows("own", ctx, {}) for ctx in (system, domain, project)] == [True, False, True]
    policy = Policy(rules)
    assert [policy.allows("own", ctx, {}) for ctx in (system, domain, project)] == [True, False, True]
    assert [policy.allows("base", ctx, {}) for ctx in (system, domain, project)] == [True, False, False]
    assert Policy(rules, enforce_scope=False).allows("base", domain, {})


def test_rules_that_refer_to_each_other_in_a_circle_grant_nothing() -> None:
    policy = Policy([Rule("a", "rule:b"), Rule("b", "rule:a")])
    assert not policy.allows("a", MEMBER, {})
    assert not policy.allows("b", MEMBER, {})


def test_an_override_replaces_a_rule_everywhere_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"base": "role:reader"\n"own": "!"\n')
    policy = Policy([Rule("base", "role:admin"), Rule("user", "rule:base")], load_overrides(file))
    assert policy.allows("user", MEMBER, {})
    assert not policy.allows("own", MEMBER, {})


@pytest.mark.parametrize("text", ["- a list", "a: 7", "{", "a: [b]"])
def test_an_override_file_that_is_none_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"policy\.yaml"):
        load_overrides(file)
    with pytest.raises(ValueError, match=r"nowhere\.yaml"):
        load_overrides(tmp_path / "nowhere.yaml")


def test_a_rule_is_known_in_its_service_only_and_an_override_holds_where_the_rule_is(tmp_path: Path) -> None:
    rules = {
        "compute": [Rule("admin", "role:admin"), Rule("list", "rule:admin")],
        "image": [Rule("admin", "role:keeper")],
    }
    file = tmp_path / "policy.yaml"
    file.write_text("list: rule:mine\nmine: role:member\nimage: {admin: '@'}\n")
    found = by_service(rules, load_overrides(file, rules))
    assert found["compute"].allows("list", MEMBER, {})
    assert not found["compute"].allows("admin", MEMBER, {})
    assert found["image"].allows("admin", MEMBER, {})
    assert "list" not in found["image"].rules


@pytest.mark.parametrize("service", services.SERVICES)
def test_the_default_rules_grow_with_the_roles(service: str) -> None:
    """Whatever a reader may, a member may; whatever a member may, an admin may."""
    policy = Policy(services.rules()[service])
    chain = [
        ["reader"],
        ["reader", "member"],
        ["reader", "member", "manager"],
        ["reader", "member", "manager", "admin"],
    ]
    own = {"project_id": "p1", "tenant_id": "p1", "user_id": "u1", "domain_id": None}
    for name in policy.rules:
        before = False
        for roles in chain:
            now = policy.allows(name, Context(user_id="u1", project_id="p1", roles=frozenset(roles)), own)
            assert now or not before, f"{name} is granted without {roles[-1]} and refused with it"
            before = now
