"""What is done to volumes."""

from typing import Any

import pytest

from pileus.core.errors import EngineError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes, reaches
from tests.spec.image import images


def test_a_volume_grows_and_never_shrinks(volumes: Volumes) -> None:
    volume_id = volumes.available()
    volumes.do(volume_id, "os-extend", {"new_size": 3}).ok(202)
    assert volumes.reaches("available", volume_id)["size"] == 3
    volumes.do(volume_id, "os-extend", {"new_size": 2}).refused(400, "greater")
    volumes.do(volume_id, "os-extend", {"new_size": 2000}).refused(413, "gigabytes")
    volumes.do(volume_id, "os-extend", {}).refused(400, "new_size")
    volumes.do(volume_id, "os-extend", None).refused(400)
    volumes.do(volume_id, "os-dance", None).refused(400, "no such action")


def test_a_volume_that_cannot_grow_says_so(volumes: Volumes, world: World) -> None:
    volume_id = volumes.available()
    world.cloud.drivers["block_storage"].fail("extend", error=EngineError("full"))
    volumes.do(volume_id, "os-extend", {"new_size": 3}).ok(202)
    assert volumes.reaches("error_extending", volume_id)["size"] == 1
    told = volumes.client.get(f"{VOLUME}/messages?resource_uuid={volume_id}").ok()["messages"]
    assert "full" in told[0]["user_message"]


def test_flags_of_a_volume_are_set(volumes: Volumes) -> None:
    volume_id = volumes.available()
    volumes.do(volume_id, "os-update_readonly_flag", {"readonly": True}).ok(202)
    volumes.do(volume_id, "os-set_bootable", {"bootable": True}).ok(200)
    shown = volumes.show(volume_id)
    assert shown["metadata"]["readonly"] == "True" and shown["bootable"] == "true"
    volumes.do(volume_id, "os-set_bootable", {"bootable": "perhaps"}).refused(400, "bootable")
    volumes.client.post(f"{VOLUME}/attachments", {"attachment": {"volume_uuid": volume_id}}).refused(400, "read-only")


def test_an_administrator_resets_what_a_row_says(boss: Volumes, member: Client) -> None:
    volume_id = boss.available()
    for given in (
        {"status": "error"},
        {"status": "available", "migration_status": "none"},
        {"attach_status": "detached"},
    ):
        boss.do(volume_id, "os-reset_status", given).ok(202)
    for given in ({}, {"status": "happy"}, {"attach_status": "happy"}, {"status": "in-use"}, {"status": "deleting"}):
        boss.do(volume_id, "os-reset_status", given).refused(400)
    boss.do(volume_id, "os-reset_status", {"status": "creating"}).ok(202)
    boss.do(volume_id, "os-force_delete", {}).ok(202)
    boss.gone(volume_id)
    member.post(f"{VOLUMES}/{volume_id}/action", {"os-reset_status": {"status": "error"}}).refused(403)


def test_a_volume_goes_to_another_backend_and_keeps_its_bytes(boss: Volumes, world: World) -> None:
    volume_id = boss.available()
    driver = world.cloud.drivers["block_storage"]
    here = boss.show(volume_id)["os-vol-host-attr:host"]
    driver.write(here, volume_id, 1, [(0, b"hello")])
    there = next(host for host in driver.hosts() if host != here)
    boss.do(volume_id, "os-migrate_volume", {"host": here}).refused(400, "already")
    boss.do(volume_id, "os-migrate_volume", {}).refused(400, "host")
    boss.do(volume_id, "os-migrate_volume", {"cluster": "c"}).refused(400, "cluster")
    boss.do(volume_id, "os-migrate_volume", {"host": there, "lock_volume": True}).ok(202)
    shown = boss.reaches("available", volume_id)
    assert shown["os-vol-host-attr:host"] == there and shown["migration_status"] == "success"
    assert next(iter(driver.read(there, _part(volume_id))))[1].rstrip(b"\0") == b"hello"
    assert volume_id not in [one.volume_id for one in driver.stored(here)]
    boss.do(volume_id, "os-migrate_volume", {"host": "nowhere@files#files"}).ok(202)
    eventually(lambda: boss.show(volume_id)["migration_status"] == "error")
    assert boss.show(volume_id)["status"] == "available"
    boss.do(volume_id, "os-migrate_volume_completion", {"new_volume": volume_id}).refused(400, "not mid-migration")
    boss.do(volume_id, "os-extend_volume_completion", {}).refused(400, "wait")


def _part(volume_id: str) -> Any:
    from pileus.block_storage.drivers.base import Part

    return Part(volume_id)


def test_a_volume_becomes_of_another_type(boss: Volumes) -> None:
    volume_id = boss.available()
    host = boss.show(volume_id)["os-vol-host-attr:host"]
    other = "fake-2-files" if host.startswith("fake-1") else "fake-1-files"
    for name, specs in (("plain", {}), ("there", {"volume_backend_name": other})):
        body = {"volume_type": {"name": f"{name}-{volume_id}", "extra_specs": specs}}
        boss.client.post(f"{VOLUME}/types", body).ok(200)
    boss.do(volume_id, "os-retype", {"new_type": f"plain-{volume_id}"}).ok(202)
    eventually(lambda: boss.show(volume_id)["volume_type"] == f"plain-{volume_id}")
    boss.reaches("available", volume_id)
    boss.do(volume_id, "os-retype", {"new_type": f"there-{volume_id}", "migration_policy": "never"}).ok(202)
    boss.reaches("available", volume_id)
    assert boss.show(volume_id)["volume_type"] == f"plain-{volume_id}"
    boss.do(volume_id, "os-retype", {"new_type": f"there-{volume_id}", "migration_policy": "on-demand"}).ok(202)
    eventually(lambda: boss.show(volume_id)["volume_type"] == f"there-{volume_id}")
    assert boss.reaches("available", volume_id)["os-vol-host-attr:host"] != host
    boss.do(volume_id, "os-retype", {"new_type": f"there-{volume_id}"}).refused(400, "another type")
    boss.do(volume_id, "os-retype", {"new_type": "nothing"}).refused(404)
    boss.do(volume_id, "os-retype", {"new_type": "x", "migration_policy": "sometimes"}).refused(400, "migration_policy")


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_a_volume_becomes_an_image(volumes: Volumes, member: Client, disk_format: str) -> None:
    volume_id = volumes.available()
    arguments = {"image_name": "copy", "disk_format": disk_format, "visibility": "private", "protected": False}
    told = volumes.do(volume_id, "os-volume_upload_image", arguments).ok(202)["os-volume_upload_image"]
    assert (told["status"], told["image_name"]) == ("uploading", "copy")
    volumes.reaches("available", volume_id)
    image = member.get(f"{images.IMAGES}/{told['image_id']}").ok(200)
    assert (image["status"], image["disk_format"]) == ("active", disk_format)


def test_what_cannot_become_an_image_is_refused(volumes: Volumes) -> None:
    volume_id = volumes.available()
    for arguments, status in (
        ({}, 400), ({"image_name": "x", "disk_format": "ploop"}, 400), ({"image_name": "x", "disk_format": "exe"}, 400),
        ({"image_name": "x", "visibility": "public"}, 403), ({"image_name": "x", "visibility": "all"}, 400),
    ):  # fmt: skip
        volumes.do(volume_id, "os-volume_upload_image", arguments).refused(status)


def test_a_volume_gets_another_image(volumes: Volumes, member: Client) -> None:
    volume_id = volumes.available()
    image = images.active(member, b"\0" * 512, name="new")
    volumes.do(volume_id, "os-reimage", {"image_id": image["id"]}).ok(202)
    shown = volumes.reaches("available", volume_id)
    assert shown["bootable"] == "true" and shown["volume_image_metadata"]["image_name"] == "new"
    volumes.do(volume_id, "os-reimage", {"image_id": volume_id}).refused(400, "image")
    volumes.client.at("3.67", "volume").post(f"{VOLUMES}/{volume_id}/action", {"os-reimage": {}}).refused(400)


def test_what_a_volume_remembers_of_its_image_is_changed(volumes: Volumes) -> None:
    volume_id = volumes.available()
    volumes.do(volume_id, "os-set_image_metadata", {"metadata": {"kernel_id": "a", "b": "c"}}).ok(200)
    volumes.do(volume_id, "os-unset_image_metadata", {"key": "b"}).ok(200)
    assert volumes.do(volume_id, "os-show_image_metadata").ok(200)["metadata"] == {"kernel_id": "a"}
    volumes.do(volume_id, "os-unset_image_metadata", {"key": "b"}).refused(404, "no metadata")
    volumes.do(volume_id, "os-set_image_metadata", {}).refused(400, "metadata")
    assert volumes.client.get(f"{VOLUMES}?glance_metadata={{'kernel_id':'a'}}").ok()["volumes"]
    assert volumes.client.get(f"{VOLUMES}/{volume_id}/encryption").ok() == {"encryption_key_id": None}
    volumes.client.get(f"{VOLUMES}/{volume_id}/encryption/encryption_key_id").ok(200)
    volumes.client.get(f"{VOLUMES}/{volume_id}/encryption/colour").refused(404)


@pytest.mark.parametrize("kind", ["volume", "snapshot"])
def test_metadata_is_added_to_replaced_and_deleted_by_key(volumes: Volumes, stranger: Client, kind: str) -> None:
    volume_id = thing_id = volumes.available()
    client = volumes.client
    if kind == "snapshot":
        thing_id = client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).ok(202)["snapshot"]["id"]
    path = f"{VOLUME}/{kind}s/{thing_id}/metadata"
    assert client.post(path, {"metadata": {"a": "1"}}).ok(200)["metadata"] == {"a": "1"}
    assert client.post(path, {"metadata": {"b": "2"}}).ok(200)["metadata"] == {"a": "1", "b": "2"}
    assert client.put(path, {"metadata": {"c": "3"}}).ok(200)["metadata"] == {"c": "3"}
    assert client.put(f"{path}/c", {"meta": {"c": "4"}}).ok(200)["meta"] == {"c": "4"}
    assert client.get(f"{path}/c").ok(200)["meta"] == {"c": "4"} and client.get(path).ok(200)["metadata"] == {"c": "4"}
    client.delete(f"{path}/c").ok(200)
    client.get(f"{path}/c").refused(404, "key")
    client.delete(f"{path}/c").refused(404, "key")
    client.put(f"{path}/c", {"meta": {"d": "4"}}).refused(400, "mismatch")
    client.put(f"{path}/c", {"meta": {"c": "4", "d": "5"}}).refused(400, "too many")
    client.put(f"{path}/c", {"meta": {"c": 4}}).refused(400)
    client.post(path, {"metadata": {"": "x"}}).refused(400, "key")
    client.post(path, {}).refused(400, "metadata")
    stranger.get(path).refused(404)


def test_volumes_attach_in_the_old_steps(volumes: Volumes, boss: Volumes) -> None:
    volume_id = volumes.available()
    server_id = "5e5a9b7e-0000-4000-8000-000000000001"
    volumes.do(volume_id, "os-reserve").ok(202)
    assert volumes.show(volume_id)["status"] == "attaching"
    volumes.do(volume_id, "os-unreserve").ok(202)
    assert volumes.show(volume_id)["status"] == "available"
    volumes.do(volume_id, "os-begin_detaching").refused(400, "in-use")
    connector = {"connector": {"host": "fake-1"}}
    info = volumes.do(volume_id, "os-initialize_connection", connector).ok(200)["connection_info"]
    assert info["driver_volume_type"] in ("file", "nbd") and info["data"]["volume_id"] == volume_id
    volumes.do(volume_id, "os-attach", {"instance_uuid": server_id, "mountpoint": "/dev/vdb", "mode": "rw"}).ok(202)
    shown = volumes.show(volume_id)
    assert shown["status"] == "in-use" and shown["attachments"][0]["server_id"] == server_id
    volumes.client.delete(f"{VOLUMES}/{volume_id}").refused(400, "status")
    volumes.do(volume_id, "os-extend", {"new_size": 2}).ok(202)
    volumes.reaches("in-use", volume_id)
    volumes.do(volume_id, "os-attach", {"instance_uuid": server_id, "mountpoint": "/dev/vdc"}).refused(400)
    volumes.do(volume_id, "os-begin_detaching").ok(202)
    volumes.do(volume_id, "os-roll_detaching").ok(202)
    assert volumes.show(volume_id)["status"] == "in-use"
    volumes.do(volume_id, "os-terminate_connection", connector).ok(202)
    volumes.do(volume_id, "os-detach", {"attachment_id": server_id}).refused(400, "attachment")
    volumes.do(volume_id, "os-detach", {}).ok(202)
    assert volumes.show(volume_id)["status"] == "available"
    volumes.do(volume_id, "os-attach", {"host_name": "web", "mountpoint": "/dev/vdb"}).ok(202)
    volumes.do(volume_id, "os-force_detach", {}).refused(403)
    boss.do(volume_id, "os-force_detach", {"connector": None}).ok(202)
    assert volumes.show(volume_id)["status"] == "available"
    volumes.do(volume_id, "os-attach", {"mountpoint": "/dev/vdb"}).refused(400, "host_name")
    volumes.do(volume_id, "os-initialize_connection", {"connector": "x"}).refused(400, "host")


def test_attachments_are_reserved_connected_completed_and_deleted(volumes: Volumes, stranger: Client) -> None:
    volume_id, client = volumes.available(), volumes.client
    server_id = "5e5a9b7e-0000-4000-8000-000000000002"
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": server_id, "mode": "rw"}}
    made = client.post(f"{VOLUME}/attachments", body).ok(200)["attachment"]
    assert made["status"] == "reserved" and volumes.show(volume_id)["status"] == "reserved"
    client.post(f"{VOLUME}/attachments", body).refused(400, "already attached")
    path = f"{VOLUME}/attachments/{made['id']}"
    client.put(path, {"attachment": {"connector": {"ip": "1.2.3.4"}}}).refused(400, "host")
    changed = client.put(path, {"attachment": {"connector": {"host": "fake-2", "mountpoint": "/dev/vdb"}}}).ok(200)
    assert changed["attachment"]["connection_info"]["volume_id"] == volume_id
    assert volumes.show(volume_id)["status"] == "attaching"
    client.post(f"{path}/action", {"os-complete": None}).ok(204)
    assert volumes.show(volume_id)["status"] == "in-use"
    assert client.get(path).ok(200)["attachment"]["status"] == "attached"
    for where in ("", "/detail"):
        found = client.get(f"{VOLUME}/attachments{where}?volume_id={volume_id}&instance_id={server_id}").ok()[
            "attachments"
        ]
        assert [one["id"] for one in found] == [made["id"]]
    stranger.at("3.71", "volume").get(path).refused(404)
    stranger.at("3.71", "volume").delete(path).refused(404)
    assert client.delete(path).ok(200)["attachments"] == []
    assert volumes.show(volume_id)["status"] == "available"
    client.at("3.26", "volume").get(f"{VOLUME}/attachments").refused(404)
    client.post(f"{VOLUME}/attachments", {"attachment": {"volume_uuid": server_id}}).refused(404)
    client.post(f"{VOLUME}/attachments", {"attachment": {"volume_uuid": volume_id, "mode": "x"}}).refused(400, "mode")


def test_many_servers_may_have_a_volume_of_a_type_that_says_so(boss: Volumes) -> None:
    boss.client.post(
        f"{VOLUME}/types", {"volume_type": {"name": "many", "extra_specs": {"multiattach": "<is> True"}}}
    ).ok()
    volume_id = boss.available(volume_type="many")
    assert boss.show(volume_id)["multiattach"] is True
    made = []
    for number in (1, 2):
        body = {"volume_uuid": volume_id, "instance_uuid": f"5e5a9b7e-0000-4000-8000-0000000000{number}0"}
        connector = {"host": f"fake-{number}"}
        answer = boss.client.post(f"{VOLUME}/attachments", {"attachment": {**body, "connector": connector}}).ok(200)
        made.append(answer["attachment"]["id"])
        boss.client.post(f"{VOLUME}/attachments/{made[-1]}/action", {"os-complete": {}}).ok(204)
    boss.do(volume_id, "os-detach", {}).refused(400, "more than one")
    for left, attachment_id in ((1, made[0]), (0, made[1])):
        assert len(boss.client.delete(f"{VOLUME}/attachments/{attachment_id}").ok(200)["attachments"]) == left
    assert boss.show(volume_id)["status"] == "available"


def test_snapshots_of_volumes_in_use_are_told_apart(volumes: Volumes) -> None:
    volume_id = volumes.available()
    volumes.do(volume_id, "os-attach", {"host_name": "web", "mountpoint": "/dev/vdb"}).ok(202)
    old = volumes.client.at("3.65", "volume")
    old.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).refused(400, "status")
    for client, force in ((old, True), (volumes.client, None)):
        made = client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id, "force": force}}).ok(202)
        reaches(client, "snapshot", made["snapshot"]["id"], "available")
    body = {"snapshot": {"volume_id": volume_id, "force": False}}
    volumes.client.post(f"{VOLUME}/snapshots", body).refused(400, "3.66")
