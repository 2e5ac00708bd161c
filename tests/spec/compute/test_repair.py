"""What the comparison of rows with hosts finds and repairs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.compute import reconcile
from pileus.compute.store import Claim, Migration, Server, ServerPort
from pileus.core import clock, saga
from pileus.network import FloatingIP, Port
from pileus.node import protocol as p
from tests.harness import World, eventually
from tests.spec.compute.conftest import SERVERS, Servers, make_flavor, make_image, make_network


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[World]:
    """A cloud of one host, whose comparison runs only when told."""
    made = World(tmp_path / "cloud", fake_nodes=1)
    made.cloud.tasks.tasks.pop("compute-compare")
    made.cloud.start()
    eventually(lambda: _hosts(made))
    yield made
    made.stop()


def _hosts(world: World) -> Any:
    from pileus.compute import hosts

    with world.cloud.db.read() as tx:
        return hosts.list_hosts(tx)


def _busy(world: World) -> Any:
    """A server is shown in its new state a moment before its saga has ended."""
    with world.cloud.db.read() as tx:
        return [row for row in tx.select(saga.SagaRow) if row.state in ("running", "undoing")]


@pytest.fixture
def servers_alone(alone: World) -> Servers:
    client = alone.client("admin", "member", "reader")
    made = Servers(client, make_image(client), make_flavor(client))
    make_network(client)
    return made


def look_twice(world: World) -> None:
    eventually(lambda: not _busy(world))
    for _ in range(2):
        reconcile.compare_hosts(world.cloud)


@pytest.fixture
def node(alone: World) -> Any:
    return alone.cloud.drivers["compute"].fakes["fake-1"]


def differences(world: World) -> list[Any]:
    return reconcile.look(world.cloud, world.cloud.drivers["compute"].items())


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LOOK_AGAIN", 0.0)


def test_a_cloud_at_rest_has_no_differences(alone: World, servers_alone: Servers) -> None:
    servers_alone.active()
    assert differences(alone) == []


def test_what_no_row_knows_is_removed_at_the_second_look(alone: World, servers_alone: Servers, node: Any) -> None:
    stray = p.InstanceSpec(server_id="stray", name="stray", project_id="x", vcpus=1, memory_mb=64)
    node.ensure_instance(stray)
    reconcile.compare_hosts(alone.cloud)
    assert "stray" in node.instances
    reconcile.compare_hosts(alone.cloud)
    assert "stray" not in node.instances


def test_a_guest_that_vanished_is_brought_back(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    node.remove_instance(p.ServerRef(server_id))
    look_twice(alone)
    eventually(lambda: node.instances[server_id].power == "running")
    servers_alone.reaches("ACTIVE", server_id)


def test_a_stopped_server_is_brought_back_stopped(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    servers_alone.do(server_id, "os-stop").ok(202)
    servers_alone.reaches("SHUTOFF", server_id)
    node.remove_instance(p.ServerRef(server_id))
    look_twice(alone)
    eventually(lambda: node.instances[server_id].domain)
    assert node.instances[server_id].power == "shutdown"
    servers_alone.reaches("SHUTOFF", server_id)


def test_a_server_whose_disks_are_lost_is_in_error(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    node.instances.clear()
    look_twice(alone)
    assert "disks" in servers_alone.reaches("ERROR", server_id)["fault"]["message"]
    servers_alone.client.delete(f"{SERVERS}/{server_id}").ok(204)
    servers_alone.gone(server_id)


def test_a_guest_that_powers_itself_off_is_shut_off(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    node.guest_shutdown(server_id)
    servers_alone.reaches("SHUTOFF", server_id)


def test_a_claim_that_was_lost_is_made_again(alone: World, servers_alone: Servers) -> None:
    server_id = servers_alone.active()
    with alone.cloud.db.write() as tx:
        tx.delete(Claim, server_id=server_id)
    look_twice(alone)
    with alone.cloud.db.read() as tx:
        assert tx.get(Claim, server_id=server_id).host == "fake-1"


def test_a_delete_nobody_carries_out_is_taken_up(alone: World, servers_alone: Servers) -> None:
    server_id = servers_alone.active()
    with alone.cloud.db.write() as tx:
        tx.update(Server, server_id, task_state="deleting")
    look_twice(alone)
    servers_alone.gone(server_id)


def test_what_is_in_flight_is_no_difference(alone: World, servers_alone: Servers, node: Any) -> None:
    node.slow("ensure_instance", 0.3)
    server_id = servers_alone.create()
    eventually(lambda: server_id in node.instances)
    assert differences(alone) == []
    servers_alone.reaches("ACTIVE", server_id)


def test_base_images_go_when_no_disk_stands_on_them(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    servers_alone.client.delete(f"/image/v2/images/{servers_alone.image_id}").ok(204)
    reconcile.compare_hosts(alone.cloud)
    assert node.images
    servers_alone.client.delete(f"{SERVERS}/{server_id}").ok(204)
    servers_alone.gone(server_id)
    reconcile.compare_hosts(alone.cloud)
    assert not node.images


def test_a_running_guest_is_told_of_a_floating_address_and_of_its_end(
    alone: World, servers_alone: Servers, node: Any
) -> None:
    server_id = servers_alone.active()
    with alone.cloud.db.read() as tx:
        port_id = tx.get(ServerPort, server_id=server_id).port_id
        assert port_id is not None
        port = tx.get(Port, id=port_id)
    address = FloatingIP(
        id=clock.new_id(), project_id=port.project_id, port_id=port_id, floating_ip_address="172.24.4.9",
        fixed_ip_address=port.fixed_ips[0].ip_address,
    )  # fmt: skip
    with alone.cloud.db.write() as tx:
        tx.insert(address)
    reconcile.tell_guests(alone.cloud)
    assert node.instances[server_id].spec.documents.public_ipv4 == "172.24.4.9"
    with alone.cloud.db.write() as tx:
        tx.delete(FloatingIP, id=address.id)
    reconcile.tell_guests(alone.cloud)
    assert node.instances[server_id].spec.documents.public_ipv4 == ""


# -- what is forgotten beside a server's own disks ---------------------------------------------------------------------


def _resized(servers: Servers) -> str:
    server_id = servers.active()
    servers.do(server_id, "resize", {"flavorRef": make_flavor(servers.client, ram=128)}).ok(202)
    servers.reaches("VERIFY_RESIZE", server_id)
    return server_id


def test_a_copy_of_a_disk_is_forgotten_once_nobody_makes_an_image_of_it(
    alone: World, servers_alone: Servers, node: Any
) -> None:
    server_id = servers_alone.active()
    node.make_snapshot(p.SnapshotArgs(server_id=server_id, snapshot_id="forgotten"))
    look_twice(alone)
    assert not node.snapshots


def test_a_copy_that_becomes_an_image_is_left_alone(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    node.slow("read_file", 0.3)
    servers_alone.do(server_id, "createImage", {"name": "copy"}).ok(202)
    eventually(lambda: node.snapshots)
    assert differences(alone) == []
    eventually(lambda: servers_alone.show(server_id)["OS-EXT-STS:task_state"] is None)
    eventually(lambda: not _busy(alone))
    assert not node.snapshots and differences(alone) == []


def test_disks_put_aside_wait_for_the_move_to_be_settled_and_no_longer(
    alone: World, servers_alone: Servers, node: Any
) -> None:
    server_id = _resized(servers_alone)
    assert node.instances[server_id].aside and differences(alone) == []
    with alone.cloud.db.write() as tx:
        tx.update(Migration, {"server_id": server_id}, open=False, claim_host="")
        tx.update(Server, server_id, vm_state="active")
    assert [difference.kind for difference in differences(alone)] == ["aside"]
    look_twice(alone)
    assert not node.instances[server_id].aside and node.instances[server_id].power == "running"


def test_a_server_whose_disks_were_only_put_aside_gets_them_back(
    alone: World, servers_alone: Servers, node: Any
) -> None:
    server_id = servers_alone.active()
    node.remove_instance(p.ServerRef(server_id))
    node.put_aside(p.ServerRef(server_id))
    look_twice(alone)
    assert node.instances[server_id].disks and not node.instances[server_id].aside
    look_twice(alone)
    eventually(lambda: node.instances[server_id].power == "running")
    servers_alone.reaches("ACTIVE", server_id)


def test_a_rescue_disk_goes_when_its_server_is_not_rescued(alone: World, servers_alone: Servers, node: Any) -> None:
    server_id = servers_alone.active()
    servers_alone.do(server_id, "rescue").ok(200)
    servers_alone.reaches("RESCUE", server_id)
    eventually(lambda: not _busy(alone))
    assert differences(alone) == []
    with alone.cloud.db.write() as tx:
        tx.update(Server, server_id, rescue_image_id="", vm_state="active")
    assert [difference.kind for difference in differences(alone)] == ["rescue"]
    look_twice(alone)
    assert set(node.instances[server_id].disks) == {"root"}
