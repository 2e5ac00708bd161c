"""One cloud for all specifications; every test's callers have a project of their own in it.

`pytest --database postgresql` runs it, and every other cloud of the suite, on a private PostgreSQL.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from pileus.identity.login import passwords
from tests.harness import Client, World
from tests.postgres import Postgres, running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite", help="what the clouds stand on")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.live.spread import Spread  # only where there are several workers

    return Spread(config, log) if config.getoption("dist") == "loadfile" else None


# a tenth of a second for each of a thousand log-ins would be most of the suite's time
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
COMPLETE_RUN = pytest.StashKey[bool]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What looks at all specifications together comes last; whether all are part of this run is noted for it."""
    last = [item for item in items if "specification" in item.name and "test_routes" in item.nodeid]
    items[:] = [item for item in items if item not in last] + last
    here = Path(__file__).parent
    collected = {item.path for item in items}
    alone = not hasattr(config, "workerinput")
    config.stash[COMPLETE_RUN] = alone and all(path in collected for path in (here / "spec").rglob("test_*.py"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL server, shared by all tests that ask for one; each makes its own databases in it."""
    yield from running()


@pytest.fixture(scope="session", autouse=True)
def database(request: pytest.FixtureRequest) -> None:
    """Tell every World of this run which database to stand on."""
    if request.config.getoption("--database") == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        World.new_database = staticmethod(server.database)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, database: None) -> Iterator[World]:
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
