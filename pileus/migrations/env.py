"""What Alembic runs: the tables as declared, on the database it was given."""

import sqlalchemy as sa
from alembic import context

from pileus import services
from pileus.core import quota, saga, tables  # noqa: F401  (their tables)

services.stores()
engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.pool.NullPool)
with engine.connect() as connection:
    # SQLite cannot alter most of a table: Alembic makes a new one and moves the rows
    context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
