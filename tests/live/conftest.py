"""Live tests share one real cloud of two hosts."""

from collections.abc import Iterator

import pytest

from tests.live.cloud import LiveCloud


@pytest.fixture(scope="session")
def live_cloud() -> Iterator[LiveCloud]:
    cloud = LiveCloud(21000, "--nodes", "2")
    cloud.start()
    try:
        yield cloud
    finally:
        cloud.stop()
