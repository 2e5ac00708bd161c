"""Discovery (Image API, "Image service versions")."""

from typing import Any

from pileus.core.routes import PUBLIC
from pileus.core.wire import Request, Response
from pileus.image.api.base import api

# v2.16: the cache; v2.17: locations; v2.18: the cache cleaned and pruned
NEWEST, OLDEST = 18, 0


def _versions(rq: Request) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{rq.base}/v2/"}]
    return {
        "versions": [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == NEWEST else "SUPPORTED", "links": links}
            for minor in range(NEWEST, OLDEST - 1, -1)
        ]
    }


@api.get("/", policy=PUBLIC, tx="")
def choose_version(rq: Request) -> Response:
    """List the versions of the image API, of which one is to be chosen."""
    return Response(_versions(rq), 300)


@api.get("/versions", policy=PUBLIC, tx="")
def list_versions(rq: Request) -> dict[str, Any]:
    """List the versions of the image API."""
    return _versions(rq)
