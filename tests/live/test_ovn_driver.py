"""The driver's contract against a real northbound database."""

from collections.abc import Iterator

import pytest

from pileus.network.drivers.base import DriverUnavailable
from pileus.network.drivers.ovn import OvnDriver
from tests.live.ovn_lab import Lab, wait_for
from tests.live.test_ovn import pytestmark  # noqa: F401
from tests.unit.test_network_driver import DriverContract, network


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("central"))
    try:
        yield lab.start_central()
    finally:
        lab.close()


@pytest.fixture
def driver(central: Lab) -> Iterator[OvnDriver]:
    made = OvnDriver(central.remote("nb"), central.remote("sb"), timeout=5)
    yield made
    made.apply({difference.key: [] for difference in made.compare({})})
    made.stop()


class TestOvnDriver(DriverContract):
    pass


def test_a_database_that_dies_is_said_so_and_found_again(central: Lab, driver: OvnDriver) -> None:
    driver.apply(network())
    server = central.processes[0]
    server.kill()
    server.wait()
    with pytest.raises(DriverUnavailable):
        driver.apply(network("neutron-changed"))
    (central.folder / "nb.sock").unlink(missing_ok=True)
    (central.folder / "nb.ctl").unlink(missing_ok=True)
    central.start_database("nb")

    def again() -> bool:
        try:
            driver.apply(network("neutron-changed"))
        except DriverUnavailable:
            return False
        return True

    wait_for(again)
    assert driver.compare(network("neutron-changed")) == []
