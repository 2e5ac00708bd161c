"""A running server goes to another host and notices nothing."""

from typing import Any

import pytest

from pileus.node.errors import NodeError
from tests.harness import Client, World, eventually
from tests.spec.compute.conftest import COMPUTE, SERVERS, Servers


@pytest.fixture
def own(admin: Client, servers: Servers) -> Servers:
    return Servers(admin, servers.image_id, servers.flavor_id)


@pytest.fixture
def server_id(own: Servers) -> str:
    return own.active(availability_zone="nova:fake-1")


@pytest.fixture
def fakes(world: World) -> Any:
    return world.cloud.drivers["compute"].fakes


def live(client: Client, server_id: str, version: str = "2.68", **given: Any) -> Any:
    body = {"host": None, "block_migration": "auto", **given}
    return client.at(version).post(f"{SERVERS}/{server_id}/action", {"os-migrateLive": body})


@pytest.mark.parametrize(("hold", "status", "power"), [(None, "ACTIVE", 1), ("pause", "PAUSED", 3)])
def test_it_goes_as_it_is_with_its_addresses(
    own: Servers, admin: Client, server_id: str, fakes: Any, hold: str | None, status: str, power: int
) -> None:
    if hold:
        own.do(server_id, hold).ok(202)
        own.reaches(status, server_id)
    said, before = fakes["fake-1"].instances[server_id].console, own.show(server_id)
    live(admin, server_id).ok(202)
    shown = eventually(lambda: _arrived(own, server_id, status))
    assert shown["OS-EXT-SRV-ATTR:host"] == "fake-2" and shown["addresses"] == before["addresses"]
    assert shown["OS-EXT-STS:power_state"] == power
    assert fakes["fake-2"].instances[server_id].console == said  # it has not booted again
    eventually(lambda: server_id not in fakes["fake-1"].instances)
    (move,) = admin.at("2.59").get(f"{COMPUTE}/os-migrations?instance_uuid={server_id}").ok()["migrations"]
    assert (move["migration_type"], move["status"]) == ("live-migration", "completed")
    action = admin.get(f"{SERVERS}/{server_id}/os-instance-actions").ok()["instanceActions"][0]
    assert (action["action"], action["message"]) == ("live-migration", None)


def _arrived(own: Servers, server_id: str, status: str) -> Any:
    shown = own.show(server_id)
    there = shown["OS-EXT-SRV-ATTR:host"] == "fake-2" and shown["OS-EXT-STS:task_state"] is None
    return shown if there and shown["status"] == status else None


@pytest.fixture
def stuck(fakes: Any) -> Any:
    """Nothing leaves the first host until this is called."""
    fakes["fake-1"].fail("take_stream", times=100_000, error=NodeError("not_found", "told to wait"))

    def go_on() -> None:
        fakes["fake-1"].fail("take_stream", times=0)

    yield go_on
    go_on()


def running(admin: Client, server_id: str) -> Any:
    found = admin.at("2.80").get(f"{SERVERS}/{server_id}/migrations").ok()["migrations"]
    return found[0] if found and found[0]["status"] == "running" else None


def ended(admin: Client, server_id: str) -> str:
    (move,) = admin.get(f"{COMPUTE}/os-migrations?instance_uuid={server_id}").ok()["migrations"]
    return str(move["status"])


def test_it_is_seen_on_its_way_and_can_be_hurried(own: Servers, admin: Client, server_id: str, stuck: Any) -> None:
    live(admin, server_id).ok(202)
    seen = eventually(lambda: running(admin, server_id))
    assert own.show(server_id)["status"] == "MIGRATING"
    assert (seen["source_compute"], seen["dest_compute"], seen["server_uuid"]) == ("fake-1", "fake-2", server_id)
    assert seen["memory_total_bytes"] == 64 << 20 and seen["user_id"] == admin.user_id
    one = f"{SERVERS}/{server_id}/migrations/{seen['id']}"
    assert "uuid" not in admin.at("2.23").get(one).ok()["migration"]
    admin.at("2.22").post(f"{one}/action", {"force_complete": {}}).refused(400, "force_complete")
    admin.at("2.22").post(f"{one}/action", {"force_complete": None}).ok(202)
    live(admin, server_id).refused(409, "migrating")
    stuck()
    eventually(lambda: _arrived(own, server_id, "ACTIVE"))
    admin.at("2.23").get(one).refused(404, "not in progress")
    admin.at("2.23").get(f"{SERVERS}/{server_id}/migrations/nothing").refused(404)
    assert admin.at("2.23").get(f"{SERVERS}/{server_id}/migrations").ok() == {"migrations": []}


def test_it_can_be_aborted_and_stays(
    own: Servers, admin: Client, server_id: str, stuck: Any, fakes: Any, world: World
) -> None:
    live(admin, server_id).ok(202)
    seen = eventually(lambda: running(admin, server_id))
    manager = world.client("manager", "member", "reader", project_id=admin.project_id)
    hidden = manager.at("2.80").get(f"{SERVERS}/{server_id}/migrations").ok()["migrations"][0]
    assert hidden["source_compute"] is None and hidden["id"] == seen["id"]
    manager.at("2.24").delete(f"{SERVERS}/{server_id}/migrations/{seen['id']}").ok(202)
    assert own.reaches("ACTIVE", server_id)["OS-EXT-SRV-ATTR:host"] == "fake-1"
    eventually(lambda: server_id not in fakes["fake-2"].instances)
    assert fakes["fake-1"].instances[server_id].power == "running"
    eventually(lambda: ended(admin, server_id) == "cancelled")


def test_a_manager_sees_the_moves_of_the_project_without_hosts(
    own: Servers, admin: Client, server_id: str, world: World
) -> None:
    live(admin, server_id).ok(202)
    eventually(lambda: _arrived(own, server_id, "ACTIVE"))
    manager = world.client("manager", "member", "reader", project_id=admin.project_id)
    path = f"{COMPUTE}/os-migrations"
    for version in ("2.23", "2.80"):
        (move,) = manager.at(version).get(f"{path}?project_id={admin.project_id}").ok()["migrations"]
        assert move["instance_uuid"] == server_id and move["source_compute"] is None
    for query in ("", "?project_id=", f"?project_id={manager.user_id}"):
        manager.at("2.80").get(path + query).refused(403, "all_projects")
    world.client("member", "reader").at("2.80").get(path).refused(403)


def test_one_that_fails_leaves_the_server_where_it_was(own: Servers, admin: Client, server_id: str, fakes: Any) -> None:
    fakes["fake-1"].fail("migrate", error=NodeError("engine", "the guest does not let go"))
    live(admin, server_id).ok(202)
    assert own.reaches("ACTIVE", server_id)["OS-EXT-SRV-ATTR:host"] == "fake-1"
    eventually(lambda: server_id not in fakes["fake-2"].instances)
    eventually(lambda: ended(admin, server_id) == "error")


@pytest.mark.parametrize(
    ("version", "given", "words"),
    [
        ("2.1", {"block_migration": "auto", "disk_over_commit": False}, "block_migration"),
        ("2.1", {"block_migration": True}, "disk_over_commit"),
        ("2.25", {"block_migration": True, "disk_over_commit": False}, "disk_over_commit"),
        ("2.25", {"block_migration": False}, "shared storage"),
        ("2.30", {"force": True}, "force"),
        ("2.68", {"force": False}, "force"),
        ("2.68", {"host": "fake-1"}, "same"),
        ("2.68", {"host": "nowhere"}, "nowhere"),
        ("2.68", {"host": 7}, "host"),
    ],
)
def test_one_that_cannot_be_is_refused(
    admin: Client, server_id: str, version: str, given: dict[str, Any], words: str
) -> None:
    live(admin, server_id, version, **given).refused(400, words)


def test_who_may_ask_for_it(own: Servers, admin: Client, server_id: str, world: World) -> None:
    manager = world.client("manager", "member", "reader", project_id=admin.project_id)
    live(world.client("member", "reader", project_id=admin.project_id), server_id).refused(403)
    live(manager, server_id, host="fake-2").refused(403)
    own.do(server_id, "os-stop").ok(202)
    own.reaches("SHUTOFF", server_id)
    live(manager, server_id).refused(409, "vm_state stopped")
