"""Revocation events: the record of what voided tokens, for those who keep validated ones (`GET /v3/OS-REVOKE/events`).

Here it decides about tokens that were revoked one by one: of all else a token is looked up with what it stands for. It is
kept as long as the last token that an event may have voided could have been asked about.
"""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.tables import columns, shape
from pileus.identity.store import RevocationEvent
from pileus.identity.tokens.provider import EXPIRED_WINDOW

_MARGIN = 1800  # seconds that another's clock may be behind
_SINCE = sql(
    sa.select(shape(RevocationEvent).table)
    .where(columns(RevocationEvent).revoked_at >= sa.bindparam("since"))
    .order_by(columns(RevocationEvent).revoked_at, columns(RevocationEvent).id)
)
_FORGET = sql(
    sa.delete(shape(RevocationEvent).table).where(columns(RevocationEvent).revoked_at < sa.bindparam("before"))
)


def note(tx: Tx, **of: str) -> None:
    """Tokens issued until now are void that are of this user_id, project_id, domain_id, trust_id, consumer_id ..."""
    moment = clock.now()
    tx.insert(RevocationEvent(id=clock.new_hex_id(), issued_before=moment, revoked_at=moment, **of))


def since(tx: Tx, moment: str) -> list[RevocationEvent]:
    return tx.rows(RevocationEvent, _SINCE, since=moment)


def forget(tx: Tx, token_seconds: int) -> None:
    """What can concern no token any more."""
    tx.execute(_FORGET, before=clock.after(-token_seconds - EXPIRED_WINDOW - _MARGIN))


_WORDS = {
    "trust_id": "OS-TRUST:trust_id", "consumer_id": "OS-OAUTH1:consumer_id",
    "access_token_id": "OS-OAUTH1:access_token_id",
}  # fmt: skip
_NAMES = ("user_id", "project_id", "domain_id", "audit_id", *_WORDS, "issued_before", "revoked_at")


def view(row: RevocationEvent) -> dict[str, Any]:
    """As clients see it: only what the event names."""
    return {_WORDS.get(name, name): value for name in _NAMES if (value := getattr(row, name)) is not None}
