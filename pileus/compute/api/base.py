"""The API's declaration, which every module of routes adds to, and what they share."""

from typing import Any
from urllib.parse import quote

from pileus.core import faults
from pileus.core.microversions import Microversions, version
from pileus.core.routes import Service
from pileus.core.wire import Request

VERSIONS = Microversions("compute", version("2.1"), version("2.104"), legacy="x-openstack-nova-api-version")

# clients still write the project into the path: /compute/v2.1 is the same with and without
api = Service(
    "compute", "/compute/v2.1", faults.compute, VERSIONS, aliases=("/compute/v2",), nameless_is_missing=True,
    strict_queries=("2.75", "2.102"),
)  # fmt: skip
# version discovery stands above the versions
root = Service("compute-root", "/compute", faults.compute, rules="compute")


def links_of(rq: Request, plural: str, id: str) -> list[dict[str, Any]]:
    """A resource's own address, and the one without a version."""
    where = f"{plural}/{quote(id)}"
    return [
        {"rel": "self", "href": f"{rq.base}/{where}"},
        {"rel": "bookmark", "href": f"{rq.root}/compute/{where}"},
    ]
