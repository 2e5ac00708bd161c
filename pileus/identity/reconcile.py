"""What must stay true: revocations are kept only as long as the tokens they void, trusts until they end, users in use."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import sql
from pileus.core.reconcile import Task
from pileus.core.tables import columns
from pileus.identity.federation.store import UsedAssertion
from pileus.identity.ldap.reconcile import follow_directories
from pileus.identity.login import compliance
from pileus.identity.store import AccessToken, Membership, Nonce, RequestToken, Trust, changed
from pileus.identity.tokens import revocations

_ENDED = [
    sql(sa.delete(kind.expires_at.table).where(kind.expires_at < sa.bindparam("now")))
    for kind in [columns(struct) for struct in (Trust, RequestToken, AccessToken, Nonce, UsedAssertion)]
]


def forget_expired(cloud: Any) -> None:
    """Tokens look at their own end first, so what goes here changes the meaning of none."""
    with cloud.db.write() as tx:
        for statement in _ENDED:
            tx.execute(statement, now=clock.now())
        revocations.forget(tx, cloud.settings.token_seconds)


_LEFT = sql(sa.delete(columns(Membership).group_id.table).where(columns(Membership).expires_at < sa.bindparam("now")))


def leave_groups(cloud: Any) -> None:
    """Memberships by mapping end; what tokens mean without them is told to all who remember it."""
    with cloud.db.write() as tx:
        if tx.execute(_LEFT, now=clock.now()):
            changed(tx)


def disable_idle(cloud: Any) -> None:
    """Users that have not logged in for as long as the operator set, if it did."""
    if cloud.settings.security_compliance.disable_user_account_days_inactive:
        with cloud.db.write() as tx:
            compliance.disable_idle(tx, cloud.settings.security_compliance)


TASKS = [
    Task("identity-expired", forget_expired, every=3600.0),
    Task("identity-left-groups", leave_groups, every=30.0),
    Task("identity-directories", follow_directories, every=60.0),
    Task("identity-idle-users", disable_idle, every=3600.0),
]
