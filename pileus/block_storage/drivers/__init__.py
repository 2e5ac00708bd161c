"""Those who hold the bytes of volumes."""

from typing import Any, cast

from pileus import image
from pileus.block_storage.drivers.base import Volumes
from pileus.block_storage.drivers.fake import FailingVolumes
from pileus.block_storage.drivers.nodes import NodeVolumes


def make(cloud: Any) -> Volumes:
    """The nodes' own files; of fake nodes a test may want some calls to fail."""
    volumes = NodeVolumes(cloud, image.to_send)
    return cast(Volumes, FailingVolumes(volumes)) if cloud.settings.fake_nodes else volumes
