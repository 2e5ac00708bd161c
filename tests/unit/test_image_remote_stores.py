"""The contract of image stores, held by those behind a network, against servers of this process."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.image import options as o
from pileus.image import reconcile
from pileus.image.drivers import Stores
from pileus.image.drivers.base import Store, StoreError, StoreFull
from tests.harness import World
from tests.s3 import S3
from tests.spec.image.images import BYTES, IMAGES, active, bare, change, data, show, upload
from tests.swift import Swift

pytestmark = pytest.mark.slow  # clients of stores are slow to load

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    pytest.importorskip("botocore")
    running = S3()
    yield running.url
    running.stop()


@pytest.fixture
def swift() -> Iterator[Swift]:
    pytest.importorskip("swiftclient")
    running = Swift()
    yield running
    running.stop()


def s3_options(url: str, bucket: str = "images") -> dict[str, Any]:
    keys = {"access_key": "key", "secret_key": "secret", "part_mib": 5, "prefix": "glance/"}
    return {"type": "s3", "id": "s3", "url": url, "bucket": bucket, **keys}


def swift_options(swift: Swift) -> dict[str, Any]:
    who = {"user": "u", "password": "p", "project": "p", "segment_mib": 2}
    return {"type": "swift", "id": "swift", "auth_url": f"{swift.url}/v3", **who}


def with_bucket(url: str, name: str) -> dict[str, Any]:
    from botocore.session import Session

    client = Session().create_client(
        "s3", region_name="us-east-1", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket=name)
    return s3_options(url, name)


@pytest.fixture(params=["s3", "swift"])
def declared(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "s3":
        return with_bucket(request.getfixturevalue("s3_url"), f"b{abs(hash(tmp_path))}")
    return swift_options(request.getfixturevalue("swift"))


@pytest.fixture
def store(declared: dict[str, Any], tmp_path: Path) -> Store:
    return Stores(o.load({"stores": [declared]}), tmp_path / "images")[declared["id"]]


def written(store: Store, key: str, content: bytes) -> None:
    writer = store.create(key)
    for begin in range(0, len(content), 700_001):
        writer.write(content[begin : begin + 700_001])
    writer.finish()
    writer.close()


def read(store: Store, key: str, *part: int) -> bytes:
    return b"".join(store.read(key, *part))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 5, 12 * MIB + 17])
def test_what_is_written_is_read_in_whole_or_in_part(store: Store, size: int) -> None:
    content = os.urandom(size)
    written(store, "key", content)
    assert read(store, "key") == content and store.size("key") == size
    assert store.keys() == {"key"} and store.path("key") is None and "key" in store.url("key")
    if size:
        assert read(store, "key", 1, 3) == content[1:4] and read(store, "key", size - 2) == content[-2:]


def test_nothing_is_left_of_what_is_discarded_or_deleted(store: Store) -> None:
    writer = store.create("key")
    writer.write(os.urandom(6 * MIB))
    with pytest.raises(FileNotFoundError):
        read(store, "key")
    writer.discard()
    writer.discard()
    writer.close()
    assert store.keys() == set()
    written(store, "key", b"data")
    for _ in range(2):
        store.delete("key")
    assert store.keys() == set()
    with pytest.raises(FileNotFoundError):
        store.size("key")


def test_what_nobody_writes_and_nobody_wants_is_swept(store: Store) -> None:
    writer = store.create("alive")
    writer.write(os.urandom(6 * MIB))
    assert store.being_written("alive")
    written(store, "wanted", b"x")
    written(store, "stray", b"x")
    assert store.keys() == {"alive", "wanted", "stray"}
    assert store.sweep(store.keys(), lambda key: key == "wanted") == ["stray"]
    # as after a killed process: parts and a marker without its lock
    os.close(writer._marker)  # type: ignore[attr-defined]
    writer._marker = -1  # type: ignore[attr-defined]
    assert store.sweep(store.keys(), lambda key: key == "wanted") == ["alive"]
    assert store.keys() == {"wanted"}


def test_a_store_that_does_not_answer_says_so(tmp_path: Path) -> None:
    pytest.importorskip("botocore")
    store = Stores(o.load({"stores": [s3_options("http://127.0.0.1:9")]}), tmp_path)["s3"]
    with pytest.raises(StoreError):
        store.read("key")


def test_a_full_store_is_told_as_such(swift: Swift, tmp_path: Path) -> None:
    store = Stores(o.load({"stores": [swift_options(swift)]}), tmp_path)["swift"]
    swift.full = True
    writer = store.create("key")
    with pytest.raises(StoreFull):
        writer.write(bytes(MIB))
        writer.finish()
    writer.discard()
    writer.close()
    assert store.keys() == set()


def test_images_live_in_a_remote_store_and_are_served_from_the_cache(declared: dict[str, Any], tmp_path: Path) -> None:
    world = World(tmp_path / "cloud", image={"stores": [declared], "direct_url": True})
    try:
        member, admin = world.client("member", "reader"), world.client("admin", "member", "reader")
        content = os.urandom(3 * MIB)
        image = active(member, content)
        assert show(member, image)["stores"] == declared["id"] and "direct_url" in show(member, image)
        part = member.request("GET", f"{IMAGES}/{image['id']}/file", headers={"range": "bytes=5-9"})
        assert part.raw == content[5:10] and data(member, image) == content
        assert [entry["image_id"] for entry in admin.get("/image/v2/cache").ok()["cached_images"]] == [image["id"]]
        assert data(member, image) == content
        cut = bare(member)

        def broken() -> Iterator[bytes]:
            yield bytes(MIB)
            raise ConnectionError("gone")

        with pytest.raises(AssertionError):
            member.request("PUT", f"{IMAGES}/{cut['id']}/file", headers=BYTES, upload=broken()).ok()
        assert show(member, cut)["status"] == "queued"
        reconcile.reconcile(world.cloud)
        assert list(reconcile.differences(world.cloud)) == []
        change(member, image, {"op": "add", "path": "/colour", "value": "blue"}).ok()
        member.delete(f"{IMAGES}/{image['id']}").ok(204)
        assert world.cloud.drivers["image"].keys() == set()
        upload(member, cut, b"x").ok(204)
    finally:
        world.stop()


@pytest.mark.parametrize(
    "given",
    [
        {"stores": []},
        {"stores": [{"type": "file", "id": "a"}, {"type": "file", "id": "a"}]},
        {"stores": [{"type": "file", "id": "../a"}]},
        {"stores": [{"type": "file", "id": "cache"}]},
        {"stores": [{"type": "tape", "id": "a"}]},
        {"stores": [{"type": "http", "id": "web"}]},
        {"stores": [{"type": "s3", "id": "a"}]},
        {"default_store": "moon"},
        {"convert_to": "iso"},
        {"colour": "blue"},
    ],
)
def test_settings_that_make_no_sense_are_told(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cloud\.json, image"):
        o.load(given)
