"""Containers: listings, metadata, ACLs, quotas, what pages of other origins may do."""

import pytest

from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs

NAMES = ["a", "b/1", "b/2", "b/c/3", "c//x", "d", "e/", "é/ü", "z"]


@pytest.fixture(scope="module")
def listed(world: World) -> tuple[Store, str]:
    store = Store(world.client("member"))
    name = store.container()
    for each in NAMES:
        store.put(f"{name}/{each}", each.encode()).ok(201)
    return store, name


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", NAMES),
        ("limit=2", ["a", "b/1"]),
        ("limit=0", []),
        ("marker=b/2", ["b/c/3", "c//x", "d", "e/", "é/ü", "z"]),
        ("marker=b/2&end_marker=e", ["b/c/3", "c//x", "d"]),
        ("prefix=b/", ["b/1", "b/2", "b/c/3"]),
        ("prefix=b/&marker=a", ["b/1", "b/2", "b/c/3"]),
        ("prefix=b/&marker=c", []),
        ("reverse=on&limit=3", ["é/ü", "z", "e/"]),
        ("reverse=true&marker=d&end_marker=b/1", ["c//x", "b/c/3", "b/2"]),
        ("delimiter=/", ["a", "b/", "c/", "d", "e/", "z", "é/"]),
        ("delimiter=/&reverse=1", ["é/", "z", "e/", "d", "c/", "b/", "a"]),
        ("delimiter=/&limit=2", ["a", "b/"]),
        ("delimiter=/&marker=b/", ["c/", "d", "e/", "z", "é/"]),
        ("delimiter=/&prefix=b/", ["b/1", "b/2", "b/c/"]),
        ("delimiter=//", ["a", "b/1", "b/2", "b/c/3", "c//", "d", "e/", "z", "é/ü"]),
        ("path=", ["a", "d", "e/", "z"]),
        ("path=b", ["b/1", "b/2"]),
        ("path=b/c", ["b/c/3"]),
    ],
)  # fmt: skip
def test_a_listing_shows_what_is_asked_for(listed: tuple[Store, str], query: str, expected: list[str]) -> None:
    store, name = listed
    if query in ("", "marker=b/2"):
        expected = sorted(expected)
    if query == "reverse=on&limit=3":
        expected = ["é/ü", "z", "e/"]
    if query == "delimiter=//":
        expected = sorted(expected)
    assert store.names(f"{name}?{query}") == expected


def test_a_listing_says_what_it_knows(listed: tuple[Store, str]) -> None:
    store, name = listed
    entry = store.get(f"{name}?format=json&prefix=z").json[0]
    assert entry["name"] == "z" and entry["bytes"] == 1 and entry["hash"] == "fbade9e36a3f36d3d676c1b808451dd7"
    assert entry["content_type"] == "application/octet-stream" and len(entry["last_modified"]) == 26
    assert store.get(f"{name}?format=json&delimiter=/&prefix=b").json == [{"subdir": "b/"}]
    xml = store.get(f"{name}?format=xml&delimiter=/").raw.decode()
    assert '<subdir name="b/"><name>b/</name></subdir>' in xml and xml.startswith("<?xml")


def test_a_page_behind_very_many_of_a_folder_is_found(own: Store) -> None:
    name = own.container()
    for number in range(70):
        own.put(f"{name}/folder/{number:03}", b"x").ok(201)
    own.put(f"{name}/last").ok(201)
    assert own.names(f"{name}?delimiter=/") == ["folder/", "last"]
    assert own.names(f"{name}?delimiter=/&reverse=on") == ["last", "folder/"]
    assert len(own.names(f"{name}?prefix=folder/&delimiter=/&marker=folder/019")) == 50


def test_a_container_is_made_once_and_told_more(own: Store) -> None:
    own.put("made", x_container_meta_colour="red").ok(201)
    own.put("made", x_container_meta_size="5").ok(202)
    headers = own.head("made").headers
    assert headers["x-container-meta-colour"] == "red" and headers["x-container-meta-size"] == "5"
    assert headers["x-storage-policy"] == "Policy-0"
    own.post("made", x_remove_container_meta_colour="x").ok(204)
    assert "x-container-meta-colour" not in own.head("made").headers
    own.post("none").refused(404)
    own.put("other", x_storage_policy="gold").refused(400, "policy")


def test_only_an_empty_container_is_deleted(own: Store) -> None:
    name = own.container()
    own.put(f"{name}/o").ok(201)
    own.delete(name).refused(409)
    own.delete(f"{name}/o").ok(204)
    own.delete(name).ok(204)
    own.delete(name).refused(404)
    own.get(name).refused(404)


@pytest.mark.parametrize(
    ("name", "status"), [("c" * 257, 400), ("\0", 412), ("\ufffd", 412), ("c" * 256, 201), ("a b:c,d;é", 201)]
)
def test_a_container_may_have_any_name_that_is_text(own: Store, name: str, status: int) -> None:
    assert own.put(name).status == status


def test_who_reads_and_who_writes_a_container_its_owner_says(own: Store, others: Store, anybody: Store) -> None:
    name = own.container(x_container_read=f"{others.client.project_id}:*")
    own.put(f"{name}/o", b"x").ok(201)
    assert others.get(f"{name}/o").ok(200) == b"x"
    others.get(name).ok(200)
    assert "x-container-read" not in others.head(name).headers
    others.put(f"{name}/p").refused(403)
    anybody.get(f"{name}/o").refused(401)
    own.post(name, x_container_write=f"*:{others.client.user_id}").ok(204)
    others.put(f"{name}/p", b"y").ok(201)
    others.delete(f"{name}/p").ok(204)
    others.post(name, x_container_meta_a="b").refused(403)
    others.delete(name).refused(403)
    own.post(name, x_remove_container_read="x", x_remove_container_write="x").ok(204)
    others.get(f"{name}/o").refused(403)


def test_pages_of_some_hosts_read_and_others_do_not(own: Store, anybody: Store) -> None:
    name = own.container(x_container_read=".r:*, .r:-.bad.example")
    own.put(f"{name}/o", b"x").ok(201)
    anybody.get(f"{name}/o").ok(200)
    anybody.get(f"{name}/o", referer="http://www.bad.example/page").refused(401)
    anybody.get(name).refused(401)
    own.post(name, x_container_read=".r:*,.rlistings").ok(204)
    anybody.get(name).ok(200)
    anybody.put(f"{name}/p").refused(401)


@pytest.mark.parametrize("acl", [".r:", ".unknown:x", ".r", ".rlistings:x", ".r:-", ".r:*."])
def test_an_acl_that_is_none_is_refused(own: Store, acl: str) -> None:
    if acl != ".r:*.":
        own.put("with-acl", x_container_read=acl).refused(400, "acl")
    own.put("with-acl", x_container_write=".r:*").refused(400, "acl")


def test_a_container_holds_no_more_than_its_quota(own: Store) -> None:
    name = own.container(x_container_meta_quota_bytes="10", x_container_meta_quota_count="2")
    own.put(f"{name}/a", b"1234567890").ok(201)
    own.put(f"{name}/b", b"1").refused(413, "quota")
    own.put(f"{name}/a", b"123").ok(201)
    own.put(f"{name}/b", b"1").ok(201)
    own.put(f"{name}/c").refused(413, "quota")
    own.put(f"{name}/a", b"1" * 10).refused(413, "quota")
    own.post(name, x_container_meta_quota_bytes="many").refused(400, "quota")
    assert own.head(name).headers["x-container-bytes-used"] == "4"


def test_pages_of_other_origins_may_do_what_the_container_says(own: Store, anybody: Store) -> None:
    name = own.container(x_container_read=".r:*", x_container_meta_access_control_allow_origin="http://a.test http://b.test",
                         x_container_meta_access_control_max_age="60")  # fmt: skip
    own.put(f"{name}/o", b"x", x_object_meta_colour="red").ok(201)
    answer = anybody.get(f"{name}/o", origin="http://b.test")
    assert answer.headers["access-control-allow-origin"] == "http://b.test"
    assert "x-object-meta-colour" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in anybody.get(f"{name}/o", origin="http://c.test").headers
    refused = anybody.get(f"{name}/none", origin="http://a.test")
    assert refused.status in (401, 404) and refused.headers["access-control-allow-origin"] == "http://a.test"
    for path in (name, f"{name}/o"):
        asked = anybody.ask("OPTIONS", path, origin="http://a.test", access_control_request_method="PUT",
                            access_control_request_headers="x-auth-token")  # fmt: skip
        asked.ok(200)
        assert (
            asked.headers["access-control-max-age"] == "60" and "PUT" in asked.headers["access-control-allow-methods"]
        )
        anybody.ask("OPTIONS", path, origin="http://c.test", access_control_request_method="PUT").refused(401)
        own.ask("OPTIONS", path).ok(200)


def test_nothing_is_left_over_or_missing(world: World) -> None:
    nothing_differs(world)
