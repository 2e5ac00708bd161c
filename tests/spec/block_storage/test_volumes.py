"""Volumes: made, listed, shown, changed, deleted."""

from typing import Any

import pytest

from pileus.core.errors import EngineError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes
from tests.spec.image import images


def test_versions_are_told_to_everybody(anonymous: Client) -> None:
    assert anonymous.get("/volume/").refused(300)["versions"][0]["version"] == "3.71"
    assert anonymous.get(f"{VOLUME}/").ok(200)["versions"][0]["min_version"] == "3.0"


def test_a_volume_becomes_available_and_is_deleted(volumes: Volumes) -> None:
    made = volumes.client.post(VOLUMES, {"volume": {"size": 2, "name": " data ", "metadata": {"a": "b"}}}).ok(202)[
        "volume"
    ]
    assert (made["status"], made["name"], made["bootable"], made["volume_type"]) == (
        "creating", "data", "false", "__DEFAULT__",
    )  # fmt: skip
    shown = volumes.reaches("available", made["id"])
    assert (shown["size"], shown["metadata"], shown["attachments"]) == (2, {"a": "b"}, [])
    assert shown["links"][0]["href"].endswith(f"/volume/v3/{volumes.client.project_id}/volumes/{made['id']}")
    volumes.client.delete(f"{VOLUMES}/{made['id']}").ok(202)
    volumes.gone(made["id"])


def test_the_path_may_name_the_project_but_no_other(volumes: Volumes, stranger: Client) -> None:
    volume_id = volumes.create()
    path = f"{VOLUME}/{volumes.client.project_id}/volumes/{volume_id}"
    assert volumes.client.get(path).ok(200)["volume"]["id"] == volume_id
    volumes.client.get(f"{VOLUME}/{stranger.project_id}/volumes").refused(400, "Malformed request url")


def test_volumes_are_their_projects(volumes: Volumes, stranger: Client, admin: Client, reader: Client) -> None:
    volume_id = volumes.create()
    for method in ("GET", "DELETE", "PUT"):
        stranger.request(method, f"{VOLUMES}/{volume_id}", {"volume": {"name": "x"}}).refused(404, "not be found")
    assert (
        admin.get(f"{VOLUMES}/{volume_id}").ok()["volume"]["os-vol-tenant-attr:tenant_id"] == volumes.client.project_id
    )
    assert stranger.get(VOLUMES).ok()["volumes"] == []
    assert volume_id in [row["id"] for row in admin.get(f"{VOLUMES}?all_tenants=1").ok()["volumes"]]
    assert stranger.get(f"{VOLUMES}?all_tenants=1").ok()["volumes"] == []
    reader.post(VOLUMES, {"volume": {"size": 1}}).refused(403)
    assert "os-vol-host-attr:host" not in volumes.show(volume_id)
    assert "os-vol-host-attr:host" in admin.get(f"{VOLUMES}/{volume_id}").ok()["volume"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "volume"),
        ({"volume": []}, 400, "object"),
        ({"volume": {}}, 400, "size"),
        ({"volume": {"size": 0}}, 400, "size"),
        ({"volume": {"size": -1}}, 400, "size"),
        ({"volume": {"size": "#$%"}}, 400, "size"),
        ({"volume": {"size": 2**40}}, 400, "size"),
        ({"volume": {"size": 1, "name": "x" * 256}}, 400, "name"),
        ({"volume": {"size": 1, "metadata": {"k" * 256: "v"}}}, 400, "metadata"),
        ({"volume": {"size": 1, "metadata": {"k": 3}}}, 400, "metadata"),
        ({"volume": {"size": 1, "volume_type": "no-such"}}, 404, "volume type"),
        ({"volume": {"size": 1, "snapshot_id": "4f2c0e9e-0000-4000-8000-000000000000"}}, 404, "snapshot"),
        ({"volume": {"size": 1, "source_volid": "4f2c0e9e-0000-4000-8000-000000000000"}}, 404, "volume"),
        ({"volume": {"size": 1, "source_volid": "nonsense"}}, 400, "source_volid"),
        ({"volume": {"size": 1, "imageRef": "no-such"}}, 400, "image"),
        ({"volume": {"size": 1, "availability_zone": "moon"}}, 400, "zone"),
        ({"volume": {"size": 1, "multiattach": True}}, 400, "multiattach"),
        ({"volume": {"size": 1, "user_id": "x"}}, 400, "user_id"),
        ({"volume": {"size": 1}, "more": {}}, 400, "more"),
        ({"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": 3}, 400, "hints"),
        ({"volume": {"size": 1, "group_id": "4f2c0e9e-0000-4000-8000-000000000000"}}, 404, "group"),
        ({"volume": {"size": 1, "backup_id": "4f2c0e9e-0000-4000-8000-000000000000"}}, 404, "backup"),
        ({"volume": {"size": 1001}}, 413, "gigabytes"),
    ],
)
def test_what_is_wrong_with_a_new_volume_is_said(volumes: Volumes, body: Any, status: int, words: str) -> None:
    volumes.client.post(VOLUMES, body).refused(status, words)
    assert volumes.client.get(VOLUMES).ok()["volumes"] == []


def test_older_clients_may_send_what_means_nothing(member: Client) -> None:
    member.post(VOLUMES, {"volume": {"size": "1", "display_name": "old", "user_id": "x", "status": "y"}}).ok(202)
    shown = member.get(f"{VOLUMES}/detail").ok()["volumes"][0]
    assert shown["name"] == "old" and "group_id" not in shown and "consumes_quota" not in shown


def test_a_volume_of_an_image_is_bootable_and_remembers_it(volumes: Volumes, member: Client) -> None:
    image = images.active(member, b"\0" * 512, os_distro="tiny", name="small")
    volume_id = volumes.available(imageRef=image["id"])
    shown = volumes.show(volume_id)
    assert shown["bootable"] == "true"
    kept = shown["volume_image_metadata"]
    assert (kept["image_id"], kept["image_name"], kept["os_distro"], kept["disk_format"]) == (
        image["id"], "small", "tiny", "raw",
    )  # fmt: skip
    too_large = images.active(member, b"\0" * 512, min_disk=5)
    volumes.client.post(VOLUMES, {"volume": {"size": 1, "imageRef": too_large["id"]}}).refused(400, "minDisk")
    empty = images.bare(member)
    volumes.client.post(VOLUMES, {"volume": {"size": 1, "imageRef": empty["id"]}}).refused(400, "not active")


def test_a_clone_is_as_large_as_its_source_and_lies_beside_it(volumes: Volumes, admin: Client) -> None:
    source = volumes.available(size=2)
    clone = volumes.available(size=None, source_volid=source)
    hosts = [admin.get(f"{VOLUMES}/{one}").ok()["volume"]["os-vol-host-attr:host"] for one in (source, clone)]
    assert hosts[0] == hosts[1] and volumes.show(clone)["size"] == 2
    volumes.client.post(VOLUMES, {"volume": {"size": 1, "source_volid": source}}).refused(400, "smaller")


def test_a_volume_is_changed(volumes: Volumes) -> None:
    volume_id = volumes.create()
    path = f"{VOLUMES}/{volume_id}"
    changed = volumes.client.put(path, {"volume": {"name": "new", "description": "d", "metadata": {"x": "y"}}}).ok(200)
    assert {name: changed["volume"][name] for name in ("name", "description", "metadata")} == {
        "name": "new", "description": "d", "metadata": {"x": "y"},
    }  # fmt: skip
    volumes.client.put(path, {"volume": {}}).refused(400, "nothing")
    volumes.client.put(path, {"volume": {"size": 3}}).refused(400, "size")
    volumes.client.put(path, {}).refused(400, "volume")


def test_lists_are_narrowed_sorted_and_paged(volumes: Volumes) -> None:
    client = volumes.client
    for number in (1, 2, 3):
        volumes.available(name=f"v{number}", size=number, metadata={"n": str(number), "all": "yes"})

    def names(query: str) -> list[str]:
        return [row["name"] for row in client.get(f"{VOLUMES}?{query}").ok()["volumes"]]

    assert names("") == ["v3", "v2", "v1"]
    assert names("sort=size:asc") == names("sort_key=name&sort_dir=asc") == ["v1", "v2", "v3"]
    assert names("name=v2") == names("display_name=v2") == names("size=2") == ["v2"]
    assert names("metadata={'n':'3'}") == ["v3"]
    assert names("metadata={'n':'3','all':'no'}") == []
    assert names("status=available&bootable=false&availability_zone=nova&sort=name:asc") == ["v1", "v2", "v3"]
    assert names("name~=v&offset=1&limit=1") == ["v2"]
    assert names("created_at=gt:2001-01-01T00:00:00,lt:2002-01-01T00:00:00") == []
    assert names("limit=0") == []
    page = client.get(f"{VOLUMES}/detail?limit=2&with_count=true&sort=name:asc").ok()
    assert [row["name"] for row in page["volumes"]] == ["v1", "v2"] and page["count"] == 3
    assert names(page["volumes_links"][0]["href"].partition("?")[2]) == ["v3"]
    summary = client.get(f"{VOLUMES}/summary").ok()["volume-summary"]
    assert (summary["total_count"], summary["total_size"]) == (3, 6) and sorted(summary["metadata"]["n"]) == [
        "1",
        "2",
        "3",
    ]
    for query, words in [
        ("sort=nonsense", "sort key"), ("sort=name:up", "direction"), ("limit=-1", "limit"), ("limit=a", "limit"),
        ("bootable=perhaps", "boolean"), ("metadata=x", "dictionary"), ("color=red", "color"),
        ("metadata={1:2}", "dictionary"), ("created_at=before:2001", "operator"), ("created_at=gt:x", "value"),
        ("size=large", "number"), ("sort=name&sort_key=name", "sort"), ("host=x", "host"),
    ]:  # fmt: skip
        client.get(f"{VOLUMES}?{query}").refused(400, words)


def test_a_marker_that_is_not_there_is_not_found(volumes: Volumes) -> None:
    volumes.client.get(f"{VOLUMES}?marker=nobody").refused(404, "marker")


def test_filters_came_one_by_one(volumes: Volumes, boss: Volumes) -> None:
    volumes.create()
    old = volumes.client.at("3.30", "volume")
    assert len(old.get(f"{VOLUMES}?color=red").ok()["volumes"]) == 1  # not known, not heeded
    assert len(old.get(f"{VOLUMES}?name~=x").ok()["volumes"]) == 1
    assert boss.client.get(f"{VOLUMES}?color=red&all_tenants=1").ok()["volumes"] == []
    assert boss.client.get(f"{VOLUMES}?host=nowhere&all_tenants=1").ok()["volumes"] == []
    old.at("3.11", "volume").get(f"{VOLUMES}/summary").refused(404)


def test_a_volume_that_nowhere_fits_says_why(volumes: Volumes, world: World) -> None:
    world.cloud.drivers["block_storage"].fail("create", error=RuntimeError("the disk is on fire"))
    volume_id = volumes.create()
    volumes.reaches("error", volume_id)
    volumes.client.delete(f"{VOLUMES}/{volume_id}").ok(202)
    volumes.gone(volume_id)


def test_a_volume_being_made_cannot_be_deleted_but_by_force(boss: Volumes, world: World) -> None:
    driver = world.cloud.drivers["block_storage"]
    driver.fail("create", times=3)
    volume_id = boss.create()
    boss.client.delete(f"{VOLUMES}/{volume_id}").refused(400, "status")
    boss.client.delete(f"{VOLUMES}/{volume_id}?force=true").ok(202)
    boss.gone(volume_id)
    assert not any(one.volume_id == volume_id for host in driver.hosts() for one in driver.stored(host))
    driver.fail("create", times=0)


def test_force_is_the_operators(volumes: Volumes) -> None:
    volume_id = volumes.available()
    volumes.client.delete(f"{VOLUMES}/{volume_id}?force=true").refused(403)
    volumes.client.delete(f"{VOLUMES}/{volume_id}?cascade=perhaps").refused(400, "cascade")
    eventually(lambda: volumes.show(volume_id)["status"] == "available")


def test_messages_say_what_failed_and_can_be_deleted(volumes: Volumes, world: World, stranger: Client) -> None:
    world.cloud.drivers["block_storage"].fail("create", error=EngineError("the disk is on fire"))
    volume_id = volumes.create()
    volumes.reaches("error", volume_id)
    found = volumes.client.get(f"{VOLUME}/messages?resource_uuid={volume_id}").ok()["messages"]
    assert found[0]["resource_type"] == "VOLUME" and "on fire" in found[0]["user_message"]
    path = f"{VOLUME}/messages/{found[0]['id']}"
    assert volumes.client.get(path).ok()["message"]["message_level"] == "ERROR"
    stranger.at("3.71", "volume").get(path).refused(404)
    volumes.client.at("3.2", "volume").get(path).refused(404)
    volumes.client.delete(path).ok(204)
    volumes.client.get(path).refused(404, "not be found")
