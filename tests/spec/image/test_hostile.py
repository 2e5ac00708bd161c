"""Hostile images: each of the corpus is refused with a reason, nothing is left of it, and nothing outside of it is read."""

from typing import Any

import pytest

from tests.harness import Client, World
from tests.hostile import CANARY, HOSTILE, SOUND, Hostile, watched
from tests.spec.image.images import bare, show, upload

CHUNK = 60_000


def chunks(content: bytes) -> list[bytes]:
    return [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_it_is_refused_with_its_reason_and_nothing_stays(world: World, member: Client, hostile: Hostile) -> None:
    image = bare(member, disk_format=hostile.declared)
    with watched() as seen:
        upload(member, image, *chunks(hostile.content)).refused(415, hostile.reason)
    assert CANARY not in seen.opened and seen.started == [] and seen.connected == []
    shown = show(member, image)
    assert shown["status"] == "queued" and shown["size"] is None and shown["checksum"] is None
    assert not any(key.startswith(image["id"]) for key in world.cloud.drivers["image"].keys())  # noqa: SIM118


@pytest.mark.parametrize(("declared", "content", "size"), [row[1:] for row in SOUND], ids=[row[0] for row in SOUND])
def test_a_sound_one_is_taken(member: Client, declared: str, content: bytes, size: int | None) -> None:
    image = bare(member, disk_format=declared)
    upload(member, image, *chunks(content)).ok(204)
    shown = show(member, image)
    assert shown["status"] == "active" and (size is None or shown["virtual_size"] == size)


def test_the_check_can_be_switched_off_and_reads_nothing_more_then(tmp_path: Any) -> None:
    world = World(tmp_path / "cloud", image_content_check=False)
    member = world.client("member", "reader")
    for hostile in HOSTILE:
        with watched() as seen:
            upload(member, bare(member, disk_format=hostile.declared), *chunks(hostile.content)).ok(204)
        assert CANARY not in seen.opened and seen.started == []
    world.stop()
