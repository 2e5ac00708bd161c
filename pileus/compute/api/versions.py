"""Discovery (Compute API, "API Versions")."""

from typing import Any

from pileus.compute.api.base import VERSIONS, api, root
from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response


def _v21(rq: Request) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": str(VERSIONS.newest),
        "min_version": str(VERSIONS.lowest),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{rq.root}/compute/v2.1/"}],
    }


@root.get("/", policy=PUBLIC, tx="")
def list_versions(rq: Request) -> Response:
    """List the versions of the compute API."""
    return Response({"versions": [_v21(rq)]})


@api.get("/", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any]:
    """Show the compute API's version 2.1 and its range of microversions."""
    media = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    return {"version": {**_v21(rq), "media-types": [media]}}
