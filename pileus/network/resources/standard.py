"""Attributes which every resource has, and kinds of fields that only this API knows."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.fields import OPTIONAL, Address, Cidr, Field, Integer, Items, Object, Text

EVERYWHERE: dict[str, Any] = {"filter": True, "sort": True}
GIVEN: dict[str, Any] = {"create": OPTIONAL, "update": True, **EVERYWHERE}
ONCE: dict[str, Any] = {"create": OPTIONAL, **EVERYWHERE}


def standard(*, named: bool = True, name: str = "name") -> list[Field]:
    fields: list[Field] = [
        Text("id", max=36, **EVERYWHERE),
        Text("project_id", **ONCE),
        Text("tenant_id", **ONCE),
        Text("description", default="", **GIVEN),
        Integer("revision_number", **EVERYWHERE),
        Text("created_at", show=lambda row: clock.seconds(row.created_at), **EVERYWHERE),
        Text("updated_at", show=lambda row: clock.seconds(row.updated_at), **EVERYWHERE),
        Items("tags", of=TAG),
    ]
    fields[2].source = "project_id"
    if named:
        fields.insert(1, Text(name, default="", **GIVEN))
    return fields


TAG = Text("tags", min=1, max=255)


class Uuids(Items):
    """A list of ids, each once; null is an empty list."""

    def __init__(self, name: str, **options: Any):
        super().__init__(name, of=Text(name, min=1, max=36), unique=True, **options)

    def check(self, value: Any) -> Any:
        return [] if value is None else super().check(value)


class Listed(Items):
    """A list; null is an empty one."""

    def check(self, value: Any) -> Any:
        return [] if value is None else super().check(value)


class Version(Integer):
    """4 or 6."""

    wanted = "4 or 6"

    def convert(self, value: Any) -> Any:
        number = super().convert(value)
        if number not in (4, 6):
            self.refuse(value)
        return number


class Prefix(Cidr):
    """A network, or one address which stands for a network of itself; host bits are cleared."""

    def convert(self, value: Any) -> Any:
        if isinstance(value, str) and "/" not in value:
            try:
                value = str(ipaddress.ip_network(value.strip()))
            except ValueError:
                self.refuse(value, f"'{value[:100]}' is not a valid IP subnet.")
        return super().convert(value)


def routes(name: str, **options: Any) -> Listed:
    """Host routes of a subnet, extra routes of a router."""
    member = Object(name, [Cidr("destination", create="required"), Address("nexthop", create="required")])
    return Listed(name, of=member, unique=True, **options)
