"""Routes, declared: method, path, rule, and the handler they lead to; compiled into one tree for all services.

    @api.get("/os-keypairs/{name}", policy="os_compute_api:os-keypairs:show", on=keypair)
    def show_keypair(rq: Request, found: KeyPair) -> dict: ...

The same records yield dispatch, policy checks, the API coverage page and the completeness tests. Starlette's router
walks its routes in order; with 600 of them a tree is ten times as fast.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from pileus.core.errors import BadRequest, Fault, MethodNotAllowed, NotFound
from pileus.core.microversions import Microversions, Version, version
from pileus.core.wire import Request

Handler = Callable[..., Any]
Lookup = Callable[..., Any]
PROJECT = "path_project"  # the parameter that a path's project is, where an API's paths may begin with one
PUBLIC = None  # the policy of a route that everybody may use, without a token


class Route:
    """One operation of an API."""

    def __init__(self, service: "Service", method: str, path: str, handler: Handler, **options: Any):
        self.service = service
        self.method = method
        self.path = path
        self.handler = handler
        self.policy: str | None = options.pop("policy")
        self.on: Lookup | None = options.pop("on", None)
        self.status: int = options.pop("status", 200)
        # checks the body, where the API tells what is wrong with it even to those who may not send it
        self.body: Callable[[Request], Any] | None = options.pop("body", None)
        # how the transaction around the handler is opened: "write", "read", or "" where the handler does that itself
        self.tx: str = options.pop("tx", "read" if method in ("GET", "HEAD") else "write")
        # the names its query string may have; None: nothing is said of it, and it has none
        self.query: frozenset[str] | None = frozenset(options.pop("query")) if "query" in options else None
        self.stream: bool = options.pop("stream", False)  # the handler reads `rq.upload` instead of a whole body
        self.slow: bool = options.pop(
            "slow", False
        )  # it asks somebody else, or hashes: it may keep only its like waiting
        self.since: Version | None = version(options["since"]) if options.get("since") else None
        self.until: Version | None = version(options["until"]) if options.get("until") else None
        self.action: str | None = options.pop("action", None)  # the key of an action's body
        options.pop("since", None)
        options.pop("until", None)
        if options:
            raise TypeError(f"unknown route options {sorted(options)}")
        self.summary = (inspect.getdoc(handler) or "").partition("\n")[0]

    @property
    def name(self) -> str:
        return f"{self.method} {self.service.prefix}{self.path}" + (f" {{{self.action}}}" if self.action else "")

    def spans(self, asked: Version) -> bool:
        return (self.since is None or self.since <= asked) and (self.until is None or asked <= self.until)


class Service:
    """An API: where it is mounted, how it words faults, which versions it has."""

    def __init__(
        self,
        name: str,
        prefix: str,
        fault: Callable[[Fault], tuple[int, Any]],
        versions: Microversions | None = None,
        aliases: tuple[str, ...] = (),
        denied_is_missing: bool = True,
        nameless_is_missing: bool = False,
        unseen_is_missing: Collection[str] = (),
        in_projects: bool = False,
        rules: str = "",
        strict_queries: tuple[str, str] | None = None,
    ):
        self.name = name
        self.prefix = prefix
        self.fault = fault
        self.versions = versions
        self.aliases = aliases  # further prefixes that lead to the same routes
        self.denied_is_missing = denied_is_missing  # 404 for what another project owns; identity says 403
        self.nameless_is_missing = nameless_is_missing  # `/images/` asks for the image called "", not for the list
        # methods that answer 404 for what the lookup does not show, whatever the caller's role
        self.unseen_is_missing = unseen_is_missing
        self.in_projects = in_projects  # a token of the system or of a domain is of no use here
        self.rules = rules or name  # the service whose policy holds here
        # the versions since which unknown names in a query are refused: by routes that say theirs, and by all
        self.strict_queries = tuple(version(each) for each in strict_queries) if strict_queries else None
        self.routes: list[Route] = []

    def route(self, method: str, path: str, **options: Any) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            self.routes.append(Route(self, method, path, handler, **options))
            return handler

        return declare

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        options.setdefault("status", 204)
        return self.route("DELETE", path, **options)

    def socket(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """A websocket: the handler answers 101 with a socket, and what passes through that one passes to the client."""
        options.setdefault("status", 101)
        options.setdefault("tx", "")
        return self.route("WEBSOCKET", path, **options)

    def do(self, path: str, action: str, **options: Any) -> Callable[[Handler], Handler]:
        """An action: POST with a body of one key, which says what to do (`{"reboot": {...}}`)."""
        options.setdefault("status", 202)
        return self.route("POST", path, action=action, **options)


class _Node:
    __slots__ = ("fixed", "methods", "parameter", "rest", "variable")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.parameter = ""
        self.rest: bool = False
        self.methods: dict[str, list[Route]] = {}


class RouteTable:
    """All routes of all services, found by walking the path's segments."""

    def __init__(self, services: Iterable[Service]):
        self.services = list(services)
        self._root = _Node()
        self._prefixes: list[tuple[str, Service]] = []
        for service in self.services:
            for prefix in (service.prefix, *service.aliases):
                self._prefixes.append((prefix, service))
                for route in service.routes:
                    self._add(prefix, route)
        self._prefixes.sort(key=lambda item: -len(item[0]))

    def __iter__(self) -> Iterator[Route]:
        for service in self.services:
            yield from service.routes

    def service_of(self, path: str) -> Service:
        for prefix, service in self._prefixes:
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return service
        return self.services[0]

    def find(self, method: str, path: str) -> tuple[list[Route], dict[str, str]]:
        """The routes of this method and path (several when versions or actions tell them apart). Raises 404 or 405."""
        params: dict[str, str] = {}
        node = self._walk(path, params)
        nameless = path.endswith("/") and node is not None and node.variable is not None and node.parameter != PROJECT
        if node is None or not node.methods or (nameless and self.service_of(path).nameless_is_missing):
            raise NotFound("The resource could not be found.", kind="HTTPNotFound")
        found = _of_method(node, method)
        if found is None:  # `/config/{group}` takes what `/config/security_compliance` of its own does not
            for other, others in _reached(self._root, path, _segments(path)):
                if (found := _of_method(other, method)) is not None:
                    return found, others
            allowed = ", ".join(sorted({*node.methods, *(["HEAD"] if "GET" in node.methods else [])}))
            raise MethodNotAllowed(
                f"The method {method} is not allowed for this resource.",
                kind="HTTPMethodNotAllowed",
                headers={"allow": allowed},
            )
        return found, params

    def _add(self, prefix: str, route: Route) -> None:
        node = self._root
        for segment in _segments(prefix + route.path):
            if segment.startswith("{"):
                if node.variable is None:
                    node.variable = _Node()
                    node.parameter = segment[1:-1].removesuffix(":path")
                    node.rest = segment.endswith(":path}")
                elif node.parameter != segment[1:-1].removesuffix(":path"):
                    raise ValueError(f"{route.name}: the same place is called {{{node.parameter}}} elsewhere")
                elif node.rest != segment.endswith(":path}"):
                    raise ValueError(
                        f"{route.name}: {{{node.parameter}}} is one segment here and a whole path elsewhere"
                    )
                node = node.variable
            else:
                node = node.fixed.setdefault(segment, _Node())
        others = node.methods.setdefault(route.method, [])
        for other in others:
            if other.action == route.action and _overlap(other, route):
                raise ValueError(f"{route.name} is declared twice for the same versions")
            if (other.action is None) != (route.action is None):
                raise ValueError(f"{route.name} is an action in one place and none in another")
        others.append(route)

    def _walk(self, path: str, params: dict[str, str]) -> "_Node | None":
        node = self._root
        segments = _segments(path)
        for position, segment in enumerate(segments):
            following = node.fixed.get(segment)
            if following is None:
                if node.variable is None:
                    return None
                if node.rest:
                    params[node.parameter] = _rest(path, position)
                    return node.variable
                params[node.parameter] = segment
                following = node.variable
            node = following
        return node


def _of_method(node: _Node, method: str) -> list[Route] | None:
    found = node.methods.get(method)
    return node.methods.get("GET") if found is None and method == "HEAD" else found


def _reached(node: _Node, path: str, segments: list[str], at: int = 0) -> Iterator[tuple[_Node, dict[str, str]]]:
    """All places that a path may mean, the more exactly named first, each with its parameters."""
    if at == len(segments):
        yield node, {}
        return
    if (following := node.fixed.get(segments[at])) is not None:
        yield from _reached(following, path, segments, at + 1)
    if node.variable is not None and node.rest:
        yield node.variable, {node.parameter: _rest(path, at)}
    elif node.variable is not None:
        for found, params in _reached(node.variable, path, segments, at + 1):
            yield found, {node.parameter: segments[at], **params}


def _overlap(one: Route, other: Route) -> bool:
    return (one.since is None or other.until is None or one.since <= other.until) and (
        other.since is None or one.until is None or other.since <= one.until
    )


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _rest(path: str, position: int) -> str:
    """The path after so many segments, its own slashes kept: an object may be called `a//b/`."""
    for _ in range(position):
        path = path.lstrip("/").partition("/")[2]
    return path.lstrip("/")


def choose(candidates: list[Route], rq: Request) -> Route:
    """Among routes of one method and path: by microversion, then by the action its body names."""
    spanning = [route for route in candidates if route.spans(rq.version)]
    if not spanning:
        raise NotFound("The resource could not be found.", kind="HTTPNotFound")
    if spanning[0].action is None:
        return spanning[0]
    keys = list(rq.json)
    for route in spanning:
        if route.action in keys:
            if len(keys) > 1 and not any(key.startswith("OS-") or ":" in key for key in keys):
                raise BadRequest(f"There is more than one action in the body: {', '.join(keys)}.")
            return route
    raise BadRequest(f"There is no such action: {', '.join(keys)[:100]}" if keys else "The body names no action.")


def check_query(rq: Request) -> None:
    """Raises BadRequest for names that the route's query string does not have, in versions that are strict about it."""
    strict, known = rq.service.strict_queries, rq.route.query
    if not strict or not rq.query_string or rq.method == "POST" or rq.version < strict[0 if known is not None else 1]:
        return
    if unknown := set(rq.query.names()) - (known or set()):
        raise BadRequest(f"Additional properties are not allowed ({', '.join(sorted(unknown))[:200]})")


def load(package: str) -> None:
    """Import every module of an `api` package: that declares its routes."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")
