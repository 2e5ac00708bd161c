"""The request path, one list, and the program around it: every API of a controller as one ASGI application."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from pileus import identity, services
from pileus.cloud import Cloud
from pileus.core import clock, log
from pileus.core.asgi import SLOW, STREAM, Edge
from pileus.core.context import Context
from pileus.core.errors import (
    BadRequest,
    Conflict,
    Duplicate,
    EngineError,
    EngineUnavailable,
    Fault,
    Forbidden,
    NotFound,
    StillReferenced,
    Unauthorized,
    Unavailable,
)
from pileus.core.routes import PROJECT, PUBLIC, RouteTable, check_query, choose
from pileus.core.wire import Request, Response

_log = log.logger("pileus.api")
Proceed = Callable[[Request], Response]
Stage = Callable[[Request, Proceed], Response]


def request_ids(rq: Request, proceed: Proceed) -> Response:
    """First, so that all below is logged under the request's id, and every answer carries it."""
    rq.request_id = f"req-{clock.new_id()}"
    given = rq.headers.get("x-openstack-request-id", "")
    rq.ctx.global_request_id = given if given.startswith("req-") and len(given) == 40 else None
    token = log.request_id.set(rq.request_id)
    try:
        response = proceed(rq)
        response.headers["x-openstack-request-id"] = rq.request_id
        if rq.service.name == "compute":
            response.headers["x-compute-request-id"] = rq.request_id
        elif rq.service.name == "object_storage":
            hexes = rq.request_id.removeprefix("req-").replace("-", "")
            response.headers["x-trans-id"] = f"tx{hexes[:21]}-{int(time.time()):010x}"
        return response
    finally:
        log.request_id.reset(token)


# what a page may send and read, besides what browsers always allow
_SENT = (
    "Content-Type, X-Auth-Token, X-Subject-Token, X-OpenStack-Request-ID, OpenStack-API-Version, "
    "X-OpenStack-Nova-API-Version, OpenStack-Auth-Receipt, X-Project-Id, X-Domain-Id, Range"
)
_READ = (
    "X-Subject-Token, X-OpenStack-Request-ID, OpenStack-API-Version, OpenStack-Auth-Receipt, Location, Retry-After, "
    "Content-Range"
)


def cors(rq: Request, proceed: Proceed) -> Response:
    """Around the faults too: a page of an allowed origin may read refusals. Others get no header, and browsers refuse."""
    origin, allowed = rq.headers.get("origin", ""), rq.cloud.settings.cors_allowed_origins
    if not allowed:
        return proceed(rq)
    known = origin and (origin in allowed or "*" in allowed)
    if known and rq.method == "OPTIONS" and "access-control-request-method" in rq.headers:
        response = Response(None, 200)
        response.headers["access-control-allow-methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE"
        response.headers["access-control-allow-headers"] = _SENT
        response.headers["access-control-max-age"] = "3600"
    else:
        response = proceed(rq)
    if known:
        response.headers["access-control-allow-origin"] = origin
        response.headers["access-control-expose-headers"] = _READ
    vary = response.headers.get("vary")
    response.headers["vary"] = f"{vary}, Origin" if vary else "Origin"
    return response


def faults(rq: Request, proceed: Proceed) -> Response:
    """Around all that can refuse: one place where an exception becomes a status and a body."""
    try:
        if rq.refused is not None:
            raise rq.refused
        return proceed(rq)
    except Exception as error:
        fault = _as_fault(rq, error)
        status, body = rq.service.fault(fault)
        headers = {**rq.out_headers, **fault.headers}
        if isinstance(body, str):
            headers["content-type"] = "text/html; charset=UTF-8"
        return Response(body, status, headers)


def _as_fault(rq: Request, error: Exception) -> Fault:
    if isinstance(error, Fault):
        if error.detail:
            _log.info(error.message, extra={"detail": error.detail})
        return error
    if isinstance(error, Duplicate):  # two requests raced past a check: the database had the last word
        return Conflict("The resource conflicts with one that already exists.", detail=error.columns)
    if isinstance(error, StillReferenced):
        return Conflict("The resource is in use, or refers to one that is gone.", detail=str(error))
    if isinstance(error, EngineUnavailable):
        return Unavailable("A part of the cloud does not answer; try again.", detail=str(error))
    if isinstance(error, EngineError):
        return Unavailable(f"A part of the cloud refused: {error}")
    _log.error("unexpected error", exc_info=error, extra={"method": rq.method, "path": rq.path})
    return Fault(f"The server met an unexpected error. The log has more under {rq.request_id}.")


def microversion(rq: Request, proceed: Proceed) -> Response:
    """Before the route: which route it is may depend on the version."""
    if rq.service.versions is not None:
        rq.version = rq.service.versions.asked(rq.headers)
        rq.out_headers.update(rq.service.versions.answer(rq.version))
    response = proceed(rq)
    response.headers = {**rq.out_headers, **response.headers}
    return response


def token(rq: Request, proceed: Proceed) -> Response:
    """Before the route is chosen: a stranger learns nothing about what exists, save the public routes."""
    candidates, rq.params = rq.cloud.routes.find(rq.method, rq.path)
    if any(route.policy is not PUBLIC for route in candidates):
        secret = rq.headers.get("x-auth-token") or _bearer(rq)
        if not secret:
            raise _unauthorized(rq)
        found: Context | None = rq.cloud.authenticate(secret)
        if found is None:
            raise _unauthorized(rq)
        found.request_id, found.global_request_id = rq.request_id, rq.ctx.global_request_id
        rq.ctx = found
        if found.access_rules is not None and not identity.permitted(found, rq):
            raise Unauthorized("The application credential's access rules do not allow this call.")
    named = rq.params.pop(PROJECT, None)  # in paths that say whose things they lead to
    if named is not None and rq.ctx.project_id is not None and named != rq.ctx.project_id:
        raise BadRequest("Malformed request url: the project in it is not the token's.")
    rq.route = choose(candidates, rq)
    check_query(rq)
    return proceed(rq)


def _bearer(rq: Request) -> str:
    """Clients of OAuth 2.0 bring their token in another header (RFC 6750)."""
    kind, _, secret = rq.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def _unauthorized(rq: Request) -> Fault:
    return Unauthorized(
        "The request you have made requires authentication.",
        headers={"www-authenticate": f'Keystone uri="{rq.root}/identity"'},
    )


def transaction(rq: Request, proceed: Proceed) -> Response:
    """One request, one transaction: what policy looked up is what the handler changes."""
    if rq.route.tx == "write":
        with rq.cloud.db.write() as rq.tx:
            return proceed(rq)
    if rq.route.tx == "read":
        with rq.cloud.db.read() as rq.tx:
            return proceed(rq)
    return proceed(rq)


def policy(rq: Request, proceed: Proceed) -> Response:
    """Last before the handler, which so has a target that the caller may act on."""
    if rq.route.policy is not PUBLIC:
        try:
            _authorize(rq, rq.route.policy)
        except (Forbidden, NotFound):
            if rq.route.body is not None:  # the API this follows reads a body before it asks who sent it
                rq.route.body(rq)
            raise
    elif rq.route.on is not None:
        rq.target = rq.route.on(rq, *rq.params.values())
    return proceed(rq)


def _authorize(rq: Request, rule: str) -> None:
    """First whether the caller could do this to a thing of their own (403), then to this one (404)."""
    route = rq.route
    if rq.service.in_projects and rq.ctx.project_id is None and route.on is None:
        raise Forbidden(f"{rule} requires a token whose scope is a project.", kind="PolicyNotAuthorized")
    allowed = rq.allows(rule)
    if not allowed and (route.on is None or rq.service.denied_is_missing):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.", kind="PolicyNotAuthorized")
    if route.on is not None:
        try:
            rq.target = route.on(rq, *rq.params.values())
        except NotFound:
            # what is missing is its path's user's or project's: who may do this to nothing of theirs learns no more
            if rq.method not in rq.service.unseen_is_missing and not rq.allows(rule, {**rq.own(), **rq.params}):
                raise Forbidden(f"Policy doesn't allow {rule} to be performed.") from None
            raise
        if not rq.allows(rule, rq.target):
            if rq.service.denied_is_missing:
                raise NotFound(
                    f"{_word(rq.target)} {getattr(rq.target, 'id', '')} could not be found.",
                    kind=f"{_word(rq.target)}NotFound",
                )
            raise Forbidden(f"You are not authorized to perform the requested action: {rule}.")


def _word(target: Any) -> str:
    return type(target).__name__


def handler(rq: Request) -> Response:
    """Last: the route's own function. What it returns becomes the body, None an empty one."""
    route = rq.route
    result = route.handler(rq) if route.on is None else route.handler(rq, rq.target)
    if isinstance(result, Response):
        return result
    return Response(result, route.status)


# The way of every request. The order is the security story: see each stage's first line.
PATH: list[Stage] = [request_ids, cors, faults, microversion, token, transaction, policy]


def compose(path: list[Stage]) -> Proceed:
    proceed: Proceed = handler
    for stage in reversed(path):
        proceed = _wrap(stage, proceed)
    return proceed


def _wrap(stage: Stage, proceed: Proceed) -> Proceed:
    return lambda rq: stage(rq, proceed)


class Application:
    """The APIs over one cloud: `handle` answers a request in this thread, `asgi` is the edge around it."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.cloud.routes = RouteTable(services.apis())
        self._proceed = compose(PATH)
        self.asgi = Edge(self.handle, self.kind)

    def handle(self, rq: Request) -> Response:
        rq.cloud = self.cloud
        rq.service = self.cloud.routes.service_of(rq.path)
        return self._proceed(rq)

    def kind(self, rq: Request) -> str:
        """What the edge has to know before the body is read: how it goes to its handler, and in whose threads."""
        with contextlib.suppress(NotFound, BadRequest, Fault):
            candidates, _ = self.cloud.routes.find(rq.method, rq.path)
            return STREAM if candidates[0].stream else SLOW if candidates[0].slow else ""
        return ""
