"""The contract of image stores, held by RBD on a real Ceph: the very tests that the other remote stores pass."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.image import options as o
from pileus.image.drivers import Stores
from pileus.image.drivers.base import Store, StoreError
from tests.live.ceph import Ceph, running
from tests.unit.test_image_remote_stores import (  # noqa: F401  (collected here with this module's `declared`)
    MIB,
    read,
    store,
    test_images_live_in_a_remote_store_and_are_served_from_the_cache,
    test_nothing_is_left_of_what_is_discarded_or_deleted,
    test_what_is_written_is_read_in_whole_or_in_part,
    written,
)

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("ceph-osd") is None, reason="Ceph is not installed")]


@pytest.fixture(scope="module")
def ceph() -> Iterator[Ceph]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def pool(ceph: Ceph) -> str:
    return ceph.pool()


@pytest.fixture
def declared(ceph: Ceph, pool: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Each test finds the pool empty."""
    options = {"type": "rbd", "id": "ceph", "pool": pool, "config": str(ceph.config)}
    yield options
    left = Stores(o.load({"stores": [options]}), tmp_path / "left")["ceph"]
    for key in sorted(left.keys()):
        left.delete(key)


def test_what_a_killed_controller_left_is_swept(store: Store) -> None:  # noqa: F811
    writer: Any = store.create("alive")
    writer.write(os.urandom(6 * MIB))
    assert store.being_written("alive")
    written(store, "wanted", b"x")
    written(store, "stray", b"x")
    assert store.keys() == {"alive", "wanted", "stray"}
    assert store.sweep(store.keys(), lambda key: key == "wanted") == ["stray"]
    # the kernel lets go of the lock and closes the pipe: the program comes to the end of what it was given
    os.close(writer._marker)
    writer._marker = -1
    writer._parts.abort()
    assert store.sweep(store.keys(), lambda key: key == "wanted") == ["alive"]
    assert store.keys() == {"wanted"}


def test_what_clones_stand_on_is_kept_until_they_are_gone(
    ceph: Ceph,
    declared: dict[str, Any],
    store: Store,  # noqa: F811
) -> None:
    """As servers' disks would be made from an image: by a clone of its snapshot."""
    written(store, "key", os.urandom(MIB))
    pool = declared["pool"]
    assert store.url("key") == f"rbd:///{pool}/key/snap"
    ceph.run("rbd", "clone", f"{pool}/key@snap", f"{pool}/disk")
    with pytest.raises(StoreError):
        store.delete("key")
    assert read(store, "key", 0, 1)
    ceph.run("rbd", "rm", "--no-progress", f"{pool}/disk")
    store.delete("key")
    assert store.keys() == set()


def test_an_image_begins_where_its_snapshot_is_protected(ceph: Ceph, declared: dict[str, Any], store: Store) -> None:  # noqa: F811
    written(store, "key", b"x" * 1000)
    snapshots = json.loads(ceph.run("rbd", "--pool", declared["pool"], "snap", "ls", "--format", "json", "key"))
    assert [(found["name"], found["protected"]) for found in snapshots] == [("snap", "true")]


def test_a_part_is_read_from_where_it_begins(ceph: Ceph, store: Store) -> None:  # noqa: F811
    content = os.urandom(40 * MIB)
    written(store, "key", content)
    before = _sent(ceph)
    assert read(store, "key", 39 * MIB + 7, 1000) == content[39 * MIB + 7 :][:1000]
    assert read(store, "key", 38 * MIB + 1) == content[38 * MIB + 1 :]
    assert _sent(ceph) - before < 10 * MIB
    with pytest.raises(StoreError, match="broke off"):
        read(store, "key", 39 * MIB, 2 * MIB)


def _sent(ceph: Ceph) -> int:
    """How many bytes the OSD has given to clients."""
    return int(json.loads(ceph.run("ceph", "tell", "osd.0", "perf", "dump"))["osd"]["op_out_bytes"])


def test_a_pool_that_is_not_there_is_told(declared: dict[str, Any], tmp_path: Path) -> None:
    gone = Stores(o.load({"stores": [{**declared, "pool": "nowhere"}]}), tmp_path / "images")["ceph"]
    for ask in (lambda: gone.read("key"), gone.keys, lambda: gone.delete("key")):
        with pytest.raises(StoreError, match=r"nowhere|No such file"):
            ask()
