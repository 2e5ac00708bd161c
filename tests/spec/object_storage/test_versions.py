"""Older versions: kept beside the current one, or in another container as a stack or a history."""

from typing import Any

import pytest

from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs


def all_versions(own: Store, box: str, query: str = "") -> list[tuple[str, str, bool]]:
    found: list[dict[str, Any]] = own.get(f"{box}?versions{query}").json
    return [(entry["name"], entry["version_id"], entry["is_latest"]) for entry in found]


@pytest.fixture
def box(own: Store) -> str:
    return own.container(x_versions_enabled="true")


def put(own: Store, path: str, body: bytes) -> str:
    return own.put(path, body).headers["x-object-version-id"]


def test_what_is_overwritten_or_deleted_is_kept(world: World, own: Store, box: str) -> None:
    first, second = put(own, f"{box}/o", b"1"), put(own, f"{box}/o", b"22")
    assert own.get(f"{box}/o").raw == b"22" and own.get(f"{box}/o?version-id={first}").raw == b"1"
    marker = own.delete(f"{box}/o").headers["x-object-version-id"]
    own.get(f"{box}/o").refused(404)
    own.get(f"{box}/o?version-id={marker}").refused(404)
    assert all_versions(own, box) == [("o", marker, True), ("o", second, False), ("o", first, False)]
    headers = own.head(box).headers
    assert headers["x-container-bytes-used"] == "3" and headers["x-container-object-count"] == "0"
    own.put(f"{box}/o?version-id={first}").ok(201)
    assert own.get(f"{box}/o").raw == b"1"
    assert [latest for _, _, latest in all_versions(own, box)] == [False, False, True]
    own.delete(f"{box}/o?version-id={first}").ok(204)
    own.get(f"{box}/o").refused(404)
    own.delete(f"{box}/o?version-id={second}").ok(204)
    own.delete(box).refused(409)
    own.delete(f"{box}/o?version-id={marker}").ok(204)
    assert own.head(box).headers["x-container-bytes-used"] == "0"
    own.delete(box).ok(204)
    nothing_differs(world)


def test_what_was_there_before_versions_is_called_null(own: Store) -> None:
    box = own.container()
    own.put(f"{box}/o", b"old").ok(201)
    assert all_versions(own, box) == [("o", "null", True)]
    own.post(box, x_versions_enabled="true").ok(204)
    new = put(own, f"{box}/o", b"new")
    assert all_versions(own, box)[0] == ("o", new, True)
    own.post(box, x_versions_enabled="false").ok(204)
    own.put(f"{box}/o", b"plain").ok(201)
    assert all_versions(own, box)[0][1] == "null" and len(all_versions(own, box)) == 3
    assert own.get(f"{box}/o?version-id=null").raw == b"plain"
    assert own.head(box).headers["x-versions-enabled"] == "False"
    own.delete(f"{box}/o").ok(204)
    assert len(all_versions(own, box)) == 2


def test_versions_are_listed_page_by_page_both_ways(own: Store, box: str) -> None:
    for name in ("a", "b/1", "b/2"):
        for body in (b"1", b"2"):
            put(own, f"{box}/{name}", body)
    whole = all_versions(own, box)
    assert [name for name, _, _ in whole] == ["a", "a", "b/1", "b/1", "b/2", "b/2"]
    assert all_versions(own, box, "&reverse=on") == whole[::-1]
    found, query = [], ""
    while page := all_versions(own, box, f"&limit=1{query}"):
        found += page
        query = f"&marker={page[-1][0]}&version_marker={page[-1][1]}"
    assert found == whole
    assert [name for name, _, _ in all_versions(own, box, "&prefix=b/&reverse=on&limit=2")] == ["b/2", "b/2"]
    assert own.get(f"{box}?versions&delimiter=/&prefix=b").json == [{"subdir": "b/"}]
    own.get(f"{box}?versions&version_marker=1").refused(400)
    own.get(f"{box}?versions&format=xml").refused(406)


@pytest.mark.parametrize("version", ["x", "1.123456", "-1", "1e5", "", "99999999999", "1_0"])
def test_a_version_that_is_none_is_refused(own: Store, box: str, version: str) -> None:
    put(own, f"{box}/o", b"1")
    own.get(f"{box}/o?version-id={version}").refused(400)


def test_versions_are_for_the_owner_and_only_where_they_are_kept(own: Store, others: Store, box: str) -> None:
    version = put(own, f"{box}/o", b"1")
    own.post(box, x_container_read=f"{others.client.project_id}:*").ok(204)
    others.get(f"{box}/o").ok(200)
    others.get(f"{box}/o?version-id={version}").refused(403)
    plain = own.container()
    own.put(f"{plain}/o", b"x").ok(201)
    for answer in (
        own.get(f"{plain}/o?version-id=1"),
        own.put(f"{plain}/o?version-id=1"),
        own.post(f"{box}/o?version-id=1"),
    ):
        answer.refused(400)
    own.put(f"{box}/o?version-id=1.00000").refused(404)
    own.put("both", x_versions_enabled="true", x_versions_location=plain).refused(400)
    own.put("neither", x_versions_enabled="perhaps").refused(400)


def test_a_stack_gives_back_what_was_there_before(world: World, own: Store) -> None:
    archive = own.container()
    box = own.container(x_versions_location=archive)
    for body in (b"1", b"2", b"3"):
        own.put(f"{box}/o", body).ok(201)
    assert [name.startswith("001o/") for name in own.names(archive)] == [True, True]
    for expected in (b"2", b"1"):
        own.delete(f"{box}/o").ok(204)
        assert own.get(f"{box}/o").raw == expected
    own.delete(f"{box}/o").ok(204)
    own.delete(f"{box}/o").refused(404)
    assert own.names(archive) == []
    assert own.head(box).headers["x-container-bytes-used"] == "0"
    own.post(box, x_versions_location="none").ok(204)
    own.put(f"{box}/o", b"1").ok(201)
    own.put(f"{box}/o", b"2").refused(412)
    nothing_differs(world)


def test_a_history_only_grows(own: Store) -> None:
    archive = own.container()
    box = own.container(x_history_location=archive)
    own.put(f"{box}/o", b"1").ok(201)
    own.put(f"{box}/o", b"2").ok(201)
    own.delete(f"{box}/o").ok(204)
    own.get(f"{box}/o").refused(404)
    kinds = [entry["content_type"] for entry in own.get(f"{archive}?format=json").json]
    assert len(kinds) == 3 and kinds[-1] == "application/x-deleted;swift_versions_deleted=1"
    own.delete(f"{box}/o").refused(404)
    own.post(box, x_versions_location=archive).ok(204)
    assert "x-history-location" not in own.head(box).headers
    own.delete(f"{box}/o").ok(204)  # as a stack, it undoes the deletions
    own.put("wrong", x_versions_location="a", x_history_location="b").refused(400)
