"""docs/add-a-resource.md is executed: its code makes a resource that its own specification accepts."""

import re
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.schema import CreateTable

from pileus.core import clock, faults, paging, tables
from pileus.core.errors import Conflict
from pileus.core.fields import OPTIONAL, REQUIRED, Text, Time
from pileus.core.policy import Policy, Rule
from pileus.core.resources import Resource
from pileus.core.routes import RouteTable, Service
from pileus.core.tables import Key, table
from pileus.core.wire import Request
from tests.harness import World

PAGE = Path(__file__).parents[2] / "docs/add-a-resource.md"
VOCABULARY: dict[str, Any] = {
    "Any": Any, "Conflict": Conflict, "Key": Key, "OPTIONAL": OPTIONAL, "REQUIRED": REQUIRED, "Request": Request,
    "Resource": Resource, "Rule": Rule, "Text": Text, "Time": Time, "clock": clock, "msgspec": msgspec,
    "paging": paging, "table": table,
}  # fmt: skip


def test_the_page_tells_the_truth(fresh: World) -> None:
    api = Service("compute", "/compute/v2.1", faults.compute)
    # a Struct's annotations are looked up in its module: the code runs in this one
    space = globals()
    space.update(VOCABULARY, api=api)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), space)  # the page is ours
    made = tables.shape(space["Note"]).table
    try:
        with fresh.cloud.db.write() as tx:
            tx.connection.execute(str(CreateTable(made).compile(dialect=fresh.cloud.db.dialect)))
        fresh.cloud.policies["compute"] = Policy(
            [*fresh.cloud.policies["compute"].rules.values(), *space["NOTE_RULES"]]
        )
        fresh.cloud.routes = RouteTable([api])
        space["test_a_note_belongs_to_its_project"](
            fresh.client("member", "reader"), fresh.client("reader"), fresh.client("member", "reader")
        )
    finally:
        tables.metadata.remove(made)
