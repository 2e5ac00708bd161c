"""Groups of volumes, transfers, and files that nobody manages."""

from typing import Any

from pileus.core import clock
from pileus.core.errors import EngineError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes, gone, reaches

GROUPS, SNAPSHOTS, TYPES = f"{VOLUME}/groups", f"{VOLUME}/group_snapshots", f"{VOLUME}/group_types"


def group_type(client: Client, **members: Any) -> str:
    made: str = client.post(TYPES, {"group_type": {"name": f"g-{clock.new_id()}", **members}}).ok(202)["group_type"][
        "id"
    ]
    return made


def group(boss: Volumes) -> str:
    default = boss.client.get(f"{VOLUME}/types/default").ok()["volume_type"]["id"]
    body = {"group": {"name": "g", "group_type": group_type(boss.client), "volume_types": [default]}}
    made: str = boss.client.post(GROUPS, body).ok(202)["group"]["id"]
    reaches(boss.client, "group", made, "available")
    return made


def test_group_types_and_their_specs_are_the_administrators(boss: Volumes, volumes: Volumes) -> None:
    made = group_type(boss.client, group_specs={"a": "1"}, description="d")
    path = f"{TYPES}/{made}"
    assert boss.client.get(path).ok()["group_type"]["group_specs"] == {"a": "1"}
    assert "group_specs" not in volumes.client.get(path).ok()["group_type"]
    assert made in [one["id"] for one in boss.client.get(f"{TYPES}?is_public=None&sort=name:asc").ok()["group_types"]]
    assert boss.client.put(path, {"group_type": {"name": f"n-{made}"}}).ok(200)["group_type"]["name"] == f"n-{made}"
    specs = f"{path}/group_specs"
    boss.client.post(specs, {"group_specs": {"b": "2"}}).ok(202)
    assert boss.client.put(f"{specs}/b", {"b": "3"}).ok(200) == {"b": "3"}
    assert boss.client.get(f"{specs}/b").ok() == {"b": "3"}
    assert boss.client.get(specs).ok()["group_specs"] == {"a": "1", "b": "3"}
    boss.client.delete(f"{specs}/b").ok(202)
    boss.client.get(f"{specs}/b").refused(404)
    boss.client.put(f"{specs}/b", {"c": "3"}).refused(400, "mismatch")
    boss.client.put(path, {"group_type": {}}).refused(400)
    boss.client.post(TYPES, {"group_type": {"name": f"n-{made}"}}).refused(409, "exists")
    boss.client.post(TYPES, {"group_type": {}}).refused(400, "name")
    volumes.client.post(TYPES, {"group_type": {"name": "x"}}).refused(403)
    volumes.client.at("3.10", "volume").get(TYPES).refused(404)
    boss.client.delete(path).ok(202)
    boss.client.get(path).refused(404)
    hidden = group_type(boss.client, is_public=False)
    volumes.client.get(f"{TYPES}/{hidden}").refused(404)


def test_a_group_holds_volumes_and_goes_with_them(boss: Volumes, stranger: Client) -> None:
    made = group(boss)
    first, second = boss.available(group_id=made), boss.available()
    path = f"{GROUPS}/{made}"
    boss.client.put(path, {"group": {"name": "new", "add_volumes": second, "remove_volumes": first}}).ok(202)
    shown = boss.client.get(f"{path}?list_volume=true").ok()["group"]
    assert (shown["name"], shown["volumes"], shown["replication_status"]) == ("new", [second], "disabled")
    assert boss.show(second)["group_id"] == made and boss.show(first)["group_id"] is None
    for where in ("", "/detail"):
        assert made in [one["id"] for one in boss.client.get(f"{GROUPS}{where}?sort=name:asc").ok()["groups"]]
    stranger.at("3.71", "volume").get(path).refused(404)
    for body in ({}, {"add_volumes": "nobody"}, {"remove_volumes": first}, {"add_volumes": second}):
        boss.client.put(path, {"group": body}).refused(400)
    boss.client.delete(f"{VOLUMES}/{second}").refused(400, "group")
    boss.client.post(f"{path}/action", {"delete": {}}).refused(400, "volumes")
    boss.client.post(f"{path}/action", {"reset_status": {"status": "happy"}}).refused(400)
    boss.client.post(f"{path}/action", {"reset_status": {"status": "creating"}}).ok(202)
    boss.client.put(path, {"group": {"add_volumes": first}}).refused(400, "available")
    boss.client.post(f"{path}/action", {"reset_status": {"status": "available"}}).ok(202)
    boss.client.post(f"{path}/action", {"enable_replication": {}}).refused(400, "replicated")
    boss.client.post(f"{path}/action", {"delete": {"delete-volumes": True}}).ok(202)
    gone(boss.client, "group", made)
    boss.gone(second)


def test_what_is_wrong_with_a_new_group_is_said(boss: Volumes) -> None:
    kind = group_type(boss.client)
    strict = group_type(boss.client, group_specs={"consistent_group_snapshot_enabled": "<is> True"})
    for body, status in (
        ({}, 400), ({"group_type": kind}, 400), ({"group_type": kind, "volume_types": []}, 400),
        ({"group_type": kind, "volume_types": ["none"]}, 404), ({"group_type": "none", "volume_types": ["x"]}, 404),
        ({"group_type": strict, "volume_types": ["__DEFAULT__"]}, 400),
        ({"group_type": kind, "volume_types": ["__DEFAULT__"], "availability_zone": "moon"}, 400),
    ):  # fmt: skip
        boss.client.post(GROUPS, {"group": body}).refused(status)
    boss.client.delete(f"{TYPES}/{kind}").ok(202)


def test_a_group_is_copied_from_another_and_from_its_snapshot(boss: Volumes) -> None:
    made = group(boss)
    boss.client.post(SNAPSHOTS, {"group_snapshot": {"group_id": made}}).refused(400, "empty")
    boss.available(group_id=made)
    snap = boss.client.post(SNAPSHOTS, {"group_snapshot": {"group_id": made, "name": "s"}}).ok(202)["group_snapshot"][
        "id"
    ]
    reaches(boss.client, "group_snapshot", snap, "available")
    path = f"{SNAPSHOTS}/{snap}"
    for where in ("", "/detail"):
        found = boss.client.get(f"{SNAPSHOTS}{where}?group_id={made}").ok()["group_snapshots"]
        assert [one["id"] for one in found] == [snap]
    boss.client.put(path, {"group_snapshot": {"name": "t"}}).ok(202)
    assert boss.client.get(path).ok()["group_snapshot"]["name"] == "t"
    for source in ({"source_group_id": made}, {"group_snapshot_id": snap}):
        copy = boss.client.post(f"{GROUPS}/action", {"create-from-src": source}).ok(202)["group"]["id"]
        shown = reaches(boss.client, "group", copy, "available")
        assert len(boss.client.get(f"{GROUPS}/{copy}?list_volume=1").ok()["group"]["volumes"]) == 1
        assert (shown["source_group_id"] or shown["group_snapshot_id"]) in (made, snap)
    boss.client.post(f"{GROUPS}/action", {"create-from-src": {}}).refused(400, "either")
    boss.client.post(f"{GROUPS}/{made}/action", {"delete": {"delete-volumes": True}}).refused(400, "snapshots")
    boss.client.post(f"{path}/action", {"reset_status": {"status": "error"}}).ok(202)
    boss.client.delete(path).ok(202)
    gone(boss.client, "group_snapshot", snap)


def test_a_group_whose_volume_cannot_be_made_is_in_error(boss: Volumes, world: World) -> None:
    made = group(boss)
    boss.available(group_id=made)
    world.cloud.drivers["block_storage"].fail("create", error=EngineError("no room"))
    copy = boss.client.post(f"{GROUPS}/action", {"create-from-src": {"source_group_id": made}}).ok(202)["group"]["id"]
    reaches(boss.client, "group", copy, "error")
    boss.client.post(f"{GROUPS}/{copy}/action", {"delete": {"delete-volumes": True}}).ok(202)
    gone(boss.client, "group", copy)


def test_consistency_groups_are_closed(boss: Volumes) -> None:
    for plural in ("consistencygroups", "cgsnapshots"):
        boss.client.get(f"{VOLUME}/{plural}").refused(403)
        boss.client.post(f"{VOLUME}/{plural}", {}).refused(403)


def test_a_volume_is_given_away_to_who_has_the_key(volumes: Volumes, stranger: Client) -> None:
    other = stranger.at("3.71", "volume")
    for path in ("os-volume-transfer", "volume-transfers"):
        volume_id = volumes.available()
        snapshot = volumes.client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).ok()["snapshot"][
            "id"
        ]
        reaches(volumes.client, "snapshot", snapshot, "available")
        where = f"{VOLUME}/{path}"
        made = volumes.client.post(where, {"transfer": {"volume_id": volume_id, "name": "gift"}}).ok(202)["transfer"]
        one = f"{where}/{made['id']}"
        assert volumes.show(volume_id)["status"] == "awaiting-transfer"
        assert "auth_key" not in volumes.client.get(one).ok(200)["transfer"]
        for suffix in ("", "/detail?sort=name:asc"):
            assert made["id"] in [row["id"] for row in volumes.client.get(where + suffix).ok()["transfers"]]
        volumes.client.post(where, {"transfer": {"volume_id": volume_id}}).refused(400, "status")
        other.get(one).refused(404)
        other.post(f"{one}/accept", {"accept": {"auth_key": "guess"}}).refused(400, "key")
        other.post(f"{one}/accept", {"accept": {}}).refused(400, "auth_key")
        other.post(f"{one}/accept", {"accept": {"auth_key": made["auth_key"]}}).ok(202)
        assert other.get(f"{VOLUMES}/{volume_id}").ok()["volume"]["status"] == "available"
        assert other.get(f"{VOLUME}/snapshots/{snapshot}").ok(200)
        volumes.client.get(f"{VOLUMES}/{volume_id}").refused(404)
        kept = volumes.available()
        again = volumes.client.post(where, {"transfer": {"volume_id": kept, "no_snapshots": True}}).ok(202)["transfer"]
        volumes.client.delete(f"{where}/{again['id']}").ok(202)
        volumes.client.get(f"{where}/{again['id']}").refused(404)
        assert volumes.show(kept)["status"] == "available"
    volumes.client.at("3.54", "volume").get(f"{VOLUME}/volume-transfers").refused(404)


def test_a_file_becomes_a_volume_and_a_volume_a_file(boss: Volumes, member: Client) -> None:
    for new in (True, False):
        volume_id = boss.available(size=2)
        host = boss.show(volume_id)["os-vol-host-attr:host"]
        boss.do(volume_id, "os-unmanage", {}).ok(202)
        boss.gone(volume_id)
        file = f"volume-{volume_id}"
        path = f"{VOLUME}/{'manageable_volumes' if new else 'os-volume-manage'}"
        for where in ("", "/detail"):
            listed = boss.client.get(f"{path}{where}?host={host}&sort=size:desc").ok()["manageable-volumes"]
            assert {"source-name": file} in [one["reference"] for one in listed if one["safe_to_manage"]]
        body = {"host": host, "ref": {"source-name": file}, "name": "back"}
        made = boss.client.post(path, {"volume": body}).ok(202)["volume"]["id"]
        assert boss.reaches("available", made)["size"] == 2
        boss.client.post(path, {"volume": {**body, "ref": {"source-name": made}}}).refused(400, "managed")
        for wrong, status in (
            ({"ref": 3}, 400),
            ({"host": None}, 400),
            ({"host": "moon"}, 503),
            ({"volume_type": "x"}, 400),
        ):
            boss.client.post(path, {"volume": {**body, **wrong}}).refused(status)
        boss.client.get(path).refused(400, "host")
        boss.client.get(f"{path}?host={host}&sort=name").refused(400, "sort")
        member.at("3.71", "volume").get(f"{path}?host={host}").refused(403)
    lost = boss.client.post(path, {"volume": {**body, "ref": {"source-name": "nobody"}}}).ok(202)["volume"]["id"]
    eventually(lambda: boss.show(lost)["status"] == "error")
    boss.client.delete(f"{VOLUMES}/{lost}").ok(202)
    boss.gone(lost)


def test_a_file_becomes_a_snapshot_and_a_snapshot_a_file(boss: Volumes) -> None:
    volume_id = boss.available()
    host = boss.show(volume_id)["os-vol-host-attr:host"]
    for path in ("manageable_snapshots", "os-snapshot-manage"):
        made = boss.client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).ok()["snapshot"]["id"]
        reaches(boss.client, "snapshot", made, "available")
        boss.do(volume_id, "os-unmanage", {}).refused(400, "snapshots")
        boss.client.post(f"{VOLUME}/snapshots/{made}/action", {"os-unmanage": {}}).ok(202)
        gone(boss.client, "snapshot", made)
        for where in ("", "/detail"):
            listed = boss.client.get(f"{VOLUME}/{path}{where}?host={host}").ok()["manageable-snapshots"]
            assert {"source-name": made} in [one["reference"] for one in listed if one["safe_to_manage"]]
        body = {"volume_id": volume_id, "ref": {"source-name": f"_snapshot-{made}"}, "name": "back"}
        told = boss.client.post(f"{VOLUME}/{path}", {"snapshot": body}).ok(202)["snapshot"]
        assert (told["name"], told["volume_id"]) == ("back", volume_id)
        boss.client.post(f"{VOLUME}/{path}", {"snapshot": body}).refused(400, "managed")
        body["ref"] = {"source-name": "nobody"}
        boss.client.post(f"{VOLUME}/{path}", {"snapshot": body}).refused(400, "no snapshot")
        boss.client.delete(f"{VOLUME}/snapshots/{told['id']}").ok(202)
        gone(boss.client, "snapshot", told["id"])
