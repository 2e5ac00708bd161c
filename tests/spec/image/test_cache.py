"""Looking after the cache: what is not whole goes, what is too much goes, and where an image is cached is told."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Client, World
from tests.spec.image.images import active

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
