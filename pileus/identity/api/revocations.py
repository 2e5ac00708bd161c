"""What voided tokens (Identity API v3, "OS-REVOKE")."""

from typing import Any

from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.wire import Request
from pileus.identity.api.base import api, many
from pileus.identity.tokens import revocations


@api.get("/v3/OS-REVOKE/events", policy="identity:list_revoke_events")
def list_revocation_events(rq: Request) -> dict[str, Any]:
    """List what voided tokens, all of it or since a moment."""
    since = rq.query.get("since") or ""
    try:
        moment = clock.canonical(since) if since else ""
    except (ValueError, OverflowError):
        raise BadRequest("Invalid input for query parameter since: it must be a time in ISO 8601.") from None
    return many(rq, "events", [revocations.view(row) for row in revocations.since(rq.tx, moment)])
