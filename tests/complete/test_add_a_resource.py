"""docs/add-a-resource.md is executed: its code makes a resource that its own specification accepts."""

import re
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.schema import CreateTable

from pileus.core import clock, tables
from pileus.core.db import Tx
from pileus.core.errors import Conflict
from pileus.core.fields import OPTIONAL, REQUIRED, Text
from pileus.core.policy import Policy
from pileus.core.resources import REFUSE
from pileus.core.routes import RouteTable
from pileus.core.tables import Key, table
from pileus.core.wire import Request
from pileus.identity.api.base import Target, api, one
from pileus.identity.api.plain import plain
from pileus.identity.policy import ADMIN, READERS, _rules
from pileus.identity.projects import get_domain
from pileus.identity.resources import Entity
from tests.harness import World

PAGE = Path(__file__).parents[2] / "docs/add-a-resource.md"
VOCABULARY: dict[str, Any] = {
    "ADMIN": ADMIN, "Any": Any, "Conflict": Conflict, "Entity": Entity, "Key": Key, "OPTIONAL": OPTIONAL, "READERS": READERS,
    "REFUSE": REFUSE, "REQUIRED": REQUIRED, "Request": Request, "Target": Target, "Text": Text, "Tx": Tx, "_rules": _rules,
    "api": api, "clock": clock, "get_domain": get_domain, "msgspec": msgspec, "one": one, "plain": plain, "table": table,
}  # fmt: skip


def test_the_page_tells_the_truth(fresh: World) -> None:
    # a Struct's annotations are looked up in its module: the code runs in this one
    space = globals()
    space.update(VOCABULARY)
    before = list(api.routes)
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(block, str(PAGE), "exec"), space)  # the page is ours
        made = tables.shape(space["Badge"]).table
        with fresh.cloud.db.write() as tx:
            tx.connection.execute(str(CreateTable(made).compile(dialect=fresh.cloud.db.dialect)))
        known = fresh.cloud.policies["identity"].rules.values()
        fresh.cloud.policies["identity"] = Policy([*known, *space["BADGE_RULES"]])
        fresh.cloud.routes = RouteTable([api])
        space["test_a_badge_belongs_to_a_domain"](fresh.client("admin"), fresh.client("member", "reader"))
    finally:
        api.routes[:] = before
        if "Badge" in space:
            tables.metadata.remove(tables.shape(space["Badge"]).table)
