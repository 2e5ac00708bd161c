"""Those who hold the bytes of volumes."""

from typing import Any

from pileus.block_storage.drivers.base import Volumes
from pileus.block_storage.drivers.fake import FakeVolumes


def make(cloud: Any) -> Volumes:
    """Fake ones, a backend for each fake node."""
    return FakeVolumes([f"fake-{number}" for number in range(1, cloud.settings.fake_nodes + 1)])
