"""Migrations and declared tables say the same."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pileus import services
from pileus.core import schema, tables
from pileus.core.db import Database


def differences(db: Database) -> list[object]:
    with sa.create_engine(schema.engine_url(db)).connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))


def test_a_database_that_was_migrated_is_as_one_that_was_made_whole(tmp_path: Path) -> None:
    services.stores()
    made, migrated = Database(f"sqlite:///{tmp_path}/made.db"), Database(f"sqlite:///{tmp_path}/migrated.db")
    schema.create(made)
    schema.migrate(migrated)
    assert differences(made) == []
    assert differences(migrated) == [], "tables have changed: make migration"
    assert schema.version(made) == schema.version(migrated) == schema.newest()


def test_a_database_of_an_unknown_version_is_not_taken_for_the_newest(tmp_path: Path) -> None:
    services.stores()
    db = Database(f"sqlite:///{tmp_path}/old.db")
    schema.create(db)
    with db.write() as tx:
        tx.connection.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(Exception, match="0000"):
        schema.upgrade(db)


def test_a_database_of_a_newer_release_is_refused_with_a_sentence(tmp_path: Path) -> None:
    services.stores()
    db = Database(f"sqlite:///{tmp_path}/new.db")
    schema.create(db)
    with db.write() as tx:
        tx.connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ValueError, match="newer pileus"):
        schema.upgrade(db)


def test_a_token_that_was_revoked_before_an_upgrade_stays_so(tmp_path: Path) -> None:
    services.stores()
    db = Database(f"sqlite:///{tmp_path}/old.db")
    command.upgrade(schema.alembic(db), "0010")
    with db.write() as tx:
        tx.connection.execute("INSERT INTO revocations VALUES ('one', '2999-01-01T00:00:00.000000Z')")
    schema.migrate(db)
    with db.read() as tx:
        found = tx.connection.execute("SELECT audit_id FROM revocation_events").fetchall()
    assert [row[0] for row in found] == ["one"]
