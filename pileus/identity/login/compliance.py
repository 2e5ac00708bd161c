"""Security compliance: lockout, how long passwords last, how old and how strong they are, and users nobody uses.

The settings have the names of keystone.conf's section `security_compliance`; a user's options exempt it from some. The
history of passwords is kept hashed, and the state of log-ins in the database, so that all controllers agree on it.
"""

import re
from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest
from pileus.core.tables import columns, shape
from pileus.identity.store import LogInState, PastPassword, User, changed
from pileus.settings import SecurityCompliance

DAY = 86_400.0


# -- log-ins -------------------------------------------------------------------------------------------------------------


def locked(tx: Tx, rules: SecurityCompliance, user: User) -> bool:
    """Has the user failed so often that it has to wait, whatever it presents?"""
    if not rules.lockout_failure_attempts or user.options.get("ignore_lockout_failure_attempts"):
        return False
    state = tx.find(LogInState, user_id=user.id)
    if state is None or state.failed_at is None or state.failures < rules.lockout_failure_attempts:
        return False
    return clock.epoch(state.failed_at) + rules.lockout_duration > clock.epoch(clock.now())


def failed(tx: Tx, rules: SecurityCompliance, user: User) -> None:
    """Count a wrong password; after a lockout that is over, from one again."""
    if not rules.lockout_failure_attempts or user.options.get("ignore_lockout_failure_attempts"):
        return
    state = _state(tx, user)
    over = state.failures >= rules.lockout_failure_attempts
    tx.update(LogInState, user.id, failures=1 if over else state.failures + 1, failed_at=clock.now())


def to_note(tx: Tx, rules: SecurityCompliance, user: User) -> bool:
    """Is there anything to write down after a log-in that succeeded? Mostly not: it then needs no writing."""
    if not rules.lockout_failure_attempts and not rules.disable_user_account_days_inactive:
        return False
    state = tx.find(LogInState, user_id=user.id)
    stale = rules.disable_user_account_days_inactive and (state is None or state.active_on != clock.now()[:10])
    return bool(stale or (state is not None and state.failures))


def succeeded(tx: Tx, user: User, fully: bool) -> None:
    """`fully`: by what is counted when it is wrong. A token or another secret says nothing of who tries passwords."""
    if tx.find(User, id=user.id) is not None:
        state = _state(tx, user)
        failures, failed_at = (0, None) if fully else (state.failures, state.failed_at)
        tx.update(LogInState, user.id, failures=failures, failed_at=failed_at, active_on=clock.now()[:10])


def _state(tx: Tx, user: User) -> LogInState:
    state = tx.find(LogInState, user_id=user.id)
    if state is None:
        state = LogInState(user.id, 0, None, None)
        tx.insert(state)
    return state


def password_expired(user: User) -> bool:
    end = user.password_expires_at
    return end is not None and end <= clock.now() and not user.options.get("ignore_password_expiry")


# -- passwords -----------------------------------------------------------------------------------------------------------


def check_strength(rules: SecurityCompliance, password: str) -> None:
    """Raises BadRequest, with the words the operator chose."""
    if rules.password_regex and not re.match(rules.password_regex, password):
        why = rules.password_regex_description or "it does not match the expression the operator set"
        raise BadRequest(f"The password does not meet the requirements: {why}.")


def new_password(rules: SecurityCompliance, options: dict[str, Any], hashed: str | None, own: bool) -> dict[str, Any]:
    """The columns of a user that gets a password; `own`: the user itself chose it."""
    if hashed is None:
        return {"password_hash": None, "password_created_at": None, "password_expires_at": None}
    expires = None
    if rules.change_password_upon_first_use and not own and not options.get("ignore_change_password_upon_first_use"):
        expires = clock.now()
    elif rules.password_expires_days and not options.get("ignore_password_expiry"):
        expires = clock.after(rules.password_expires_days * DAY)
    return {"password_hash": hashed, "password_created_at": clock.now(), "password_expires_at": expires}


def former(tx: Tx, rules: SecurityCompliance, user: User) -> list[str]:
    """The hashes of those that a user may not choose again, the one it has included."""
    if not rules.unique_last_password_count:
        return []
    rows = sorted(tx.select(PastPassword, user_id=user.id), key=lambda row: row.created_at, reverse=True)
    found = [user.password_hash, *(row.password_hash for row in rows)]
    return [hashed for hashed in found if hashed][: rules.unique_last_password_count]


def check_age(rules: SecurityCompliance, user: User) -> None:
    """Raises BadRequest while the password is too young to be changed by its user; one that has expired never is."""
    if not rules.minimum_password_age or user.password_created_at is None or password_expired(user):
        return
    left = clock.epoch(user.password_created_at) + rules.minimum_password_age * DAY - clock.epoch(clock.now())
    if left > 0:
        days = int(left / DAY) + 1
        raise BadRequest(f"The password cannot be changed yet: it has to be used for another {days} day(s).")


def remember(tx: Tx, rules: SecurityCompliance, user: User) -> None:
    """Call when a user gets another password: the one it had joins its history, and lockouts end."""
    keep = max(rules.unique_last_password_count - 1, 0)
    if user.password_hash and keep:
        tx.insert(PastPassword(clock.new_hex_id(), user.id, user.password_hash, clock.now()))
    rows = sorted(tx.select(PastPassword, user_id=user.id), key=lambda row: row.created_at, reverse=True)
    for row in rows[keep:]:
        tx.delete(PastPassword, id=row.id)
    tx.update(LogInState, user.id, failures=0, failed_at=None)


# -- users nobody uses ---------------------------------------------------------------------------------------------------

_state_c = columns(LogInState)
_IDLE = sql(
    sa.select(shape(User).table)
    .outerjoin(_state_c.user_id.table, _state_c.user_id == columns(User).id)
    .where(
        columns(User).enabled.is_(sa.true()),
        sa.func.coalesce(_state_c.active_on, sa.func.substr(columns(User).created_at, 1, 10)) < sa.bindparam("day"),
    )
)


def disable_idle(tx: Tx, rules: SecurityCompliance) -> None:
    """Disable the users that have not logged in for too long."""
    if not rules.disable_user_account_days_inactive:
        return
    day = clock.after(-rules.disable_user_account_days_inactive * DAY)[:10]
    for user in tx.rows(User, _IDLE, day=day):
        if not user.options.get("ignore_user_inactivity"):
            tx.update(User, user.id, enabled=False, valid_after=clock.now())
            changed(tx)


def enabled_again(tx: Tx, rules: SecurityCompliance, user: User) -> None:
    """Enabling counts as use, or the user would be disabled at the next look."""
    if rules.disable_user_account_days_inactive:
        _state(tx, user)
        tx.update(LogInState, user.id, active_on=clock.now()[:10])
