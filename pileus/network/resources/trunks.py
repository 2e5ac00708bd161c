"""Trunks."""

from typing import Any

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Items, Object, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, GIVEN, standard

SUB_PORT = Object(
    "sub_ports",
    [
        Uuid("port_id", create=REQUIRED),
        Text("segmentation_type", choices=("vlan", "inherit"), create=OPTIONAL),
        Integer("segmentation_id", min=1, max=4094),
    ],
)
SUB_PORTS = Items("sub_ports", of=SUB_PORT, create=OPTIONAL, default=list)


def sub_port_view(row: Any) -> dict[str, Any]:
    return {
        "port_id": row.port_id,
        "segmentation_type": row.segmentation_type,
        "segmentation_id": row.segmentation_id,
    }


SUB_PORTS.show = lambda row: [sub_port_view(member) for member in getattr(row, "members", [])]

trunk = Resource(
    "trunk",
    [
        *standard(),
        Uuid("port_id", create=REQUIRED, **EVERYWHERE),
        Boolean("admin_state_up", default=True, **GIVEN),
        Text("status", **EVERYWHERE),
        SUB_PORTS,
    ],
)
