"""Patterns of access rules: what they fit, and that no pattern takes long."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.identity.delegation.access_rules import fits


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("/v2.1/servers", "/v2.1/servers", True),
        ("/v2.1/servers", "/v2a1/servers", False),
        ("/v2.1/servers", "/v2.1/servers/", False),
        ("/v2.1/servers/*", "/v2.1/servers/one", True),
        ("/v2.1/servers/*", "/v2.1/servers/one/action", False),
        ("/v2.1/servers/*/ips", "/v2.1/servers/one/ips", True),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/one", True),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/", False),
        ("/v2.1/servers/*", "/v2.1/servers/", True),
        ("/v2.1/**", "/v2.1/servers/one/action", True),
        ("/v2.1/**/ips", "/v2.1/servers/one/ips", True),
        ("/**", "/", True),
        ("/a*c", "/abc", True),
        ("/a*c", "/ab/c", False),
        ("/", "", False),
    ],
)
def test_patterns(pattern: str, path: str, wanted: bool) -> None:
    assert fits(pattern, path) is wanted


PIECES = st.lists(st.sampled_from(["a", "b", "/", "*", "**", "{x}", "."]), max_size=7).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.text("ab/.", max_size=8))
def test_it_agrees_with_a_regular_expression(pattern: str, path: str) -> None:
    parts = re.split(r"(\*\*|\*|\{[^/{}]*\})", pattern)
    forms = {"**": ".*", "*": "[^/]*", "{x}": "[^/]+"}
    expression = "".join(forms.get(part, re.escape(part)) for part in parts)
    assert fits(pattern, path) is bool(re.fullmatch(expression, path))


def test_a_pattern_made_to_take_for_ever_does_not() -> None:
    assert not fits("/" + "**a" * 42, "/" + "a" * 2000 + "b")
    assert not fits("/" + "*a" * 60, "/" + "a" * 2000 + "b")
    assert not fits("/**", "/" + "a" * 100_000)
