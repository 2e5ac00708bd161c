"""What object storage reads from strangers: ranges, ACLs, Accept headers, forms; and the order of listings."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.context import Context
from pileus.core.errors import BadRequest, RangeNotSatisfiable
from pileus.object_storage import acl, listing, ranges
from pileus.object_storage.api import formpost, listings, tempurl
from pileus.object_storage.listing import Bounds, Folded, Wanted
from pileus.object_storage.ranges import Part


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None), ("", None), ("bytes", None), ("bytes=", None), ("bytes=-", None), ("bytes=1-2-3", None),
        ("bytes=0-0", [Part(0, 1)]), ("bytes=-5", [Part(5, 5)]), ("bytes=8-", [Part(8, 2)]), ("bytes=3-99", [Part(3, 7)]),
        ("bytes=0-1, -1", [Part(0, 2), Part(9, 1)]), ("bytes=99-,1-1", [Part(1, 1)]), ("bytes=1-0", None),
        ("bytes=٣-", None), ("bytes=+1-", None), ("BYTES = 0-0", [Part(0, 1)]), ("bytes=" + "9" * 19 + "-", None),
    ],
)  # fmt: skip
def test_a_range_header_means(text: str | None, expected: list[Part] | None) -> None:
    assert ranges.parse(text, 10) == expected


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=-0", "bytes=11-12,99-", "bytes=" + ",".join(["0-0"] * 51)])
def test_a_range_outside_is_not_satisfied(text: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        ranges.parse(text, 10)


@given(st.text(alphabet="bytes=0123456789-, ", max_size=40), st.integers(0, 50))
def test_parts_always_lie_within(text: str, size: int) -> None:
    try:
        found = ranges.parse(text, size)
    except RangeNotSatisfiable:
        return
    assert all(part.length > 0 <= part.offset and part.offset + part.length <= size for part in found or [])


WHO = Context(user_id="u", user_name="user", project_id="p", project_name="proj", user_domain_id="default",
              project_domain_id="default", roles=frozenset({"auditor"}))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "by_name", "expected"),
    [
        ("p:u", False, True), ("p:*", False, True), ("*:u", False, True), ("*:*", False, True), ("x:u", True, False),
        ("proj:user", True, True), ("proj:user", False, False), ("proj:*", True, True), ("auditor", False, True),
        ("AUDITOR", False, True), ("other", True, False), ("", True, False), (",,", True, False), (".r:*", True, False),
        ("p%3Au", False, True), ("p", True, False), (":", True, False),
    ],
)  # fmt: skip
def test_an_acl_names(text: str, by_name: bool, expected: bool) -> None:
    assert acl.names(acl.parse(text), WHO, lambda: by_name) is expected
    assert not acl.names(acl.parse(text), Context(), lambda: True)


@pytest.mark.parametrize(
    ("text", "referer", "expected"),
    [
        (".r:*", None, True), (".r:*", "nonsense", True), (".r:*,.r:-.bad.test", "http://a.bad.test/x", False),
        (".r:-bad.test,.r:*", "http://bad.test", True), (".r:.ok.test", "http://www.ok.test:80/", True),
        (".r:ok.test", "http://www.ok.test", False), (".r:ok.test", None, False), (".r:ok.test", "http://[", False),
    ],
)  # fmt: skip
def test_an_acl_lets_pages_refer(text: str, referer: str | None, expected: bool) -> None:
    assert acl.refers(acl.parse(acl.clean("x-container-read", text)), referer) is expected


@given(st.text(max_size=60))
def test_any_text_is_an_acl_or_refused(text: str) -> None:
    try:
        kept = acl.clean("x-container-read", text)
    except BadRequest:
        return
    assert acl.clean("x-container-read", kept) == kept
    acl.names(acl.parse(kept), WHO, lambda: True)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "a/b"), ("c/d", "c/d"), ("a/*;q=0.1, c/d", "c/d"), ("x/y", None), ("a/b;q=0", None), ("a/b;q=x", None),
        ("*/*;q=0.5, c/*", "c/d"), (";;,,", None), ("c/d;level=1", "c/d"), ("a/b;q=9", None),
    ],
)  # fmt: skip
def test_an_accept_header_likes_most(accept: str, expected: str | None) -> None:
    assert listings.best(accept, ("a/b", "c/d")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('form-data; name="a"; filename="b.c"', {"name": "a", "filename": "b.c"}), ('x; name="a\\"b;c"', {"name": 'a"b;c'}),
        ("name=a; filename=b", {"name": "a", "filename": "b"}), ("", {}), ('name="', {"name": ""}), (";;;=", {"": ""}),
    ],
)  # fmt: skip
def test_parameters_of_a_header(text: str, expected: dict[str, str]) -> None:
    assert formpost.parameters(text) == expected


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(1, 40))
@settings(max_examples=60)
def test_a_form_is_taken_apart_wherever_it_was_cut(bodies: list[bytes], size: int) -> None:
    bodies = [body for body in bodies if b"\r\n--XX" not in body]
    whole = b"".join(b"--XX\r\nname: x\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--XX--"
    cut = [whole[n : n + size] for n in range(0, len(whole), size)]
    assert [b"".join(part) for _, part in formpost.Parts(cut, b"XX")] == bodies


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    try:
        for _, part in formpost.Parts([body], b"X"):
            b"".join(part)
    except BadRequest:
        pass


@given(st.text(max_size=90))
def test_any_text_is_a_signature_or_none(text: str) -> None:
    tempurl.digest_of(text)
    tempurl.moment(text)
    assert tempurl.within(text, text) in (True, False)


# -- listings ------------------------------------------------------------------------------------------------------------


def expected_page(names: list[str], wanted: Wanted) -> list[Any]:
    """What a listing shall show, the slow way."""
    found: list[Any] = []
    low, high = (wanted.end_marker, wanted.marker) if wanted.reverse else (wanted.marker, wanted.end_marker)
    for name in sorted(names, reverse=wanted.reverse):
        if not name.startswith(wanted.prefix) or (low and name <= low) or (high and name >= high):
            continue
        end = name.find(wanted.delimiter, len(wanted.prefix)) if wanted.delimiter else -1
        entry: Any = (name,) if end < 0 else Folded(name[: end + len(wanted.delimiter)])
        if isinstance(entry, Folded) and (entry.name == wanted.marker or entry in found):
            continue
        found.append(entry)
    return found[: wanted.limit]


NAME = st.text(alphabet="ab/é\U0010ffff\ud7ff", min_size=1, max_size=5)


@given(st.sets(NAME, max_size=40), st.builds(
    Wanted, limit=st.integers(0, 12), marker=st.one_of(st.just(""), NAME), end_marker=st.one_of(st.just(""), NAME),
    prefix=st.sampled_from(["", "a", "a/", "\U0010ffff", "\ud7ff"]), delimiter=st.sampled_from(["", "/", "b/", "//"]),
    reverse=st.booleans(), path=st.none()))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_a_page_is_what_the_slow_way_finds(names: set[str], wanted: Wanted) -> None:
    def fetch(within: Bounds, descending: bool, most: int) -> list[tuple[Any, ...]]:
        found = [
            (name,)
            for name in sorted(names, reverse=descending)
            if (name > within.low if within.beyond else name >= within.low)
            and (within.high is None or name < within.high)
        ]
        return found[:most]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PORTION", 3)
        assert listing.page(fetch, wanted) == expected_page(list(names), wanted)


def test_a_folder_of_very_many_costs_one_look() -> None:
    names = [f"folder/{number:06}" for number in range(100_000)] + ["last"]
    looks = []

    def fetch(within: Bounds, descending: bool, most: int) -> list[tuple[Any, ...]]:
        looks.append(most)
        return [(name,) for name in names if (name > within.low if within.beyond else name >= within.low)][:most]

    assert listing.page(fetch, Wanted(delimiter="/")) == [Folded("folder/"), ("last",)]
    assert len(looks) == 2 and max(looks) <= 64
