"""Large objects: static ones by a manifest, dynamic ones by a prefix."""

import base64
import hashlib
import json
from typing import Any

import pytest

from pileus.object_storage import reconcile
from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs


@pytest.fixture
def box(own: Store) -> str:
    name = own.container()
    for letter in "abc":
        own.put(f"{name}/seg/{letter}", letter.encode() * 10).ok(201)
    return name


def manifest(own: Store, box: str, *segments: Any, name: str = "large", **headers: Any) -> Any:
    body = json.dumps([{"path": f"/{box}/seg/{s}"} if isinstance(s, str) else s for s in segments]).encode()
    return own.put(f"{box}/{name}?multipart-manifest=put", body, **headers)


def test_a_static_large_object_is_its_segments(own: Store, box: str) -> None:
    etags = "".join(hashlib.md5(letter.encode() * 10).hexdigest() for letter in "ab")
    whole = hashlib.md5(etags.encode()).hexdigest()
    answer = manifest(own, box, "a", "b", etag=whole, x_object_meta_a="b")
    answer.ok(201)
    assert answer.headers["etag"] == f'"{whole}"'
    got = own.get(f"{box}/large")
    assert got.ok(200) == b"a" * 10 + b"b" * 10
    assert got.headers["x-static-large-object"] == "True" and got.headers["etag"] == f'"{whole}"'
    assert own.get(f"{box}/large", range="bytes=8-11").ok(206) == b"aabb"
    assert own.get(f"{box}/large", if_none_match=whole).status == 304
    several = own.get(f"{box}/large", range="bytes=0-0,19-19")
    assert several.status == 206 and len(several.raw) == int(several.headers["content-length"])
    entry = next(e for e in own.get(f"{box}?format=json").json if e["name"] == "large")
    assert entry["bytes"] == 20 and entry["slo_etag"] == f'"{whole}"'
    assert own.head(f"{box}/large").headers["content-length"] == "20"
    manifest(own, box, "a", etag="0" * 32).refused(422)


def test_parts_of_objects_and_given_bytes_are_segments_too(own: Store, box: str) -> None:
    given = base64.b64encode(b"--").decode()
    parts = [{"path": f"{box}/seg/a", "range": "0-2"}, {"data": given}, {"path": f"{box}/seg/b", "range": "-1"}]
    manifest(own, box, *parts).ok(201)
    assert own.get(f"{box}/large").raw == b"aaa--b"
    manifest(own, box, {"path": f"{box}/large", "size_bytes": 6}, "c", name="nested").ok(201)
    assert own.get(f"{box}/nested", range="bytes=4-7").raw == b"-bcc"
    part = own.get(f"{box}/nested?part-number=2")
    assert part.ok(206) == b"c" * 10 and part.headers["x-parts-count"] == "2"
    own.get(f"{box}/nested?part-number=3").refused(416)
    own.get(f"{box}/nested?part-number=0").refused(400)
    own.copy(f"{box}/nested?part-number=1", f"{box}/first").ok(201)
    assert own.get(f"{box}/first").raw == b"aaa--b"


def test_a_manifest_is_shown_and_copied_as_it_is(own: Store, box: str) -> None:
    manifest(own, box, "a", "b").ok(201)
    shown = own.get(f"{box}/large?multipart-manifest=get").json
    assert [item["name"] for item in shown] == [f"/{box}/seg/a", f"/{box}/seg/b"] and shown[0]["bytes"] == 10
    raw = own.get(f"{box}/large?multipart-manifest=get&format=raw").raw
    own.put(f"{box}/again?multipart-manifest=put", raw).ok(201)
    own.copy(f"{box}/large?multipart-manifest=get", f"{box}/copy").ok(201)
    assert own.get(f"{box}/copy").raw == own.get(f"{box}/again").raw == own.get(f"{box}/large").raw
    own.copy(f"{box}/large", f"{box}/flat").ok(201)
    assert "x-static-large-object" not in own.head(f"{box}/flat").headers
    assert own.get(f"{box}/flat").raw == b"a" * 10 + b"b" * 10


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "json"),
        (b"{}", "list"),
        (b"[]", "at least one"),
        (b"[1]", "index 0"),
        (b'[{"path": 1}]', "path"),
        (b'[{"path": "/c"}]', "path"),
        (b'[{"path": "//"}]', "path"),
        (b'[{"path": "/c/o", "colour": 1}]', "extraneous"),
        (b'[{"path": "/c/o", "size_bytes": 0}]', "too small"),
        (b'[{"path": "/c/o", "size_bytes": "x"}]', "size_bytes"),
        (b'[{"path": "/c/o", "size_bytes": true}]', "too small"),
        (b'[{"path": "/c/o", "etag": 5}]', "etag"),
        (b'[{"path": "/c/o", "range": "5"}]', "range"),
        (b'[{"path": "/c/o", "range": "1-2,3-4"}]', "range"),
        (b'[{"data": "AAAA"}]', "object-backed"),
        (b'[{"data": "?"}]', "base64"),
        (b'[{"data": 5}]', "base64"),
        (b'[{"path": "/c/none"}]', "404"),
        (b"[" * 50000, "json"),
    ],
)
def test_a_manifest_that_is_none_is_refused(own: Store, box: str, body: bytes, words: str) -> None:
    own.put(f"{box}/large?multipart-manifest=put", body).refused(400, words)


def test_segments_that_are_not_what_they_are_said_to_be_are_refused(own: Store, box: str) -> None:
    own.put(f"{box}/seg/empty").ok(201)
    for wrong, words in (({"etag": "0" * 32}, "etag"), ({"size_bytes": 9}, "size"), ({"range": "10-"}, "range")):
        manifest(own, box, {"path": f"{box}/seg/a", **wrong}).refused(400, words)
    manifest(own, box, "empty").refused(400, "small")
    manifest(own, box, {"path": f"{box}/large"}).refused(400, "own")


def test_a_client_that_wants_a_heartbeat_reads_the_outcome_in_the_body(own: Store, box: str) -> None:
    good = json.dumps([{"path": f"{box}/seg/a"}]).encode()
    answer = own.put(f"{box}/large?multipart-manifest=put&heartbeat=on", good, accept="application/json")
    assert answer.ok(202)["Response Status"] == "201 Created" and answer.json["Etag"]
    assert own.get(f"{box}/large").raw == b"a" * 10
    answer = own.put(f"{box}/large?multipart-manifest=put&heartbeat=on", b"[]")
    assert b"Response Status: 400 Bad Request" in answer.ok(202)


def test_a_large_object_whose_segments_changed_is_not_given(own: Store, box: str) -> None:
    manifest(own, box, "a", "b").ok(201)
    own.put(f"{box}/seg/a", b"changed").ok(201)
    own.get(f"{box}/large").refused(409)
    own.delete(f"{box}/seg/a").ok(204)
    own.get(f"{box}/large").refused(409)


def test_a_large_object_is_deleted_alone_or_with_its_segments(world: World, own: Store, box: str) -> None:
    manifest(own, box, "a").ok(201)
    manifest(own, box, {"path": f"{box}/large"}, "b", name="nested").ok(201)
    report = own.delete(f"{box}/nested?multipart-manifest=delete", accept="application/json").json
    assert report["Number Deleted"] == 4 and report["Response Status"] == "200 OK"
    assert own.names(box) == ["seg/c"]
    manifest(own, box, "c").ok(201)
    own.delete(f"{box}/large").ok(204)
    own.delete(f"{box}/seg/c?multipart-manifest=delete").refused(400)
    manifest(own, box, "c").ok(201)
    own.delete(f"{box}/large?multipart-manifest=delete&async=yes").ok(204)
    assert own.head(f"{box}/seg/c").headers["x-delete-at"]
    nothing_differs(world)


def test_a_dynamic_large_object_is_what_its_prefix_names(own: Store, box: str) -> None:
    own.put(f"{box}/large", x_object_manifest=f"{box}/seg/").ok(201)
    got = own.get(f"{box}/large")
    assert got.ok(200) == b"a" * 10 + b"b" * 10 + b"c" * 10 and got.headers["x-object-manifest"] == f"{box}/seg/"
    assert own.get(f"{box}/large", range="bytes=9-10").ok(206) == b"ab"
    own.put(f"{box}/seg/d", b"d").ok(201)
    assert own.head(f"{box}/large").headers["content-length"] == "31"
    own.put(f"{box}/seg/e", x_symlink_target=f"{box}/seg/a").ok(201)
    assert own.get(f"{box}/large").raw.endswith(b"cd" + b"a" * 10)
    own.copy(f"{box}/large", f"{box}/flat").ok(201)
    assert "x-object-manifest" not in own.head(f"{box}/flat").headers
    assert own.get(f"{box}/large?multipart-manifest=get").raw == b""
    for wrong in ("x", "/x", f"{box}/", f"{box}/a?b"):
        own.put(f"{box}/wrong", x_object_manifest=wrong).refused(400, "container/prefix")


def test_a_large_object_that_contains_itself_ends(own: Store, box: str) -> None:
    own.put(f"{box}/seg/self", x_object_manifest=f"{box}/seg/").ok(201)
    assert own.get(f"{box}/seg/self").status in (200, 409)


def test_who_may_not_read_the_segments_does_not_read_the_whole(own: Store, others: Store, box: str) -> None:
    shown = own.container(x_container_read=f"{others.client.project_id}:*")
    own.put(f"{shown}/large?multipart-manifest=put", json.dumps([{"path": f"/{box}/seg/a"}]).encode()).ok(201)
    own.put(f"{shown}/dynamic", x_object_manifest=f"{box}/seg/").ok(201)
    others.get(f"{shown}/large").refused(409)
    others.get(f"{shown}/dynamic").refused(403)
    own.post(box, x_container_read=f"{others.client.project_id}:*").ok(204)
    assert others.get(f"{shown}/large").raw == b"a" * 10


def test_segments_left_to_the_expirer_go(world: World, own: Store, box: str) -> None:
    manifest(own, box, "a").ok(201)
    own.delete(f"{box}/large?multipart-manifest=delete&async=on").ok(204)
    with world.cloud.db.write() as tx:
        tx.connection.execute("UPDATE objects SET delete_at = 1 WHERE delete_at IS NOT NULL")
    reconcile.expire(world.cloud)
    assert own.names(box) == ["seg/b", "seg/c"]
