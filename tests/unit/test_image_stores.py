"""The contract of image stores, held by the real one and the fake; and what reconciling makes of what uploads left."""

import contextlib
import fcntl
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pileus.core.errors import EngineError
from pileus.core.wire import FileBody
from pileus.image import drivers, reconcile
from pileus.image.data import upload
from pileus.image.drivers.base import Store, StoreFull
from pileus.image.drivers.fake import FakeStore
from pileus.image.drivers.filesystem import FileStore
from pileus.image.store import Image
from pileus.settings import Settings
from tests.harness import World
from tests.spec.image.images import BYTES, IMAGES, bare, show

Make = Callable[[], Store]


@pytest.fixture(params=["file", "fake"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    fake = FakeStore()
    return (lambda: FileStore(tmp_path / "images")) if request.param == "file" else lambda: fake


def content(store: Store, key: str, *part: int) -> bytes:
    body = store.read(key, *part)
    if not isinstance(body, FileBody):
        return b"".join(body)
    data = body.path.read_bytes()[body.offset :]
    return data if body.length is None else data[: body.length]


def written(store: Store, key: str, data: bytes) -> None:
    writer = store.create(key)
    writer.write(data)
    writer.finish()
    writer.close()


def test_what_is_written_is_read_in_whole_or_in_part(make: Make) -> None:
    written(make(), "key", b"0123456789")
    assert content(make(), "key") == b"0123456789"
    assert content(make(), "key", 3, 4) == b"3456"
    assert make().path("key").read_bytes() == b"0123456789"
    assert make().keys() == {"key"}


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (9 << 20) + 4097])
def test_data_of_any_size_is_kept_to_the_byte(make: Make, size: int) -> None:
    data = os.urandom(size)
    writer = make().create("key")
    for begin in range(0, size, 700_001):
        writer.write(data[begin : begin + 700_001])
    writer.finish()
    writer.close()
    assert content(make(), "key") == data


def test_nothing_is_read_before_it_is_whole_or_after_it_is_gone(make: Make) -> None:
    writer = make().create("key")
    writer.write(b"half")
    with pytest.raises(FileNotFoundError):
        make().read("key")
    writer.finish()
    writer.close()
    for _ in range(2):
        make().delete("key")
    with pytest.raises(FileNotFoundError):
        make().path("key")
    assert make().keys() == set()


def test_discarded_data_leaves_nothing(make: Make) -> None:
    for finished in (False, True):
        writer = make().create("key")
        writer.write(b"half")
        if finished:
            writer.finish()
        writer.discard()
        writer.discard()
        writer.close()
        assert make().keys() == set()


def test_a_writer_is_known_to_be_alive_until_it_closes(make: Make) -> None:
    writer = make().create("key")
    assert make().being_written("key")
    assert make().sweep({"key"}, lambda key: False) == []
    writer.finish()
    assert make().being_written("key")
    assert make().sweep({"key"}, lambda key: False) == []
    writer.close()
    assert not make().being_written("key")
    assert make().sweep({"key"}, lambda key: True) == []
    assert make().sweep({"key", "other"}, lambda key: False) == ["key"]
    assert make().keys() == set() and not make().being_written("key")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    writer = store.create("key")
    os.dup2(os.open("/dev/full", os.O_WRONLY), writer._file._file)  # type: ignore[attr-defined]
    for piece in (b"x", b"x" * (5 << 20), memoryview(mmap.mmap(-1, 5 << 20))):
        with pytest.raises(StoreFull, match="No space"):
            writer.write(piece)
    writer.discard()
    writer.close()


def test_a_folder_that_cannot_be_used_is_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "there").mkdir()
    for wrong, folder in ({"read_only": False}, tmp_path / "file/images"), ({"read_only": True}, tmp_path / "missing"):
        stores = [{"type": "file", "id": "file"}, {"type": "file", "id": "far", "path": str(folder), **wrong}]
        with pytest.raises(ValueError, match=rf"the store far: there is no folder {folder}"):
            drivers.check(Settings(state=str(tmp_path), image={"stores": stores}))
    with pytest.raises(ValueError, match="no store to write to"):
        drivers.check(Settings(state=str(tmp_path), image={"default_store": "moon"}))
    near = {"type": "file", "id": "near", "path": str(tmp_path / "there"), "read_only": True}
    drivers.check(Settings(state=str(tmp_path), image={"stores": [{"type": "file", "id": "file"}, near]}))
    assert list((tmp_path / "there").iterdir()) == [], "a read-only store's folder is left alone"


@pytest.mark.parametrize("broken", ["gone", "a file"])
def test_a_folder_that_breaks_later_is_told_and_the_other_stores_serve(tmp_path: Path, broken: str) -> None:
    far = tmp_path / "far"
    stores = [{"type": "file", "id": "file"}, {"type": "file", "id": "far", "path": str(far), "weight": 9}]
    world = World(tmp_path / "cloud", image={"stores": stores})
    try:
        member = world.client("member", "reader")
        there, later = bare(member), bare(member)
        path, to_far = f"{IMAGES}/{there['id']}/file", {**BYTES, "x-image-meta-store": "far"}
        member.request("PUT", path, headers=to_far, upload=iter([b"x"])).ok(204)
        shutil.rmtree(far)
        if broken == "a file":
            far.touch()
        member.get(path).refused(503, "at present")
        fault = member.request("PUT", f"{IMAGES}/{later['id']}/file", headers=to_far, upload=iter([b"x"]))
        fault.refused(503, "store far")
        assert str(tmp_path) not in fault.raw.decode(), "where it is, is the operator's business"
        assert show(member, later)["status"] == "queued"
        upload_to = f"{IMAGES}/{later['id']}/file"
        member.request("PUT", upload_to, headers=BYTES, upload=iter([b"x"])).ok(204)
        assert "cannot be looked at" in str(list(reconcile.differences(world.cloud)))
        with pytest.raises(EngineError, match="far"):
            reconcile.reconcile(world.cloud)
        member.delete(f"{IMAGES}/{there['id']}").ok(204)
    finally:
        world.stop()


def test_a_sweep_between_birth_and_lock_takes_nothing_from_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lock, swept = FileStore(tmp_path), fcntl.flock, []

    def flock(file: int, operation: int) -> None:
        if not swept and operation == fcntl.LOCK_EX:
            swept.append("once")
            swept.extend(FileStore(tmp_path).sweep({"key"}, lambda key: False))
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    written(store, "key", b"data")
    assert swept == ["once", "key"]
    assert content(store, "key") == b"data"


UPLOADER = """
import sys, time
from pileus.cloud import Cloud
from pileus.image.data import upload
from pileus.image.store import Image
from pileus.settings import Settings
from pileus.settings import Settings

def chunks():
    yield b"half"
    print("half", flush=True)
    time.sleep(60)

cloud = Cloud(Settings(state=sys.argv[1], fake_nodes=1, log_level="error"))
with cloud.db.read() as tx:
    image = tx.get(Image, id=sys.argv[2])
upload(cloud, image, chunks())
"""


def test_an_upload_is_left_alone_while_its_process_lives_and_undone_when_it_is_killed(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    arguments = [sys.executable, "-c", UPLOADER, str(fresh.cloud.settings.folder), image["id"]]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "half\n"
        reconcile.reconcile(fresh.cloud)
        assert show(member, image)["status"] == "saving"
        assert list(reconcile.differences(fresh.cloud)) == []
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert [found.id for found in reconcile.differences(fresh.cloud)] == [image["id"]]
    for _ in range(2):
        reconcile.reconcile(fresh.cloud)
        assert show(member, image)["status"] == "queued"
        assert fresh.cloud.drivers["image"].keys() == set()
    assert list(reconcile.differences(fresh.cloud)) == []


def test_data_that_is_no_images_is_deleted_and_all_other_kept(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    member.request("PUT", f"{IMAGES}/{image['id']}/file", headers=BYTES, upload=iter([b"kept"])).ok(204)
    store = fresh.cloud.drivers["image"].default
    written(store, "stray", b"x")
    assert [found.id for found in reconcile.differences(fresh.cloud)] == ["stray"]
    reconcile.reconcile(fresh.cloud)
    assert len(store.keys()) == 1
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"kept"
    (key,) = store.keys()
    store.delete(key)
    assert [found.what for found in reconcile.differences(fresh.cloud)] == [
        "is said to have data in file, but has none"
    ]
    member.get(f"{IMAGES}/{image['id']}/file").refused(404, "missing")


def test_a_lost_answer_of_the_database_costs_no_active_image_its_data(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    with fresh.cloud.db.read() as tx:
        row = tx.get(Image, id=image["id"])
    write = fresh.cloud.db.write
    commits: list[Any] = []

    class Lossy:
        """The second transaction commits, but its success is not heard of."""

        def __getattr__(self, name: str) -> Any:
            return getattr(fresh.cloud.db, name)

        def write(self) -> Any:
            @contextlib.contextmanager
            def lossy() -> Any:
                with write() as tx:
                    yield tx
                commits.append(1)
                if len(commits) == 2:
                    raise ConnectionError("lost")

            return lossy()

    class Half:
        settings, drivers, db = fresh.cloud.settings, fresh.cloud.drivers, Lossy()

    with pytest.raises(ConnectionError):
        upload(Half(), row, iter([b"data"]))
    assert show(member, image)["status"] == "active"
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"data"


def test_the_task_does_its_work_when_the_cloud_starts(fresh: World) -> None:
    written(fresh.cloud.drivers["image"].default, "stray", b"x")
    fresh.cloud.start()
    for _ in range(200):
        if not fresh.cloud.drivers["image"].keys():
            return
        time.sleep(0.02)
    raise AssertionError("the stray data is still there")
