"""What operators see and set: services, hosts, backends, quotas, limits."""

from typing import Any

import pytest

from tests.harness import Client
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes, reaches

SERVICES = f"{VOLUME}/os-services"


def test_services_are_listed_and_switched(boss: Volumes, member: Client) -> None:
    client = boss.client
    found = client.get(SERVICES).ok()["services"]
    assert {one["binary"] for one in found} == {"cinder-volume", "cinder-scheduler", "cinder-backup"}
    host = next(one["host"] for one in found if one["binary"] == "cinder-volume")
    body = {"host": host, "binary": "cinder-volume"}

    def shown() -> Any:
        return client.get(f"{SERVICES}?host={host}&binary=cinder-volume").ok()["services"][0]

    assert (shown()["state"], shown()["status"], shown()["backend_state"]) == ("up", "enabled", "up")
    assert client.put(f"{SERVICES}/disable", body).ok(200)["status"] == "disabled"
    client.put(f"{SERVICES}/disable-log-reason", {**body, "disabled_reason": "paint"}).ok(200)
    assert (shown()["status"], shown()["disabled_reason"]) == ("disabled", "paint")
    client.put(f"{SERVICES}/enable", body).ok(200)
    client.put(f"{SERVICES}/freeze", {"host": host}).ok(200)
    assert shown()["frozen"] is True
    client.put(f"{SERVICES}/thaw", {"host": host}).ok(200)
    assert shown()["status"] == "enabled" and shown()["frozen"] is False
    assert client.put(f"{SERVICES}/get-log", {"binary": "*"}).ok(200)["log_levels"][0]["binary"] == "cinder-api"
    client.put(f"{SERVICES}/set-log", {"level": "debug"}).refused(501, "log_level")
    client.put(f"{SERVICES}/set-log", {"level": "loud"}).refused(400, "level")
    for verb in ("failover", "failover_host"):
        client.put(f"{SERVICES}/{verb}", {"host": host}).refused(501, "replicated")
    client.put(f"{SERVICES}/enable", {**body, "host": "nobody"}).refused(404)
    client.put(f"{SERVICES}/disable", {**body, "binary": "nobody"}).refused(404)
    client.put(f"{SERVICES}/disable-log-reason", {**body, "disabled_reason": None}).refused(400)
    client.put(f"{SERVICES}/freeze", {"host": "nobody"}).refused(400)
    client.put(f"{SERVICES}/freeze", {}).refused(400, "host")
    member.get(SERVICES).refused(403)


def test_hosts_tell_what_lies_on_them(boss: Volumes) -> None:
    volume_id, client = boss.available(size=3), boss.client
    made = client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).ok(202)["snapshot"]["id"]
    reaches(client, "snapshot", made, "available")
    host = boss.show(volume_id)["os-vol-host-attr:host"].partition("#")[0]
    rows = {one["resource"]["project"]: one["resource"] for one in client.get(f"{VOLUME}/os-hosts/{host}").ok()["host"]}
    mine = rows[client.project_id]
    assert (mine["volume_count"], mine["total_volume_gb"], mine["snapshot_count"]) == ("1", "3", "1")
    assert int(rows["(total)"]["volume_count"]) >= 1
    assert host in [one["host_name"] for one in client.get(f"{VOLUME}/os-hosts?zone=nova").ok()["hosts"]]
    assert client.put(f"{VOLUME}/os-hosts/{host}", {"status": "disable"}).ok(200)["status"] == "disabled"
    client.put(f"{VOLUME}/os-hosts/{host}", {"status": "enable"}).ok(200)
    client.put(f"{VOLUME}/os-hosts/{host}", {"status": "burn"}).refused(400, "status")
    client.put(f"{VOLUME}/os-hosts/nobody", {"status": "enable"}).refused(404)
    client.get(f"{VOLUME}/os-hosts/nobody").refused(404)


def test_pools_and_capabilities_tell_what_backends_can(boss: Volumes, member: Client) -> None:
    client = boss.client
    pools = client.get(f"{VOLUME}/scheduler-stats/get_pools?detail=true").ok()["pools"]
    assert {pool["capabilities"]["volume_backend_name"] for pool in pools} == {"fake-1-files", "fake-2-files"}
    name = pools[0]["name"]
    assert client.get(f"{VOLUME}/scheduler-stats/get_pools?name={name.replace('#', '%23')}").ok()["pools"] == [
        {"name": name}
    ]
    assert len(client.get(f"{VOLUME}/scheduler-stats/get_pools?volume_type=__DEFAULT__").ok()["pools"]) == 2
    client.get(f"{VOLUME}/scheduler-stats/get_pools?colour=red").refused(400, "colour")
    found = client.get(f"{VOLUME}/capabilities/{name.partition('#')[0]}").ok()
    assert found["vendor_name"] == "pileus" and found["properties"]["qos"]["type"] == "boolean"
    client.get(f"{VOLUME}/capabilities/nobody").refused(404)
    member.get(f"{VOLUME}/scheduler-stats/get_pools").refused(403)
    member.get(f"{VOLUME}/capabilities/x").refused(403)


def test_what_there_is_of_zones_filters_and_extensions_is_everybodys(volumes: Volumes) -> None:
    client = volumes.client
    zones = client.get(f"{VOLUME}/os-availability-zone").ok()["availabilityZoneInfo"]
    assert zones == [{"zoneName": "nova", "zoneState": {"available": True}}]
    assert len(client.get(f"{VOLUME}/resource_filters").ok()["resource_filters"]) > 5
    one = client.get(f"{VOLUME}/resource_filters?resource=backup").ok()["resource_filters"]
    assert one == [{"resource": "backup", "filters": ["name", "status", "volume_id"]}]
    aliases = [each["alias"] for each in client.get(f"{VOLUME}/extensions").ok()["extensions"]]
    assert "os-volume-transfer" in aliases
    assert client.get(f"{VOLUME}/extensions/backups").ok()["extension"]["name"] == "Backups"
    client.get(f"{VOLUME}/extensions/none").refused(404)


def test_there_are_no_clusters_and_nothing_to_clean(boss: Volumes) -> None:
    assert (
        boss.client.get(f"{VOLUME}/clusters").ok()
        == boss.client.get(f"{VOLUME}/clusters/detail").ok()
        == {"clusters": []}
    )
    boss.client.get(f"{VOLUME}/clusters/x").refused(404)
    boss.client.put(f"{VOLUME}/clusters/disable", {"name": "x"}).refused(404)
    assert boss.client.post(f"{VOLUME}/workers/cleanup", {"is_up": True}).ok(202) == {"cleaning": [], "unavailable": []}
    boss.client.post(f"{VOLUME}/workers/cleanup", {"colour": 1}).refused(400)


def test_limits_and_quotas_are_counted_from_what_is_there(volumes: Volumes, boss: Volumes, stranger: Client) -> None:
    project, client = volumes.client.project_id, boss.client
    volume_id = volumes.available(size=2)
    absolute = volumes.client.get(f"{VOLUME}/limits").ok()["limits"]["absolute"]
    assert (absolute["totalVolumesUsed"], absolute["totalGigabytesUsed"], absolute["maxTotalVolumes"]) == (1, 2, 10)
    assert client.get(f"{VOLUME}/limits?project_id={project}").ok()["limits"]["absolute"]["totalVolumesUsed"] == 1
    path = f"{VOLUME}/os-quota-sets/{project}"
    assert volumes.client.get(path).ok()["quota_set"]["volumes"] == 10
    used = volumes.client.get(f"{path}?usage=true").ok()["quota_set"]
    assert used["gigabytes"] == {"limit": 1000, "in_use": 2, "reserved": 0}
    assert used["volumes___DEFAULT__"]["in_use"] == 1
    stranger.get(path).refused(404)
    changed = client.put(path, {"quota_set": {"volumes": 1, "per_volume_gigabytes": 5, "snapshots": 0}}).ok(200)
    assert changed["quota_set"]["volumes"] == 1
    volumes.client.post(VOLUMES, {"volume": {"size": 1}}).refused(413, "volumes")
    volumes.client.post(f"{VOLUME}/snapshots", {"snapshot": {"volume_id": volume_id}}).refused(413, "snapshots")
    client.put(path, {"quota_set": {"volumes": -1, "volumes___DEFAULT__": 1}}).ok(200)
    volumes.client.post(VOLUMES, {"volume": {"size": 6}}).refused(413, "larger")
    volumes.client.post(VOLUMES, {"volume": {"size": 1}}).refused(413, "__DEFAULT__")
    for body in ({}, {"volumes": 0}, {"colour": 1}, {"volumes": "many"}, {"volumes": -2}):
        client.put(path, {"quota_set": body}).refused(400)
    volumes.client.put(path, {"quota_set": {"volumes": 99}}).refused(403)
    assert client.get(f"{path}/defaults").ok()["quota_set"]["volumes"] == 10
    client.delete(path).ok(200)
    assert client.get(path).ok()["quota_set"]["volumes"] == 10


@pytest.mark.parametrize("name", ["default", "other"])
def test_the_default_quotas_are_one_class(boss: Volumes, name: str) -> None:
    path = f"{VOLUME}/os-quota-class-sets/{name}"
    before = boss.client.get(path).ok()["quota_class_set"]
    answer = boss.client.put(path, {"quota_class_set": {"groups": 11}})
    if name != "default":
        answer.refused(400, "class")
        return
    assert answer.ok(200)["quota_class_set"]["groups"] == 11
    boss.client.put(path, {"quota_class_set": {"groups": before["groups"]}}).ok(200)
