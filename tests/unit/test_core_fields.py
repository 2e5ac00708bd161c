"""Fields: any JSON value is either taken or refused by name, never more."""

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.errors import BadRequest
from pileus.core.fields import (
    OPTIONAL,
    REQUIRED,
    Address,
    Boolean,
    Cidr,
    Field,
    Integer,
    Items,
    Mac,
    Number,
    Object,
    Strings,
    Text,
    Time,
    Uuid,
)

FIELDS: list[Field] = [
    Text("f"),
    Text("f", min=1, max=3, pattern=r"[\w-]*"),
    Text("f", choices=["a", "b"], strip=True, null=True),
    Text("f", secret=True, max=1),
    Integer("f"),
    Integer("f", min=-5, max=5, strict=True),
    Integer("f", max=None),
    Number("f"),
    Boolean("f"),
    Boolean("f", strict=True),
    Uuid("f"),
    Time("f"),
    Address("f"),
    Cidr("f"),
    Cidr("f", exact=True),
    Mac("f"),
    Items("f", Text("g"), max=3, unique=True),
    Items("f", Object("g", [Text("h", create=REQUIRED)], open=True), unique=True),
    Object("f", [Integer("a", create=REQUIRED), Address("b", create=OPTIONAL, default=None)]),
    Object("f", [Items("a", Uuid("b"))], open=True),
    Strings("f", items=3),
]

likely = st.one_of(
    st.sampled_from(
        ["", "a", "true", "off", "7", "-7", "1e3", "٣", "²", "0x1f", "nan", "inf", "10.0.0.1", "10.0.0.0/8", "10.0.0.1/8",
         "10.0.0.0/255.0.0.0", "::1", "fe80::1%eth0", "fe80::/64", "::ffff:1.2.3.4", "0.0.0.0/0", "/", "1/2/3", "10.0.0.1/",
         "fa:16:3e:00:00:01", "FA-16-3E-00-00-01", "01:00:00:00:00:00", "00:00:00:00:00:00", "2026-01-01",
         "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-W01-1", "20260101T000000",
         "5b3c1bd6-0c3e-4f0e-8d5a-0d9f1d1b9c11", "{5b3c1bd60c3e4f0e8d5a0d9f1d1b9c11}", "urn:uuid:" + "0" * 32, "٣" * 32,
         "\0", "a\0", "\ud800", "a" * 300, " a ", "\n", "💥", "é", "%s", "%(x)s", "{}", "'", '"']
    ),
    st.text(max_size=8),
    st.text(alphabet=string.hexdigits + ":-./%", max_size=40),
)  # fmt: skip
numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**40, 1e308, -0.0, 0.5, 1e16]),
    st.floats(allow_nan=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, likely)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from("abgh"), likely), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(value=json_values)
def test_a_value_is_taken_or_refused_with_the_fields_name(value: Any) -> None:
    for field in FIELDS:
        try:
            taken = field.check(value)
        except BadRequest as refused:
            assert refused.message.split()[3].startswith(("field/attribute",)), refused.message
            assert len(refused.message) < 1000
            continue
        assert value is not None or field.null
        if not isinstance(field, Object | Strings | Items):
            assert field.check(taken) == taken, "what was taken is taken again, unchanged"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=likely)
def test_a_filters_text_is_taken_or_refused(text: str) -> None:
    for field in FIELDS:
        try:
            field.query(text)
        except BadRequest as refused:
            assert "f" in refused.message


@pytest.mark.parametrize(
    ("field", "given", "taken"),
    [
        (Integer("f"), "12", 12),
        (Integer("f"), 3.0, 3),
        (Integer("f", min=-1), -1, -1),
        (Boolean("f"), "Yes", True),
        (Boolean("f"), 0, False),
        (Uuid("f"), "5B3C1BD60C3E4F0E8D5A0D9F1D1B9C11", "5B3C1BD60C3E4F0E8D5A0D9F1D1B9C11"),
        (Time("f"), "2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00.000000Z"),
        (Time("f"), "2026-01-01", "2026-01-01T00:00:00.000000Z"),
        (Time("f"), "0099-01-01", "0099-01-01T00:00:00.000000Z"),
        (Address("f"), "2001:DB8:0::1", "2001:db8::1"),
        (Cidr("f"), "10.1.2.3/8", "10.0.0.0/8"),
        (Mac("f"), "FA-16-3E-00-00-0A", "fa:16:3e:00:00:0a"),
        (Text("f", strip=True), " a ", "a"),
        (Object("f", [Integer("n", default=4), Text("t")]), {"t": "x"}, {"t": "x", "n": 4}),
        (Items("f", Integer("n"), unique=True), [1, "2"], [1, 2]),
    ],
)
def test_values_are_kept_in_one_form(field: Field, given: Any, taken: Any) -> None:
    assert field.check(given) == taken


@pytest.mark.parametrize(
    ("field", "given"),
    [
        (Integer("f"), True),
        (Integer("f"), 2**31),
        (Integer("f", strict=True), "1"),
        (Integer("f"), 1.5),
        (Number("f"), True),
        (Boolean("f", strict=True), "true"),
        (Boolean("f"), 2),
        (Text("f"), "a\0"),
        (Text("f"), 7),
        (Cidr("f", exact=True), "10.1.2.3/8"),
        (Cidr("f"), "10.1.2.3"),
        (Address("f"), "fe80::1%eth0"),
        (Uuid("f"), "٣" * 32),
        (Mac("f"), "01:00:00:00:00:00"),
        (Items("f", Integer("n"), unique=True), [1, "1"]),
        (Items("f", Object("o", open=True), unique=True), [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        (Object("f", [Text("t", create=REQUIRED)]), {}),
        (Object("f", [Text("t")]), {"u": ""}),
        (Strings("f"), {"": ""}),
        (Strings("f"), {"a": 1}),
        (Strings("f"), {"a" * 256: ""}),
    ],
)
def test_what_is_refused(field: Field, given: Any) -> None:
    with pytest.raises(BadRequest, match="field/attribute"):
        field.check(given)


def test_a_secret_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(BadRequest) as refused:
        Text("password", secret=True, max=3).check("hunter2")
    assert "hunter2" not in refused.value.message


def test_a_long_list_is_checked_quickly() -> None:
    """A body may be megabytes: comparing each item with each would take minutes."""
    many = [f"tag-{number}" for number in range(100_000)]
    assert len(Items("f", Text("t"), unique=True).check(many)) == len(many)
    with pytest.raises(BadRequest, match="twice"):
        Items("f", Text("t"), unique=True).check([*many, "tag-5"])
