"""Volumes through all that is done to their servers."""

from typing import Any

from tests.harness import Client, World
from tests.spec.block_storage.conftest import Volumes
from tests.spec.compute.conftest import SERVERS, Servers, make_flavor, make_image
from tests.spec.compute.volumes.conftest import attach, of_guest, path_of


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
    only_volumes = {"host": None, "block_migration": False, "disk_over_commit": False}
    admin.post(f"{SERVERS}/{from_volume}/action", {"os-migrateLive": only_volumes}).ok(202)
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
