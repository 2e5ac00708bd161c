"""Volumes of servers: attached, shown, and detached."""

from pileus.block_storage.store import VolumeType
from pileus.compute import reconcile as comparing
from pileus.core import clock
from pileus.node import protocol as p
from pileus.node.errors import NodeError
from tests.harness import Client, World, eventually
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import SERVERS, Servers
from tests.spec.compute.volumes.conftest import attach, of_guest, path_of


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
