"""Quotas, counted from rows inside the transaction that would exceed them: there is no usage table to drift."""

import msgspec
import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import OverQuota
from pileus.core.tables import Key, table

UNLIMITED = -1


@table("quotas", unique=[("service", "project_id", "resource")])
class QuotaRow(msgspec.Struct):
    """A limit set for one project; without a row the service's default holds."""

    id: Key
    service: str
    project_id: str
    resource: str
    hard_limit: int


_LOCK = sql(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(sa.bindparam("what", type_=sa.Text())))))


def limits(tx: Tx, service: str, project_id: str, defaults: dict[str, int]) -> dict[str, int]:
    """Every limit of a project, by resource."""
    own = {row.resource: row.hard_limit for row in tx.select(QuotaRow, service=service, project_id=project_id)}
    return {resource: own.get(resource, default) for resource, default in defaults.items()}


def limit(tx: Tx, service: str, project_id: str, resource: str, default: int) -> int:
    row = tx.find(QuotaRow, service=service, project_id=project_id, resource=resource)
    return row.hard_limit if row else default


def hold(tx: Tx, service: str, project_id: str | None) -> None:
    """Let no other transaction of this project count at the same time (SQLite has one writer anyway)."""
    if not tx.db.sqlite:
        tx.scalar(_LOCK, what=f"{service}/{project_id}")


def check(resource: str, allowed: int, used: int, adding: int) -> None:
    """Raises OverQuota when `adding` more would be too many."""
    if allowed != UNLIMITED and adding > 0 and used + adding > allowed:
        raise OverQuota(
            f"Quota exceeded for {resource}: Requested {adding}, but already used {used} of {allowed} {resource}",
            kind="OverQuota",
        )


def set_limit(tx: Tx, service: str, project_id: str, resource: str, value: int) -> None:
    row = tx.find(QuotaRow, service=service, project_id=project_id, resource=resource)
    if row:
        tx.update(QuotaRow, row.id, hard_limit=value)
    else:
        tx.insert(QuotaRow(clock.new_id(), service, project_id, resource, value))


def reset(tx: Tx, service: str, project_id: str) -> None:
    """Back to the defaults."""
    tx.delete(QuotaRow, service=service, project_id=project_id)
