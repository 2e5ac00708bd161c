"""The schema: a new database is made whole at once, an older one is migrated with Alembic."""

import importlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from pileus.core import quota, saga, tables  # noqa: F401  (their tables)
from pileus.core.db import Database

VERSIONS = Path(__file__).parents[1] / "migrations/versions"


def newest() -> str:
    """The newest migration's number: its file's name begins with it."""
    return max((path.name[:4] for path in VERSIONS.glob("[0-9]*_*.py")), default="")


def upgrade(db: Database) -> None:
    """Bring the database to the newest schema; quick when it is there already."""
    importlib.import_module("pileus.services").stores()
    current = version(db)
    if current == newest():
        return
    if current is None:
        create(db)
    elif current > newest():
        raise ValueError(f"the database was written by a newer pileus (schema {current}; this one knows {newest()})")
    else:
        migrate(db)


def version(db: Database) -> str | None:
    with db.read() as tx:
        exists = tx.connection.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            if db.sqlite
            else "SELECT 1 FROM pg_tables WHERE tablename = 'alembic_version' AND schemaname = current_schema()"
        ).fetchone()
        if not exists:
            return None
        found = tx.connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else None


def create(db: Database, metadata: sa.MetaData | None = None) -> None:
    """All tables in one transaction, marked as being at the newest migration (Alembic itself costs 0.3 s at start)."""
    with db.write() as tx:
        if not db.sqlite:  # two controllers that start at once: IF NOT EXISTS alone may still collide
            tx.connection.execute("SELECT pg_advisory_xact_lock(7025)")
        for table in (tables.metadata if metadata is None else metadata).sorted_tables:
            tx.connection.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=db.dialect)))
            for index in table.indexes:
                tx.connection.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=db.dialect)))
        tx.connection.execute(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        tx.connection.execute("DELETE FROM alembic_version")
        tx.connection.execute(f"INSERT INTO alembic_version VALUES ('{newest()}')")


def migrate(db: Database) -> None:
    from alembic import command

    command.upgrade(alembic(db), "head")


def alembic(db: Database) -> Any:
    """Alembic's configuration for this database."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "pileus:migrations")
    config.attributes["url"] = engine_url(db)
    return config


def engine_url(db: Database) -> Any:
    """The database's address as SQLAlchemy writes it."""
    return sa.make_url(db.url if db.sqlite else db.url.replace("postgresql://", "postgresql+psycopg://", 1))
