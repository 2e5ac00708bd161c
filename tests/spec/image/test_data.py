"""An image's bytes, in and out."""

import hashlib
import os
from collections.abc import Iterator

import pytest

from pileus.core.uploads import ClientGone
from pileus.image import open_data
from pileus.image.drivers.fake import FakeStore
from tests.harness import Client, World
from tests.spec.image.images import BYTES, IMAGES, QCOW2, active, bare, create, show, upload


def data_of(world: World) -> set[str]:
    keys: set[str] = world.cloud.drivers["image"].keys()
    return keys


def test_bytes_go_in_and_come_out_with_their_hashes(member: Client) -> None:
    image = bare(member)
    assert member.get(f"{IMAGES}/{image['id']}/file").status == 204
    data = os.urandom(3000)
    upload(member, image, data[:1000], data[1000:]).ok(204)
    shown = show(member, image)
    assert shown["status"] == "active" and shown["size"] == shown["virtual_size"] == 3000
    assert shown["checksum"] == hashlib.md5(data).hexdigest()
    assert shown["os_hash_algo"] == "sha512" and shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
    answer = member.get(f"{IMAGES}/{image['id']}/file")
    assert answer.ok(200) == data
    assert answer.headers["content-length"] == "3000" and answer.headers["content-md5"] == shown["checksum"]


def test_an_image_may_be_empty(member: Client) -> None:
    image = bare(member)
    upload(member, image).ok(204)
    assert show(member, image)["size"] == 0
    answer = member.get(f"{IMAGES}/{image['id']}/file")
    assert answer.ok(200) == b""
    member.get(f"{IMAGES}/{image['id']}/file", range="bytes=0-").refused(416)


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-4", 206, slice(0, 5)),
        ("bytes=90-", 206, slice(90, 100)),
        ("bytes=90-1000", 206, slice(90, 100)),
        ("bytes=-5", 206, slice(95, 100)),
        ("bytes=-500", 206, slice(0, 100)),
        ("bytes=0-1,5-6", 200, slice(0, 100)),
        ("bytes=9-5", 200, slice(0, 100)),
        ("lines=1-2", 200, slice(0, 100)),
        ("bytes=-", 200, slice(0, 100)),
        ("bytes=x-y", 200, slice(0, 100)),
    ],
)
def test_a_download_is_resumed_by_range(member: Client, asked: str, status: int, part: slice) -> None:
    data = os.urandom(100)
    answer = member.get(f"{IMAGES}/{active(member, data)['id']}/file", range=asked)
    assert answer.ok(status) == data[part]
    if status == 206 and len(data[part]) < 100:
        assert answer.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/100"
        assert answer.headers["content-length"] == str(part.stop - part.start)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(member: Client, asked: str) -> None:
    answer = member.get(f"{IMAGES}/{active(member, bytes(100))['id']}/file", range=asked)
    answer.refused(416)
    assert answer.headers["content-range"] == "bytes */100"


def test_a_download_may_depend_on_the_content(member: Client) -> None:
    image = active(member, b"0123456789")
    path, etag = f"{IMAGES}/{image['id']}/file", f'"{image["checksum"]}"'
    assert member.get(path).headers["etag"] == etag
    assert member.get(path, if_none_match=etag).status == 304
    assert member.get(path, if_none_match='"other"').ok(200) == b"0123456789"
    member.get(path, if_match='"other"').refused(412)
    assert member.get(path, if_match=f'"x", {etag}').ok(200) == b"0123456789"
    assert member.get(path, range="bytes=8-", if_range=etag).ok(206) == b"89"
    assert member.get(path, range="bytes=8-", if_range='"other"').ok(200) == b"0123456789"


def test_head_tells_the_length(member: Client) -> None:
    answer = member.request("HEAD", f"{IMAGES}/{active(member, bytes(100))['id']}/file")
    assert answer.status == 200 and answer.headers["content-length"] == "100"


def test_an_image_gets_its_bytes_once(member: Client) -> None:
    image = active(member)
    upload(member, image, b"others").refused(409, "active")
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"


def test_two_uploads_at_once_do_not_mix(member: Client) -> None:
    image = bare(member)

    def slow() -> Iterator[bytes]:
        yield b"first"
        upload(member, image, b"second").refused(409, "saving")
        assert show(member, image)["status"] == "saving"
        assert member.get(f"{IMAGES}/{image['id']}/file").status == 204

    member.request("PUT", f"{IMAGES}/{image['id']}/file", headers=BYTES, upload=slow()).ok(204)
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"first"


def test_formats_are_set_before_bytes_come(member: Client) -> None:
    upload(member, create(member), b"bytes").refused(400, "disk_format, container_format")


def test_bytes_are_sent_as_bytes(member: Client) -> None:
    path = f"{IMAGES}/{bare(member)['id']}/file"
    for media in ("application/json", "text/plain", ""):
        member.request("PUT", path, headers={"content-type": media}, upload=iter([b"x"])).refused(415)


def test_the_announced_size_must_hold(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    path = f"{IMAGES}/{image['id']}/file"
    short = {**BYTES, "x-openstack-image-size": "10"}
    member.request("PUT", path, headers=short, upload=iter([b"12345"])).refused(400, "10 bytes")
    member.request("PUT", path, headers={**BYTES, "content-length": "x"}, upload=iter([b"1"])).refused(400, "size")
    member.request("PUT", path, headers={**short, "content-length": "9"}, upload=iter([b"1"])).refused(
        400, "contradict"
    )
    assert show(member, image)["status"] == "queued" and not data_of(fresh)


def test_a_cut_upload_leaves_the_image_queued_and_no_bytes(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)

    def cut() -> Iterator[bytes]:
        yield b"half"
        raise ClientGone("gone")

    member.request("PUT", f"{IMAGES}/{image['id']}/file", headers=BYTES, upload=cut()).refused(400)
    shown = show(member, image)
    assert shown["status"] == "queued" and shown["size"] is None
    assert not data_of(fresh)
    upload(member, image, b"whole").ok(204)
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"whole"


def test_an_image_deleted_during_its_upload_leaves_no_bytes(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)

    def slow() -> Iterator[bytes]:
        yield b"half"
        member.delete(f"{IMAGES}/{image['id']}").ok(204)

    member.request("PUT", f"{IMAGES}/{image['id']}/file", headers=BYTES, upload=slow()).refused(410, "deleted")
    assert not data_of(fresh)


def test_the_bytes_go_with_the_image(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = active(member)
    assert len(data_of(fresh)) == 1
    member.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert not data_of(fresh)


def test_a_full_store_says_so_and_gives_the_space_back(fresh: World) -> None:
    fresh.cloud.drivers["image"]._made["file"] = FakeStore(room=1000, name="file")
    member = fresh.client("member", "reader")
    image = bare(member)
    upload(member, image, bytes(800), bytes(800)).refused(413, "No space left")
    assert show(member, image)["status"] == "queued" and not data_of(fresh)
    upload(member, image, bytes(800)).ok(204)
    assert member.get(f"{IMAGES}/{image['id']}/file", range="bytes=790-").ok(206) == bytes(10)


def test_a_qcow2_image_says_how_large_its_disk_is(member: Client) -> None:
    shown = active(member, QCOW2, disk_format="qcow2")
    assert shown["virtual_size"] == 64 << 20 and shown["size"] == len(QCOW2)


@pytest.mark.parametrize(
    ("declared", "content", "words"),
    [
        ("qcow2", b"no such thing" * 100, "content is raw"),
        ("qcow2", b"", "content is raw"),
        ("raw", QCOW2, "content is qcow2"),
        ("vmdk", QCOW2, "content is qcow2"),
        ("iso", bytes(40000), "content is raw"),
        ("qcow2", QCOW2[:8] + (104).to_bytes(8, "big") + b"\x00\x00\x00\x0a" + QCOW2[20:], "backing"),
        ("qcow2", QCOW2[:79] + b"\x04" + QCOW2[80:], "data_file"),
    ],
)
def test_content_that_is_not_what_it_says_is_refused(member: Client, declared: str, content: bytes, words: str) -> None:
    image = bare(member, disk_format=declared)
    upload(member, image, content).refused(415, words)
    assert show(member, image)["status"] == "queued"


def test_content_of_the_wrong_format_is_refused_before_all_of_it_came(member: Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(1 << 20)
        raise AssertionError("more was read")

    path = f"{IMAGES}/{bare(member, disk_format='qcow2')['id']}/file"
    member.request("PUT", path, headers=BYTES, upload=chunks()).refused(415)


def test_formats_nobody_can_check_are_taken_as_they_are(member: Client) -> None:
    active(member, b"anything", disk_format="ami", container_format="ami")
    active(member, b"anything", disk_format="qcow2", container_format="ova")
    active(member, b"anything", disk_format="ploop")


def test_compute_finds_the_bytes_as_a_file(world: World, member: Client) -> None:
    image = active(member, b"boot me")
    assert open_data(world.cloud, image["id"]).read_bytes() == b"boot me"
