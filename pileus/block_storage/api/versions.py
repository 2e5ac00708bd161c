"""Discovery (Block Storage API, "API versions")."""

from typing import Any

from pileus.block_storage.api.base import VERSIONS, api, root
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response


def _v3(rq: Request) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": str(VERSIONS.newest),
        "min_version": str(VERSIONS.lowest),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{rq.root}/volume/v3/"},
        ],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }


@root.get("/", policy=PUBLIC, tx="")
def list_versions(rq: Request) -> Response:
    """List the versions of the block storage API."""
    return Response({"versions": [_v3(rq)]}, 300)


@api.get("/", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any]:
    """Show the block storage API's version 3 and its range of microversions."""
    return {"versions": [_v3(rq)]}
