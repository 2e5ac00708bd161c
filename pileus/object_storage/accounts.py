"""Accounts: what they were told, and what they may have. An account is there for each project, written to or not."""

from pileus.core.db import Tx
from pileus.core.errors import TooLarge
from pileus.object_storage import limits, store
from pileus.object_storage.store import Account, Sums

META = "x-account-meta-"
QUOTA_BYTES, QUOTA_COUNT = "x-account-quota-bytes", "x-account-quota-count"
OLD_QUOTA_BYTES = "x-account-meta-quota-bytes"  # the same, by the name it had when it was metadata
POLICY_BYTES, POLICY_COUNT = "x-account-quota-bytes-policy-policy-0", "x-account-quota-count-policy-policy-0"
QUOTAS = (QUOTA_BYTES, QUOTA_COUNT, POLICY_BYTES, POLICY_COUNT)


def get_account(tx: Tx, name: str) -> Account:
    """Its row, or what an account is that nobody has written to yet."""
    return tx.find(Account, id=name) or Account(name, store.timestamp(0))


def update_account(tx: Tx, name: str, changes: dict[str, str]) -> Account:
    """An empty value removes. Raises BadRequest."""
    found = tx.find(Account, id=name)
    if found is None:
        found = Account(name, store.now())
        tx.insert(found)
    if changes:
        headers = merged(found.headers, changes)
        limits.check_metadata({key[len(META) :]: value for key, value in headers.items() if key.startswith(META)})
        tx.update(Account, name, headers=headers)
        found.headers = headers
    return found


def merged(old: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in {**old, **changes}.items() if value != ""}


def limit(headers: dict[str, str], name: str) -> int | None:
    return limits.whole_number(headers[name]) if name in headers else None


def check_room(tx: Tx, account: str, objects: int, size: int) -> None:
    """Raises TooLarge when so much more would be over the account's quota."""
    found = tx.find(Account, id=account)
    if found is None or not any(name in found.headers for name in QUOTAS) or (objects <= 0 and size <= 0):
        return
    store.hold(tx, account)
    sums: Sums = store.account_sums(tx, account)
    for name in (QUOTA_BYTES, POLICY_BYTES):
        most = limit(found.headers, name)
        if most is not None and size > 0 and sums.bytes + size > most:
            raise TooLarge("Upload exceeds quota.")
    for name in (QUOTA_COUNT, POLICY_COUNT):
        most = limit(found.headers, name)
        if most is not None and objects > 0 and sums.objects + objects > most:
            raise TooLarge("Upload exceeds quota.")


def room(tx: Tx, account: str) -> int | None:
    """How many bytes more it may have, where that is limited."""
    found = tx.find(Account, id=account)
    if found is None:
        return None
    limits_set = [most for name in (QUOTA_BYTES, POLICY_BYTES) if (most := limit(found.headers, name)) is not None]
    return min(limits_set) - store.account_sums(tx, account).bytes if limits_set else None
