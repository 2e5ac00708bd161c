"""Many things in one request: archives taken apart, lists of paths deleted."""

import io
import tarfile
from typing import Any

import pytest

from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs


def tar(files: dict[str, bytes], mode: Any = "w", **attributes: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(mode=mode, fileobj=made) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            member.pax_headers = {f"SCHILY.xattr.user.{key}": value for key, value in attributes.items()}
            archive.addfile(member, io.BytesIO(body))
        archive.addfile(tarfile.TarInfo("link-is-left-out"))
    return made.getvalue()


def pieces(body: bytes, size: int = 777) -> Any:
    return iter([body[n : n + size] for n in range(0, len(body), size)])


@pytest.mark.parametrize(("kind", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2")])
def test_an_archives_files_become_objects(world: World, own: Store, kind: str, mode: str) -> None:
    files = {"one/a": b"A" * 70000, "./two/b/c": b"", "one/d": b"D"}
    answer = own.put(f"?extract-archive={kind}", upload=pieces(tar(files, mode)), accept="application/json")
    assert answer.ok(200)["Number Files Created"] == 3 and answer.json["Response Status"] == "201 Created"
    assert own.get("one/a").raw == b"A" * 70000 and own.names("two") == ["b/c"]
    into = own.container()
    own.put(f"{into}/pre?extract-archive={kind}", tar(files, mode)).ok(200)
    assert own.names(into) == ["pre/link-is-left-out", "pre/one/a", "pre/one/d", "pre/two/b/c"]
    nothing_differs(world)


def test_attributes_of_files_become_metadata(own: Store) -> None:
    body = tar({"box/a": b"x"}, **{"mime_type": "a/b", "meta.colour": "red"})
    own.put("?extract-archive=tar", body, x_delete_after="1000").ok(200)
    headers = own.head("box/a").headers
    assert headers["content-type"] == "a/b" and headers["x-object-meta-colour"] == "red" and "x-delete-at" in headers


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2"])
@pytest.mark.parametrize(
    "body", [b"", b"nonsense" * 200, b"\x1f\x8b" + b"\0" * 50, b"BZh9" + b"\xff" * 90, b"\0" * 4096]
)
def test_an_archive_that_is_none_is_told_so(own: Store, kind: str, body: bytes) -> None:
    answer = own.put(f"?extract-archive={kind}", body, accept="application/json")
    assert answer.ok(200)["Response Status"] == "400 Bad Request" and answer.json["Number Files Created"] == 0


@pytest.mark.parametrize("cut", [600, 70000])
def test_an_archive_that_breaks_off_leaves_whole_objects_only(world: World, own: Store, cut: int) -> None:
    body = tar({"box/a": b"A" * 10, "box/b": b"B" * 100000})[:cut]
    answer = own.put("?extract-archive=tar", body, accept="application/json")
    assert answer.ok(200)["Response Status"] == "400 Bad Request"
    assert own.get("box/b").status in (404, 403)
    nothing_differs(world)


def test_an_archive_whose_headers_are_a_bomb_is_refused(own: Store) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 7 << 30
    answer = own.put("?extract-archive=tar", member.tobuf() + b"\0" * 2048, accept="application/json")
    assert "too long" in answer.ok(200)["Response Body"]


def test_attributes_that_are_no_headers_are_refused(own: Store) -> None:
    for attributes in ({"meta.a": "x\r\nset-cookie: y"}, {"meta.ü\u0e12": "x"}, {"mime_type": "a\nb"}):
        answer = own.put("?extract-archive=tar", tar({"box/a": b"x"}, **attributes), accept="application/json").json
        assert answer["Number Files Created"] == 0 and answer["Errors"] == [["box/a", "400 Bad Request"]]


def test_files_that_cannot_be_taken_are_listed(own: Store) -> None:
    body = tar({"box/a": b"x", f"{'c' * 200}/b": b"x", f"box/{'n' * 1025}": b"x"})
    answer = own.put("?extract-archive=tar", body, accept="application/json").json
    assert answer["Number Files Created"] == 2 and len(answer["Errors"]) == 1
    own.put("?extract-archive=zip", b"").refused(400, "format")
    own.put("?extract-archive=tar", b"", accept="image/png").refused(406)


def test_a_list_of_paths_is_deleted(world: World, own: Store) -> None:
    box = own.container()
    for name in ("a", "é b", "keep"):
        own.put(f"{box}/{name}", b"x").ok(201)
    body = f"{box}/a\n/{box}/%C3%A9%20b\n{box}/none\n\n{box}\n".encode()
    answer = own.post("?bulk-delete", upload=pieces(body, 5), accept="application/json").ok(200)
    assert (answer["Number Deleted"], answer["Number Not Found"]) == (2, 1)
    assert answer["Errors"] == [[box, "409 Conflict"]] and answer["Response Status"] == "400 Bad Request"
    assert own.names(box) == ["keep"]
    text = own.delete("?bulk-delete").ok(200)
    assert b"Number Deleted: 0" in text
    xml = own.ask("DELETE", "?bulk-delete", f"{box}/keep\n{box}".encode(), accept="text/xml").ok(200)
    assert b"<number_deleted>2</number_deleted>" in xml
    nothing_differs(world)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"a" * 20000, 400), (b"x/y\n" * 10001, 413), (b"\xff\xfe/x\n" + b"c/\0\n" + b"%FF/x", 200)],
)
def test_a_list_that_is_none_is_refused(own: Store, body: bytes, status: int) -> None:
    own.post("?bulk-delete", body).refused(status) if status > 200 else own.post("?bulk-delete", body).ok(200)


def test_who_may_not_delete_one_may_not_delete_many(own: Store, others: Store, anybody: Store) -> None:
    box = own.container()
    own.put(f"{box}/o", b"x").ok(201)
    anybody.post("?bulk-delete", f"{box}/o".encode()).refused(401)
    anybody.put("?extract-archive=tar", tar({"box/a": b"x"})).refused(401)
    assert (
        others.post("?bulk-delete", f"{box}/o\n{box}".encode(), accept="application/json").json["Number Deleted"] == 0
    )
    assert (
        others.put("?extract-archive=tar", tar({f"{box}/a": b"x"}), accept="application/json").json[
            "Number Files Created"
        ]
        == 0
    )
    assert own.names(box) == ["o"]
