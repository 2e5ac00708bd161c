"""QoS policies and their rules."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Integer, Items, Object, Text
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, GIVEN, standard

DSCP_MARKS = (0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56)
DIRECTIONS = ("egress", "ingress")


class Mark(Integer):
    wanted = "a DSCP mark"

    def convert(self, value: Any) -> Any:
        mark = super().convert(value)
        if mark not in DSCP_MARKS:
            self.refuse(value, f"It must be one of {', '.join(map(str, DSCP_MARKS))}.")
        return mark


def rule_view(rule: Any) -> dict[str, Any]:
    body = {"id": rule.id, "qos_policy_id": rule.qos_policy_id, "type": rule.kind}
    return body | {name: getattr(rule, name) for name in SHOWN[rule.kind]}


SHOWN = {
    "bandwidth_limit": ("max_kbps", "max_burst_kbps", "direction"),
    "dscp_marking": ("dscp_mark",),
}

policy = Resource(
    "policy",
    [
        *standard(),
        Boolean("shared", default=False, create=OPTIONAL, update=True, sort=True),
        Boolean("is_default", default=False, **GIVEN),
        Items("rules", of=Object(""), show=lambda row: [rule_view(rule) for rule in getattr(row, "rules", [])]),
    ],
    plural="policies",
)


def _rule(kind: str, *fields: Field) -> Resource:
    return Resource(
        f"{kind}_rule", [Text("id", max=36, **EVERYWHERE), *fields], rules=f"policy_{kind}_rule"
    )  # fmt: skip


RULES = {
    "bandwidth_limit": _rule(
        "bandwidth_limit",
        Integer("max_kbps", min=0, create=REQUIRED, update=True, filter=True, sort=True),
        Integer("max_burst_kbps", min=0, default=0, **GIVEN),
        Text("direction", choices=DIRECTIONS, default="egress", **GIVEN),
    ),
    "dscp_marking": _rule("dscp_marking", Mark("dscp_mark", create=REQUIRED, update=True, filter=True, sort=True)),
}
