"""Ranges of segments' numbers."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Items, Object, Text
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, ONCE, standard

SHOWN = 1000  # of the free numbers of a range, which may be millions


def available(row: Any) -> list[int]:
    used = getattr(row, "used", {})
    found: list[int] = []
    for number in range(row.minimum, row.maximum + 1):
        if len(found) == SHOWN:
            break
        if number not in used:
            found.append(number)
    return found


NUMBER: dict[str, Any] = {"create": REQUIRED, "update": True, **EVERYWHERE}

segment_range = Resource(
    "network_segment_range",
    [
        *standard(),
        Boolean("default", source="is_default", **EVERYWHERE),
        Boolean("shared", default=True, **ONCE),
        Text("network_type", choices=("vlan", "geneve", "vxlan"), create=REQUIRED, **EVERYWHERE),
        Text("physical_network", null=True, default=None, **ONCE),
        Integer("minimum", min=1, **NUMBER),
        Integer("maximum", min=1, **NUMBER),
        Object(
            "used", open=True, show=lambda row: {str(n): project for n, project in getattr(row, "used", {}).items()}
        ),
        Items("available", of=Integer(""), show=available),
    ],
)
segment_range.fields["project_id"].null = segment_range.fields["tenant_id"].null = True
segment_range.fields["physical_network"].create = OPTIONAL
