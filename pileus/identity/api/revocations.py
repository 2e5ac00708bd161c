"""What voided tokens (Identity API v3, "OS-REVOKE")."""

from typing import Any, NoReturn

from pileus.core import clock
from pileus.core.errors import BadRequest, Forbidden, Gone
from pileus.core.routes import PUBLIC
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


# -- of tokens that were signed documents: OpenStack keeps these addresses, and so does this cloud ----------------------


@api.get("/v3/auth/tokens/OS-PKI/revoked", policy=PUBLIC, tx="")
def list_revoked_tokens(rq: Request) -> NoReturn:
    """Refuse to list revoked tokens: none is stored."""
    raise Forbidden("Tokens are not stored, so revoked ones cannot be listed: see /v3/OS-REVOKE/events.")


def show_certificates(rq: Request) -> NoReturn:
    """Say that there are no certificates of tokens any more."""
    raise Gone("Tokens are not checked by certificates any more.")


for _name in ("ca", "certificates"):
    api.get(f"/v3/OS-SIMPLE-CERT/{_name}", policy=PUBLIC, tx="")(show_certificates)
