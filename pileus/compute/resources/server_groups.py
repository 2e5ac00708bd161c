"""Server groups, as clients send and see them."""

from typing import Any

from pileus.compute.resources.flavors import NAME
from pileus.compute.server_groups import POLICIES
from pileus.core.fields import OPTIONAL, REQUIRED, Field, Integer, Items, Object, Text
from pileus.core.resources import Resource


class OnePolicy(Items):
    """A list of exactly one."""

    def convert(self, value: Any) -> Any:
        found = super().convert(value)
        if len(found) != 1:
            self.refuse(value, "It must name exactly one policy.")
        return found


GROUP = Resource(
    "server_group",
    [
        Text("id"),
        Text("name", create=REQUIRED, min=1, pattern=NAME),
        Text("policy", create=REQUIRED, choices=POLICIES, since="2.64"),
        Object("rules", [Integer("max_server_per_host", min=1)], create=OPTIONAL, default=dict, since="2.64"),
        Text("project_id", since="2.13"),
        Text("user_id", since="2.13"),
    ],
    earlier=[
        OnePolicy("policies", Text("policies", choices=POLICIES), create=REQUIRED, until="2.63",
                  show=lambda row: [row.policy]),
        Field("metadata", until="2.63", show=lambda row: {}),
    ],
)  # fmt: skip
