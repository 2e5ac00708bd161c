"""Between the API and the engine: nothing is lost, nothing waits for what is stuck, and work does not grow."""

from typing import Any

import pytest

from pileus.network import reconcile
from pileus.network.drivers.base import Chassis, DriverRefused
from pileus.network.drivers.fake import FakeDriver
from pileus.network.rows import Change
from tests.harness import Client, World
from tests.spec.network.things import V2, network, port, public, subnet


def driver(world: World) -> FakeDriver:
    found: FakeDriver = world.cloud.drivers["network"]
    return found


def waiting(world: World) -> int:
    with world.cloud.db.read() as tx:
        return tx.count(Change)


@pytest.fixture
def owner(fresh: World) -> Client:
    return fresh.client("member", "reader")


def test_what_is_asked_while_the_engine_is_down_is_done_when_it_is_back(fresh: World, owner: Client) -> None:
    driver(fresh).fail("apply")
    made = port(owner, network(owner)["id"])
    with pytest.raises(Exception, match="told to fail"):
        reconcile.look(fresh.cloud)
    assert waiting(fresh) > 0
    assert not reconcile.wait_programmed(fresh.cloud, [made["id"]], 0)
    driver(fresh).heal()
    reconcile.look(fresh.cloud)
    assert waiting(fresh) == 0
    assert reconcile.wait_programmed(fresh.cloud, [made["id"]], 0)
    assert reconcile.differences(fresh.cloud) == []


def test_what_comes_and_goes_before_the_engine_looks_leaves_nothing(fresh: World, owner: Client) -> None:
    made = network(owner)
    owner.delete(f"{V2}/networks/{made['id']}").ok(204)
    reconcile.look(fresh.cloud)
    assert ("network", made["id"]) not in driver(fresh).rows


def test_a_refused_object_holds_up_no_other(fresh: World, owner: Client) -> None:
    stuck, fine = network(owner), network(owner)
    apply = driver(fresh).apply

    def picky(desired: Any) -> None:
        if ("network", stuck["id"]) in desired:
            raise DriverRefused("not this one")
        apply(desired)

    driver(fresh).apply = picky  # type: ignore[method-assign]
    reconcile.look(fresh.cloud)
    assert ("network", fine["id"]) in driver(fresh).rows
    assert [(found.kind, found.id) for found in reconcile.differences(fresh.cloud)] == [("network", stuck["id"])]


def test_what_was_lost_is_found_and_written_again(fresh: World, owner: Client) -> None:
    made = port(owner, network(owner)["id"])
    reconcile.look(fresh.cloud)
    driver(fresh).lose(("port", made["id"]))
    assert [found.what for found in reconcile.differences(fresh.cloud)] == ["Logical_Switch_Port: missing"]
    reconcile.repair(fresh.cloud)
    assert reconcile.differences(fresh.cloud) == []


def test_a_port_is_active_when_the_engine_says_that_it_is_plugged_in(fresh: World, owner: Client) -> None:
    admin = fresh.client("admin", "manager", "member", "reader")
    path = f"{V2}/ports/{port(owner, network(owner)['id'])['id']}"
    reconcile.look(fresh.cloud)
    assert owner.get(path).ok()["port"]["status"] == "DOWN"
    admin.put(path, {"port": {"binding:host_id": "fake-1"}}).ok(200)
    reconcile.look(fresh.cloud)
    assert owner.get(path).ok()["port"]["status"] == "ACTIVE"
    admin.put(path, {"port": {"binding:host_id": None}}).ok(200)
    assert owner.get(path).ok()["port"]["status"] == "DOWN"


def test_a_way_out_moves_when_its_host_leaves(fresh: World, owner: Client) -> None:
    outside = public(fresh.client("admin", "manager", "member", "reader"))
    gateway = {"router": {"external_gateway_info": {"network_id": outside["id"]}}}
    router = owner.post(f"{V2}/routers", gateway).ok(201)["router"]
    reconcile.look(fresh.cloud)
    driver(fresh).set_hosts([Chassis(name="last", hostname="last", physnets=("public",))])
    reconcile.look(fresh.cloud)
    rows = [row for slots in driver(fresh).rows.values() for row in slots.values() if row.table == "Gateway_Chassis"]
    assert [row.columns["chassis_name"] for row in rows] == ["last"]
    assert reconcile.differences(fresh.cloud) == []
    assert router["external_gateway_info"]["network_id"] == outside["id"]


@pytest.mark.parametrize(("took", "rest"), [(0.0, 60.0), (1.0, 60.0), (10.0, 500.0)])
def test_comparing_everything_takes_a_small_part_of_the_time(took: float, rest: float) -> None:
    assert reconcile.rest_after(took) == rest


def test_a_port_costs_the_same_statements_however_many_there_are(fresh: World, owner: Client) -> None:
    with fresh.cloud.db.read() as tx:
        connection = tx.connection
    if not hasattr(connection, "set_trace_callback"):
        pytest.skip("statements are counted on SQLite")
    made = network(owner)
    subnet(owner, made["id"], "10.0.0.0/16")

    def statements() -> int:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        port(owner, made["id"])
        connection.set_trace_callback(None)
        return len(seen)

    port(owner, made["id"])  # the first makes the project's default group
    few = statements()
    owner.post(f"{V2}/ports", {"ports": [{"network_id": made["id"]}] * 300}).ok(201)
    assert statements() == few
