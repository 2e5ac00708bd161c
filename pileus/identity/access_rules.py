"""Access rules: the calls an application credential may make, and no others."""

import re
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.context import Context
from pileus.core.db import Tx, in_list, sql
from pileus.core.errors import Forbidden, NotFound
from pileus.core.tables import columns, shape
from pileus.core.wire import Request
from pileus.identity.store import AccessRule, ApplicationCredential

# further names a service goes by in rules, besides the type in the catalog
_ALIASES = {"volumev3": "block-storage", "volume": "block-storage", "block-store": "block-storage"}

_BY_IDS = sql(sa.select(shape(AccessRule).table).where(in_list(columns(AccessRule).id, "ids")))


def of(tx: Tx, credential: ApplicationCredential) -> list[AccessRule]:
    return tx.rows(AccessRule, _BY_IDS, ids=credential.access_rule_ids)


def permitted(ctx: Context, rq: Request) -> bool:
    """Does one of the caller's rules allow this request? Paths are matched below the service's own prefix."""
    service = rq.service.name.removesuffix("-root").replace("_", "-")
    own = "/" + rq.service.prefix.split("/")[1]  # /compute, of /compute/v2.1
    path = rq.path.removeprefix(own) if rq.path.startswith(own + "/") else rq.path
    return any(
        _ALIASES.get(rule.service, rule.service) == service
        and rule.method == rq.method
        and _pattern(rule.path).fullmatch(path)
        for rule in ctx.access_rules
    )


@lru_cache(1000)
def _pattern(path: str) -> re.Pattern[str]:
    """`*` and `{name}` stand for one segment's text, `**` for any."""
    parts = re.split(r"(\*\*|\*|\{[^/{}]*\})", path)
    forms = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(forms.get(part, "[^/]+" if part[:1] == "{" else re.escape(part)) for part in parts))


def ensure(tx: Tx, user_id: str, service: str, method: str, path: str) -> AccessRule:
    """The user's rule that says just this, made when there is none."""
    given: dict[str, Any] = {"user_id": user_id, "service": service, "method": method, "path": path}
    found = tx.find(AccessRule, **given)
    if found is None:
        found = AccessRule(clock.new_hex_id(), user_id, service, method, path)
        tx.insert(found)
    return found


def get_rule(tx: Tx, user_id: str, rule_id: str) -> AccessRule:
    """Raises NotFound."""
    found = tx.find(AccessRule, id=rule_id, user_id=user_id)
    if found is None:
        raise NotFound(f"Could not find access rule: {rule_id}.")
    return found


def delete_rule(tx: Tx, rule: AccessRule) -> None:
    """Raises Forbidden while an application credential uses it."""
    if any(rule.id in row.access_rule_ids for row in tx.select(ApplicationCredential, user_id=rule.user_id)):
        raise Forbidden(f"Access rule {rule.id} is in use by an application credential.")
    tx.delete(AccessRule, id=rule.id)
