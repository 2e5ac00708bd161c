"""Looking after the cache: what is not whole goes, what is too much goes, where an image is cached is told; and one whose
folder does not work keeps nobody from their images."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.core.errors import EngineError
from pileus.image import data as image_data
from pileus.image import reconcile
from pileus.image.store import Image
from tests.harness import Client, World, eventually
from tests.spec.image.images import IMAGES, active, bare, data, ended
from tests.spec.image.web import Web

CACHE = "/image/v2/cache"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "cloud", image={"cache_mib": 2})
    yield made
    made.stop()


@pytest.fixture
def boss(small: World) -> Client:
    return small.client("admin", "member", "reader")


def put(world: World, name: str, data: bytes, used: int = 0) -> Path:
    path: Path = world.cloud.drivers["image"].cached.folder / name
    path.write_bytes(data)
    os.utime(path, (used, used))
    return path


def test_what_is_not_the_whole_data_of_an_image_is_cleaned_away(small: World, boss: Client) -> None:
    whole, cut = active(boss, b"bytes"), active(boss, b"bytes")
    kept, gone = put(small, whole["id"], b"bytes"), put(small, cut["id"], b"byt")
    nobodys = put(small, "11111111-2222-3333-4444-555555555555", b"x")
    half = small.cloud.drivers["image"].cached.incoming / "half"
    half.write_bytes(b"x")
    assert boss.post(f"{CACHE}/clean").ok(200) == b""
    assert kept.exists() and not gone.exists() and not nobodys.exists() and not half.exists()


def test_what_is_too_much_is_pruned_the_longest_unused_first(small: World, boss: Client) -> None:
    paths = [put(small, active(boss)["id"], bytes(1 << 20), used) for used in (300, 100, 200)]
    assert boss.post(f"{CACHE}/prune").ok(200) == {"total_files_pruned": 1, "total_bytes_pruned": 1 << 20}
    assert [path.exists() for path in paths] == [True, False, True]
    assert boss.post(f"{CACHE}/prune").ok(200) == {"total_files_pruned": 0, "total_bytes_pruned": 0}


def test_where_an_image_is_cached_is_told(small: World, boss: Client) -> None:
    image = active(boss)
    assert boss.get(f"{CACHE}/nodes/{image['id']}").ok(200) == []
    put(small, image["id"], b"bytes")
    assert boss.get(f"{CACHE}/nodes/{image['id']}").ok(200) == ["http://cloud.test:5000/image"]
    boss.get(f"{CACHE}/nodes/nothing").refused(404)


def test_administrators_alone_look_after_it(small: World) -> None:
    member = small.client("member", "reader")
    image = active(member)
    member.post(f"{CACHE}/clean").refused(403, "cache_clean")
    member.post(f"{CACHE}/prune").refused(403, "cache_prune")
    member.get(f"{CACHE}/nodes/{image['id']}").refused(403, "list_cached_nodes")


# -- folders that do not work ------------------------------------------------------------------------------------------


@pytest.fixture
def far(tmp_path: Path, web: Web) -> Iterator[World]:
    """A cloud whose images are on the web, with a cache in a folder of its own."""
    allowed = {"allowed_hosts": ["127.0.0.1"], "allowed_ports": [web.port]}
    stores = [{"type": "file", "id": "file"}, {"type": "http", "id": "web"}]
    made = World(
        tmp_path / "cloud",
        image={"stores": stores, "web": allowed, "locations": True, "cache_folder": str(tmp_path / "own")},
    )
    made.cloud.start()
    yield made
    made.stop()


def on_the_web(client: Client, web: Web, content: bytes) -> dict[str, Any]:
    image: dict[str, Any] = bare(client)
    client.post(f"{IMAGES}/{image['id']}/locations", {"url": web.put(f"/{image['id']}", content)}).ok(202)
    ended(client, image)
    return image


def broken_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.touch()


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def loops(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder)


@pytest.mark.parametrize("broken", [broken_file, gone, loops])
def test_a_broken_cache_keeps_nobody_from_an_image_and_is_told_to_its_keeper(
    far: World, web: Web, tmp_path: Path, broken: Any
) -> None:
    boss = far.client("admin", "member", "reader")
    image = on_the_web(boss, web, b"0123456789")
    broken(tmp_path / "own")
    assert [data(boss, image), data(boss, image)] == [b"0123456789"] * 2
    for method, path in (
        ("GET", ""), ("POST", "/clean"), ("POST", "/prune"), ("GET", f"/nodes/{image['id']}"), ("PUT", f"/{image['id']}"),
        ("DELETE", f"/{image['id']}"), ("DELETE", ""),
    ):  # fmt: skip
        boss.request(method, f"{CACHE}{path}").refused(503, "cache does not work")
    other = active(boss)
    boss.delete(f"{IMAGES}/{image['id']}").ok(204)
    boss.delete(f"{IMAGES}/{other['id']}").ok(204)
    with pytest.raises(EngineError, match="cache"):  # what else is to be looked after is, all the same
        reconcile.reconcile(far.cloud)
    assert [found.id for found in reconcile.differences(far.cloud)] == ["cache"]


def test_a_disk_that_fills_up_keeps_nobody_from_an_image(far: World, web: Web) -> None:
    boss = far.client("admin", "member", "reader")
    image = on_the_web(boss, web, bytes(9 << 20))
    with far.cloud.db.read() as tx:
        body = iter(image_data.read(far.cloud, tx.get(Image, id=image["id"])))  # type: ignore[arg-type]
    arrived = len(next(body))
    writing = str(far.cloud.drivers["image"].cached.incoming / image["id"])
    open_files = {number: os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    with open("/dev/full", "wb") as full:
        os.dup2(full.fileno(), next(int(number) for number, path in open_files.items() if path == writing))
    assert arrived + sum(len(chunk) for chunk in body) == 9 << 20
    assert not os.path.exists(writing)
    assert boss.get(CACHE).ok(200)["cached_images"] == []


def test_what_cannot_be_cached_waits_no_longer(far: World, web: Web) -> None:
    boss = far.client("admin", "member", "reader")
    image = on_the_web(boss, web, b"0123456789")
    web.put(f"/{image['id']}", b"9876543210")
    boss.put(f"{CACHE}/{image['id']}").ok(202)
    eventually(lambda: boss.get(CACHE).ok(200) == {"cached_images": [], "queued_images": []})


def test_who_waits_for_the_cache_may_stop_to(small: World, boss: Client) -> None:
    one, two = active(boss), active(boss)
    for image in (one, two, one):
        boss.put(f"{CACHE}/{image['id']}").ok(202)
    assert boss.get(CACHE).ok(200)["queued_images"] in ([one["id"], two["id"]], [two["id"], one["id"]])
    boss.delete(f"{CACHE}/{one['id']}").ok(204)
    assert boss.get(CACHE).ok(200)["queued_images"] == [two["id"]]
    boss.delete(f"{IMAGES}/{two['id']}").ok(204)
    reconcile.fill_cache(small.cloud)
    assert boss.get(CACHE).ok(200) == {"cached_images": [], "queued_images": []}
