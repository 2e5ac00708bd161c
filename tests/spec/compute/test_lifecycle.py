"""What becomes of a server beyond running and being off: held, rescued, made anew, shelved, in another size."""

from typing import Any

import pytest

from pileus.core import clock
from tests.harness import Client, World, eventually
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers, make_flavor, make_image


def node_of(world: World, servers: Servers, server_id: str) -> Any:
    with world.cloud.db.read() as tx:
        from pileus.compute.store import Server

        host = tx.get(Server, id=server_id).host
    return world.cloud.drivers["compute"].fakes[host]


@pytest.mark.parametrize(
    ("there", "status", "power", "back"),
    [("pause", "PAUSED", 3, "unpause"), ("suspend", "SUSPENDED", 4, "resume")],
)
def test_a_server_is_held_and_goes_on(servers: Servers, there: str, status: str, power: int, back: str) -> None:
    server_id = servers.active()
    servers.do(server_id, back).refused(409, "vm_state active")
    servers.do(server_id, there, {"now": True}).refused(400, there)
    servers.do(server_id, there).ok(202)
    assert servers.reaches(status, server_id)["OS-EXT-STS:power_state"] == power
    servers.do(server_id, there).refused(409)
    servers.do(server_id, "reboot", {"type": "SOFT"}).refused(409)
    servers.do(server_id, back).ok(202)
    assert servers.reaches("ACTIVE", server_id)["OS-EXT-STS:power_state"] == 1


@pytest.mark.parametrize("there", ["pause", "suspend"])
def test_a_hard_reboot_ends_every_hold(servers: Servers, there: str) -> None:
    server_id = servers.active()
    servers.do(server_id, there).ok(202)
    eventually(lambda: servers.show(server_id)["OS-EXT-STS:task_state"] is None)
    servers.do(server_id, "reboot", {"type": "HARD"}).ok(202)
    servers.reaches("ACTIVE", server_id)


@pytest.mark.parametrize("hold", [None, "pause", "suspend", "os-stop", "shelve", "rescue"])
def test_a_server_is_deleted_from_any_state(servers: Servers, member: Client, hold: str | None) -> None:
    server_id = servers.active()
    if hold:
        servers.do(server_id, hold).ok()
        eventually(lambda: servers.show(server_id)["OS-EXT-STS:task_state"] is None)
    servers.do(server_id, "forceDelete").ok(202)
    servers.gone(server_id)
    assert member.get("/image/v2/images?owner=" + member.project_id).ok()["images"] == []


def test_a_rescued_server_boots_from_another_image_with_its_disk_beside_it(servers: Servers, world: World) -> None:
    server_id = servers.active()
    node = node_of(world, servers, server_id)
    given = {"rescue_image_ref": servers.image_id, "adminPass": "secret"}
    assert servers.do(server_id, "rescue", given).ok(200) == {"adminPass": "secret"}
    servers.reaches("RESCUE", server_id)
    assert set(node.instances[server_id].disks) == {"rescue", "root"}
    for action, arguments in [("rebuild", {"imageRef": servers.image_id}), ("os-stop", None), ("rescue", None)]:
        servers.do(server_id, action, arguments).refused(409, "rescued")
    servers.do(server_id, "unrescue").ok(202)
    servers.reaches("ACTIVE", server_id)
    assert set(node.instances[server_id].disks) == {"root"}


def test_a_rescue_needs_an_image_that_is_there(servers: Servers) -> None:
    server_id = servers.active()
    servers.do(server_id, "rescue", {"rescue_image_ref": clock.new_id()}).refused(400, "could not be found")
    servers.do(server_id, "rescue", {"colour": "red"}).refused(400, "colour")
    servers.do(server_id, "unrescue").refused(409, "vm_state active")


# -- rebuild -----------------------------------------------------------------------------------------------------------


def test_a_server_is_rebuilt_from_another_image_and_keeps_its_address(servers: Servers, network_id: str) -> None:
    server_id = servers.active()
    before = servers.show(server_id)
    image_id = make_image(servers.client)
    given = {"imageRef": image_id, "name": "again", "metadata": {"a": "b"}, "adminPass": "secret"}
    rebuilt = servers.do(server_id, "rebuild", given).ok(202)["server"]
    assert rebuilt["adminPass"] == "secret" and rebuilt["status"] == "REBUILD"
    after = servers.reaches("ACTIVE", server_id)
    assert (after["image"]["id"], after["name"], after["metadata"]) == (image_id, "again", {"a": "b"})
    assert after["addresses"] == before["addresses"] and after["hostId"] == before["hostId"]


def test_a_stopped_server_is_rebuilt_and_stays_stopped(servers: Servers) -> None:
    server_id = servers.active()
    servers.do(server_id, "os-stop").ok(202)
    servers.reaches("SHUTOFF", server_id)
    servers.do(server_id, "rebuild", {"imageRef": servers.image_id}).ok(202)
    assert servers.reaches("SHUTOFF", server_id)["OS-EXT-STS:power_state"] == 4


@pytest.mark.parametrize(
    ("version", "given", "shown"),
    [
        ("2.19", {"description": "new"}, {"description": "new"}),
        ("2.54", {"key_name": None}, {"key_name": None}),
        ("2.57", {"user_data": "aGVsbG8="}, {"user_data": "aGVsbG8="}),
        ("2.90", {"hostname": "other"}, {"OS-EXT-SRV-ATTR:hostname": "other"}),
    ],
)
def test_newer_versions_let_a_rebuild_change_more(
    servers: Servers, version: str, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    server_id = servers.active()
    body = {"rebuild": {"imageRef": servers.image_id, **given}}
    older = f"2.{int(version[2:]) - 1}"
    servers.client.at(older).post(f"{SERVERS}/{server_id}/action", body).refused(400, next(iter(given)))
    rebuilt = servers.client.at(version).post(f"{SERVERS}/{server_id}/action", body).ok(202)["server"]
    assert {name: rebuilt[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "imageRef"),
        ({"imageRef": "nothing"}, "imageRef"),
        ({"imageRef": "00000000-0000-4000-8000-000000000000"}, "could not be found"),
        ({"imageRef": "$image", "name": ""}, "name"),
        ({"imageRef": "$image", "colour": 1}, "colour"),
        ({"imageRef": "$image", "metadata": {"a": 1}}, "metadata"),
    ],
)
def test_a_rebuild_that_cannot_be_is_refused(servers: Servers, given: dict[str, Any], words: str) -> None:
    server_id = servers.active()
    filled = {key: servers.image_id if value == "$image" else value for key, value in given.items()}
    servers.do(server_id, "rebuild", filled).refused(400, words)
    servers.reaches("ACTIVE", server_id)


# -- images ------------------------------------------------------------------------------------------------------------


def test_an_image_of_a_server_makes_another_server(servers: Servers, member: Client) -> None:
    server_id = servers.active()
    path = f"{SERVERS}/{server_id}/action"
    answer = member.post(path, {"createImage": {"name": "copy", "metadata": {"kind": "golden"}}})
    answer.ok(202)
    image_id = answer.headers["location"].rpartition("/")[2]
    servers.reaches("ACTIVE", server_id)
    image = member.get(f"/image/v2/images/{image_id}").ok()
    assert (image["status"], image["disk_format"], image["visibility"]) == ("active", "qcow2", "private")
    assert (image["kind"], image["instance_uuid"], image["image_type"]) == ("golden", server_id, "snapshot")
    servers.active(imageRef=image_id)
    newer = member.at("2.45").post(path, {"createImage": {"name": "copy"}})
    assert set(newer.ok(202)) == {"image_id"} and "location" not in newer.headers


def test_a_failed_image_leaves_none_and_the_server_as_it_was(servers: Servers, world: World, member: Client) -> None:
    server_id = servers.active()
    from pileus.node.errors import NodeError

    node_of(world, servers, server_id).fail("make_snapshot", error=NodeError("no_space", "the disk is full"))
    servers.do(server_id, "createImage", {"name": "copy"}).ok(202)
    servers.reaches("ACTIVE", server_id)
    eventually(lambda: member.get("/image/v2/images?name=copy").ok()["images"] == [])
    action = member.get(f"{SERVERS}/{server_id}/os-instance-actions").ok()["instanceActions"][0]
    assert (action["action"], action["message"]) == ("createImage", "Error")


def test_of_backups_only_the_newest_are_kept(servers: Servers, member: Client) -> None:
    server_id = servers.active()
    for name in ("one", "two", "three"):
        given = {"name": name, "backup_type": "daily", "rotation": 2}
        servers.do(server_id, "createBackup", given).ok(202)
        servers.reaches("ACTIVE", server_id)
    found = member.get("/image/v2/images?backup_type=daily").ok()["images"]
    assert {image["name"] for image in found} == {"two", "three"}
    servers.do(server_id, "createBackup", {"name": "x", "backup_type": "daily", "rotation": -1}).refused(
        400, "rotation"
    )


# -- shelve ------------------------------------------------------------------------------------------------------------


def test_a_shelved_server_frees_its_host_and_comes_back_as_it_was(
    servers: Servers, network_id: str, member: Client, world: World
) -> None:
    server_id = servers.active()
    before = servers.show(server_id)["addresses"]
    servers.do(server_id, "unshelve").refused(409, "vm_state active")
    servers.do(server_id, "shelve").ok(202)
    shelved = servers.reaches("SHELVED_OFFLOADED", server_id)
    assert shelved["hostId"] == "" and shelved["addresses"] == before
    assert all(server_id not in node.instances for node in world.cloud.drivers["compute"].fakes.values())
    assert member.get("/image/v2/images?name=web-shelved").ok()["images"][0]["status"] == "active"
    servers.do(server_id, "shelve").refused(409)
    servers.do(server_id, "os-start").refused(409)
    servers.do(server_id, "unshelve").ok(202)
    assert servers.reaches("ACTIVE", server_id)["addresses"] == before
    assert member.get("/image/v2/images?name=web-shelved").ok()["images"] == []


def test_a_server_is_unshelved_where_an_administrator_says(servers: Servers, admin: Client) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    server_id = own.active(availability_zone="nova:fake-1")
    own.do(server_id, "shelve").ok(202)
    own.reaches("SHELVED_OFFLOADED", server_id)
    path = f"{SERVERS}/{server_id}/action"
    admin.at("2.91").post(path, {"unshelve": {"host": "nowhere"}}).refused(400, "nowhere")
    admin.at("2.77").post(path, {"unshelve": {"availability_zone": "mars"}}).refused(400, "mars")
    admin.at("2.77").post(path, {"unshelve": {}}).refused(400)
    admin.at("2.91").post(path, {"unshelve": {"host": "fake-2"}}).ok(202)
    assert own.reaches("ACTIVE", server_id)["OS-EXT-SRV-ATTR:host"] == "fake-2"


def test_a_server_that_finds_no_host_stays_shelved(servers: Servers, admin: Client, world: World) -> None:
    server_id = servers.active()
    servers.do(server_id, "shelve").ok(202)
    servers.reaches("SHELVED_OFFLOADED", server_id)
    hosts = [row["id"] for row in admin.at("2.53").get(f"{COMPUTE}/os-services").ok()["services"]]
    for host in hosts:
        admin.at("2.53").put(f"{COMPUTE}/os-services/{host}", {"status": "disabled", "disabled_reason": "test"}).ok()
    try:
        servers.do(server_id, "unshelve").ok(202)
        servers.reaches("SHELVED_OFFLOADED", server_id)
    finally:
        for host in hosts:
            admin.at("2.53").put(f"{COMPUTE}/os-services/{host}", {"status": "enabled"}).ok()
    servers.do(server_id, "unshelve").ok(202)
    servers.reaches("ACTIVE", server_id)


# -- resize ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(admin: Client) -> str:
    return make_flavor(admin, ram=128, vcpus=2, disk=2)


@pytest.mark.parametrize("power", ["ACTIVE", "SHUTOFF"])
@pytest.mark.parametrize(("verb", "kept"), [("confirmResize", True), ("revertResize", False)])
def test_a_server_is_resized_and_that_confirmed_or_reverted(
    servers: Servers, large: str, member: Client, power: str, verb: str, kept: bool
) -> None:
    server_id = servers.active()
    if power == "SHUTOFF":
        servers.do(server_id, "os-stop").ok(202)
        servers.reaches("SHUTOFF", server_id)
    servers.do(server_id, "resize", {"flavorRef": large, "OS-DCF:diskConfig": "AUTO"}).ok(202)
    resized = servers.reaches("VERIFY_RESIZE", server_id)
    assert (resized["flavor"]["id"], resized["OS-DCF:diskConfig"]) == (large, "AUTO")
    servers.do(server_id, "reboot", {"type": "HARD"}).refused(409, "resized")
    servers.do(server_id, verb).ok(204 if kept else 202)
    found = servers.reaches(power, server_id)
    assert found["flavor"]["id"] == (large if kept else servers.flavor_id)
    assert found["OS-DCF:diskConfig"] == ("AUTO" if kept else "MANUAL")
    assert member.get(f"{COMPUTE}/limits").ok()["limits"]["absolute"]["totalCoresUsed"] == (2 if kept else 1)
    servers.do(server_id, verb).refused(409)


def test_a_resize_that_cannot_be_is_refused(servers: Servers, admin: Client, member: Client) -> None:
    server_id = servers.active()
    tiny = make_flavor(admin, disk=0)
    servers.do(server_id, "resize", {"flavorRef": servers.flavor_id}).refused(400, "must change flavor")
    servers.do(server_id, "resize", {"flavorRef": "nothing"}).refused(400, "nothing")
    servers.do(server_id, "resize", {"flavorRef": tiny}).refused(400, "disk")
    servers.do(server_id, "resize", {}).refused(400, "flavorRef")
    servers.do(server_id, "resize", {"flavorRef": ""}).refused(400, "flavorRef")
    servers.do(server_id, "confirmResize").refused(409)
    servers.do(server_id, "revertResize").refused(409)
    admin.put(f"{COMPUTE}/os-quota-sets/{member.project_id}", {"quota_set": {"cores": 1}}).ok(200)
    servers.do(server_id, "resize", {"flavorRef": make_flavor(admin, vcpus=2)}).refused(403, "cores")


def test_a_failed_resize_leaves_the_server_as_it_was(servers: Servers, large: str, world: World) -> None:
    from pileus.node.errors import NodeError

    server_id = servers.active()
    fakes = world.cloud.drivers["compute"].fakes.values()
    for node in fakes:
        for call in ("put_disk", "copy_aside"):
            node.fail(call, error=NodeError("no_space", "the disk is full"))
    try:
        servers.do(server_id, "resize", {"flavorRef": large}).ok(202)
        assert servers.reaches("ACTIVE", server_id)["flavor"]["id"] == servers.flavor_id
    finally:
        for node in fakes:
            for call in ("put_disk", "copy_aside"):
                node.fail(call, times=0)
    node = node_of(world, servers, server_id)
    eventually(lambda: node.instances[server_id].power == "running" and not node.instances[server_id].aside)


def test_a_server_migrates_to_the_other_host_and_says_so(servers: Servers, admin: Client) -> None:
    own = Servers(admin, servers.image_id, servers.flavor_id)
    server_id = own.active(availability_zone="nova:fake-1")
    path = f"{SERVERS}/{server_id}/action"
    admin.at("2.56").post(path, {"migrate": {"host": "fake-1"}}).refused(400, "same")
    admin.at("2.56").post(path, {"migrate": {"host": "nowhere"}}).refused(400, "nowhere")
    admin.post(path, {"migrate": None}).ok(202)
    assert own.reaches("VERIFY_RESIZE", server_id)["OS-EXT-SRV-ATTR:host"] == "fake-2"
    listed = admin.at("2.80").get(f"{COMPUTE}/os-migrations?instance_uuid={server_id}").ok()["migrations"]
    assert len(listed) == 1
    assert {listed[0][name] for name in ("source_compute", "dest_compute")} == {"fake-1", "fake-2"}
    assert (listed[0]["status"], listed[0]["migration_type"], listed[0]["user_id"]) == (
        "finished", "migration", admin.user_id,
    )  # fmt: skip
    assert admin.at("2.23").get(f"{SERVERS}/{server_id}/migrations").ok() == {"migrations": []}
    one = f"{SERVERS}/{server_id}/migrations/{listed[0]['id']}"
    for version, method in [("2.23", "GET"), ("2.24", "DELETE")]:
        admin.at(version).request(method, one).refused(404, "not live-migration")
    admin.at("2.22").post(f"{one}/action", {"force_complete": None}).refused(404, "not live-migration")
    own.do(server_id, "confirmResize").ok(204)
    eventually(lambda: own.show(server_id)["status"] == "ACTIVE")


# -- what is refused, whatever the state -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "action", "arguments", "status"),
    [
        ("2.1", "restore", None, 409),
        ("2.1", "shelveOffload", None, 409),
        ("2.1", "changePassword", {"adminPass": "x"}, 409),
        ("2.1", "os-migrateLive", {"host": None, "block_migration": False, "disk_over_commit": False}, 400),
        ("2.1", "evacuate", {"onSharedStorage": "False"}, 400),
        ("2.17", "trigger_crash_dump", None, 501),
        ("2.1", "os-getVNCConsole", {"type": "xvpvnc"}, 400),
        ("2.1", "os-getSPICEConsole", {"type": "spice-html5"}, 400),
        ("2.1", "os-getRDPConsole", {"type": "rdp-html5"}, 400),
        ("2.1", "os-getSerialConsole", {"type": "novnc"}, 400),
        ("2.1", "os-fly", None, 400),
    ],
)
def test_what_cannot_be_done_here_is_said_after_who_may_ask_and_for_what(
    servers: Servers, admin: Client, stranger: Client, version: str, action: str, arguments: Any, status: int
) -> None:
    server_id = servers.active()
    path, body = f"{SERVERS}/{server_id}/action", {action: arguments}
    admin.at(version).post(path, body).refused(status)
    if action != "os-fly":
        assert stranger.at(version).post(path, body).status in (403, 404)  # 403: an administrator's right
        admin.at(version).post(f"{SERVERS}/{clock.new_id()}/action", body).refused(404)
