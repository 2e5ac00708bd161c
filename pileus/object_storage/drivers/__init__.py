"""Where objects' bytes are kept: files in the state folder, in a cloud of fakes too."""

from typing import Any

from pileus.object_storage.drivers.files import Files


def make(cloud: Any) -> Files:
    return Files(cloud.settings.folder / "objects")
