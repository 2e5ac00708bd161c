"""Snapshots and backups."""

import base64
import json
from typing import Any

import pytest

from pileus.block_storage import backup_data
from pileus.block_storage.drivers.base import Part
from pileus.core.errors import EngineError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes, gone, reaches


def snapshot(volumes: Volumes, volume_id: str, **members: Any) -> str:
    body = {"snapshot": {"volume_id": volume_id, "name": "snap", **members}}
    made = volumes.client.post(f"{VOLUME}/snapshots", body).ok(202)["snapshot"]
    reaches(volumes.client, "snapshot", made["id"], "available")
    return str(made["id"])


def backup(volumes: Volumes, volume_id: str, **members: Any) -> str:
    body = {"backup": {"volume_id": volume_id, "name": "safe", **members}}
    made = volumes.client.post(f"{VOLUME}/backups", body).ok(202)["backup"]
    reaches(volumes.client, "backup", made["id"], "available")
    return str(made["id"])


def content(world: World, volumes: Volumes, volume_id: str, text: bytes | None = None) -> bytes:
    """What a volume begins with; what is given is written first."""
    driver = world.cloud.drivers["block_storage"]
    host = next(host for host in driver.hosts() if volume_id in [one.volume_id for one in driver.stored(host)])
    if text is not None:
        driver.write(host, volume_id, volumes.show(volume_id)["size"], [(0, text)])
    return next(iter(driver.read(host, Part(volume_id))), (0, b""))[1].rstrip(b"\0")  # type: ignore[no-any-return]


def test_a_snapshot_is_made_listed_changed_and_deleted(volumes: Volumes, stranger: Client, boss: Volumes) -> None:
    volume_id, client = volumes.available(), volumes.client
    made = snapshot(volumes, volume_id, metadata={"a": "b"}, description="d")
    path = f"{VOLUME}/snapshots/{made}"
    shown = client.get(path).ok(200)["snapshot"]
    assert (shown["size"], shown["metadata"], shown["volume_id"]) == (1, {"a": "b"}, volume_id)
    assert shown["os-extended-snapshot-attributes:progress"] == "100%"
    assert client.put(path, {"snapshot": {"name": "new"}}).ok(200)["snapshot"]["name"] == "new"
    for query in (
        "name=new",
        "metadata={'a':'b'}",
        f"volume_id={volume_id}",
        "status=available&sort=name:asc",
        "name~=e",
    ):
        for where in ("", "/detail"):
            found = client.get(f"{VOLUME}/snapshots{where}?{query}&with_count=1").ok()
            assert [one["id"] for one in found["snapshots"]] == [made] and found["count"] == 1, query
    assert stranger.get(f"{VOLUME}/snapshots").ok()["snapshots"] == []
    stranger.get(path).refused(404)
    client.delete(f"{VOLUMES}/{volume_id}").refused(400, "snapshots")
    for body, status in (({}, 400), ({"volume_id": made}, 404), ({"volume_id": volume_id, "size": 3}, 400)):
        client.post(f"{VOLUME}/snapshots", {"snapshot": body}).refused(status)
    client.put(path, {"snapshot": {}}).refused(400, "nothing")
    action = f"{path}/action"
    client.post(action, {"os-reset_status": {"status": "error"}}).refused(403)
    boss.client.post(action, {"os-reset_status": {"status": "happy"}}).refused(400, "status")
    boss.client.post(action, {"os-reset_status": {"status": "creating"}}).ok(202)
    client.delete(path).refused(400, "status")
    client.post(action, {"os-update_snapshot_status": {"status": "error_deleting"}}).refused(400, "not allowed")
    client.post(action, {"os-update_snapshot_status": {"status": "available", "progress": "99%"}}).ok(202)
    client.post(action, {"os-update_snapshot_status": {"status": "available"}}).refused(400, "not allowed")
    client.delete(path).ok(202)
    gone(client, "snapshot", made)


def test_a_snapshot_is_deleted_by_force_and_with_its_volume(boss: Volumes) -> None:
    volume_id = boss.available()
    made = snapshot(boss, volume_id)
    boss.client.post(f"{VOLUME}/snapshots/{made}/action", {"os-reset_status": {"status": "deleting"}}).ok(202)
    boss.client.post(f"{VOLUME}/snapshots/{made}/action", {"os-force_delete": {}}).ok(202)
    gone(boss.client, "snapshot", made)
    snapshot(boss, volume_id)
    boss.client.delete(f"{VOLUMES}/{volume_id}?cascade=true").ok(202)
    boss.gone(volume_id)


def test_a_volume_is_made_from_a_snapshot_and_goes_back_to_one(volumes: Volumes, world: World) -> None:
    volume_id = volumes.available()
    content(world, volumes, volume_id, b"old")
    first = snapshot(volumes, volume_id)
    content(world, volumes, volume_id, b"new")
    copy = volumes.available(size=2, snapshot_id=first)
    assert content(world, volumes, copy) == b"old" and volumes.show(copy)["snapshot_id"] == first
    volumes.client.post(VOLUMES, {"volume": {"size": 1, "snapshot_id": first, "source_volid": copy}}).refused(
        400, "one thing"
    )
    volumes.do(volume_id, "revert", {"snapshot_id": first}).ok(202)
    volumes.reaches("available", volume_id)
    assert content(world, volumes, volume_id) == b"old"
    snapshot(volumes, volume_id)
    volumes.do(volume_id, "revert", {"snapshot_id": first}).refused(400, "latest")
    volumes.do(copy, "revert", {"snapshot_id": first}).refused(400, "snapshots")
    volumes.client.at("3.39", "volume").post(f"{VOLUMES}/{copy}/action", {"revert": {}}).refused(400, "no such action")


def test_a_snapshot_that_fails_says_why(volumes: Volumes, world: World) -> None:
    volume_id = volumes.available()
    world.cloud.drivers["block_storage"].fail("create_snapshot", error=EngineError("no room"))
    made = volumes.client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).ok(202)["snapshot"]["id"]
    reaches(volumes.client, "snapshot", made, "error")
    told = volumes.client.get(f"{VOLUME}/messages?resource_uuid={made}").ok()["messages"][0]
    assert told["resource_type"] == "VOLUME_SNAPSHOT" and "no room" in told["user_message"]


def test_a_backup_outlives_its_volume(volumes: Volumes, world: World) -> None:
    volume_id, client = volumes.available(metadata={"k": "v"}), volumes.client
    content(world, volumes, volume_id, b"precious")
    made = backup(volumes, volume_id, metadata={"a": "b"})
    client.delete(f"{VOLUMES}/{volume_id}").ok(202)
    volumes.gone(volume_id)
    told = client.post(f"{VOLUME}/backups/{made}/restore", {"restore": {"name": "again"}}).ok(202)["restore"]
    shown = volumes.reaches("available", told["volume_id"])
    assert content(world, volumes, shown["id"]) == b"precious" and shown["metadata"] == {"k": "v"}
    reaches(client, "backup", made, "available")
    other = volumes.available(size=None, backup_id=made)
    assert content(world, volumes, other) == b"precious"
    client.post(f"{VOLUME}/backups/{made}/restore", {"restore": {"volume_id": other}}).ok(202)
    volumes.reaches("available", other)
    client.delete(f"{VOLUME}/backups/{made}").ok(202)
    gone(client, "backup", made)
    eventually(lambda: made not in backup_data.keys(world.cloud))


def test_an_incremental_backup_holds_what_changed(volumes: Volumes, world: World) -> None:
    volume_id, client = volumes.available(), volumes.client
    body = {"backup": {"volume_id": volume_id, "incremental": True}}
    client.post(f"{VOLUME}/backups", body).refused(400, "no backups")
    content(world, volumes, volume_id, b"one")
    first = backup(volumes, volume_id)
    second = backup(volumes, volume_id, incremental=True)
    content(world, volumes, volume_id, b"two")
    third = backup(volumes, volume_id, incremental=True)
    shown = {one["id"]: one for one in client.get(f"{VOLUME}/backups/detail").ok()["backups"]}
    assert [shown[one]["object_count"] for one in (first, second, third)] == [1, 0, 1]
    assert [shown[one]["is_incremental"] for one in (first, third)] == [False, True]
    assert [shown[one]["has_dependent_backups"] for one in (second, third)] == [True, False]
    client.delete(f"{VOLUME}/backups/{first}").refused(400, "incremental")
    for made, text in ((second, b"one"), (third, b"two")):
        client.post(f"{VOLUME}/backups/{made}/restore", {"restore": {"volume_id": volume_id}}).ok(202)
        volumes.reaches("available", volume_id)
        assert content(world, volumes, volume_id) == text


def test_backups_are_listed_changed_reset_and_refused(volumes: Volumes, boss: Volumes, stranger: Client) -> None:
    volume_id, client = volumes.available(), volumes.client
    made = backup(volumes, volume_id, snapshot_id=snapshot(volumes, volume_id))
    path = f"{VOLUME}/backups/{made}"
    assert client.put(path, {"backup": {"name": "new", "metadata": {"x": "y"}}}).ok(200)["backup"]["name"] == "new"
    assert [one["id"] for one in client.get(f"{VOLUME}/backups?name=new&with_count=1").ok()["backups"]] == [made]
    assert boss.client.get(path).ok()["backup"]["os-backup-project-attr:project_id"] == client.project_id
    assert "os-backup-project-attr:project_id" not in client.get(path).ok()["backup"]
    stranger.get(path).refused(404)
    client.put(path, {"backup": {}}).refused(400, "nothing")
    client.at("3.8", "volume").put(path, {"backup": {"name": "x"}}).refused(404)
    for members, status in (
        ({}, 404), ({"volume_id": volume_id, "snapshot_id": made}, 404), ({"volume_id": volume_id, "incremental": "x"}, 400),
        ({"volume_id": volume_id, "availability_zone": "moon"}, 400),
    ):  # fmt: skip
        client.post(f"{VOLUME}/backups", {"backup": {"volume_id": made, **members}}).refused(status)
    client.post(f"{path}/restore", {}).refused(400, "restore")
    client.post(f"{path}/restore", {"restore": {"volume_id": made}}).refused(404)
    client.post(f"{path}/action", {"os-reset_status": {"status": "error"}}).refused(403)
    boss.client.post(f"{path}/action", {"os-reset_status": {"status": "happy"}}).refused(400)
    boss.client.post(f"{path}/action", {"os-reset_status": {"status": "error"}}).ok(202)
    client.post(f"{path}/restore", {"restore": {}}).refused(400, "available")
    boss.client.post(f"{path}/action", {"os-force_delete": {}}).ok(202)
    gone(client, "backup", made)


def test_a_backup_of_a_volume_in_use_has_to_be_wanted(volumes: Volumes, world: World) -> None:
    volume_id = volumes.available()
    content(world, volumes, volume_id, b"busy")
    volumes.do(volume_id, "os-attach", {"host_name": "web", "mountpoint": "/dev/vdb"}).ok(202)
    volumes.client.post(f"{VOLUME}/backups", {"backup": {"volume_id": volume_id}}).refused(400, "force")
    backup(volumes, volume_id, force=True)
    volumes.reaches("in-use", volume_id)


def test_a_record_of_a_backup_can_be_taken_in(boss: Volumes, world: World, member: Client) -> None:
    volume_id, client = boss.available(), boss.client
    content(world, boss, volume_id, b"exported")
    made = backup(boss, volume_id)
    record = client.get(f"{VOLUME}/backups/{made}/export_record").ok(200)["backup-record"]
    client.post(f"{VOLUME}/backups/import_record", {"backup-record": record}).refused(400, "already exists")
    row = json.loads(base64.b64decode(record["backup_url"]))
    row["id"] = "5e5a9b7e-0000-4000-8000-00000000000a"
    other = {**record, "backup_url": base64.b64encode(json.dumps(row).encode()).decode()}
    client.post(f"{VOLUME}/backups/import_record", {"backup-record": other}).ok(201)
    client.delete(f"{VOLUME}/backups/{made}").ok(202)  # the other has its data
    gone(client, "backup", made)
    told = client.post(f"{VOLUME}/backups/{row['id']}/restore", {"restore": {}}).ok(202)["restore"]
    boss.reaches("available", told["volume_id"])
    assert content(world, boss, told["volume_id"]) == b"exported"
    member.get(f"{VOLUME}/backups/{row['id']}/export_record").refused(403)


@pytest.mark.parametrize(
    "url", ["", "!", "e30=", base64.b64encode(b'{"id":"../x","size":1,"service_metadata":"/"}').decode()]
)
def test_a_record_that_makes_no_sense_is_refused(boss: Volumes, url: str) -> None:
    service = "cinder.backup.drivers.pileus"
    body = {"backup-record": {"backup_service": service, "backup_url": url}}
    boss.client.post(f"{VOLUME}/backups/import_record", body).refused(400, "record")
    body["backup-record"]["backup_service"] = "elsewhere"
    boss.client.post(f"{VOLUME}/backups/import_record", body).refused(400, "service")


def test_a_backup_that_has_rotted_is_not_restored(volumes: Volumes, world: World) -> None:
    volume_id = volumes.available()
    content(world, volumes, volume_id, b"fine")
    made = backup(volumes, volume_id)
    (backup_data.folder(world.cloud) / made / "data").write_bytes(b"rust")
    told = volumes.client.post(f"{VOLUME}/backups/{made}/restore", {"restore": {}}).ok(202)["restore"]
    volumes.reaches("error_restoring", told["volume_id"])
    reaches(volumes.client, "backup", made, "available")
