"""Flavors, as clients send and see them."""

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Integer, Number, Strings, Text
from pileus.core.resources import Resource

NAME = r"[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?"  # printable, no blank at either end

FLAVOR = Resource(
    "flavor",
    [
        Text("id", create=OPTIONAL, null=True, default=None, pattern=r"(?! )[a-zA-Z0-9. _-]*(?<! )", sort=True),
        Text("name", create=REQUIRED, min=1, pattern=NAME, sort=True),
        Integer("ram", create=REQUIRED, min=1, sort=True),
        Integer("vcpus", create=REQUIRED, min=1, sort=True),
        Integer("disk", create=REQUIRED, min=0, sort=True),
        Integer("OS-FLV-EXT-DATA:ephemeral", create=OPTIONAL, min=0, default=0),
        Integer("swap", create=OPTIONAL, min=0, default=0),
        Number("rxtx_factor", create=OPTIONAL, default=1.0, until="2.101"),
        Boolean("os-flavor-access:is_public", create=OPTIONAL, default=True),
        Boolean("OS-FLV-DISABLED:disabled", until="2.101"),
        Text("description", create=OPTIONAL, update=True, null=True, max=65535, default=None, since="2.55"),
        Strings("extra_specs", since="2.61"),
    ],
    earlier=[Integer("swap", create=OPTIONAL, min=0, default=0, until="2.74", show=lambda row: row.swap or "")],
)
SORT_KEYS = {
    "flavorid": "id", "id": "id", "name": "name", "memory_mb": "ram", "vcpus": "vcpus", "root_gb": "disk",
    "ephemeral_gb": "ephemeral", "swap": "swap", "is_public": "is_public", "disabled": "disabled",
    "rxtx_factor": "rxtx_factor", "created_at": "created_at", "description": "description",
}  # fmt: skip
EXTRA_SPECS = Strings("extra_specs", key=r"[a-zA-Z0-9\-_:. ]+", max=255)
