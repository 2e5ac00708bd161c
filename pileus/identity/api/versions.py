"""Discovery (Identity API v3, "API versions")."""

from typing import Any

from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api.base import api


def _v3(rq: Request) -> dict[str, Any]:
    prefix = "/identity" if rq.path.startswith("/identity") else ""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{rq.root}{prefix}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@api.get("/", policy=PUBLIC, tx="", status=300)
def list_versions(rq: Request) -> Response:
    """List the versions of the identity API."""
    return Response({"versions": {"values": [_v3(rq)]}}, 300, {"vary": "X-Auth-Token"})


@api.get("/v3", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any]:
    """Show the identity API's version 3."""
    return {"version": _v3(rq)}


@api.get("/healthcheck", policy=PUBLIC)
def healthcheck(rq: Request) -> Response:
    """Say that this controller and its database answer."""
    return Response("OK")
