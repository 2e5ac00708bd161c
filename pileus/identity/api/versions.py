"""Discovery (Identity API v3, "API versions")."""

import re
from functools import cache
from typing import Any

from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.identity.api import v2
from pileus.identity.api.base import api
from pileus.identity.store import generation

REL = "https://docs.openstack.org/api/openstack-identity/3"  # names that clients know resources by


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
    return Response({"versions": {"values": [_v3(rq), v2.version(rq)]}}, 300, {"vary": "X-Auth-Token"})


@api.get("/v3", policy=PUBLIC, tx="")
def show_version(rq: Request) -> dict[str, Any] | Response:
    """Show the identity API's version 3, or as a JSON home where all its resources are."""
    if "application/json-home" in rq.headers.get("accept", ""):
        return Response({"resources": _home()}, 200, {"content-type": "application/json-home"})
    return {"version": _v3(rq)}


@cache
def _home() -> dict[str, Any]:
    """Every path of this API under a name made of its words: `project_user_roles` (draft-nottingham-json-home)."""
    resources: dict[str, Any] = {}
    for path in sorted({route.path for route in api.routes if route.path.startswith("/v3/")}):
        words, base = [], REL
        segments = path.split("/")[2:]
        for segment, following in zip(segments, [*segments[1:], ""], strict=True):
            if segment.startswith("OS-"):
                base = f"{REL}/ext/{segment}/1.0"
            elif not segment.startswith("{"):
                words.append(_singular(segment) if following.startswith("{") else segment)
        variables = {name: f"{REL}/param/{name}" for name in re.findall(r"\{(\w+)", path)}
        where: dict[str, Any] = {"href-template": path, "href-vars": variables} if variables else {"href": path}
        resources[f"{base}/rel/{'_'.join(words)}"] = where
    return resources


def _singular(word: str) -> str:
    return word.removesuffix("ies") + "y" if word.endswith("ies") else word.removesuffix("s")


@api.get("/healthcheck", policy=PUBLIC)
def healthcheck(rq: Request) -> Response:
    """Say that this controller and its database answer."""
    generation(rq.tx)  # a transaction alone asks the database nothing
    if "json" in rq.headers.get("accept", ""):
        return Response({"name": "pileus", "reasons": ["OK"]})
    return Response("OK")
