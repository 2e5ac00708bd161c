"""Logs of security groups."""

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Text, Uuid
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, GIVEN, ONCE, standard

EVENTS = ("ALL", "ACCEPT", "DROP")

log = Resource(
    "log",
    [
        *(field for field in standard() if field.name != "tags"),
        Text("resource_type", create=REQUIRED, **EVERYWHERE),
        Uuid("resource_id", null=True, default=None, **ONCE),
        Uuid("target_id", null=True, default=None, **ONCE),
        Text("event", choices=EVENTS, default="ALL", create=OPTIONAL, **EVERYWHERE),
        Boolean("enabled", default=True, **GIVEN),
    ],
)
