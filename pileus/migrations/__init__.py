"""Migrations of the schema (Alembic). `make migration ARGS="what it does"` writes the next one from the tables' change."""
