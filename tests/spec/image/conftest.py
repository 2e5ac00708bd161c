"""A cloud with several stores, which may download from a web server of this process."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Client, World
from tests.spec.image.web import Web, serving


def options(web: Web, **more: Any) -> dict[str, Any]:
    """Three stores, whose order by weight is not that of their names."""
    return {
        "stores": [
            {"type": "file", "id": "file", "weight": 10},
            {"type": "file", "id": "cheap", "weight": 20, "description": "Slow disks."},
            {"type": "http", "id": "web", "weight": 5},
        ],
        "web": {"allowed_hosts": ["127.0.0.1"], "allowed_ports": [web.port]},
        "locations": True,
        "direct_url": True,
        **more,
    }


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    yield from serving()


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory, database: None, web: Web) -> Iterator[World]:
    """Its threads run, so imports end by themselves."""
    made = World(tmp_path_factory.mktemp("wide"), image=options(web))
    made.cloud.sagas.start()
    yield made
    made.stop()


@pytest.fixture
def importer(wide: World) -> Client:
    return wide.client("member", "reader")


@pytest.fixture
def operator(wide: World) -> Client:
    return wide.client("admin", "member", "reader")
