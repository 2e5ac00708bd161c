"""A cloud whose background work runs only when a specification asks for it, for those that look at the engine's rows."""

from collections.abc import Iterator

import pytest

from pileus.network import reconcile
from tests.harness import Client, World


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("still"))
    reconcile.look(made.cloud)
    yield made
    made.stop()


@pytest.fixture
def owner(still: World) -> Client:
    return still.client("member", "reader")


@pytest.fixture
def operator(still: World) -> Client:
    return still.client("admin", "manager", "member", "reader")
