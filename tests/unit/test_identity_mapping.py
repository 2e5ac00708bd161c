"""The rules that read what an identity provider says of a user."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.core.errors import BadRequest
from pileus.identity.federation.mapping import Mapped, Unmappable, check, evaluate

ALICE = {"name": ["alice"], "groups": ["ops", "dev", "guests"], "email": ["a@example.org"], "kind": ["Employee"]}
USER = {"user": {"name": "{0}"}}
HERE = {"name": "Default"}


def rule(local: list[Any], remote: list[Any]) -> dict[str, Any]:
    return {"local": local, "remote": remote}


def mapped(*rules: dict[str, Any], version: str = "1.0", assertion: dict[str, list[str]] = ALICE) -> Mapped:
    return evaluate(*check(list(rules), version), assertion)


def by_name(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "domain": HERE} for name in names]


def test_values_take_their_places() -> None:
    found = mapped(
        rule(
            [{"user": {"name": "{0} of {1}", "email": "{2}"}}], [{"type": "name"}, {"type": "kind"}, {"type": "email"}]
        )
    )
    assert found.user == {"name": "alice of Employee", "email": "a@example.org"}


@pytest.mark.parametrize(
    ("requirement", "applies"),
    [
        ({"any_one_of": ["Employee", "Guest"]}, True),
        ({"any_one_of": ["Guest"]}, False),
        ({"any_one_of": ["^Emp"], "regex": True}, True),
        ({"any_one_of": ["^emp"], "regex": True}, False),
        ({"any_one_of": ["^Emp"]}, False),
        ({"not_any_of": ["Guest"]}, True),
        ({"not_any_of": ["Employee"]}, False),
        ({"not_any_of": ["loyee$"], "regex": True}, False),
        ({"any_one_of": []}, False),
    ],
)
def test_a_requirement_decides_whether_a_rule_applies(requirement: dict[str, Any], applies: bool) -> None:
    one = rule([USER], [{"type": "name"}, {"type": "kind", **requirement}])
    if applies:
        assert mapped(one).user == {"name": "alice"}
    else:
        with pytest.raises(Unmappable):
            mapped(one)


def test_an_attribute_that_is_missing_or_empty_stops_the_rule() -> None:
    for assertion in ({}, {"name": []}):
        with pytest.raises(Unmappable):
            mapped(rule([USER], [{"type": "name"}]), assertion=assertion)


@pytest.mark.parametrize(
    ("choice", "groups"),
    [
        ({}, ["ops", "dev", "guests"]),
        ({"whitelist": ["dev", "other"]}, ["dev"]),
        ({"blacklist": ["guests"]}, ["ops", "dev"]),
        ({"whitelist": ["^.e"], "regex": True}, ["dev"]),
        ({"blacklist": ["s$"], "regex": True}, ["dev"]),
        ({"whitelist": []}, []),
    ],
)
def test_lists_pass_through_black_and_white_lists(choice: dict[str, Any], groups: list[str]) -> None:
    remote = [{"type": "name"}, {"type": "groups", **choice}]
    found = mapped(rule([USER, {"groups": "{1}", "domain": HERE}], remote))
    assert found.groups == by_name(*groups)
    assert mapped(rule([USER, {"group_ids": "{1}"}], remote)).group_ids == groups


def test_values_of_choices_have_no_place_of_their_own() -> None:
    found = mapped(rule([{"user": {"name": "{0}"}}], [{"type": "kind", "any_one_of": ["Employee"]}, {"type": "name"}]))
    assert found.user["name"] == "alice"


def test_all_rules_that_apply_count_and_the_first_user_stays() -> None:
    found = mapped(
        rule([USER, {"group": {"id": "g1"}}], [{"type": "name"}]),
        rule([{"user": {"name": "somebody"}}, {"group": {"id": "g1"}}, {"group": {"id": "g2"}}], [{"type": "name"}]),
        rule([{"group": {"id": "g3"}}], [{"type": "name", "any_one_of": ["bob"]}]),
    )
    assert (found.user["name"], found.group_ids) == ("alice", ["g1", "g2"])


def test_groups_of_another_cloud_bring_their_domain() -> None:
    said = {"name": ["alice"], "groups": ['JSON:{"name": "ops", "domain": {"name": "Far"}}']}
    remote = [{"type": "name"}, {"type": "groups"}]
    found = mapped(rule([USER, {"groups": "{1}"}], remote), assertion=said)
    assert found.groups == [{"name": "ops", "domain": {"name": "Far"}}]
    for wrong in ("JSON:{", "JSON:[]", 'JSON:{"name": 1, "domain": {}}', "JSON:" + "[" * 9000, "plain"):
        with pytest.raises(Unmappable):
            mapped(rule([USER, {"groups": "{1}"}], remote), assertion={**said, "groups": [wrong]})


def test_projects_and_users_take_the_rules_domain_since_version_2() -> None:
    projects = [{"name": "home of {0}", "roles": [{"name": "member"}]}]
    one = rule([{"user": {"name": "{0}"}, "projects": projects, "domain": HERE}], [{"type": "name"}])
    old, new = mapped(one), mapped(one, version="2.0")
    assert old.projects == [{"name": "home of alice", "roles": [{"name": "member"}]}] and "domain" not in old.user
    assert new.projects[0]["domain"] == HERE and new.user["domain"] == HERE
    far = [{**projects[0], "domain": {"id": "far"}}]
    assert mapped(rule([{"projects": far, "domain": HERE}], [{"type": "name"}]), version="2.0").projects[0][
        "domain"
    ] == {"id": "far"}
    with pytest.raises(BadRequest, match=r"rules\[0\].local\[0\].projects\[0\].domain"):
        mapped(rule([{"projects": far}], [{"type": "name"}]))


def test_version_3_reads_projects_from_the_assertion() -> None:
    one = rule([USER, {"projects_json": "{1}", "domain": HERE}], [{"type": "name"}, {"type": "projects"}])
    said = '[{"name": "p", "roles": [{"name": "member"}]}]'
    found = mapped(one, version="3.0", assertion={"name": ["a"], "projects": [said]})
    assert found.projects == [{"name": "p", "roles": [{"name": "member"}], "domain": HERE}]
    for wrong in ("{", "[1]", '[{"name": 1, "roles": []}]', "[" * 9000):
        with pytest.raises(Unmappable):
            mapped(one, version="3.0", assertion={"name": ["a"], "projects": [wrong]})
    with pytest.raises(BadRequest, match="projects_json"):
        check([one], "2.0")


def test_templates_reach_into_nothing() -> None:
    found = mapped(rule([{"user": {"name": "{0.__class__} {0!r} {} %s"}}], [{"type": "name"}]))
    assert found.user["name"] == "{0.__class__} {0!r} {} %s"


WRONG: list[tuple[Any, str]] = [
    (None, "rules"),
    ([], "rules"),
    ({}, "rules"),
    ([1], r"rules\[0\]"),
    ([{}], r"rules\[0\].local"),
    ([{"local": [], "remote": [], "more": 1}], r"rules\[0\].more"),
    ([rule([], [])], r"rules\[0\].remote"),
    ([rule([], [{}])], r"rules\[0\].remote\[0\].type"),
    ([rule([], [{"type": 1}])], r"rules\[0\].remote\[0\].type"),
    ([rule([], [{"type": "a\0"}])], r"remote\[0\].type"),
    ([rule([], [{"type": "a", "any_one_of": ["x"], "whitelist": ["y"]}])], "both any_one_of and whitelist"),
    ([rule([], [{"type": "a", "any_one_of": "x"}])], "any_one_of"),
    ([rule([], [{"type": "a", "any_one_of": [1]}])], r"any_one_of\[0\]"),
    ([rule([], [{"type": "a", "any_one_of": ["("], "regex": True}])], "regular expression"),
    ([rule([], [{"type": "a", "any_one_of": ["x"], "regex": "yes"}])], "regex"),
    ([rule([], [{"type": "a", "regex": True}])], "regex"),
    ([rule([{"user": {"name": "{1}"}}], [{"type": "a"}])], r"\{1\} means nothing"),
    ([rule([{"user": {"name": "{0}"}}], [{"type": "a", "any_one_of": ["x"]}])], r"\{0\} means nothing"),
    ([rule([{"user": {"sex": "x"}}], [{"type": "a"}])], "user.sex"),
    ([rule([{"user": {"type": "other"}}], [{"type": "a"}])], "user.type"),
    ([rule([{"group": {"name": "x"}}], [{"type": "a"}])], "group.domain"),
    ([rule([{"group": {"id": "x", "name": "y"}}], [{"type": "a"}])], "group.name"),
    ([rule([{"group": {"name": "x", "domain": {}}}], [{"type": "a"}])], "group.domain"),
    ([rule([{"groups": ["x"]}], [{"type": "a"}])], "groups"),
    ([rule([{"projects": [{"name": "x"}]}], [{"type": "a"}])], r"projects\[0\].roles"),
    ([rule([{"projects": [{"name": "x", "roles": ["member"]}]}], [{"type": "a"}])], r"roles\[0\]"),
]


@pytest.mark.parametrize(("rules", "place"), WRONG)
def test_a_mapping_that_could_not_work_is_refused_by_place(rules: Any, place: str) -> None:
    with pytest.raises(BadRequest, match=place):
        check(rules, "1.0")


def test_only_known_versions_are_taken() -> None:
    assert check([rule([], [{"type": "a"}])], None)[1] == "1.0"
    for version in ("4.0", 1, {"a": 1}, "2"):
        with pytest.raises(BadRequest, match="schema_version"):
            check([rule([], [{"type": "a"}])], version)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["{0}", "{9}", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["local", "remote", "type", "user", "name", "groups", "regex"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(json_values, st.dictionaries(st.sampled_from(["a", "name"]), st.lists(st.text(max_size=9), max_size=3)))
def test_whatever_is_sent_is_refused_or_works(rules: Any, assertion: dict[str, list[str]]) -> None:
    with contextlib.suppress(BadRequest, Unmappable):
        evaluate(*check(rules, "2.0"), assertion)
