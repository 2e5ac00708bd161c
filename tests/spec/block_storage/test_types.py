"""Volume types, what belongs to them, and QoS specs."""

from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Client
from tests.spec.block_storage.conftest import VOLUME, VOLUMES, Volumes

TYPES, QOS = f"{VOLUME}/types", f"{VOLUME}/qos-specs"


def kind(client: Client, **members: Any) -> str:
    body = {"volume_type": {"name": f"kind-{clock.new_id()}", **members}}
    made: str = client.post(TYPES, body).ok(200)["volume_type"]["id"]
    return made


def test_types_are_made_listed_changed_and_deleted_by_administrators(admin: Client, member: Client) -> None:
    admin, member = admin.at("3.71", "volume"), member.at("3.71", "volume")
    made = kind(admin, description="fast", extra_specs={"vendor_name": "pileus", "multiattach": "<is> True"})
    path = f"{TYPES}/{made}"
    assert admin.get(path).ok()["volume_type"]["extra_specs"]["vendor_name"] == "pileus"
    assert member.get(path).ok()["volume_type"]["extra_specs"] == {"multiattach": "<is> True"}
    assert made in [one["id"] for one in member.get(f"{TYPES}?sort=name:asc&limit=1000").ok()["volume_types"]]
    found = member.get(f"{TYPES}?extra_specs={{'multiattach':'<is> True'}}").ok()["volume_types"]
    assert made in [one["id"] for one in found]
    assert member.get(f"{TYPES}?extra_specs={{'vendor_name':'pileus'}}").ok()["volume_types"] == []
    admin.get(f"{TYPES}?extra_specs=x").refused(400, "dictionary")
    name = f"other-{made}"
    assert admin.put(path, {"volume_type": {"name": name}}).ok(200)["volume_type"]["name"] == name
    for body, status in (({}, 400), ({"name": ""}, 400), ({"name": "__DEFAULT__"}, 409), ({"size": 1}, 400)):
        admin.put(path, {"volume_type": body}).refused(status)
    for body, status in (({}, 400), ({"name": name}, 409), ({"name": "x", "extra_specs": {"a": 1}}, 400)):
        admin.post(TYPES, {"volume_type": body}).refused(status)
    for method in ("PUT", "DELETE"):
        member.request(method, path, {"volume_type": {"name": "x"}}).refused(403)
    member.post(TYPES, {"volume_type": {"name": "x"}}).refused(403)
    admin.delete(path).ok(202)
    admin.get(path).refused(404, "volume type")
    default = member.get(f"{TYPES}/default").ok()["volume_type"]
    assert default["name"] == "__DEFAULT__"
    admin.delete(f"{TYPES}/{default['id']}").refused(400, "default")


def test_a_type_in_use_stays(boss: Volumes) -> None:
    made = kind(boss.client)
    volume_id = boss.available(volume_type=made)
    boss.client.delete(f"{TYPES}/{made}").refused(400, "in use")
    boss.client.post(f"{TYPES}/{made}/extra_specs", {"extra_specs": {"multiattach": "<is> True"}}).refused(
        400, "in use"
    )
    boss.client.post(f"{TYPES}/{made}/encryption", {"encryption": {"provider": "luks", "control_location": "front-end"}}
                     ).refused(400, "in use")  # fmt: skip
    assert boss.show(volume_id)["volume_type_id"] == made


def test_extra_specs_are_added_set_and_deleted(admin: Client, member: Client) -> None:
    path = f"{TYPES}/{kind(admin)}/extra_specs"
    assert admin.post(path, {"extra_specs": {"a": "1", "b": "2"}}).ok(200)["extra_specs"] == {"a": "1", "b": "2"}
    assert admin.put(f"{path}/a", {"a": "3"}).ok(200) == {"a": "3"}
    assert admin.get(f"{path}/a").ok(200) == {"a": "3"} and admin.get(path).ok()["extra_specs"]["b"] == "2"
    assert member.get(path).ok()["extra_specs"] == {}
    member.get(f"{path}/a").refused(404)
    admin.delete(f"{path}/a").ok(202)
    admin.get(f"{path}/a").refused(404, "extra specs")
    admin.delete(f"{path}/a").refused(404)
    admin.put(f"{path}/a", {"b": "3"}).refused(400, "mismatch")
    admin.put(f"{path}/a", {"a": "3", "b": "3"}).refused(400, "too many")
    admin.post(path, {"extra_specs": {"a b": "1"}}).refused(400, "key")
    admin.post(path, {}).refused(400, "extra_specs")
    member.post(path, {"extra_specs": {"a": "1"}}).refused(403)


def test_a_private_type_is_its_projects(admin: Client, member: Client, volumes: Volumes) -> None:
    made = kind(admin, **{"os-volume-type-access:is_public": False})
    path, action = f"{TYPES}/{made}", f"{TYPES}/{made}/action"
    member.get(path).refused(404)
    volumes.client.post(VOLUMES, {"volume": {"size": 1, "volume_type": made}}).refused(404)
    admin.post(action, {"addProjectAccess": {"project": member.project_id}}).ok(202)
    admin.post(action, {"addProjectAccess": {"project": member.project_id}}).refused(409, "already")
    assert member.get(path).ok()["volume_type"]["is_public"] is False
    assert made in [one["id"] for one in member.get(TYPES).ok()["volume_types"]]
    assert made in [one["id"] for one in admin.get(f"{TYPES}?is_public=false").ok()["volume_types"]]
    assert made in [one["id"] for one in admin.get(f"{TYPES}?is_public=None").ok()["volume_types"]]
    volumes.available(volume_type=made)
    access = admin.get(f"{path}/os-volume-type-access").ok()["volume_type_access"]
    assert access == [{"volume_type_id": made, "project_id": member.project_id}]
    admin.post(action, {"removeProjectAccess": {"project": member.project_id}}).ok(202)
    admin.post(action, {"removeProjectAccess": {"project": member.project_id}}).refused(404)
    public = kind(admin)
    admin.get(f"{TYPES}/{public}/os-volume-type-access").refused(404, "public")
    admin.post(f"{TYPES}/{public}/action", {"addProjectAccess": {"project": "x"}}).refused(400, "public")
    admin.post(action, {"addProjectAccess": {}}).refused(400, "project")


def test_volumes_of_a_type_that_is_to_be_encrypted_are_refused(boss: Volumes) -> None:
    made = kind(boss.client)
    path = f"{TYPES}/{made}/encryption"
    given = {"provider": "luks", "control_location": "front-end", "key_size": 256, "cipher": "aes"}
    assert boss.client.get(path).ok(200) == {}
    boss.client.post(path, {"encryption": {"provider": "luks"}}).refused(400, "control_location")
    encryption_id = boss.client.post(path, {"encryption": given}).ok(200)["encryption"]["encryption_id"]
    boss.client.post(path, {"encryption": given}).refused(409)
    assert boss.client.get(path).ok()["cipher"] == "aes" and boss.client.get(f"{path}/cipher").ok() == {"cipher": "aes"}
    boss.client.put(f"{path}/{encryption_id}", {"encryption": {"key_size": 128}}).ok(200)
    assert boss.client.get(f"{path}/key_size").ok() == {"key_size": 128}
    boss.client.get(f"{path}/colour").refused(404)
    boss.client.post(VOLUMES, {"volume": {"size": 1, "volume_type": made}}).refused(501, "encrypted")
    boss.client.delete(f"{path}/{encryption_id}").ok(202)
    boss.client.delete(f"{path}/{encryption_id}").refused(404)
    boss.available(volume_type=made)


def test_a_project_has_a_default_type_of_its_own(boss: Volumes, volumes: Volumes) -> None:
    made, project = kind(boss.client), volumes.client.project_id
    path = f"{VOLUME}/default-types/{project}"
    boss.client.get(path).refused(404)
    assert (
        boss.client.put(path, {"default_type": {"volume_type": made}}).ok(200)["default_type"]["volume_type_id"] == made
    )
    assert boss.client.get(path).ok()["default_type"]["project_id"] == project
    assert project in [one["project_id"] for one in boss.client.get(f"{VOLUME}/default-types").ok()["default_types"]]
    assert volumes.show(volumes.available())["volume_type_id"] == made
    boss.client.delete(path).ok(204)
    assert volumes.show(volumes.available())["volume_type"] == "__DEFAULT__"
    boss.client.put(path, {"default_type": {"volume_type": "none"}}).refused(400)
    volumes.client.get(path).refused(403)
    boss.client.at("3.61", "volume").get(path).refused(404)


@pytest.mark.parametrize(
    ("specs", "fits"),
    [
        ({"vendor_name": "pileus"}, True), ({"capabilities:vendor_name": "pileus"}, True), ({"provider:x": "y"}, True),
        ({"vendor_name": "other"}, False), ({"colour": "red"}, False), ({"free_capacity_gb": ">= 1"}, True),
        ({"free_capacity_gb": "> 100000"}, False), ({"thin_provisioning_support": "<is> True"}, True),
        ({"replication_enabled": "<is> True"}, False), ({"vendor_name": "<or> a <or> pileus"}, True),
        ({"vendor_name": "<in> leu"}, True), ({"vendor_name": "s== pileus"}, True), ({"vendor_name": ">= x"}, False),
        ({"RESKEY:availability_zones": "nova,other"}, True), ({"RESKEY:availability_zones": "moon"}, False),
    ],
)  # fmt: skip
def test_backends_are_chosen_by_what_a_type_demands(boss: Volumes, specs: dict[str, str], fits: bool) -> None:
    volume_id = boss.create(volume_type=kind(boss.client, extra_specs=specs))
    boss.reaches("available" if fits else "error", volume_id)
    if not fits:
        told = boss.client.get(f"{VOLUME}/messages?resource_uuid={volume_id}").ok()["messages"][0]
        assert "backend" in told["user_message"]


def test_qos_specs_are_given_to_types(admin: Client, member: Client) -> None:
    name = f"qos-{clock.new_id()}"
    made = admin.post(QOS, {"qos_specs": {"name": name, "consumer": "front-end", "total_iops_sec": "10"}}).ok(200)[
        "qos_specs"
    ]
    path, type_id = f"{QOS}/{made['id']}", kind(admin)
    assert (made["consumer"], made["specs"]) == ("front-end", {"total_iops_sec": "10"})
    admin.put(path, {"qos_specs": {"read_iops_sec": "5"}}).ok(200)
    admin.put(f"{path}/delete_keys", {"keys": ["total_iops_sec"]}).ok(202)
    admin.put(f"{path}/delete_keys", {"keys": ["total_iops_sec"]}).refused(404, "key")
    assert admin.get(path).ok()["qos_specs"]["specs"] == {"read_iops_sec": "5"}
    assert name in [one["name"] for one in admin.get(f"{QOS}?name={name}").ok()["qos_specs"]]
    admin.get(f"{path}/associate?vol_type_id={type_id}").ok(202)
    assert admin.get(f"{path}/associations").ok()["qos_associations"][0]["id"] == type_id
    assert admin.get(f"{TYPES}/{type_id}").ok()["volume_type"]["qos_specs_id"] == made["id"]
    admin.delete(path).refused(400, "in use")
    other = admin.post(QOS, {"qos_specs": {"name": f"other-{name}"}}).ok(200)["qos_specs"]["id"]
    admin.get(f"{QOS}/{other}/associate?vol_type_id={type_id}").refused(400, "already")
    admin.get(f"{path}/disassociate?vol_type_id={type_id}").ok(202)
    admin.get(f"{path}/associate").refused(400, "volume type")
    admin.get(f"{path}/associate?vol_type_id=nobody").refused(404)
    admin.get(f"{path}/associate?vol_type_id={type_id}").ok(202)
    admin.get(f"{path}/disassociate_all").ok(202)
    assert admin.get(f"{path}/associations").ok()["qos_associations"] == []
    for body, status in (({}, 400), ({"name": name}, 409), ({"name": "x", "consumer": "y"}, 400), ({"name": 3}, 400)):
        admin.post(QOS, {"qos_specs": body}).refused(status)
    member.get(QOS).refused(403)
    admin.delete(f"{path}?force=true").ok(202)
    admin.get(path).refused(404)
