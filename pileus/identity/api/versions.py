"""Discovery (Identity API v3, "API versions")."""

from typing import Any

from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api import v2
from pileus.identity.api.base import api
from pileus.identity.api.home import home
from pileus.identity.store import generation


def _v3(rq: Request) -> dict[str, Any]:
    prefix = "/identity" if rq.path.startswith("/identity") else ""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{rq.root}{prefix}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def _wants_home(rq: Request) -> bool:
    return "application/json-home" in rq.headers.get("accept", "")


def _home() -> Response:
    return Response({"resources": home()}, 200, {"content-type": "application/json-home"})


@api.get("/", policy=PUBLIC, tx="", status=300)
def list_versions(rq: Request) -> Response:
    """List the versions of the identity API, or as a JSON home where all resources of the newest are."""
    if _wants_home(rq):
        return _home()
    return Response({"versions": {"values": [_v3(rq), v2.version(rq)]}}, 300, {"vary": "X-Auth-Token"})


@api.get("/v3", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any] | Response:
    """Show the identity API's version 3, or as a JSON home where all its resources are."""
    if _wants_home(rq):
        return _home()
    return {"version": _v3(rq)}


@api.get("/healthcheck", policy=PUBLIC)
def healthcheck(rq: Request) -> Response:
    """Say that this controller and its database answer."""
    generation(rq.tx)  # a transaction alone asks the database nothing
    if "json" in rq.headers.get("accept", ""):
        return Response({"name": "pileus", "reasons": ["OK"]})
    return Response("OK")
