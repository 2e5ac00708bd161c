"""Staging an image's bytes and importing them; imports from elsewhere; the tasks that tell of it."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.core import clock
from pileus.image import reconcile
from pileus.image.store import Task
from tests.harness import Client, World, eventually
from tests.spec.image.conftest import options
from tests.spec.image.images import (
    IMAGES,
    QCOW2,
    active,
    bare,
    bring_in,
    change,
    create,
    data,
    ended,
    show,
    stage,
    upload,
)
from tests.spec.image.web import Web


def test_staged_bytes_become_the_images_when_imported(member: Client) -> None:
    image = bare(member, colour="blue")
    stage(member, image, b"by", b"tes").ok(204)
    shown = show(member, image)
    assert shown["status"] == "uploading" and shown["size"] is None and shown["checksum"] is None
    assert member.get(f"{IMAGES}/{image['id']}/file").status == 204
    answer = bring_in(member, image, stores=["file"])
    answer.ok(202)
    task = ended(member, image)
    assert task["status"] == "success" and task["request_id"] == answer.headers["x-openstack-request-id"]
    assert task["input"]["import_req"]["method"]["name"] == "glance-direct"
    assert task["result"] == {"image_id": image["id"]}
    shown = show(member, image)
    assert shown["status"] == "active" and shown["size"] == 5 and shown["stores"] == "file"
    assert shown["os_glance_importing_to_stores"] == shown["os_glance_failed_import"] == ""
    assert shown["colour"] == "blue" and shown["checksum"] == hashlib.md5(b"bytes").hexdigest()
    assert data(member, image) == b"bytes"


def test_bytes_are_staged_once_and_imported_once(member: Client) -> None:
    image = bare(member)
    bring_in(member, image).refused(409, "staged")
    stage(member, image, b"bytes").ok(204)
    stage(member, image, b"others").refused(409, "uploading")
    upload(member, image, b"others").refused(409, "uploading")
    bring_in(member, image).ok(202)
    ended(member, image)
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
    assert (usage["image_stage_total"]["usage"], usage["image_size_total"]["usage"]) == (1, 0)
    member.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert fresh.cloud.drivers["image"].keys() == set()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"method": None}, "method"),
        ({"method": "glance-direct"}, "method"),
        ({"method": {}}, "method"),
        ({"method": {"name": 7}}, "method"),
        ({"method": {"name": "by-pigeon"}}, "not offered"),
        ({"method": {"name": "web-download"}}, "uri"),
        ({"method": {"name": "web-download", "uri": "file:///etc/passwd"}}, "filtering"),
        ({"method": {"name": "web-download", "uri": "http://example.test/"}}, "filtering"),
        ({"method": {"name": "web-download", "uri": "http://127.0.0.1:1/"}}, "filtering"),
        ({"method": {"name": "web-download", "uri": ["http://127.0.0.1/"]}}, "uri"),
        ({"method": {"name": "glance-download", "glance_image_id": "foo"}}, "does not look like a UUID"),
        ({"stores": ["moon"]}, "no store"),
        ({"stores": ["web"]}, "no store"),
        ({"stores": "file"}, "list"),
        ({"stores": []}, "list"),
        ({"stores": ["file"], "all_stores": True}, "all_stores"),
        ({"all_stores": "yes"}, "all_stores"),
        ({"all_stores_must_succeed": 1}, "all_stores_must_succeed"),
    ],
)
def test_a_wrong_import_is_refused(importer: Client, body: dict[str, Any], words: str) -> None:
    image = bare(importer)
    stage(importer, image, b"bytes").ok(204)
    asked = {"method": {"name": "glance-direct"}, **body}
    importer.post(f"{IMAGES}/{image['id']}/import", asked).refused(400, words)
    assert show(importer, image)["status"] == "uploading"


def test_an_import_to_all_stores_ends_in_those_that_can_be_written(importer: Client, wide: World) -> None:
    image = bare(importer)
    stage(importer, image, b"bytes").ok(204)
    bring_in(importer, image, all_stores=True).ok(202)
    assert ended(importer, image)["status"] == "success"
    shown = show(importer, image)
    assert shown["stores"] == "cheap,file" and len(shown["locations"]) == 2
    stores = wide.cloud.drivers["image"]
    paths = {location["metadata"]["store"]: location["url"] for location in shown["locations"]}
    assert paths["cheap"] != paths["file"] and shown["direct_url"] in paths.values()
    assert not any(key.startswith(image["id"]) for key in set(stores.staging.keys()))
    importer.delete(f"{IMAGES}/{image['id']}").ok(204)
    assert not any(key.startswith(image["id"]) for key in set(stores.keys()))


# -- from the web ------------------------------------------------------------------------------------------------------


def test_an_image_is_downloaded_from_the_web(importer: Client, web: Web) -> None:
    image = bare(importer, disk_format="qcow2")
    source = {"uri": web.put("/moved", web.put("/good.qcow2", QCOW2))}
    bring_in(importer, image, "web-download", source=source).ok(202)
    assert ended(importer, image)["status"] == "success"
    shown = show(importer, image)
    assert shown["status"] == "active" and shown["size"] == len(QCOW2) and shown["virtual_size"] == 64 << 20
    assert data(importer, image) == QCOW2


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("/nothing", None, "404"),
        ("/inside", "http://169.254.169.254/latest/meta-data", "filtering"),
        ("/other-port", "http://127.0.0.1:1/", "filtering"),
        ("/other-scheme", "file:///etc/passwd", "filtering"),
        ("/round", "/round", "redirects"),
        ("/cut", QCOW2, "broke off"),
        ("/lying", b"no qcow2 at all", "content is raw"),
    ],
)
def test_a_download_that_fails_leaves_the_image_queued_and_says_why(
    importer: Client, wide: World, web: Web, path: str, content: bytes | str | None, words: str
) -> None:
    image = bare(importer, disk_format="qcow2")
    if content is not None:
        web.put(path, content)
    if path == "/cut":
        web.cut.add(path)
    bring_in(importer, image, "web-download", source={"uri": web.url(path)}).ok(202)
    task = ended(importer, image)
    assert task["status"] == "failure" and words in task["message"]
    shown = show(importer, image)
    assert shown["status"] == "queued" and shown["size"] is None and shown["os_glance_failed_import"] == "file"
    eventually(lambda: not any(key.startswith(image["id"]) for key in set(wide.cloud.drivers["image"].keys())))


def test_a_promised_hash_has_to_be_true(importer: Client, web: Web) -> None:
    uri = web.put("/hashed", b"bytes")
    promise = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(b"bytes").hexdigest()}
    for change_of, status in (({}, "success"), ({"os_hash_value": "0" * 64}, "failure")):
        image = bare(importer)
        bring_in(importer, image, "web-download", source={"uri": uri, **promise, **change_of}).ok(202)
        assert ended(importer, image)["status"] == status
    for wrong in ({"os_hash_algo": "crc32"}, {"os_hash_value": "abc"}, {"os_hash_algo": None}):
        bring_in(importer, bare(importer), "web-download", source={"uri": uri, **promise, **wrong}).refused(400, "hash")


# -- copies and other image services -----------------------------------------------------------------------------------


def test_administrators_copy_an_image_to_further_stores(importer: Client, operator: Client) -> None:
    image = active(importer)
    assert show(importer, image)["stores"] == "file"
    bring_in(importer, image, "copy-image", stores=["cheap"]).refused(403)
    bring_in(operator, image, "copy-image", stores=["file"]).refused(409, "already")
    bring_in(operator, image, "copy-image", all_stores=True, all_stores_must_succeed=False).ok(202)
    assert ended(importer, image)["status"] == "success"
    shown = show(importer, image)
    assert shown["status"] == "active" and shown["stores"] == "cheap,file"
    assert shown["os_glance_importing_to_stores"] == shown["os_glance_failed_import"] == ""
    operator.delete(f"/image/v2/stores/file/{image['id']}").ok(204)
    assert show(importer, image)["stores"] == "cheap" and data(importer, image) == b"bytes"


def glance(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = {"glance_image_id": source["id"], "glance_region": "RegionOne", "glance_service_interface": "public"}
    return {**named, **more}


def test_an_image_of_this_cloud_is_downloaded_by_glance_download(importer: Client) -> None:
    source = active(importer, hw_cpu_cores="5", os_distro="rhel", speed="88mph")
    image = create(importer, disk_format="iso", container_format="ovf", os_distro="windows")
    bring_in(importer, image, "glance-download", source=glance(source)).ok(202)
    assert ended(importer, image)["status"] == "success"
    shown = show(importer, image)
    assert (shown["disk_format"], shown["container_format"]) == ("raw", "bare")
    assert (shown["hw_cpu_cores"], shown["os_distro"]) == ("5", "rhel") and "speed" not in shown
    assert data(importer, image) == b"bytes"


def test_glance_download_reads_nothing_that_its_caller_may_not_see(importer: Client, wide: World) -> None:
    hidden = active(wide.client("member", "reader"))
    for source in (glance(hidden), glance({"id": clock.new_id()}), glance(hidden, glance_region="Atlantis")):
        image = bare(importer)
        bring_in(importer, image, "glance-download", source=source).ok(202)
        assert ended(importer, image)["status"] == "failure"
        assert show(importer, image)["status"] == "queued"


# -- what an operator adds ---------------------------------------------------------------------------------------------


@pytest.fixture
def busy(tmp_path: Path, web: Web) -> Iterator[World]:
    made = World(tmp_path / "cloud", image=options(web, convert_to="raw", inject={"seen_by": "operator"}))
    made.cloud.sagas.start()
    yield made
    made.stop()


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_imports_are_converted_and_given_properties_where_the_operator_says_so(busy: World) -> None:
    member = busy.client("member", "reader")
    image = bare(member, disk_format="qcow2")
    stage(member, image, QCOW2).ok(204)
    bring_in(member, image).ok(202)
    task = ended(member, image)
    # the little qcow2 of these tests has no tables: qemu-img says so, and nothing is left
    assert task["status"] == "failure" and "qemu-img" in task["message"]
    assert show(member, image)["status"] == "queued" and show(member, image)["disk_format"] == "qcow2"
    eventually(lambda: busy.cloud.drivers["image"].keys() == set())
    raw = bare(member)
    stage(member, raw, b"bytes").ok(204)
    bring_in(member, raw).ok(202)
    assert ended(member, raw)["status"] == "success" and show(member, raw)["seen_by"] == "operator"


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_what_was_asked_is_administrators_to_list(member: Client, admin: Client, stranger: Client) -> None:
    image = bare(member)
    stage(member, image, b"bytes").ok(204)
    bring_in(member, image).ok(202)
    task = ended(member, image)
    stranger.get(f"{IMAGES}/{image['id']}/tasks").refused(404)
    member.get("/image/v2/tasks").refused(403)
    member.get(f"/image/v2/tasks/{task['id']}").refused(403)
    assert task in admin.get("/image/v2/tasks").ok(200)["tasks"]
    assert task in admin.get("/image/v2/tasks?status=success&type=api_image_import").ok(200)["tasks"]
    assert task not in admin.get("/image/v2/tasks?status=failure").ok(200)["tasks"]
    assert admin.get(f"/image/v2/tasks/{task['id']}").ok(200) == task
    admin.get("/image/v2/tasks/nothing").refused(404)
    bring_in(member, image2 := bare(member)).refused(409)
    stage(member, image2, b"bytes").ok(204)
    bring_in(member, image2).ok(202)
    ended(member, image2)
    page = admin.get("/image/v2/tasks?limit=1").ok(200)
    assert page["tasks"][0]["image_id"] == image2["id"]
    assert admin.get(f"/image{page['next']}").ok(200)["tasks"][0] == task


def task_of(uri: str, **properties: Any) -> dict[str, Any]:
    described = {"container_format": "bare", "disk_format": "qcow2", "name": "by task", **properties}
    asked = {"import_from": uri, "import_from_format": "qcow2", "image_properties": described}
    return {"type": "import", "input": asked}


def test_a_task_makes_an_image_of_an_address(operator: Client, importer: Client, web: Web) -> None:
    uri = web.put("/task.qcow2", QCOW2)
    importer.post("/image/v2/tasks", task_of(uri)).refused(403)
    for body in ({}, {"type": "export", "input": {}}, {"type": "import"}, task_of("http://nowhere.test/x")):
        operator.post("/image/v2/tasks", body).refused(400)
    made = operator.post("/image/v2/tasks", task_of(uri)).ok(201)
    path = f"/image/v2/tasks/{made['id']}"
    found = eventually(lambda: (now := operator.get(path).ok(200))["status"] == "success" and now)
    image = operator.get(f"{IMAGES}/{found['result']['image_id']}").ok(200)
    assert image["status"] == "active" and image["name"] == "by task"
    failing = operator.post("/image/v2/tasks", task_of(web.url("/missing.qcow2"))).ok(201)
    path = f"/image/v2/tasks/{failing['id']}"
    found = eventually(lambda: (now := operator.get(path).ok(200))["status"] == "failure" and now)
    operator.get(f"{IMAGES}/{found['image_id']}").refused(404)


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


def test_an_image_that_is_deleted_in_its_import_is_gone(fresh: World) -> None:
    member = fresh.client("member", "reader")
    image = bare(member)
    stage(member, image, b"bytes").ok(204)
    bring_in(member, image).ok(202)
    change(member, image, {"op": "add", "path": "/colour", "value": "blue"}).ok(200)
    reconcile.reconcile(fresh.cloud)
    assert list(reconcile.differences(fresh.cloud)) == []
    member.delete(f"{IMAGES}/{image['id']}").ok(204)
    while fresh.cloud.sagas.run_one():
        pass
    assert fresh.cloud.drivers["image"].keys() == set()
