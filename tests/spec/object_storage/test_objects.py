"""Objects: bytes in and out, conditions, parts, metadata, copies, links, and when they go."""

import hashlib
import time
from collections.abc import Iterator

import pytest

from pileus.core.errors import BadRequest
from pileus.object_storage import reconcile
from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs

BODY = bytes(range(256)) * 40


@pytest.fixture
def box(own: Store) -> str:
    return own.container()


def test_what_is_put_is_what_is_got(own: Store, box: str) -> None:
    etag = hashlib.md5(BODY).hexdigest()
    answer = own.put(
        f"{box}/o", BODY, etag=etag, content_type="text/x-odd", content_encoding="gzip", x_object_meta_a="b"
    )
    answer.ok(201)
    assert answer.headers["etag"] == etag
    got = own.get(f"{box}/o")
    assert got.ok(200) == BODY
    assert got.headers["etag"] == etag and got.headers["content-type"] == "text/x-odd"
    assert got.headers["content-encoding"] == "gzip" and got.headers["x-object-meta-a"] == "b"
    head = own.head(f"{box}/o")
    assert head.headers["content-length"] == str(len(BODY)) and head.raw == b""
    assert head.headers["x-trans-id"].startswith("tx") and float(head.headers["x-timestamp"])


def test_an_upload_without_a_length_comes_in_pieces(own: Store, box: str) -> None:
    own.put(f"{box}/o", upload=iter([b"one ", b"", b"two"])).ok(201)
    assert own.get(f"{box}/o").raw == b"one two"
    own.client.request("PUT", f"{own.base}/{box}/p", b"x").refused(411)
    own.put(f"{box}/p", b"x", content_length="many").refused(400)
    own.put(f"{box}/p", b"x", content_length=str(6 << 30)).refused(413)
    own.put(f"{box}/p", b"x", transfer_encoding="gzip").refused(501)


def test_an_upload_that_breaks_off_leaves_nothing(world: World, own: Store, box: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise BadRequest("The client closed the connection.")

    own.put(f"{box}/o", b"whole").ok(201)
    own.put(f"{box}/o", upload=broken()).refused(400)
    own.put(f"{box}/o", b"other", etag="0" * 32).refused(422)
    own.put(f"{box}/o", b"short", content_length="9").refused(400)
    assert own.get(f"{box}/o").raw == b"whole"
    own.delete(f"{box}/o").ok(204)
    own.delete(f"{box}/o").refused(404)
    nothing_differs(world)


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-4", 206, BODY[:5]),
        ("bytes=-3", 206, BODY[-3:]),
        ("bytes=10230-99999", 206, BODY[10230:]),
        ("bytes=10240-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 200, BODY),
        ("lines=1-2", 200, BODY),
        ("bytes=a-b", 200, BODY),
        ("bytes=" + ",".join(["0-0"] * 60), 416, None),
    ],
)
def test_a_part_is_got(own: Store, box: str, asked: str, status: int, expected: bytes | None) -> None:
    own.put(f"{box}/o", BODY).ok(201)
    answer = own.get(f"{box}/o", range=asked)
    assert answer.status == status
    if expected is not None:
        assert answer.raw == expected and answer.headers["content-length"] == str(len(expected))


def test_several_parts_come_in_one_answer(own: Store, box: str) -> None:
    own.put(f"{box}/o", BODY, content_type="a/b").ok(201)
    answer = own.get(f"{box}/o", range="bytes=1-2,-2")
    answer.ok(206)
    assert len(answer.raw) == int(answer.headers["content-length"])
    boundary = answer.headers["content-type"].partition("boundary=")[2].encode()
    parts = answer.raw.split(b"--" + boundary)[1:-1]
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == [BODY[1:3] + b"\r\n", BODY[-2:] + b"\r\n"]
    assert b"Content-Range: bytes 1-2/10240" in parts[0] and b"Content-Type: a/b" in parts[1]


def test_conditions_spare_what_is_known(own: Store, box: str) -> None:
    etag = own.put(f"{box}/o", b"x").headers["etag"]
    own.get(f"{box}/o", if_none_match=f'"{etag}"').refused(304)
    own.get(f"{box}/o", if_none_match="other").ok(200)
    own.get(f"{box}/o", if_match=etag).ok(200)
    own.get(f"{box}/o", if_match='"other"').refused(412)
    past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    own.get(f"{box}/o", if_modified_since=future).refused(304)
    own.get(f"{box}/o", if_modified_since=past).ok(200)
    own.get(f"{box}/o", if_unmodified_since=past).refused(412)
    own.head(f"{box}/o", if_unmodified_since="nonsense").ok(200)
    own.put(f"{box}/o", if_none_match="*").refused(412)
    own.put(f"{box}/o", if_none_match="abc").refused(400)
    own.put(f"{box}/new", if_none_match="*").ok(201)


def test_metadata_are_replaced_and_the_bytes_stay(own: Store, box: str) -> None:
    own.put(f"{box}/o", b"x", x_object_meta_a="1", content_disposition="inline").ok(201)
    own.post(f"{box}/o", x_object_meta_b="2").ok(202)
    headers = own.head(f"{box}/o").headers
    assert headers["x-object-meta-b"] == "2"
    assert "x-object-meta-a" not in headers and "content-disposition" not in headers
    own.post(f"{box}/o", content_type="a/b").ok(202)
    assert own.get(f"{box}/o").headers["content-type"] == "a/b"
    own.post(f"{box}/none").refused(404)
    own.post(f"{box}/o", **{"x-object-meta-" + "a" * 129: "x"}).refused(400)


def test_a_type_is_told_by_the_name_when_nobody_says_it(own: Store, box: str) -> None:
    own.put(f"{box}/page.html", b"x").ok(201)
    own.put(f"{box}/given.html", b"x", content_type="a/b", x_detect_content_type="true").ok(201)
    assert own.head(f"{box}/page.html").headers["content-type"] == "text/html"
    assert own.head(f"{box}/given.html").headers["content-type"] == "text/html"


@pytest.mark.parametrize("name", ["a//b", "/a", "a/", "a b", "%", "é", "?", "#", "a\nb", "..", "a" * 1024])
def test_an_object_may_have_any_name(own: Store, box: str, name: str) -> None:
    path = f"{own.base}/{box}/{name}"
    assert own.client.request("PUT", path.replace("?", "\x01"), b"x", {"content-length": "1"}).status == 201
    assert own.client.request("GET", path.replace("?", "\x01")).raw == b"x"
    assert own.get(f"{box}?format=json").json[0]["name"] == name.replace("?", "\x01")


def test_a_name_that_is_too_long_is_refused(own: Store, box: str) -> None:
    own.put(f"{box}/{'a' * 1025}").refused(400, "length")
    own.put(f"{box}/a\0").refused(412)


def test_a_copy_shares_its_bytes_until_the_last_is_deleted(world: World, own: Store, box: str) -> None:
    own.put(f"{box}/o", BODY, x_object_meta_a="1", content_type="a/b").ok(201)
    answer = own.copy(f"{box}/o", f"{box}/p", x_object_meta_b="2")
    answer.ok(201)
    assert answer.headers["x-copied-from"] == f"{box}/o"
    headers = own.head(f"{box}/p").headers
    assert headers["x-object-meta-a"] == "1" and headers["x-object-meta-b"] == "2" and headers["content-type"] == "a/b"
    own.put(f"{box}/q", x_copy_from=f"/{box}/o", x_fresh_metadata="true").ok(201)
    assert "x-object-meta-a" not in own.head(f"{box}/q").headers
    own.delete(f"{box}/o").ok(204)
    nothing_differs(world)
    assert own.get(f"{box}/p").raw == own.get(f"{box}/q").raw == BODY
    own.put(f"{box}/part", x_copy_from=f"{box}/p", range="bytes=0-9").ok(201)
    assert own.get(f"{box}/part").raw == BODY[:10]


def test_a_copy_to_or_from_nowhere_is_refused(own: Store, others: Store, box: str) -> None:
    own.put(f"{box}/o", b"x").ok(201)
    own.ask("COPY", f"{box}/o").refused(412, "destination")
    own.copy(f"{box}/o", "x").refused(412)
    own.copy(f"{box}/none", f"{box}/p").refused(404)
    own.copy(f"{box}/o", "none/p").refused(404)
    own.put(f"{box}/p", b"x", x_copy_from=f"{box}/o").refused(400)
    own.put(f"{box}/p", x_copy_from="x").refused(412)
    own.copy(f"{box}/o", f"{box}/p", destination_account="AUTH_other").refused(403)
    theirs = Store(others.client)
    their_box = theirs.container(x_container_write=f"{own.client.project_id}:*")
    own.copy(f"{box}/o", f"{their_box}/o", destination_account=theirs.account).ok(201)
    assert theirs.get(f"{their_box}/o").raw == b"x"


def test_a_link_leads_to_another_object(own: Store, box: str) -> None:
    etag = own.put(f"{box}/o", b"bytes", content_type="a/b").headers["etag"]
    own.put(f"{box}/link", x_symlink_target=f"{box}/o").ok(201)
    answer = own.get(f"{box}/link")
    assert answer.ok(200) == b"bytes" and answer.headers["content-location"].endswith(f"{box}/o")
    own_headers = own.head(f"{box}/link?symlink=get").headers
    assert own_headers["x-symlink-target"] == f"{box}/o" and own_headers["content-length"] == "0"
    own.put(f"{box}/static", x_symlink_target=f"{box}/o", x_symlink_target_etag=etag).ok(201)
    own.put(f"{box}/wrong", x_symlink_target=f"{box}/o", x_symlink_target_etag="0" * 32).refused(409)
    entry = next(e for e in own.get(f"{box}?format=json").json if e["name"] == "static")
    assert entry["symlink_etag"] == etag and entry["symlink_path"].endswith(f"/{box}/o")
    own.post(f"{box}/link", x_object_meta_a="b").refused(307)
    own.put(f"{box}/o", b"changed").ok(201)
    own.get(f"{box}/static").refused(409)
    own.delete(f"{box}/o").ok(204)
    own.get(f"{box}/link").refused(404)
    own.put(f"{box}/link", x_symlink_target=f"{box}/link").refused(400)
    own.put(f"{box}/link", b"x", x_symlink_target=f"{box}/o").refused(400)
    own.put(f"{box}/link", x_symlink_target="x").refused(412)


def test_links_lead_so_far_and_no_further(own: Store, box: str) -> None:
    for number in range(4):
        own.put(f"{box}/{number}", x_symlink_target=f"{box}/{number + 1}").ok(201)
    own.put(f"{box}/4", b"end").ok(201)
    assert own.get(f"{box}/2").raw == b"end"
    own.get(f"{box}/1").refused(409, "symbolic")


def test_whose_time_is_over_goes(world: World, own: Store, box: str) -> None:
    own.put(f"{box}/o", b"x", x_delete_after="1000").ok(201)
    assert int(own.head(f"{box}/o").headers["x-delete-at"]) > time.time() + 900
    own.post(f"{box}/o", x_delete_at=str(int(time.time()) + 1)).ok(202)
    own.put(f"{box}/stays", b"x").ok(201)
    for wrong in ({"x_delete_at": "1"}, {"x_delete_at": "soon"}, {"x_delete_after": "-1"}, {"x_delete_after": "x"}):
        own.put(f"{box}/p", **wrong).refused(400, "delete")
    own.put(f"{box}/now", b"x", x_delete_after="0").ok(201)
    own.get(f"{box}/now").refused(404)
    reconcile.expire(world.cloud)
    assert "now" not in own.names(box) and "stays" in own.names(box)
    nothing_differs(world)
