"""Where image data is kept."""

from typing import Any

from pileus.image.drivers.base import Store
from pileus.image.drivers.filesystem import FileStore


def make(cloud: Any) -> Store:
    """Files in the state folder, also in a cloud of fakes: two processes serve one cloud, and share nothing else."""
    return FileStore(cloud.settings.folder / "images")
