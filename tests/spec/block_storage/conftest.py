"""Volumes, ready for each test."""

from typing import Any

import pytest

from pileus.block_storage import reconcile
from tests.harness import Client, World, eventually

VOLUME = "/volume/v3"
VOLUMES = f"{VOLUME}/volumes"


class Volumes:
    """Makes volumes for a caller and waits for what becomes of them."""

    def __init__(self, client: Client):
        self.client = client.at("3.71", "volume")

    def create(self, **members: Any) -> str:
        made = self.client.post(VOLUMES, {"volume": {"size": 1, "name": "data", **members}}).ok(202)
        return str(made["volume"]["id"])

    def available(self, **members: Any) -> str:
        volume_id = self.create(**members)
        self.reaches("available", volume_id)
        return volume_id

    def show(self, volume_id: str) -> Any:
        return self.client.get(f"{VOLUMES}/{volume_id}").ok()["volume"]

    def reaches(self, status: str, volume_id: str) -> Any:
        return reaches(self.client, "volume", volume_id, status)

    def do(self, volume_id: str, action: str, arguments: Any = None) -> Any:
        return self.client.post(f"{VOLUMES}/{volume_id}/action", {action: arguments})

    def gone(self, volume_id: str) -> None:
        gone(self.client, "volume", volume_id)


def reaches(client: Client, kind: str, thing_id: str, status: str) -> Any:
    """Wait until a thing is in this state; fails at once when it is in error instead."""

    def look() -> Any:
        thing = client.get(f"{VOLUME}/{kind}s/{thing_id}").ok()[kind]
        assert status.startswith("error") or not thing["status"].startswith("error"), thing
        return thing if thing["status"] == status else None

    return eventually(look)


def gone(client: Client, kind: str, thing_id: str) -> None:
    eventually(lambda: client.get(f"{VOLUME}/{kind}s/{thing_id}").status == 404)


@pytest.fixture(scope="session", autouse=True)
def backends(world: World) -> None:
    """Known before the first volume: their task looks every few seconds."""
    reconcile.look(world.cloud)


@pytest.fixture
def volumes(member: Client) -> Volumes:
    return Volumes(member)


@pytest.fixture
def boss(admin: Client) -> Volumes:
    """An administrator's."""
    return Volumes(admin)
