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
_ALIASES = {
    "volumev3": "block-storage",
    "volume": "block-storage",
    "block-store": "block-storage",
    "object-store": "object-storage",
}

_BY_IDS = sql(sa.select(shape(AccessRule).table).where(in_list(columns(AccessRule).id, "ids")))


def of(tx: Tx, credential: ApplicationCredential) -> list[AccessRule]:
    return tx.rows(AccessRule, _BY_IDS, ids=credential.access_rule_ids)


def permitted(ctx: Context, rq: Request) -> bool:
    """Does one of the caller's rules allow this request? Paths are matched below the service's own prefix."""
    service = rq.service.name.removesuffix("-root").replace("_", "-")
    own = "/" + rq.service.prefix.split("/")[1]  # /compute, of /compute/v2.1
    path = rq.path.removeprefix(own) if rq.path.startswith(own + "/") else rq.path
    return any(
        _ALIASES.get(rule.service, rule.service) == service and rule.method == rq.method and fits(rule.path, path)
        for rule in ctx.access_rules
    )


_WILD = re.compile(r"(\*\*|\*|\{[^/{}]*\})")
_LONGEST = 4096  # characters of a path: beyond, no rule fits


@lru_cache(1000)
def _tokens(pattern: str) -> list[str]:
    """`*` stands for any text of a segment, `{name}` for some, `**` for any text; other characters for themselves."""
    found: list[str] = []
    for part in _WILD.split(pattern):
        if part[:1] == "{":
            found.extend(("?", "*"))
        elif part in ("*", "**"):
            found.append(part)
        else:
            found.extend(f"={letter}" for letter in part)
    return found


def fits(pattern: str, path: str) -> bool:
    """All places in the pattern that the path can have reached are kept at once: users write patterns, and a regular
    expression of many wildcards can be made to take for ever."""
    tokens = _tokens(pattern)
    if len(path) > _LONGEST:
        return False
    places = _past_wildcards(tokens, {0})
    for letter in path:
        reached = set()
        for place in places:
            token = tokens[place] if place < len(tokens) else ""
            if token == "**" or (token == "*" and letter != "/"):
                reached.add(place)
            elif token == f"={letter}" or (token == "?" and letter != "/"):
                reached.add(place + 1)
        if not reached:
            return False
        places = _past_wildcards(tokens, reached)
    return len(tokens) in places


def _past_wildcards(tokens: list[str], places: set[int]) -> set[int]:
    """With those behind wildcards, which may stand for nothing."""
    found = set(places)
    for place in places:
        while place < len(tokens) and tokens[place] in ("*", "**"):
            place += 1
            found.add(place)
    return found


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
