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
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
    made = make(url)
    yield made
    made.close()
