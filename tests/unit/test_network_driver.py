"""The contract of a network driver, held against the fake here and against real OVN in tests/live."""

from collections.abc import Iterator

import pytest

from pileus.network.drivers.base import Chassis, DriverUnavailable, MissingRows, NetworkDriver
from pileus.network.drivers.desired import Holder, Key, Ref, Row
from pileus.network.drivers.fake import FakeDriver

NETWORK: Key = ("network", "11111111-1111-4111-8111-111111111111")
GROUP: Key = ("security_group", "22222222-2222-4222-8222-222222222222")
PORT: Key = ("port", "33333333-3333-4333-8333-333333333333")
SWITCH = Ref("Logical_Switch", *NETWORK)
MEMBERS = Ref("Port_Group", *GROUP)
Desired = dict[Key, list[Row]]


def network(name: str = "neutron-n") -> Desired:
    return {NETWORK: [Row(table="Logical_Switch", columns={"name": name})]}


def group(*matches: str) -> Desired:
    acls = [
        Row(table="ACL", part=match, holders=(Holder(MEMBERS, "acls"),),
            columns={"direction": "to-lport", "priority": 1002, "match": match, "action": "allow-related"})
        for match in matches
    ]  # fmt: skip
    return {GROUP: [Row(table="Port_Group", columns={"name": "pg_test"}), *acls]}


def port(*addresses: str, grouped: bool = False, tag: int | None = None) -> Desired:
    holders = (Holder(SWITCH, "ports"), *([Holder(MEMBERS, "ports")] if grouped else []))
    columns = {"name": PORT[1], "addresses": frozenset(addresses), "tag": tag, "options": {"requested-chassis": "h"}}
    return {PORT: [Row(table="Logical_Switch_Port", columns=columns, holders=holders)]}


class DriverContract:
    """What every driver does; `driver` is an empty one."""

    def test_what_is_applied_is_there_and_again_changes_nothing(self, driver: NetworkDriver) -> None:
        desired = {**network(), **group("ip4", "ip6"), **port("fa:16:3e:00:00:01", grouped=True)}
        for _ in range(2):
            driver.apply(desired)
            assert driver.compare(desired) == []

    def test_only_what_is_named_is_changed(self, driver: NetworkDriver) -> None:
        driver.apply({**network(), **port("fa:16:3e:00:00:01")})
        driver.apply(port("fa:16:3e:00:00:02", tag=7))
        assert driver.compare({**network(), **port("fa:16:3e:00:00:02", tag=7)}) == []
        driver.apply(port("fa:16:3e:00:00:02"))
        assert driver.compare({**network(), **port("fa:16:3e:00:00:02")}) == []

    def test_nothing_desired_means_gone(self, driver: NetworkDriver) -> None:
        driver.apply({**network(), **group("ip4"), **port("fa:16:3e:00:00:01", grouped=True)})
        driver.apply({PORT: []})
        assert driver.compare({**network(), **group("ip4")}) == []
        driver.apply({PORT: [], GROUP: [], NETWORK: []})
        assert driver.compare({}) == []

    def test_members_leave_a_group_and_rules_go(self, driver: NetworkDriver) -> None:
        driver.apply({**network(), **group("ip4", "ip6"), **port("fa:16:3e:00:00:01", grouped=True)})
        driver.apply({**group("ip6"), **port("fa:16:3e:00:00:01")})
        assert driver.compare({**network(), **group("ip6"), **port("fa:16:3e:00:00:01")}) == []

    def test_what_points_at_nothing_is_refused_and_named(self, driver: NetworkDriver) -> None:
        with pytest.raises(MissingRows) as refused:
            driver.apply(port("fa:16:3e:00:00:01", grouped=True))
        assert refused.value.keys == {NETWORK, GROUP}
        assert driver.compare({}) == []

    def test_a_comparison_tells_what_differs(self, driver: NetworkDriver) -> None:
        driver.apply({**network(), **group("ip4")})
        wanted = {**network("neutron-other"), **port("fa:16:3e:00:00:01")}
        found = {(difference.key, difference.table, difference.problem) for difference in driver.compare(wanted)}
        assert found == {
            (NETWORK, "Logical_Switch", "name"),
            (PORT, "Logical_Switch_Port", "missing"),
            (GROUP, "Port_Group", "unexpected"),
            (GROUP, "ACL", "unexpected"),
        }

    def test_states_of_ports_that_are_not_there_are_not_told(self, driver: NetworkDriver) -> None:
        driver.apply({**network(), **port("fa:16:3e:00:00:01")})
        assert set(driver.port_states([PORT[1], "44444444-4444-4444-8444-444444444444"])) == {PORT[1]}
        assert set(driver.port_states()) == {PORT[1]}


class TestFakeDriver(DriverContract):
    @pytest.fixture
    def driver(self) -> Iterator[FakeDriver]:
        yield FakeDriver()


def test_the_fake_fails_when_told_and_heals() -> None:
    driver = FakeDriver()
    driver.fail("apply")
    with pytest.raises(DriverUnavailable):
        driver.apply(network())
    driver.heal()
    driver.apply(network())


def test_the_fake_tells_of_ports_and_hosts() -> None:
    driver = FakeDriver()
    told: list[object] = []
    driver.on_change(told.append, lambda: told.append("hosts"))
    driver.apply({**network(), **port("fa:16:3e:00:00:01")})
    driver.set_hosts([Chassis(name="h", hostname="h")])
    assert told == [{PORT[1]: True}, "hosts"]
