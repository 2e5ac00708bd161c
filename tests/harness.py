"""What specifications are written with: a whole cloud in this process, and clients that speak HTTP to it without a socket.

def test_a_key_pair_can_be_deleted_once(member):
    name = member.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "k"}}).ok()["keypair"]["name"]
    member.delete(f"/compute/v2.1/os-keypairs/{name}").ok(202)
    member.delete(f"/compute/v2.1/os-keypairs/{name}").refused(404, "not found")
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pileus.app import Application
from pileus.cloud import Cloud
from pileus.core import clock
from pileus.core.wire import Again, FileBody, Request, Response
from pileus.identity.store import DEFAULT_DOMAIN, Assignment, Project, Role, User, changed
from pileus.settings import Settings

TOUCHED: set[str] = set()  # the routes that answered a client well, in this process: what specifications cover


class Answer:
    """A response, with the two things a specification asks of it."""

    def __init__(self, request: str, response: Response):
        self.request = request
        self.status = response.status
        self.headers = response.headers
        body = response.body
        self.channel = body if isinstance(body, socket.socket) else None  # of a websocket: its other end
        if isinstance(body, socket.socket):
            self.raw = b""
        elif isinstance(body, FileBody):
            data = body.path.read_bytes()[body.offset :]
            self.raw = data if body.length is None else data[: body.length]
            if body.after:
                body.after()
        else:
            self.raw = body if isinstance(body, bytes) else b"".join(body)

    @property
    def json(self) -> Any:
        return json.loads(self.raw) if self.raw else None

    def ok(self, status: int | None = None) -> Any:
        """The body; fails unless the status is this one, or any 2xx."""
        fine = self.status == status if status else 200 <= self.status < 300
        assert fine, f"{self.request} answered {self.status}: {self.raw[:800]!r}"
        return self.json if "json" in self.headers.get("content-type", "") else self.raw

    def refused(self, status: int, words: str = "") -> Any:
        """The body; fails unless the request was refused with this status, for a reason with these words."""
        assert self.status == status, f"{self.request} answered {self.status}: {self.raw[:800]!r}"
        assert words.lower() in self.raw.decode().lower(), f"{self.request}: {words!r} is not in {self.raw[:800]!r}"
        return self.json if "json" in self.headers.get("content-type", "") else self.raw


class Client:
    """A caller with a token (or none). Paths are below the cloud's root: `/compute/v2.1/servers`."""

    def __init__(self, application: Application, token: str | None = None, **identity: Any):
        self.application = application
        self.cloud = application.cloud
        self.token = token
        self.user_id: str = identity.get("user_id", "")
        self.project_id: str = identity.get("project_id", "")
        self.headers: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None,
        upload: Iterator[bytes] | None = None, client: str = "",
    ) -> Answer:  # fmt: skip
        bare, _, query = path.partition("?")
        sent = {"host": "cloud.test:5000", **self.headers, **{k.lower(): v for k, v in (headers or {}).items()}}
        if self.token is not None:
            sent.setdefault("x-auth-token", self.token)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if data:
            sent.setdefault("content-type", "application/json")
        rq = Request(method, bare, query, sent, data)
        rq.client = client
        rq.upload = upload if upload is not None else iter([data] if data else [])
        response = self.application.handle(rq)
        while isinstance(response, Again):  # as the edge does
            time.sleep(response.seconds)
            response = self.application.handle(rq := rq.again())
        answer = Answer(f"{method} {path}", response)
        if answer.status < 400 and hasattr(rq, "route") and "tests/spec/" in os.environ.get("PYTEST_CURRENT_TEST", ""):
            TOUCHED.add(rq.route.name)
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=_dashed(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("POST", path, body, _dashed(headers))

    def put(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("PUT", path, body, _dashed(headers))

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("PATCH", path, body, _dashed(headers))

    def delete(self, path: str, **headers: str) -> Answer:
        return self.request("DELETE", path, headers=_dashed(headers))

    def at(self, microversion: str, service: str = "compute") -> "Client":
        """The same caller, asking for a microversion."""
        same = Client(self.application, self.token, user_id=self.user_id, project_id=self.project_id)
        same.headers = {**self.headers, "openstack-api-version": f"{service} {microversion}"}
        return same


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class World:
    """A cloud with fakes below it, and callers made to order."""

    new_database: Callable[[], str] | None = None  # makes one and returns its URL; none: SQLite in the folder

    def __init__(self, folder: Path, **settings: Any):
        options = {"fake_nodes": 2, "log_level": "error", **settings}
        if World.new_database is not None:
            options.setdefault("database_url", World.new_database())
        self.cloud = Cloud(Settings(state=str(folder), **options))
        self.application = Application(self.cloud)
        with self.cloud.db.read() as tx:
            self.roles = {role.name: role.id for role in tx.select(Role)}

    def client(self, *roles: str, project_id: str | None = None) -> Client:
        """A new user with these roles on a project, a new one unless it is given."""
        with self.cloud.db.write() as tx:
            if project_id is None:
                project_id = clock.new_hex_id()
                tx.insert(Project(project_id, f"project-{project_id}", DEFAULT_DOMAIN, DEFAULT_DOMAIN, "", True, False))
            user_id = clock.new_hex_id()
            tx.insert(User(user_id, f"user-{user_id}", DEFAULT_DOMAIN, True, None, None, None, clock.now()))
            for role in roles:
                tx.insert(Assignment(user_id, project_id, self.roles[role], 0, "user", "project"))
            changed(tx)
        token, _ = self.cloud.tokens.issue(user_id, ["password"], "project", project_id)
        return Client(self.application, token, user_id=user_id, project_id=project_id)

    def anonymous(self) -> Client:
        return Client(self.application)

    def stop(self) -> None:
        self.cloud.stop()


def eventually(check: Callable[[], Any], tries: int = 500) -> Any:
    """The first true value of `check`; background work is what it waits for. Fails after about ten seconds."""
    for _ in range(tries):
        if value := check():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come true")
