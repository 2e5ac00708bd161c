"""Every route answers whatever it is sent: never a 500, never a body that is not in its service's form."""

import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from pileus.core.routes import Route
from pileus.core.wire import Request
from tests.complete.furniture import furnish
from tests.complete.requests import Chance
from tests.harness import Answer, Client, World

SEED = 7025
MINE = {"admin", "default", "member"}


class Errors(logging.Handler):
    """Keeps what the server logged about the last request."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = logging.Formatter().format(record)


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
    """A cloud of its own, as fuzzing leaves it in no state for others."""
    made = World(tmp_path_factory.mktemp("shaken"))
    made.cloud.start()
    yield made
    made.stop()


class Fuzzer:
    def __init__(self, world: World, seed: int):
        self.world = world
        self.seed = seed
        self.chance = Chance(seed)
        self.errors = Errors()
        self.count = 0
        self.renew()

    def furnish(self) -> list[str]:
        """One more of each kind of thing, of the administrator's."""
        self.count += 1
        return furnish(self.admin, self.chance.pool, self.count)

    def renew(self) -> None:
        """New callers, since their users, projects or roles may be among what was changed or deleted."""
        self.admin = self.world.client("admin", "manager", "member", "reader")
        self.member = self.world.client("member", "reader")
        with self.world.cloud.db.read() as tx:
            kept = {row[0] for row in tx.connection.execute("SELECT id FROM roles").fetchall()}
        self.kept = (
            kept | {c.user_id for c in (self.admin, self.member)} | {c.project_id for c in (self.admin, self.member)}
        )

    def send(self, route: Route, caller: Client) -> tuple[Request, Answer]:
        chance = self.chance
        path, query = chance.path(route), urlencode(chance.query(route), errors="replace")
        body = chance.body(route) if route.method in ("POST", "PUT", "PATCH") or chance.often(0.05) else None
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if route.method != "GET" and any(kept in path for kept in self.kept | MINE):
            path = route.service.prefix + re.sub(r"\{[^}]*\}", "nobody", route.path)
        path = path.encode("utf-8", "replace").decode()
        sent = {"host": "cloud.test", "x-auth-token": caller.token or "", "content-type": "application/json"}
        rq = Request(route.method, path, query, {**sent, **chance.headers(route)}, data)
        rq.upload = iter([data] if data else [])
        self.errors.text = ""
        answer = Answer(
            f"{route.method} {path}?{query} {rq.headers} {data[:3000]!r}", self.world.application.handle(rq)
        )
        if answer.status < 300 and "json" in answer.headers.get("content-type", ""):
            chance.pool.harvest(path, answer.json)
        return rq, answer

    def fault(self, route: Route, caller: Client) -> str | None:
        """One request; what was wrong with its answer, if anything."""
        rq, answer = self.send(route, caller)
        if answer.status == 401 and rq.headers["x-auth-token"] == caller.token:
            self.renew()
        try:
            well_formed(rq, answer)
        except (AssertionError, ValueError, KeyError, TypeError) as wrong:
            shown = f"{answer.request}\n  {answer.status} {answer.raw[:500]!r}\n{self.errors.text[-900:]}"
            return f"{route.name}: {wrong}\n  {shown}"
        return None


def well_formed(rq: Request, answer: Answer) -> None:
    assert answer.status < 500 or answer.status == 501, f"answered {answer.status}"
    for name, value in answer.headers.items():
        assert not set("\r\n\0") & set(f"{name}{value}"), f"header {name!r} cannot be sent: {value!r}"
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    json_body = "json" in answer.headers.get("content-type", "")
    if json_body:
        answer.json  # noqa: B018
    if answer.status < 400 or rq.method == "HEAD":
        return
    if rq.service.name == "image":
        assert f"<h1>{answer.status} " in answer.raw.decode()
        return
    if rq.service.name == "object_storage":
        assert answer.headers["content-type"].startswith("text/")
        return
    assert json_body, "a fault without a body in JSON"
    fault: dict[str, Any] = answer.json
    inner = next(iter(fault.values()))
    if rq.service.name == "network":
        assert set(inner) == {"type", "message", "detail"} and "NeutronError" in fault
    elif "errors" in fault:
        assert inner[0]["status"] == answer.status
    elif "error_description" in fault:  # in the words of OAuth 2.0
        assert set(fault) == {"error", "error_description"} and answer.status in (400, 401)
    else:
        assert inner["code"] == answer.status and inner["message"]


@pytest.fixture(scope="module")
def fuzzer(shaken: World) -> Fuzzer:
    made = Fuzzer(shaken, SEED)
    assert made.furnish() == []
    return made


def shake(fuzzer: Fuzzer, service: str, rounds: int) -> None:
    log = logging.getLogger("pileus.api")
    log.addHandler(fuzzer.errors)
    found: dict[str, str] = {}
    try:
        # what makes things first, so that the others have things to name; what unmakes them last
        order = {"POST": 0, "GET": 1, "PUT": 2, "PATCH": 2, "DELETE": 3}
        routes = [route for route in fuzzer.world.cloud.routes if route.service.name.startswith(service)]
        routes.sort(key=lambda route: order.get(route.method, 1))
        for number in range(rounds):
            if number:
                fuzzer.furnish()
            for route in routes:
                for caller in (fuzzer.admin, fuzzer.member):
                    if wrong := fuzzer.fault(route, caller):
                        found.setdefault(wrong[-200:], wrong)  # one of each place in the code
    finally:
        log.removeHandler(fuzzer.errors)
    assert not found, f"seed {fuzzer.seed}: {len(found)} kinds of wrong answers\n" + "\n".join(list(found.values())[:8])


def test_every_service_is_shaken() -> None:
    from pileus import services

    assert set(services.SERVICES) == set(SERVICES), "add the service to SERVICES, so that its routes are fuzzed"


SERVICES = ["identity", "image", "network", "block_storage", "compute", "object_storage"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_is_answered_with_an_error_of_the_server(fuzzer: Fuzzer, service: str) -> None:
    shake(fuzzer, service, 1)


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_no_request_of_very_many_is_answered_with_an_error_of_the_server(tmp_path: Path, service: str) -> None:
    world = World(tmp_path / "cloud")
    world.cloud.start()
    try:
        fuzzer = Fuzzer(world, int(os.environ.get("PILEUS_SEED", SEED)) + 1)
        fuzzer.furnish()
        shake(fuzzer, service, int(os.environ.get("PILEUS_ROUNDS", "5")))
    finally:
        world.stop()
