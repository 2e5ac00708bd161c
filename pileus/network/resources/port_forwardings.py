"""Port forwardings of floating IPs."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Address, Integer, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, GIVEN

PROTOCOLS = ("tcp", "udp", "sctp")  # those with ports which the engine balances
MAX_RANGE = 1000  # each port of a range is an entry of its own in the engine


class Ports(Text):
    """`80:89`: first and last."""

    wanted = "a range of ports, first:last"

    def convert(self, value: Any) -> Any:
        text = super().convert(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
        first, colon, last = text.partition(":")
        found = []
        for part in (first, last if colon else first):
            if not (part.isascii() and part.isdigit() and len(part) <= 5 and 1 <= int(part) <= 65535):
                self.refuse(value)
            found.append(int(part))
        if found[1] < found[0]:
            self.refuse(value, "It does not go upwards.")
        if found[1] - found[0] >= MAX_RANGE:
            self.refuse(value, f"It has more than {MAX_RANGE} ports.")
        return tuple(found)


def _one(first: int, last: int) -> int | None:
    return first if first == last else None


PORT: dict[str, Any] = {"min": 1, "max": 65535, "create": OPTIONAL, "update": True}
RANGE: dict[str, Any] = {"create": OPTIONAL, "update": True}

port_forwarding = Resource(
    "port_forwarding",
    [
        Text("id", max=36, **EVERYWHERE),
        Text("protocol", choices=PROTOCOLS, create=REQUIRED, update=True, **EVERYWHERE),
        Uuid("internal_port_id", create=REQUIRED, update=True, **EVERYWHERE),
        Address("internal_ip_address", **GIVEN),
        Integer("internal_port", show=lambda row: _one(row.internal_first, row.internal_last), **PORT),
        Integer("external_port", show=lambda row: _one(row.external_first, row.external_last), **PORT),
        Ports("internal_port_range", show=lambda row: f"{row.internal_first}:{row.internal_last}", **RANGE),
        Ports("external_port_range", show=lambda row: f"{row.external_first}:{row.external_last}", **RANGE),
        Text("description", default="", **GIVEN),
    ],
)


def detail(row: Any) -> dict[str, Any]:
    """What a floating IP says of its forwardings."""
    shown = {
        "id": row.id,
        "protocol": row.protocol,
        "internal_port_id": row.internal_port_id,
        "internal_ip_address": row.internal_ip_address,
        "internal_port": _one(row.internal_first, row.internal_last),
        "external_port": _one(row.external_first, row.external_last),
    }
    if row.external_first != row.external_last:
        shown["internal_port_range"] = f"{row.internal_first}:{row.internal_last}"
        shown["external_port_range"] = f"{row.external_first}:{row.external_last}"
    return shown
