"""The API's declaration, which every module of routes adds to."""

from pileus.core import faults
from pileus.core.microversions import Microversions, version
from pileus.core.routes import PROJECT, Service

VERSIONS = Microversions("volume", version("3.0"), version("3.71"))

# the project in the path was demanded until 3.67, and clients still write it
api = Service(
    "block_storage", "/volume/v3", faults.block_storage, VERSIONS, aliases=(f"/volume/v3/{{{PROJECT}}}",),
    rules="block_storage", nameless_is_missing=True,
)  # fmt: skip
# version discovery stands above the versions
root = Service("block_storage-root", "/volume", faults.block_storage, rules="block_storage")
