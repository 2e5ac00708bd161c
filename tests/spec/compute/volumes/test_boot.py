"""Servers that boot from volumes, or get them when they are created."""

import json
from typing import Any

import pytest

from pileus.block_storage.store import Snapshot, Volume
from pileus.core import clock
from pileus.core.errors import EngineError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import SERVERS, Servers, make_flavor
from tests.spec.compute.volumes.conftest import NOWHERE, booted, device, of_guest, path_of


def test_a_server_boots_from_a_volume_that_is_made_from_an_image(
    servers: Servers, from_volume: str, volumes: Volumes, world: World
) -> None:
    shown = servers.show(from_volume, "2.3")
    assert shown["image"] == ""
    (attached,) = shown["os-extended-volumes:volumes_attached"]
    assert attached["delete_on_termination"] is True
    volume = volumes.reaches("in-use", attached["id"])
    assert (volume["bootable"], volume["attachments"][0]["device"]) == ("true", "/dev/vda")
    assert of_guest(world, from_volume)[volume["id"]].device == "vda"
    servers.client.delete(path_of(from_volume, volume["id"])).refused(403, "root device")
    servers.client.delete(f"{SERVERS}/{from_volume}").ok(204)
    servers.gone(from_volume)
    volumes.gone(volume["id"])


def test_a_server_boots_from_volumes_and_snapshots_that_are_there(
    servers: Servers, volumes: Volumes, network_id: str, world: World
) -> None:
    root = volumes.available(imageRef=servers.image_id)
    snapshot_id = clock.new_id()
    with world.cloud.db.write() as tx:
        volume = tx.get(Volume, id=root)
        row = Snapshot(
            snapshot_id, root, volume.project_id, volume.user_id, "then", None, 1, "available", clock.now()
        )  # fmt: skip
        tx.insert(row)
    world.cloud.drivers["block_storage"].create_snapshot(volume.host, root, snapshot_id)
    server_id = booted(
        servers, device("volume", uuid=root), device("snapshot", uuid=snapshot_id, boot_index=-1),
        device("blank", volume_size=2, boot_index=None, delete_on_termination=True),
    )  # fmt: skip
    found = servers.client.get(path_of(server_id)).ok()["volumeAttachments"]
    assert [one["device"] for one in found] == ["/dev/vda", "/dev/vdb", "/dev/vdc"]
    assert [volumes.show(one["id"])["size"] for one in found] == [1, 1, 2]
    assert of_guest(world, server_id).keys() == {one["id"] for one in found}
    assert all(volumes.reaches("in-use", one["id"]) for one in found)


def test_the_older_way_to_name_volumes(servers: Servers, volumes: Volumes, network_id: str) -> None:
    root = volumes.available(imageRef=servers.image_id)
    mapping = [{"device_name": "vda", "volume_id": root, "delete_on_termination": "1"}]
    server_id = servers.active(imageRef=..., block_device_mapping=mapping)
    (found,) = servers.show(server_id, "2.3")["os-extended-volumes:volumes_attached"]
    assert found == {"id": root, "delete_on_termination": True}


def test_local_disks_other_than_the_flavors(servers: Servers, admin: Client, network_id: str, world: World) -> None:
    flavor_id = make_flavor(admin, swap=128, **{"OS-FLV-EXT-DATA:ephemeral": 4})
    local = {"source_type": "blank", "destination_type": "local", "boot_index": -1}
    image = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": servers.image_id}
    disks = [
        image,
        {**local, "volume_size": 3, "guest_format": "vfat"},
        {**local, "guest_format": "swap", "volume_size": 64},
    ]
    server_id = servers.active(flavorRef=flavor_id, block_device_mapping_v2=disks)
    for node in world.cloud.drivers["compute"].fakes.values():
        if server_id in node.instances:
            sizes = {disk.role: disk.size for disk in node.instances[server_id].disks.values()}
    assert sizes["ephemeral0"] == 3 << 30 and sizes["swap"] == 64 << 20
    too_much = [image, {**local, "volume_size": 5}]
    servers.client.post(SERVERS, servers.body(flavorRef=flavor_id, block_device_mapping_v2=too_much)).refused(
        400, "larger"
    )


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        ([device("volume", uuid=NOWHERE)], "failed to get volume"),
        ([device("snapshot", uuid=NOWHERE)], "failed to get snapshot"),
        ([device("image", uuid=NOWHERE, volume_size=1)], "could not be found"),
        ([device("blank")], "non-zero size"),
        ([device("image", uuid="IMAGE")], "non-zero size"),
        ([device("blank", volume_size=1, boot_index=1)], "Boot sequence"),
        ([device("blank", volume_size=1), device("blank", volume_size=1)], "Boot sequence"),
        ([device("volume")], "Missing device UUID"),
        ([device("blank", uuid=NOWHERE, volume_size=1)], "no uuid"),
        ([device("nonsense")], "source_type"),
        ([{**device("volume", uuid=NOWHERE), "destination_type": "local"}], "not supported"),
        ([{**device("blank", volume_size=1), "destination_type": "elsewhere"}], "destination_type"),
        ([device("blank", volume_size="much")], "volume_size"),
        ([device("blank", volume_size=1, boot_index=[])], "boot_index"),
        (["nonsense"], "object"),
        ([device("blank", volume_size=1, volume_type="fast")], "volume_type"),
        ([device("blank", volume_size=1, surprise=True)], "surprise"),
        ([device("blank", volume_size=1, tag="x")], "tag"),
    ],
)  # fmt: skip
def test_devices_that_make_no_sense_are_refused(
    servers: Servers, network_id: str, devices: list[Any], why: str
) -> None:
    for one in devices:
        if isinstance(one, dict) and one.get("uuid") == "IMAGE":
            one["uuid"] = servers.image_id
    body = servers.body(imageRef=..., block_device_mapping_v2=devices)
    servers.client.post(SERVERS, body).refused(400, why)


def test_a_volume_that_does_not_boot_is_refused(servers: Servers, volumes: Volumes, network_id: str) -> None:
    volume_id = volumes.available()
    body = servers.body(imageRef=..., block_device_mapping_v2=[device("volume", uuid=volume_id)])
    servers.client.post(SERVERS, body).refused(400, "not bootable")
    root = volumes.available(imageRef=servers.image_id)
    two = servers.body(imageRef=..., block_device_mapping_v2=[device("volume", uuid=root)], min_count=2)
    servers.client.post(SERVERS, two).refused(400, "multiple")
    assert volumes.show(root)["status"] == "available"


def test_a_server_whose_volume_cannot_be_made_fails_and_leaves_nothing(
    servers: Servers, volumes: Volumes, network_id: str, world: World
) -> None:
    driver = world.cloud.drivers["block_storage"]
    driver.fail("create", error=EngineError("no room"))
    root = device("blank", volume_size=1)
    server_id = servers.create(imageRef=..., block_device_mapping_v2=[root])
    failed = eventually(lambda: servers.show(server_id)["status"] == "ERROR" and servers.show(server_id))
    driver.fail("create", times=0)
    assert "could not be made" in failed["fault"]["message"]
    # it is told first, and undone then
    eventually(lambda: servers.client.get(path_of(server_id)).ok()["volumeAttachments"] == [])


def test_an_image_of_a_server_that_boots_from_a_volume_is_its_snapshots(
    from_volume: str, servers: Servers, volumes: Volumes, world: World
) -> None:
    path = f"{SERVERS}/{from_volume}/action"
    made = servers.client.at("2.45").post(path, {"createImage": {"name": "copy"}}).ok(202)["image_id"]
    image = eventually(
        lambda: (found := servers.client.get(f"/image/v2/images/{made}").ok())["status"] == "active" and found
    )
    (device_,) = json.loads(image["block_device_mapping"])
    assert (image["size"], device_["boot_index"], device_["source_type"]) == (0, 0, "snapshot")
    snapshot = f"/volume/v3/snapshots/{device_['snapshot_id']}"
    eventually(lambda: volumes.client.get(snapshot).ok()["snapshot"]["status"] == "available")
    again = servers.active(imageRef=made)
    assert servers.show(again)["image"] == ""
    assert [volume.device for volume in of_guest(world, again).values()] == ["vda"]
    backup = {"name": "b", "backup_type": "daily", "rotation": 1}
    servers.do(from_volume, "createBackup", backup).refused(400, "volume-backed")


def test_it_boots_from_its_volume_and_not_from_its_config_drive(
    servers: Servers, network_id: str, world: World
) -> None:
    root = device("image", uuid=servers.image_id, volume_size=1, delete_on_termination=True)
    server_id = booted(servers, root, device("blank", volume_size=1, boot_index=-1), config_drive=True)
    assert [volume.device for volume in of_guest(world, server_id).values()] == ["vda", "vdc"]
