"""Live tests share one real cloud of two hosts, with the demo in it: public network, image, flavors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cloud import LiveCloud

SETTINGS = Path(__file__).with_name("settings.json")  # what the conformance kit says the cloud must have


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers wait for guests at once: one has all that is tried on the shared cloud, files stay whole."""
    for item in items:
        if item.get_closest_marker("live"):
            shared = "live_cloud" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("live_cloud" if shared else item.path.stem))


@pytest.fixture(scope="session")
def live_cloud() -> Iterator[LiveCloud]:
    cloud = LiveCloud("--nodes", "2", "--settings", str(SETTINGS))
    try:
        cloud.start()
        cloud.pileus("demo", timeout=600)
        yield cloud
    finally:
        cloud.stop()
