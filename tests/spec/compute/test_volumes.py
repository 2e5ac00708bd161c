"""Volumes of servers: attached and detached, booted from, carried along by everything that is done to a server."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from pileus.block_storage import reconcile
from pileus.block_storage.store import Snapshot, Volume, VolumeType
from pileus.compute import reconcile as comparing
from pileus.core import clock
from pileus.core.errors import EngineError
from pileus.node import protocol as p
from pileus.node.errors import NodeError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_flavor, make_image


@pytest.fixture(scope="module", autouse=True)
def backends(world: World) -> None:
    reconcile.look(world.cloud)


@pytest.fixture
def volumes(member: Client) -> Volumes:
    return Volumes(member)


@pytest.fixture
def server_id(servers: Servers, network_id: str) -> Iterator[str]:
    yield servers.active()


def path_of(server_id: str, volume_id: str = "") -> str:
    return f"{SERVERS}/{server_id}/os-volume_attachments{'/' if volume_id else ''}{volume_id}"


def attach(client: Client, server_id: str, volume_id: str, **more: Any) -> Any:
    return client.post(path_of(server_id), {"volumeAttachment": {"volumeId": volume_id, **more}})


def of_guest(world: World, server_id: str) -> dict[str, Any]:
    """As its node was told, by volume."""
    for node in world.cloud.drivers["compute"].fakes.values():
        guest = node.instances.get(server_id)
        if guest is not None and guest.spec is not None:
            return {volume.volume_id: volume for volume in guest.spec.volumes}
    return {}


@pytest.fixture
def attached(servers: Servers, server_id: str, volumes: Volumes, member: Client) -> tuple[str, str]:
    volume_id = volumes.available()
    attach(member, server_id, volume_id).ok(200)
    volumes.reaches("in-use", volume_id)
    return server_id, volume_id


# -- attach and detach -------------------------------------------------------------------------------------------------


def test_a_volume_is_attached_shown_and_detached(
    servers: Servers, server_id: str, volumes: Volumes, member: Client, world: World
) -> None:
    volume_id = volumes.available()
    made = attach(member, server_id, volume_id, device="/dev/vdz").ok(200)["volumeAttachment"]
    assert made == {"id": volume_id, "volumeId": volume_id, "serverId": server_id, "device": "/dev/vdb"}
    (attachment,) = volumes.reaches("in-use", volume_id)["attachments"]
    assert (attachment["server_id"], attachment["device"]) == (server_id, "/dev/vdb")
    assert volume_id in of_guest(world, server_id)
    assert member.get(path_of(server_id)).ok()["volumeAttachments"] == [made]
    assert member.get(path_of(server_id, volume_id)).ok()["volumeAttachment"] == made
    assert servers.show(server_id)["os-extended-volumes:volumes_attached"] == [{"id": volume_id}]
    shown = servers.show(server_id, "2.3")["os-extended-volumes:volumes_attached"]
    assert shown == [{"id": volume_id, "delete_on_termination": False}]
    member.delete(path_of(server_id, volume_id)).ok(202)
    volumes.reaches("available", volume_id)
    assert of_guest(world, server_id) == {}
    member.get(path_of(server_id, volume_id)).refused(404)
    assert member.get(path_of(server_id)).ok()["volumeAttachments"] == []
    assert volumes.show(volume_id)["attachments"] == []


def test_newer_versions_say_more_of_an_attachment(server_id: str, volumes: Volumes, member: Client) -> None:
    volume_id = volumes.available()
    member.at("2.48").post(path_of(server_id), {"volumeAttachment": {"volumeId": volume_id, "tag": "x"}}).refused(400)
    body = {"volumeId": volume_id, "tag": "data", "delete_on_termination": True}
    member.at("2.78").post(path_of(server_id), {"volumeAttachment": body}).refused(400, "delete_on_termination")
    made = member.at("2.79").post(path_of(server_id), {"volumeAttachment": body}).ok(200)["volumeAttachment"]
    assert (made["tag"], made["delete_on_termination"]) == ("data", True)
    volumes.reaches("in-use", volume_id)
    one = path_of(server_id, volume_id)
    assert "tag" not in member.at("2.69").get(one).ok()["volumeAttachment"]
    assert set(member.at("2.70").get(one).ok()["volumeAttachment"]) == {"id", "volumeId", "serverId", "device", "tag"}
    newest = member.at("2.89").get(one).ok()["volumeAttachment"]
    assert newest["attachment_id"] == volumes.show(volume_id)["attachments"][0]["attachment_id"]
    assert newest["bdm_uuid"] and "id" not in newest
    change = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": False}}
    member.at("2.85").put(one, change).ok(202)
    assert member.at("2.89").get(one).ok()["volumeAttachment"]["delete_on_termination"] is False
    for wrong in ({"tag": "other"}, {"device": "/dev/vdx"}, {"serverId": "other"}, {"id": "other"}):
        body = {"volumeId": volume_id, **wrong}
        member.at("2.85").put(one, {"volumeAttachment": body}).refused(400, "cannot be changed")


def test_attachments_are_listed_in_pages(server_id: str, volumes: Volumes, member: Client) -> None:
    made = [volumes.available() for _ in range(3)]
    for volume_id in made:
        attach(member, server_id, volume_id).ok(200)
    for volume_id in made:
        volumes.reaches("in-use", volume_id)
    found = member.get(path_of(server_id)).ok()["volumeAttachments"]
    assert [one["device"] for one in found] == ["/dev/vdb", "/dev/vdc", "/dev/vdd"]
    page = member.get(path_of(server_id) + "?limit=1&offset=1").ok()["volumeAttachments"]
    assert [one["id"] for one in page] == made[1:2]
    member.get(path_of(server_id) + "?limit=x").refused(400, "limit")


def test_what_cannot_be_attached_is_refused(
    servers: Servers, attached: tuple[str, str], member: Client, admin: Client
) -> None:
    server_id, volume_id = attached
    attach(member, server_id, "5dc8b4a3-0000-4000-8000-000000000000").refused(404)
    attach(member, server_id, "nonsense").refused(400)
    attach(member, server_id, volume_id).refused(400, "already")
    attach(member, server_id, volume_id, device="/dev/../x y").refused(400, "device")
    other = servers.active()
    attach(member, other, volume_id).refused(400, "in-use")
    member.delete(path_of(other, volume_id)).refused(404)
    foreign = Volumes(admin).available()
    attach(member, other, foreign).refused(404)
    servers.do(other, "lock").ok(202)
    attach(member, other, volume_id).refused(409, "locked")
    servers.do(server_id, "suspend").ok(202)
    servers.reaches("SUSPENDED", server_id)
    member.delete(path_of(server_id, volume_id)).refused(409, "suspended")


def test_swapping_volumes_is_an_administrators(attached: tuple[str, str], member: Client) -> None:
    server_id, volume_id = attached
    body = {"volumeAttachment": {"volumeId": "5dc8b4a3-0000-4000-8000-000000000000"}}
    member.put(path_of(server_id, volume_id), body).refused(403)


def test_a_guest_that_does_not_let_go_keeps_its_volume(
    attached: tuple[str, str], servers: Servers, volumes: Volumes, member: Client, world: World
) -> None:
    server_id, volume_id = attached
    for node in world.cloud.drivers["compute"].fakes.values():
        node.fail("detach_volume", error=NodeError("engine", "the guest does not let go"))
    member.delete(path_of(server_id, volume_id)).ok(202)
    actions = f"{SERVERS}/{server_id}/os-instance-actions"
    eventually(lambda: [one for one in member.get(actions).ok()["instanceActions"] if one["message"] == "Error"])
    for node in world.cloud.drivers["compute"].fakes.values():
        node.fail("detach_volume", times=0)
    volumes.reaches("in-use", volume_id)
    assert volume_id in of_guest(world, server_id)
    member.delete(path_of(server_id, volume_id)).ok(202)
    volumes.reaches("available", volume_id)


def test_a_failing_attach_leaves_the_volume_available(
    server_id: str, volumes: Volumes, member: Client, world: World
) -> None:
    volume_id = volumes.available()
    for node in world.cloud.drivers["compute"].fakes.values():
        node.fail("attach_volume", error=NodeError("engine", "no slot is free"))
    attach(member, server_id, volume_id).ok(200)
    volumes.reaches("available", volume_id)
    for node in world.cloud.drivers["compute"].fakes.values():
        node.fail("attach_volume", times=0)
    assert of_guest(world, server_id) == {}
    assert member.get(path_of(server_id)).ok()["volumeAttachments"] == []


def test_a_deleted_server_leaves_its_volumes_but_those_that_were_to_end_with_it(
    attached: tuple[str, str], servers: Servers, volumes: Volumes, member: Client
) -> None:
    server_id, volume_id = attached
    short = volumes.available()
    attach(member.at("2.79"), server_id, short, delete_on_termination=True).ok(200)
    volumes.reaches("in-use", short)
    member.delete(f"{SERVERS}/{server_id}").ok(204)
    servers.gone(server_id)
    volumes.reaches("available", volume_id)
    volumes.gone(short)


def test_one_volume_several_servers(servers: Servers, world: World, member: Client, network_id: str) -> None:
    type_id = clock.new_id()
    with world.cloud.db.write() as tx:
        tx.insert(VolumeType(type_id, f"shared-{type_id}", None, True, {"multiattach": "<is> True"}, clock.now()))
    volumes = Volumes(member)
    volume_id = volumes.available(volume_type=type_id)
    one, other = servers.active(), servers.active()
    attach(member.at("2.59"), one, volume_id).refused(400, "2.60")
    for server_id in (one, other):
        attach(member.at("2.60"), server_id, volume_id).ok(200)
        eventually(lambda server_id=server_id: [  # type: ignore[misc]
            found for found in volumes.show(volume_id)["attachments"] if found["server_id"] == server_id
        ])  # fmt: skip
    volumes.reaches("in-use", volume_id)
    member.delete(path_of(one, volume_id)).ok(202)
    eventually(lambda: len(volumes.show(volume_id)["attachments"]) == 1)
    assert volumes.show(volume_id)["status"] == "in-use"
    member.delete(path_of(other, volume_id)).ok(202)
    volumes.reaches("available", volume_id)


def test_what_a_host_and_the_rows_say_of_volumes_is_made_the_same(attached: tuple[str, str], world: World) -> None:
    server_id, volume_id = attached
    nodes = world.cloud.drivers["compute"].fakes
    (node,) = (node for node in nodes.values() if server_id in node.instances)
    node.detach_volume(p.DetachVolume(server_id=server_id, volume_id=volume_id))
    for _ in range(2):
        comparing.compare_hosts(world.cloud)
    assert of_guest(world, server_id).keys() == {volume_id}
    nobodys = clock.new_id()
    node.ensure_volume(p.EnsureVolume(volume_id=nobodys, size_gb=1))
    node.attach_volume(p.AttachVolume(server_id=server_id, volume=p.AttachedVolume(volume_id=nobodys, device="vdx")))
    for _ in range(2):
        comparing.compare_hosts(world.cloud)
    assert of_guest(world, server_id).keys() == {volume_id}


# -- booted from -------------------------------------------------------------------------------------------------------


def device(kind: str, **more: Any) -> dict[str, Any]:
    return {"source_type": kind, "destination_type": "volume", "boot_index": 0, **more}


def booted(servers: Servers, *devices: dict[str, Any], **members: Any) -> str:
    return servers.active(imageRef=..., block_device_mapping_v2=list(devices), **members)


@pytest.fixture
def from_volume(servers: Servers, network_id: str) -> str:
    root = device("image", uuid=servers.image_id, volume_size=1, delete_on_termination=True)
    return booted(servers, root, tags=...)


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


NOWHERE = "5dc8b4a3-0000-4000-8000-000000000000"


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
    assert servers.client.get(path_of(server_id)).ok()["volumeAttachments"] == []


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


# -- older doors -------------------------------------------------------------------------------------------------------


def test_volumes_through_the_older_door(servers: Servers, volumes: Volumes, member: Client) -> None:
    older = f"{COMPUTE}/os-volumes"
    body = {"volume": {"size": 1, "display_name": "old", "metadata": {"a": "b"}}}
    made = member.post(older, body).ok(200)["volume"]
    assert (made["displayName"], made["metadata"], made["attachments"]) == ("old", {"a": "b"}, [{}])
    volumes.reaches("available", made["id"])
    assert member.get(f"{older}/{made['id']}").ok()["volume"]["status"] == "available"
    for path in (older, f"{older}/detail"):
        assert made["id"] in {one["id"] for one in member.get(path).ok()["volumes"]}
    assert len(member.get(f"{older}?limit=1").ok()["volumes"]) == 1
    for wrong in ({}, {"size": 0}, {"size": "big"}, {"size": 1, "snapshot_id": NOWHERE}):
        member.post(older, {"volume": wrong}).refused(400)
    shots = f"{COMPUTE}/os-snapshots"
    shot = member.post(shots, {"snapshot": {"volume_id": made["id"], "display_name": "then"}}).ok(200)["snapshot"]
    eventually(lambda: member.get(f"{shots}/{shot['id']}").ok()["snapshot"]["status"] == "available")
    for path in (shots, f"{shots}/detail"):
        assert shot["id"] in {one["id"] for one in member.get(path).ok()["snapshots"]}
    member.delete(f"{older}/{made['id']}").refused(400)
    member.delete(f"{shots}/{shot['id']}").ok(202)
    eventually(lambda: member.get(f"{shots}/{shot['id']}").status == 404)
    member.delete(f"{older}/{made['id']}").ok(202)
    volumes.gone(made["id"])
    for path in (older, f"{older}/{made['id']}", shots, f"{shots}/{shot['id']}"):
        member.at("2.36").get(path).refused(404)
        member.get(f"{path}/nothing").refused(404)


def test_a_snapshot_of_a_volume_in_use_is_made_as_block_storage_asks(
    attached: tuple[str, str], volumes: Volumes, admin: Client, member: Client, world: World
) -> None:
    _, volume_id = attached
    path, snapshot_id = f"{COMPUTE}/os-assisted-volume-snapshots", clock.new_id()
    info = {"snapshot_id": snapshot_id, "type": "qcow2", "new_file": "new"}
    body = {"snapshot": {"volume_id": volume_id, "create_info": info}}
    member.post(path, body).refused(403)
    assert admin.post(path, body).ok(200) == {"snapshot": {"id": snapshot_id, "volumeId": volume_id}}

    def held() -> set[str]:
        nodes = world.cloud.drivers["compute"].fakes.values()
        return {one.snapshot_id for node in nodes for one in node.list_volumes().snapshots}

    assert snapshot_id in held()
    for wrong in ("", "?delete_info=x", "?delete_info=[]", "?delete_info={}"):
        admin.delete(f"{path}/{snapshot_id}{wrong}").refused(400)
    told = quote(json.dumps({"volume_id": volume_id}))
    admin.delete(f"{path}/{snapshot_id}?delete_info={told}").ok(204)
    assert snapshot_id not in held()
    free = volumes.available()
    admin.post(path, {"snapshot": {"volume_id": free, "create_info": info}}).refused(400, "no server")
    admin.post(path, {"snapshot": {"volume_id": NOWHERE, "create_info": info}}).refused(404)
    admin.post(path, {"snapshot": {"volume_id": free}}).refused(400)
    elsewhere = quote(json.dumps({"volume_id": NOWHERE}))
    admin.delete(f"{path}/{snapshot_id}?delete_info={elsewhere}").refused(404)


# -- carried along -----------------------------------------------------------------------------------------------------


def test_a_server_keeps_its_volumes_through_what_is_done_to_it(
    attached: tuple[str, str], servers: Servers, volumes: Volumes, world: World, admin: Client
) -> None:
    server_id, volume_id = attached

    def through(action: str, arguments: Any, status: str, client: Client = servers.client) -> None:
        client.post(f"{SERVERS}/{server_id}/action", {action: arguments}).ok()
        servers.reaches(status, server_id)

    for action, arguments, status in (
        ("reboot", {"type": "HARD"}, "ACTIVE"), ("rescue", None, "RESCUE"), ("unrescue", None, "ACTIVE"),
        ("rebuild", {"imageRef": servers.image_id}, "ACTIVE"),
        ("resize", {"flavorRef": make_flavor(admin, ram=128)}, "VERIFY_RESIZE"), ("revertResize", None, "ACTIVE"),
        ("shelve", None, "SHELVED_OFFLOADED"),
    ):  # fmt: skip
        through(action, arguments, status)
    assert volumes.show(volume_id)["attachments"] and of_guest(world, server_id) == {}
    through("unshelve", None, "ACTIVE")
    assert of_guest(world, server_id).keys() == {volume_id}
    live = {"host": None, "block_migration": True, "disk_over_commit": False}
    through("os-migrateLive", live, "ACTIVE", admin)
    assert of_guest(world, server_id).keys() == {volume_id}
    volumes.reaches("in-use", volume_id)
    servers.client.delete(path_of(server_id, volume_id)).ok(202)
    volumes.reaches("available", volume_id)
    assert not any(
        one.exported for node in world.cloud.drivers["compute"].fakes.values() for one in node.list_volumes().volumes
        if one.volume_id == volume_id
    )  # fmt: skip


def test_a_server_that_boots_from_a_volume_is_shelved_as_it_is(
    from_volume: str, servers: Servers, world: World, admin: Client
) -> None:
    servers.do(from_volume, "shelve").ok(202)
    servers.reaches("SHELVED_OFFLOADED", from_volume)
    servers.do(from_volume, "unshelve").ok(202)
    servers.reaches("ACTIVE", from_volume)
    assert [volume.device for volume in of_guest(world, from_volume).values()] == ["vda"]
    servers.do(from_volume, "rescue").refused(400, "2.87")
    servers.client.at("2.87").post(f"{SERVERS}/{from_volume}/action", {"rescue": {}}).ok(200)
    servers.reaches("RESCUE", from_volume)
    servers.do(from_volume, "unrescue").ok(202)
    servers.reaches("ACTIVE", from_volume)
    servers.do(from_volume, "resize", {"flavorRef": make_flavor(admin, ram=128)}).ok(202)
    servers.reaches("VERIFY_RESIZE", from_volume)
    servers.do(from_volume, "confirmResize").ok(204)
    servers.reaches("ACTIVE", from_volume)


def test_a_volume_that_is_booted_from_is_made_anew_from_another_image(
    from_volume: str, servers: Servers, volumes: Volumes, world: World, admin: Client
) -> None:
    (root,) = of_guest(world, from_volume)
    path, other = f"{SERVERS}/{from_volume}/action", make_image(admin, visibility="public")
    servers.client.at("2.92").post(path, {"rebuild": {"imageRef": other}}).refused(400, "different image")
    servers.client.at("2.92").post(path, {"rebuild": {"imageRef": servers.image_id}}).ok(202)
    servers.reaches("ACTIVE", from_volume)
    servers.client.at("2.93").post(path, {"rebuild": {"imageRef": other}}).ok(202)
    servers.reaches("ACTIVE", from_volume)
    assert volumes.reaches("in-use", root)["volume_image_metadata"]["image_id"] == other
    assert of_guest(world, from_volume).keys() == {root}


def test_a_shelved_server_is_given_a_volume_and_has_it_when_it_is_back(
    server_id: str, servers: Servers, volumes: Volumes, world: World
) -> None:
    volume_id, other = volumes.available(), volumes.available()
    servers.do(server_id, "shelve").ok(202)
    servers.reaches("SHELVED_OFFLOADED", server_id)
    for one in (volume_id, other):
        attach(servers.client, server_id, one).ok(200)
        volumes.reaches("in-use", one)
    servers.client.delete(path_of(server_id, other)).ok(202)
    volumes.reaches("available", other)
    servers.do(server_id, "unshelve").ok(202)
    servers.reaches("ACTIVE", server_id)
    volumes.reaches("in-use", volume_id)
    assert of_guest(world, server_id).keys() == {volume_id}
