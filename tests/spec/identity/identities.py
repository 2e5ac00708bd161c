"""What identity's specifications share: making things, logging in."""

import uuid
from typing import Any

from tests.harness import Answer, Client


def unique(word: str = "name") -> str:
    return f"{word}-{uuid.uuid4().hex[:12]}"


def make(client: Client, kind: str, path: str = "", **given: Any) -> Any:
    body = {kind: {"name": unique(kind), **given}}
    return client.post(path or f"/v3/{kind}s", body).ok(201)[kind]


def auth(user_id: str, password: str, scope: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "identity": {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}}
    }
    if scope is not None:
        found["scope"] = scope
    return {"auth": found}


def log_in(client: Client, user_id: str, password: str, scope: Any = None) -> Answer:
    return client.post("/v3/auth/tokens", auth(user_id, password, scope))


def caller(client: Client, user_id: str, password: str, scope: Any = None) -> Client:
    """A client with a token of its own."""
    answer = log_in(client, user_id, password, scope)
    answer.ok(201)
    return Client(client.application, answer.headers["x-subject-token"], user_id=user_id)
