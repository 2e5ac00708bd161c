"""Staging an image's bytes and importing them."""

import pytest

from pileus.core import clock
from pileus.image import reconcile
from pileus.image.store import Task
from tests.harness import Answer, Client, World
from tests.spec.image.images import BYTES, IMAGES, active, bare, show, upload


def stage(client: Client, image: dict[str, object], *chunks: bytes) -> Answer:
    return client.request("PUT", f"{IMAGES}/{image['id']}/stage", headers=BYTES, upload=iter(chunks))


def bring_in(client: Client, image: dict[str, object], **body: object) -> Answer:
    return client.post(f"{IMAGES}/{image['id']}/import", {"method": {"name": "glance-direct"}, **body})


def test_staged_bytes_become_the_images_when_imported(member: Client) -> None:
    image = bare(member, colour="blue")
    stage(member, image, b"by", b"tes").ok(204)
    shown = show(member, image)
    assert shown["status"] == "uploading" and shown["size"] is None and shown["checksum"] is None
    assert member.get(f"{IMAGES}/{image['id']}/file").status == 204
    answer = bring_in(member, image, stores=["file"])
    answer.ok(202)
    shown = show(member, image)
    assert shown["status"] == "active" and shown["size"] == 5 and shown["stores"] == "file"
    assert shown["os_glance_importing_to_stores"] == shown["os_glance_failed_import"] == ""
    assert shown["colour"] == "blue"
    assert member.get(f"{IMAGES}/{image['id']}/file").ok(200) == b"bytes"
    (task,) = member.get(f"{IMAGES}/{image['id']}/tasks").ok(200)["tasks"]
    assert task["status"] == "success" and task["request_id"] == answer.headers["x-openstack-request-id"]
    assert task["input"]["import_req"]["method"]["name"] == "glance-direct"


def test_bytes_are_staged_once_and_imported_once(member: Client) -> None:
    image = bare(member)
    bring_in(member, image).refused(409, "staged")
    stage(member, image, b"bytes").ok(204)
    stage(member, image, b"others").refused(409, "uploading")
    upload(member, image, b"others").refused(409, "uploading")
    bring_in(member, image).ok(202)
    bring_in(member, image).refused(409, "active")
    stage(member, active(member), b"others").refused(409, "active")


def test_staged_content_is_checked(member: Client) -> None:
    image = bare(member, disk_format="qcow2")
    stage(member, image, b"no such thing").refused(415, "content is raw")
    assert show(member, image)["status"] == "queued"


def test_staged_bytes_survive_and_go_with_their_image(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    stage(member, image, bytes(1 << 20)).ok(204)
    reconcile.reconcile(fresh.cloud)
    assert list(reconcile.differences(fresh.cloud)) == []
    usage = member.get("/image/v2/info/usage").ok(200)["usage"]
    assert usage["image_stage_total"]["usage"] == usage["image_size_total"]["usage"] == 1
    member.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert fresh.cloud.drivers["image"].keys() == set()


@pytest.mark.parametrize(
    "body",
    [
        {"method": None},
        {"method": "glance-direct"},
        {"method": {}},
        {"method": {"name": 7}},
        {"method": {"name": "web-download", "uri": "http://example.test/"}},
        {"stores": ["moon"]},
        {"stores": "file"},
    ],
)
def test_a_wrong_import_is_refused(member: Client, body: dict[str, object]) -> None:
    image = bare(member)
    stage(member, image, b"bytes").ok(204)
    bring_in(member, image, **body).refused(400)
    assert show(member, image)["status"] == "uploading"


def test_what_was_asked_is_administrators_to_list(member: Client, admin: Client, stranger: Client) -> None:
    image = bare(member)
    stage(member, image, b"bytes").ok(204)
    bring_in(member, image).ok(202)
    (task,) = member.get(f"{IMAGES}/{image['id']}/tasks").ok(200)["tasks"]
    stranger.get(f"{IMAGES}/{image['id']}/tasks").refused(404)
    member.get("/image/v2/tasks").refused(403)
    member.get(f"/image/v2/tasks/{task['id']}").refused(403)
    assert task in admin.get("/image/v2/tasks").ok(200)["tasks"]
    assert admin.get(f"/image/v2/tasks/{task['id']}").ok(200) == task
    admin.get("/image/v2/tasks/nothing").refused(404)
    bring_in(member, image2 := bare(member)).refused(409)
    stage(member, image2, b"bytes").ok(204)
    bring_in(member, image2).ok(202)
    page = admin.get("/image/v2/tasks?limit=1").ok(200)
    assert page["tasks"][0]["image_id"] == image2["id"]
    assert admin.get(f"/image{page['next']}").ok(200)["tasks"][0] == task


def test_tasks_are_forgotten_after_their_time(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    stage(member, image, b"bytes").ok(204)
    bring_in(member, image).ok(202)
    reconcile.reconcile(fresh.cloud)
    assert len(member.get(f"{IMAGES}/{image['id']}/tasks").ok(200)["tasks"]) == 1
    with fresh.cloud.db.write() as tx:
        tx.update(Task, {"image_id": image["id"]}, expires_at=clock.now())
    reconcile.reconcile(fresh.cloud)
    assert member.get(f"{IMAGES}/{image['id']}/tasks").ok(200)["tasks"] == []
