"""What pages of other origins may do with a container, by its own metadata (Access-Control-*)."""

import contextlib
from collections.abc import Callable, Iterator

from pileus.core.errors import Fault, Unauthorized
from pileus.core.wire import Response
from pileus.object_storage import containers
from pileus.object_storage.api.base import HTML, Call

METHODS = "GET, HEAD, PUT, POST, COPY, OPTIONS, DELETE"
_ORIGINS, _AGE = "x-container-meta-access-control-allow-origin", "x-container-meta-access-control-max-age"
_EXPOSED = "x-container-meta-access-control-expose-headers"
_ALWAYS = (
    "cache-control", "content-language", "content-type", "expires", "last-modified", "pragma", "etag", "x-timestamp",
    "x-trans-id", "x-openstack-request-id",
)  # fmt: skip
Answer = Callable[[Response], Response]


@contextlib.contextmanager
def of(call: Call) -> Iterator[Answer]:
    """Around a handler, refusals too: what an allowed page may read."""
    granted = _granted(call)

    def answer(response: Response) -> Response:
        if granted is not None:
            response.headers.update(granted(list(response.headers)))
        return response

    try:
        yield answer
    except Fault as fault:
        if granted is not None:
            fault.headers.update(granted(list(fault.headers)))
        raise


def _granted(call: Call) -> Callable[[list[str]], dict[str, str]] | None:
    origin = call.headers.get("origin")
    if not origin or call.container is None:
        return None
    settings = _settings(call)
    allowed = settings.get(_ORIGINS, "").split()
    if origin not in allowed and "*" not in allowed:
        return None

    def headers(shown: list[str]) -> dict[str, str]:
        own = [name for name in shown if name.startswith(("x-object-meta-", "x-container-meta-"))]
        exposed = [*_ALWAYS, *own, *settings.get(_EXPOSED, "").lower().split()]
        return {
            "access-control-allow-origin": "*" if "*" in allowed else origin,
            "access-control-expose-headers": ", ".join(dict.fromkeys(exposed)),
            **({} if "*" in allowed else {"vary": "Origin"}),
        }

    return headers


def _settings(call: Call) -> dict[str, str]:
    with call.read() as tx:
        found = containers.find_container(tx, call.account, call.container or "")
    return found.headers if found else {}


def preflight(call: Call) -> Response:
    """Raises Unauthorized where the container's metadata do not let that origin do it."""
    headers = {"allow": METHODS, "content-type": HTML}
    origin, method = call.headers.get("origin"), call.headers.get("access-control-request-method")
    if not origin:
        return Response(b"", 200, headers)
    settings = _settings(call)
    allowed = settings.get(_ORIGINS, "").split()
    if (origin not in allowed and "*" not in allowed) or method not in METHODS.split(", "):
        raise Unauthorized("This origin may not do that.", headers={"allow": METHODS})
    headers["access-control-allow-origin"] = "*" if "*" in allowed else origin
    headers["access-control-allow-methods"] = METHODS
    if asked := call.headers.get("access-control-request-headers"):
        headers["access-control-allow-headers"] = ", ".join(part.strip() for part in asked.split(","))
    if _AGE in settings:
        headers["access-control-max-age"] = settings[_AGE]
    headers["vary"] = "Origin, Access-Control-Request-Headers"
    return Response(b"", 200, headers)
