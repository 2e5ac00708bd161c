"""Messages: why something failed (Block Storage API, "User messages")."""

from typing import Any

from pileus.block_storage import messages
from pileus.block_storage.api.base import api
from pileus.block_storage.api.listing import listing
from pileus.block_storage.resources.base import Filter, links_of
from pileus.block_storage.store import Message
from pileus.core import clock
from pileus.core.wire import Request

FILTERS = {
    "resource_uuid": Filter("resource_id", like=True), "resource_type": Filter("resource_type", like=True),
    "event_id": Filter("event_id", like=True), "request_id": Filter("request_id", like=True),
    "message_level": Filter("level", like=True),
}  # fmt: skip


def message(rq: Request, message_id: str) -> Message:
    return messages.get_message(rq.tx, message_id)


def _shown(rq: Request, row: Message) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "user_message": row.text,
        "message_level": row.level,
        "created_at": clock.naive(row.created_at),
        "guaranteed_until": clock.naive(row.expires_at),
        "request_id": row.request_id,
        "resource_type": row.resource_type,
        "resource_uuid": row.resource_id,
        "links": links_of(rq, "messages", row.id),
    }


@api.get("/messages", policy="message:get_all", since="3.3")
def list_messages(rq: Request) -> dict[str, Any]:
    """List what failed and why, newest first."""
    found = listing(rq, Message, "messages", FILTERS, ("event_id", "resource_type", "request_id"), counted=False)
    return {"messages": [_shown(rq, row) for row in found.rows], **found.extra}


@api.get("/messages/{message_id}", policy="message:get", on=message, since="3.3")
def show_message(rq: Request, found: Message) -> dict[str, Any]:
    """Show a message."""
    return {"message": _shown(rq, found)}


@api.delete("/messages/{message_id}", policy="message:delete", on=message, since="3.3")
def delete_message(rq: Request, found: Message) -> None:
    """Delete a message."""
    rq.tx.delete(Message, id=found.id)
