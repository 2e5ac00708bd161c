"""The action log of a server: what was asked, by whom, what came of it. Written with the change it tells of."""

import traceback as tracebacks

import sqlalchemy as sa

from pileus.compute.store import Server, ServerAction, ServerActionEvent
from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx, sql
from pileus.core.errors import NotFound
from pileus.core.tables import columns, shape

KEEP_DAYS = 90  # actions of servers that are gone
_action = columns(ServerAction)
_EVENTS = sql(
    sa.select(shape(ServerActionEvent).table)
    .where(columns(ServerActionEvent).action_id == sa.bindparam("action", type_=sa.Text()))
    .order_by(columns(ServerActionEvent).started_at.desc())
)
_OLD = sql(
    sa.delete(shape(ServerAction).table).where(
        _action.updated_at < sa.bindparam("before", type_=sa.Text()),
        ~sa.exists().where(columns(Server).id == _action.server_id),
    )
)


def begin(tx: Tx, server: Server, ctx: Context, action: str, event: str | None = None) -> None:
    """An action was asked for. With an event it is going on, and `finish` closes it."""
    now = clock.now()
    row = ServerAction(
        clock.new_id(), server.id, server.project_id, ctx.user_id or "", action, ctx.request_id, None, now, now
    )
    tx.insert(row)
    if event:
        tx.insert(ServerActionEvent(clock.new_id(), row.id, event, now, host=server.host))


def finish(
    tx: Tx, server_id: str, request_id: str, error: BaseException | None = None, host: str | None = None
) -> None:
    """Close the open events of the action that a request began."""
    row = tx.find(ServerAction, server_id=server_id, request_id=request_id)
    if row is None:
        return
    now = clock.now()
    closed = {"finished_at": now, "result": "Success" if error is None else "Error", "host": host}
    if error is not None:
        closed |= {"traceback": "".join(tracebacks.format_exception(error))[:16000], "details": str(error)[:2000]}
    tx.update(ServerActionEvent, {"action_id": row.id, "finished_at": None}, **closed)
    tx.update(ServerAction, row.id, updated_at=now, message=None if error is None else "Error")


def get_action(tx: Tx, server_id: str, request_id: str) -> ServerAction:
    found = tx.find(ServerAction, server_id=server_id, request_id=request_id)
    if found is None:
        raise NotFound(f"Action for request_id {request_id} on instance {server_id} not found", kind="ActionNotFound")
    return found


def list_events(tx: Tx, action: ServerAction) -> list[ServerActionEvent]:
    return tx.rows(ServerActionEvent, _EVENTS, action=action.id)


def forget_old(tx: Tx) -> int:
    """Drop what is past its time."""
    return tx.execute(_OLD, before=clock.after(-KEEP_DAYS * 86400))
