"""Security groups and their rules."""

import ipaddress
from typing import Any

from pileus.core import clock
from pileus.core.fields import REQUIRED, Boolean, Field, Items, Object, Text
from pileus.core.resources import Resource
from pileus.network.drivers.translate.security_groups import PROTOCOLS
from pileus.network.resources.standard import EVERYWHERE, GIVEN, ONCE, Prefix, standard


class Protocol(Text):
    """A name, or an IP protocol number."""

    wanted = "the name or number of an IP protocol"

    def check(self, value: Any) -> Any:
        return None if value is None or value == "" else self.convert(value)

    def convert(self, value: Any) -> Any:
        text = str(value).lower() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= 255:
            return str(int(text))
        if text not in PROTOCOLS and text != "any":
            self.refuse(value)
        return text


class Ethertype(Text):
    wanted = "IPv4 or IPv6"

    def convert(self, value: Any) -> Any:
        for known in ("IPv4", "IPv6"):
            if isinstance(value, str) and value.lower() == known.lower():
                return known
        self.refuse(value)


class WrittenPrefix(Prefix):
    """Kept with the host bits it was written with."""

    def convert(self, value: Any) -> Any:
        network = super().convert(value)
        return value.strip() if "/" in value else network


class PortNumber(Text):
    """A port, or an ICMP type or code: what it may be depends on the protocol, so the range is checked there."""

    wanted = "an integer"

    def convert(self, value: Any) -> Any:
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or len(text) > 9:
            self.refuse(value)
        return int(text)

    def query(self, text: str) -> Any:
        return self.convert(text)


def normalized(row: Any) -> str | None:
    prefix = row.remote_ip_prefix
    return str(ipaddress.ip_network(prefix, strict=False)) if prefix else None


def _meaning() -> list[Field]:
    return [
        Text("direction", choices=("ingress", "egress"), create=REQUIRED, **EVERYWHERE),
        Ethertype("ethertype", default="IPv4", **ONCE),
        Protocol("protocol", null=True, default=None, **ONCE),
        PortNumber("port_range_min", null=True, default=None, **ONCE),
        PortNumber("port_range_max", null=True, default=None, **ONCE),
        WrittenPrefix("remote_ip_prefix", null=True, default=None, **ONCE),
        Text("remote_group_id", null=True, default=None, max=36, **ONCE),
        Text("remote_address_group_id", null=True, default=None, max=36, **ONCE),
    ]


rule = Resource(
    "security_group_rule",
    [
        *standard(named=False),
        Text("security_group_id", max=36, create=REQUIRED, **EVERYWHERE),
        *_meaning(),
        Text("normalized_cidr", show=normalized),
        Boolean("belongs_to_default_sg", show=lambda row: bool(getattr(row, "in_default", False))),
    ],
)


default_rule = Resource(
    "default_security_group_rule",
    [
        *(field for field in standard(named=False) if field.name not in ("project_id", "tenant_id", "tags")),
        *_meaning(),
        Boolean("used_in_default_sg", default=False, **ONCE),
        Boolean("used_in_non_default_sg", default=True, **ONCE),
    ],
)


def _rules(row: Any) -> list[dict[str, Any]]:
    return [rule_view(member, row.is_default) for member in getattr(row, "rules", [])]


def rule_view(member: Any, in_default: bool) -> dict[str, Any]:
    return {
        "id": member.id,
        "project_id": member.project_id,
        "tenant_id": member.project_id,
        "security_group_id": member.security_group_id,
        "direction": member.direction,
        "ethertype": member.ethertype,
        "protocol": member.protocol,
        "port_range_min": member.port_range_min,
        "port_range_max": member.port_range_max,
        "remote_ip_prefix": member.remote_ip_prefix,
        "normalized_cidr": normalized(member),
        "remote_group_id": member.remote_group_id,
        "remote_address_group_id": member.remote_address_group_id,
        "description": member.description,
        "belongs_to_default_sg": in_default,
        "revision_number": member.revision_number,
        "created_at": clock.seconds(member.created_at),
        "updated_at": clock.seconds(member.updated_at),
        "tags": member.tags,
    }


group = Resource(
    "security_group",
    [
        *standard(),
        Boolean("stateful", default=True, **GIVEN),
        Boolean("shared", show=lambda row: bool(getattr(row, "shared", False))),
        Items("security_group_rules", of=Object(""), show=_rules),
    ],
)
