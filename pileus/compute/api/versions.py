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


def _v20(rq: Request) -> dict[str, Any]:
    """Version 2.0 is 2.1 without microversions: the same routes, at their lowest."""
    return {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
        "links": [{"rel": "self", "href": f"{rq.root}/compute/v2/"}],
    }


@root.get("/", policy=PUBLIC, tx="")
def list_versions(rq: Request) -> Response:
    """List the versions of the compute API."""
    return Response({"versions": [_v20(rq), _v21(rq)]})


@api.get("/", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any]:
    """Show the compute API's version 2.1 and its range of microversions."""
    if not rq.path.startswith("/compute/v2.1"):
        media = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2"}
        return {"version": {**_v20(rq), "media-types": [media]}}
    media = {"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}
    return {"version": {**_v21(rq), "media-types": [media]}}
