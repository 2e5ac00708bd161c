"""Unified limits of images: how many, how much stored and staged, how many on their way; 413 for what is beyond."""

from typing import Any

import pytest

from pileus.core import clock
from pileus.identity.store import Limit, RegisteredLimit
from tests.harness import Client, World, eventually
from tests.spec.image.images import BYTES, IMAGES, bare, create, show, upload

MIB = bytes(1 << 20)


class Limits:
    """Sets the limits of one project, as an operator does through the identity API."""

    def __init__(self, world: World, admin: Client, project_id: str):
        self.admin, self.project_id = admin, project_id
        with world.cloud.db.read() as tx:
            self.registered = {row.resource_name: row for row in tx.select(RegisteredLimit)}
        self.db = world.cloud.db

    def __call__(self, **values: int) -> None:
        with self.db.write() as tx:
            for name, value in values.items():
                row = self.registered[name]
                tx.delete(Limit, registered_limit_id=row.id, project_id=self.project_id)
                tx.insert(Limit(clock.new_hex_id(), row.id, row.service_id, row.region_id, name, value, None,
                                self.project_id, None))  # fmt: skip


@pytest.fixture
def limit(world: World, admin: Client, member: Client) -> Limits:
    return Limits(world, admin, member.project_id)


def stage(client: Client, image: dict[str, Any], *chunks: bytes) -> Any:
    return client.request("PUT", f"{IMAGES}/{image['id']}/stage", headers=BYTES, upload=iter(chunks))


def direct(client: Client, image: dict[str, Any]) -> Any:
    return client.post(f"{IMAGES}/{image['id']}/import", {"method": {"name": "glance-direct"}})


def usage(client: Client) -> dict[str, tuple[int, int]]:
    told = client.get("/image/v2/info/usage").ok(200)["usage"]
    return {name: (one["limit"], one["usage"]) for name, one in told.items()}


def test_what_can_be_limited_is_registered_without_an_end(admin: Client, member: Client) -> None:
    registered = admin.get("/identity/v3/registered_limits").ok(200)["registered_limits"]
    found = {
        row["resource_name"]: row["default_limit"] for row in registered if row["resource_name"].startswith("image_")
    }
    assert found == dict.fromkeys(found, -1) and len(found) == 4
    assert usage(member) == dict.fromkeys(found, (-1, 0))


def test_a_limit_of_identity_holds_at_once(admin: Client, member: Client) -> None:
    registered = admin.get("/identity/v3/registered_limits").ok(200)["registered_limits"]
    row = next(row for row in registered if row["resource_name"] == "image_count_total")
    body = {"limits": [{"service_id": row["service_id"], "region_id": row["region_id"], "project_id": member.project_id,
                        "resource_name": "image_count_total", "resource_limit": 1}]}  # fmt: skip
    admin.post("/identity/v3/limits", body).ok(201)
    create(member)
    member.post(IMAGES, {}).refused(413, "image_count_total")


def test_the_number_of_images_has_an_end(limit: Limits, member: Client, stranger: Client) -> None:
    limit(image_count_total=1)
    one = create(member)
    member.post(IMAGES, {}).refused(413, "image_count_total")
    create(stranger)
    limit(image_count_total=2)
    create(member)
    member.post(IMAGES, {}).refused(413)
    member.delete(f"{IMAGES}/{one['id']}").ok(204)
    create(member)
    assert usage(member)["image_count_total"] == (2, 2)


def test_who_says_how_much_will_come_stays_within_the_limit(limit: Limits, member: Client) -> None:
    limit(image_size_total=2)
    image = bare(member)
    path = f"{IMAGES}/{image['id']}/file"
    for name in ("content-length", "x-openstack-image-size"):
        member.request("PUT", path, headers={**BYTES, name: "2097153"}, upload=iter([])).refused(
            413, "image_size_total"
        )
    sized = {**BYTES, "content-length": str(len(MIB))}
    member.request("PUT", path, headers=sized, upload=iter([MIB])).ok(204)
    other = f"{IMAGES}/{bare(member)['id']}/file"
    member.request("PUT", other, headers={**BYTES, "content-length": "1048577"}, upload=iter([])).refused(413)
    member.request("PUT", other, headers=sized, upload=iter([MIB])).ok(204)
    assert usage(member)["image_size_total"] == (2, 2)


def test_who_does_not_say_is_let_in_until_the_limit_is_passed(limit: Limits, member: Client) -> None:
    limit(image_size_total=1)
    upload(member, bare(member), MIB).ok(204)
    over = bare(member)
    upload(member, over, MIB).ok(204)
    third = bare(member)
    upload(member, third, MIB).refused(413, "image_size_total")
    assert show(member, third)["status"] == "queued"
    limit(image_size_total=2)
    upload(member, third, MIB).ok(204)
    member.delete(f"{IMAGES}/{over['id']}").ok(204)
    upload(member, bare(member), MIB).ok(204)


def test_no_stream_is_longer_than_the_whole_limit(limit: Limits, member: Client) -> None:
    limit(image_size_total=1)
    image = bare(member)
    upload(member, image, bytes(700_000), bytes(700_000)).refused(413, "quota")
    assert show(member, image)["status"] == "queued" and usage(member)["image_size_total"] == (1, 0)
    limit(image_size_total=0)
    upload(member, image, b"x").refused(413)


def test_what_is_staged_has_a_limit_of_its_own(limit: Limits, member: Client) -> None:
    limit(image_stage_total=1, image_size_total=10)
    first, second, third = bare(member), bare(member), bare(member)
    stage(member, first, MIB).ok(204)
    stage(member, second, MIB).ok(204)
    stage(member, third, MIB).refused(413, "image_stage_total")
    assert usage(member)["image_stage_total"] == (1, 2) and usage(member)["image_size_total"] == (10, 0)
    upload(member, bare(member), MIB).ok(204)
    direct(member, first).ok(202)
    eventually(lambda: show(member, first)["status"] == "active")
    stage(member, third, MIB).ok(204)
    assert usage(member)["image_size_total"] == (10, 2)


def test_an_import_needs_room_where_it_leads(limit: Limits, member: Client) -> None:
    image = bare(member)
    stage(member, image, MIB, b"x").ok(204)
    limit(image_size_total=1)
    direct(member, image).refused(413, "image_size_total")
    assert show(member, image)["status"] == "uploading"
    limit(image_size_total=2)
    direct(member, image).ok(202)
    eventually(lambda: show(member, image)["status"] == "active")


def test_a_download_from_the_web_is_not_begun_without_room(limit: Limits, member: Client) -> None:
    limit(image_stage_total=0, image_count_uploading=1)
    stage(member, bare(member), b"").ok(204)
    web = {"method": {"name": "web-download", "uri": "http://images.example.org/disk.raw"}}
    member.post(f"{IMAGES}/{bare(member)['id']}/import", web).refused(413, "image_count_uploading")


def test_as_many_images_are_on_their_way_as_may_be(limit: Limits, member: Client) -> None:
    limit(image_count_uploading=1)
    first, second, third = bare(member), bare(member), bare(member)
    stage(member, first, b"x").ok(204)
    stage(member, second, b"x").refused(413, "image_count_uploading")
    upload(member, third, b"x").refused(413, "image_count_uploading")
    assert show(member, third)["status"] == "queued" and usage(member)["image_count_uploading"] == (1, 1)
    limit(image_count_uploading=2)
    upload(member, third, b"x").ok(204)
    stage(member, second, b"x").ok(204)
    direct(member, first).ok(202)
    direct(member, second).ok(202)
    eventually(lambda: usage(member)["image_count_uploading"] == (2, 0))


def test_two_uploads_at_once_do_not_slip_past_the_limit_together(limit: Limits, member: Client) -> None:
    limit(image_size_total=1)
    outer, inner = bare(member), bare(member)

    def chunks() -> Any:
        yield MIB[:600_000]
        upload(member, inner, MIB).ok(204)
        upload(member, bare(member), b"x" * 10).ok(204)
        yield b"x"

    path = f"{IMAGES}/{outer['id']}/file"
    member.request("PUT", path, headers=BYTES, upload=chunks()).refused(413, "image_size_total")
    assert show(member, outer)["status"] == "queued"
