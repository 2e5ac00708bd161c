"""Crash law: a process killed at any moment of a request leaves the old object or the new one, whole, and nothing else."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pileus.object_storage import reconcile
from pileus.object_storage.drivers.files import Files, Writer
from tests.harness import World
from tests.spec.object_storage.store import Store, nothing_differs

OLD, NEW = b"old" * 1000, b"new" * 2000
REQUESTS: dict[str, Callable[[Store], Any]] = {
    "put": lambda own: own.put("box/fresh", NEW),
    "overwrite": lambda own: own.put("box/o", NEW),
    "delete": lambda own: own.delete("box/o"),
    "copy": lambda own: own.copy("box/p", "box/o"),
    "archive": lambda own: own.put("kept/o", NEW),
    "manifest": lambda own: own.put("box/o?multipart-manifest=put", b'[{"path": "/box/p"}]'),
}
MOMENTS = [
    (Writer, "write", True), (Writer, "write", False), (Writer, "finish", False), (Writer, "place", True),
    (Writer, "place", False), (Files, "leave", True), (Files, "leave", False),
]  # fmt: skip


def killed(request: Callable[[], Any], where: type, what: str, before: bool) -> None:
    """In a process of its own, which dies at that call."""
    child = os.fork()
    if child == 0:
        real = getattr(where, what)

        def deadly(*arguments: Any) -> Any:
            if not before:
                real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(where, what, deadly)
        thread = threading.Thread(target=request)  # with a database connection of its own
        thread.start()
        thread.join()
        os._exit(0)
    os.waitpid(child, 0)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, database: None) -> Store:
    """A cloud without threads: a fork keeps only one."""
    world = World(tmp_path_factory.mktemp("alone"))
    own = Store(world.client("member"))
    for box in ("box", "archive"):
        own.put(box).ok(201)
    own.put("kept", x_versions_location="archive").ok(201)
    return own


@pytest.mark.parametrize(("where", "what", "before"), MOMENTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_kill_leaves_the_old_or_the_new(alone: Store, name: str, where: type, what: str, before: bool) -> None:
    world = alone.client.application
    alone.delete("box/fresh")
    for path in ("box/o", "box/p", "kept/o"):
        alone.put(path, OLD).ok(201)
    killed(lambda: REQUESTS[name](alone), where, what, before)
    reconcile.sweep(world.cloud)  # as the task does when the next process starts
    nothing_differs(_World(world.cloud))  # type: ignore[arg-type]
    fresh, old = alone.get("box/fresh"), alone.get("box/o")
    assert fresh.status == 404 or fresh.raw == NEW
    assert old.status == 404 if name == "delete" and old.status != 200 else old.raw in (OLD, NEW)
    assert alone.get("kept/o").raw in (OLD, NEW)
    assert alone.get("box/p").raw == OLD


class _World:
    def __init__(self, cloud: Any):
        self.cloud = cloud


def test_a_file_nobody_has_a_row_for_goes_and_a_missing_one_is_told(tmp_path: Any) -> None:
    world = World(tmp_path / "cloud")
    own = Store(world.client("member"))
    own.put("box").ok(201)
    own.put("box/o", b"x").ok(201)
    files: Files = world.cloud.drivers["object_storage"]
    (files.folder / "ab").mkdir(exist_ok=True)
    (files.folder / "ab" / ("ab" + "0" * 30)).write_bytes(b"nobody's")
    assert [d.kind for d in reconcile.differences(world.cloud)] == ["file"]
    for _ in range(256):
        reconcile.sweep(world.cloud, grace=-1)
    nothing_differs(world)
    next(path for path in files.folder.rglob("*") if path.is_file()).unlink()
    assert [(d.kind, d.what) for d in reconcile.differences(world.cloud)] == [
        ("object", "is in a container, but its file is missing")
    ]
    own.get("box/o").refused(503)
    world.stop()


def test_a_file_that_is_being_written_is_nobodys_to_take(tmp_path: Any) -> None:
    files = Files(tmp_path / "objects")
    writer = files.create()
    writer.write(b"x")
    assert files.abandoned() == []
    writer.close()
    assert files.abandoned() == [writer.key]
    assert files.take_back(writer.key, lambda key: False)
    assert files.abandoned() == []
