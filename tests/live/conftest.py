"""Live tests share one real cloud of two hosts, with the demo in it: public network, image, flavors."""

from collections.abc import Iterator

import pytest

from tests.live.cloud import LiveCloud


@pytest.fixture(scope="session")
def live_cloud() -> Iterator[LiveCloud]:
    cloud = LiveCloud("--nodes", "2")
    try:
        cloud.start()
        cloud.pileus("demo", timeout=600)
        yield cloud
    finally:
        cloud.stop()
