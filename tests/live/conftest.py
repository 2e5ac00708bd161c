"""Live tests share one real cloud of two hosts, with the demo in it: public network, image, flavors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cloud import LiveCloud

SETTINGS = Path(__file__).with_name("settings.json")  # what the conformance kit says the cloud must have


@pytest.fixture(scope="session")
def live_cloud() -> Iterator[LiveCloud]:
    cloud = LiveCloud("--nodes", "2", "--settings", str(SETTINGS))
    try:
        cloud.start()
        cloud.pileus("demo", timeout=600)
        yield cloud
    finally:
        cloud.stop()
