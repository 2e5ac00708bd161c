"""Requests nobody would send: what fuzzing a route is made of. All of it comes from one seeded source of chance."""

import ast
import inspect
import random
import re
import sys
from functools import cache
from typing import Any

from pileus.core import fields as f
from pileus.core.resources import Resource
from pileus.core.routes import Route
from tests.complete.furniture import Pool, kind, templates

NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 1.5, -0.0, 1e308, "", " ", "a", "0", "-1", "true",
    "None", "null", "\0", "a\0b", "\n", "é", "💥", "\ud800", "\u202e", "%s", "%(project_id)s", "../../etc/passwd", "'; --",
    "<b>", "a" * 256, "a" * 70000, "٣", "10.0.0.0/8", "10.0.0.300", "::/0", "0.0.0.0/0", "fe80::1%a", "fa:16:3e:00:00:01",
    "2026-13-01", "0001-01-01T00:00:00+23:59", "99999999999999999999", [], {}, [[]], [None], [{}], {"": None},
    {"a": {"b": []}},
    ["a", "a"], [1, "1"], "latest", "default", "admin", "ACTIVE", "tcp", "ingress", "asc", "id", "$(reboot)", "dGVzdA==",
]  # fmt: skip
QUERY_NAMES = [
    "limit", "marker", "sort_key", "sort_dir", "sort", "fields", "page_reverse", "name", "id", "status", "all_tenants",
    "changes-since", "changes-before", "tags", "not-tags", "tags-any", "project_id", "tenant_id", "user_id", "host", "ip",
    "ip6", "image", "flavor", "deleted", "availability_zone", "with_counts", "detailed", "start", "end", "reserved",
    "size_min",
    "member_status", "visibility", "owner", "created_at", "updated_at", "effective", "include_names", "scope.project.id",
    "parents_as_list", "subtree_as_ids", "enabled", "domain_id", "is_domain", "name__contains", "type", "interface",
    "nocatalog", "fixed_ips", "device_id", "network_id", "router:external", "shared", "revision_number", "reboot",
    "is_public",
]  # fmt: skip
HEADERS = [
    {"content-type": "text/plain"}, {"content-type": "application/octet-stream"}, {"content-type": ""},
    {"content-type": "application/openstack-images-v2.1-json-patch"}, {"content-type": "application/json; charset=latin-1"},
    {"openstack-api-version": "compute latest"}, {"openstack-api-version": "compute 2.37"}, {"openstack-api-version": "x"},
    {"openstack-api-version": "volume latest"}, {"openstack-api-version": "volume 3.30"},
    {"openstack-api-version": "compute 2.90"}, {"openstack-api-version": "compute 2.60"},
    {"x-openstack-nova-api-version": "2"},
    {"range": "bytes=0-"}, {"range": "bytes=5-2"}, {"range": "bytes=-0"}, {"range": "lines=1"}, {"if-match": "*"},
    {"if-match": "revision_number=1"}, {"if-match": "revision_number=x"}, {"if-none-match": '"x"'}, {"accept": "text/html"},
    {"x-subject-token": "gAAAA"}, {"x-subject-token": "\ufffd"}, {"x-openstack-request-id": "req-\n"}, {"host": "a b"},
    {"content-range": "bytes 0-5/9"}, {"x-image-meta-store": "none"}, {"transfer-encoding": "chunked"},
    {"accept-encoding": "br"}, {"range": "bytes=0-0,5-9"}, {"range": "bytes=99999999999999999999-"},
    {"range": "bytes=\u0663-"}, {"range": "bytes=-99999999999999999999"}, {"range": "bytes= 1 - 2"}, {"range": "bytes="},
    {"range": "bytes=0-0" + ",0-0" * 999},
    {"if-range": '"x'}, {"if-modified-since": "yesterday"}, {"if-match": '"' * 999}, {"content-length": "-1"},
    {"content-length": "9" * 400}, {"x-openstack-image-size": "9" * 400}, {"x-openstack-image-size": "\u0663"},
    {"x-image-meta-store": "\0"}, {"x-image-cache-clear-target": "moon"},
    {"openstack-api-version": "compute 9" + "9" * 400 + ".1"},
    {"openstack-api-version": "compute 2.\u0663"}, {"openstack-api-version": "compute 2.1, compute 2.90"},
    {"content-type": "a/b;" * 999}, {"content-type": "application/json; charset=no-such"},
    {"content-type": "application/openstack-images-v2.0-json-patch"},
    {"content-type": "application/openstack-images-v9-json-patch"}, {"x-openstack-nova-api-version": "latest"}, {"host": ""},
    {"host": "[::1"}, {"authorization": "Bearer \udcff"}, {"authorization": "Basic =="}, {"x-forwarded-for": "\n"},
]  # fmt: skip
_WORD = re.compile(r"[A-Za-z][\w:\-]{1,40}")


@cache
def resources() -> dict[str, Resource]:
    """Every declared resource, by the words that stand for it in a path or body."""
    found: dict[str, Resource] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("pileus.") and (".resources" in name or ".api." in name):
            for value in vars(module).values():
                if isinstance(value, Resource):
                    for word in (value.name, value.plural, value.plural.replace("_", "-"), f"os-{value.plural}"):
                        found.setdefault(f"{name.split('.')[1]}/{word}", value)
    return found


@cache
def words(module: str) -> list[str]:
    """The strings a module of handlers speaks of: the keys it reads are among them."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    constants = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return sorted(word for word in constants if _WORD.fullmatch(word)) or ["name"]


class Chance:
    """One source of requests. `pool` has things that exist, which paths and bodies mostly name."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.pool = Pool(self.random)
        self.templates = templates()

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def value(self, depth: int = 0) -> Any:
        dice = self.random.random()
        if dice < 0.25:
            return self.pool.any()
        if dice < 0.85 or depth > 3:
            return self.random.choice(NASTY)
        if dice < 0.92:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(QUERY_NAMES): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    # -- bodies ----------------------------------------------------------------------------------------------------

    def fitting(self, field: f.Field) -> Any:
        """A value that the field would most likely take."""
        pick = self.random.choice
        if isinstance(field, f.Text):
            if field.choices:
                return pick(field.choices)
            return pick(
                [
                    self.pool.any(field.name),
                    self.pool.any(field.name),
                    "web",
                    "a",
                    "1",
                    "x" * min(field.max or 300, 300),
                    "",
                ]
            )
        simple: dict[type, Any] = {
            f.Integer: lambda: pick([getattr(field, "min", 0) or 0, getattr(field, "max", 9) or 9, 1, 4, 80]),
            f.Number: lambda: pick([0, 1.5, -1]),
            f.Boolean: lambda: pick([True, False]),
            f.Uuid: lambda: self.pool.any(field.name),
            f.Time: lambda: "2030-01-01T00:00:00Z",
            f.Address: lambda: pick(["10.0.0.9", "10.0.0.1", "2001:db8::1", "172.24.4.9"]),
            f.Cidr: lambda: pick(["10.0.0.0/24", "2001:db8::/64", "0.0.0.0/0", "10.9.0.0/30"]),
            f.Mac: lambda: pick(["fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"]),
            f.Strings: lambda: {"key": "value"},
        }
        if isinstance(field, f.Items):
            return [self.member(field.of) for _ in range(self.random.randrange(3))]
        if isinstance(field, f.Object):
            return self.object(field.fields)
        return simple.get(type(field), self.value)()

    def member(self, field: f.Field) -> Any:
        return self.fitting(field) if self.often(0.85) else self.value()

    def object(self, fields: dict[str, f.Field], all: bool = False) -> dict[str, Any]:
        found = {
            name: self.member(field)
            for name, field in fields.items()
            if field.create == f.REQUIRED or self.often(0.9 if all else 0.25)
        }
        if found and self.often(0.1):
            found.pop(self.random.choice(list(found)))
        if self.often(0.05):
            found[self.random.choice(QUERY_NAMES)] = self.value()
        return found

    def body(self, route: Route) -> Any:
        if route.stream:
            return self.random.choice([b"", b"x" * 5000, b"QFI\xfb" + b"\0" * 600, b"\xff" * 17])
        if self.often(0.08):
            return self.random.choice(
                [
                    b"",
                    b"{",
                    b"[]",
                    b"null",
                    b'"a"',
                    b"\xff\xfe",
                    b"\0",
                    b'{"a":' * 3000,
                    b'{"a":1e999}',
                    b'{"\\ud800":1}',
                    b"1" * 9000,
                ]
            )
        shape = re.sub(r"\{[^}]*\}", "*", f"{route.method} {route.service.prefix}{route.path}")
        known = [body for body in self.templates.get(shape, []) if route.action is None or route.action in body]
        if known and self.often(0.6):
            return self.mutated(self.filled(self.random.choice(known)))
        if route.action is not None:
            inner = self.spoken(route) if self.often(0.6) else self.value()
            return (
                {route.action: inner} if self.often(0.9) else {route.action: inner, "OS-DCF:diskConfig": self.value()}
            )
        resource = self.resource(route)
        if resource is not None and self.often(0.8):
            settable = {
                name: field
                for name, field in resource.fields.items()
                if (field.create if route.method == "POST" else field.update)
            }
            inner = self.object(settable)
            return {resource.plural: [inner, inner]} if self.often(0.05) else {resource.name: inner}
        inner = self.spoken(route) if self.often(0.7) else self.value()
        return {self.wrapper(route): inner} if self.often(0.7) else inner

    def filled(self, part: Any) -> Any:
        """A template with things of the right kind in it."""
        if isinstance(part, dict):
            return {key: self.filled(value) for key, value in part.items()}
        if isinstance(part, list):
            return [self.filled(value) for value in part]
        if isinstance(part, str):
            return (
                self.pool.any(part[1:]) if part.startswith("$") else part.replace("%d", str(self.random.randrange(250)))
            )
        return part

    def mutated(self, body: Any) -> Any:
        """The same with nothing, one or two places changed."""
        for _ in range(self.random.choice([0, 1, 1, 1, 2])):
            part = body
            while True:
                if not isinstance(part, dict | list) or not part:
                    break
                key = self.random.choice(list(part)) if isinstance(part, dict) else self.random.randrange(len(part))
                if isinstance(part[key], dict | list) and part[key] and self.often(0.8):
                    part = part[key]
                    continue
                self.change(part, key)
                break
        return body

    def change(self, part: Any, key: Any) -> None:
        dice = self.random.random()
        if dice < 0.15:
            del part[key]
        elif dice < 0.3 and isinstance(part, dict):
            part[self.random.choice([*QUERY_NAMES, "", "\0"])] = self.value()
        elif dice < 0.4 and isinstance(part, list):
            part.append(part[key])
        else:
            part[key] = self.value()

    def spoken(self, route: Route) -> dict[str, Any]:
        """An object whose keys are words of the handler's own module."""
        vocabulary = words(route.handler.__module__)
        return {self.random.choice(vocabulary): self.value() for _ in range(self.random.randrange(1, 6))}

    def wrapper(self, route: Route) -> str:
        segments = [segment for segment in route.path.split("/") if segment and not segment.startswith("{")]
        last = (segments or ["x"])[-1].removeprefix("os-").replace("-", "_")
        return self.random.choice([last, last.removesuffix("s"), *words(route.handler.__module__)])

    def resource(self, route: Route) -> Resource | None:
        room = route.handler.__module__.split(".")[1]
        for segment in reversed(route.path.split("/")):
            found = resources().get(f"{room}/{segment}")
            if found is not None:
                return found
        return None

    # -- the rest --------------------------------------------------------------------------------------------------

    def path(self, route: Route) -> str:
        before, segments = "", []
        for segment in route.path.split("/"):
            if not segment.startswith("{"):
                segments.append(segment)
            elif self.often(0.88):
                name = segment.strip("{}").removesuffix(":path").removesuffix("_id")
                segments.append(self.pool.any(kind(before) if name in ("id", "name") else name))
            else:
                segments.append(str(self.random.choice(NASTY)).replace("/", "") or "x")
            before = segment
        return route.service.prefix + "/".join(segments)

    def query(self, route: Route) -> list[tuple[str, str]]:
        if self.often(0.4 if route.method == "GET" else 0.8):
            return []
        resource = self.resource(route)
        names = QUERY_NAMES + (list(resource.fields) * 3 if resource else []) + words(route.handler.__module__)
        found = []
        for _ in range(self.random.randrange(1, 4)):
            value = self.value(9)
            if self.often(0.2):
                value = self.random.choice(
                    ["gt:1", "in:a,b", "in:", "neq:x", "id:asc", "id:up,name", "-1", "1", "name", "desc"]
                )
            found.append((self.random.choice(names), str(value)))
        return found

    def headers(self, route: Route) -> dict[str, str]:
        headers: dict[str, str] = {}
        while self.often(0.3):
            headers.update(self.random.choice(HEADERS))
        if route.service.versions and route.since is not None and self.often(0.9):
            headers["openstack-api-version"] = f"{route.service.versions.service} {route.since}"
        return headers
