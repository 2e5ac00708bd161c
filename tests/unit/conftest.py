"""A database with the tables of `things.py`, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.core.db import Database
from tests.postgres import Postgres
from tests.unit.things import make


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        made = make(f"sqlite:///{tmp_path / 'test.db'}")
    else:
        made = request.getfixturevalue("things_on_postgres")
        with made.write() as tx:
            tx.connection.execute("DELETE FROM things")
            tx.connection.execute("DELETE FROM owners")
    yield made
    made.close()


@pytest.fixture(scope="session")
def things_on_postgres(postgres: Postgres) -> Database:
    """One database for all tests: making one costs a quarter of a second."""
    return make(postgres.database())
