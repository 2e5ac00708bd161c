"""One cloud for all specifications; every test's callers have a project of their own in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Client, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("cloud"))
    made.cloud.start()
    yield made
    made.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A cloud of one's own, without background threads unless the test starts them."""
    made = World(tmp_path / "cloud")
    yield made
    made.stop()


@pytest.fixture
def member(world: World) -> Client:
    return world.client("member", "reader")


@pytest.fixture
def reader(world: World) -> Client:
    return world.client("reader")


@pytest.fixture
def admin(world: World) -> Client:
    return world.client("admin", "manager", "member", "reader")


@pytest.fixture
def stranger(world: World) -> Client:
    """A member of another project."""
    return world.client("member", "reader")


@pytest.fixture
def anonymous(world: World) -> Client:
    return world.anonymous()
