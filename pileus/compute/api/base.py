"""The API's declaration, which every module of routes adds to."""

from pileus.core import faults
from pileus.core.microversions import Microversions, version
from pileus.core.routes import Service

VERSIONS = Microversions("compute", version("2.1"), version("2.96"), legacy="x-openstack-nova-api-version")

# clients still write the project into the path: /compute/v2.1 is the same with and without
api = Service("compute", "/compute/v2.1", faults.compute, VERSIONS)
# version discovery stands above the versions
root = Service("compute-root", "/compute", faults.compute)
