"""Federation's wire shapes."""

from pileus.core.fields import OPTIONAL, REQUIRED, Boolean, Field, Integer, Items, Text
from pileus.core.resources import REFUSE
from pileus.identity.federation.store import RELAY_STATE_PREFIX
from pileus.identity.resources import ID, URL, Enabled, Entity


def _description() -> Text:
    return Text("description", create=OPTIONAL, update=True, null=True, max=65535, default=None)


def _enabled() -> Boolean:
    return Enabled("enabled", create=OPTIONAL, update=True, default=False, filter=True)


def _id() -> Text:
    return Text("id", filter=True, sort=True)


IDENTITY_PROVIDER = Entity(
    "identity_provider",
    [
        _id(),
        Text("domain_id", create=OPTIONAL, null=True, max=64, pattern=ID, default=None),
        _description(),
        _enabled(),
        Integer("authorization_ttl", create=OPTIONAL, update=True, null=True, min=0, default=None),
        Items(
            "remote_ids",
            Text("remote_ids", min=1, max=255),
            create=OPTIONAL,
            update=True,
            null=True,
            default=list,
            max=1000,
            unique=True,
        ),
    ],
    path="OS-FEDERATION/identity_providers",
    extra=REFUSE,
)

PROTOCOL = Entity(
    "protocol",
    [
        Text("mapping_id", create=REQUIRED, update=True, min=1, max=64),
        Text("remote_id_attribute", create=OPTIONAL, update=True, null=True, max=64, default=None),
    ],
    extra=REFUSE,
)

MAPPING = Entity(
    "mapping",
    [
        # both are checked as a whole, where the reasons are given: see `mapping.py`
        Field("rules", create=REQUIRED, update=True),
        Field("schema_version", create=OPTIONAL, update=True, null=True, default=None),
    ],
    path="OS-FEDERATION/mappings",
    extra=REFUSE,
)

SERVICE_PROVIDER = Entity(
    "service_provider",
    [
        _id(),
        Text("auth_url", create=REQUIRED, update=True, max=255, pattern=URL),
        Text("sp_url", create=REQUIRED, update=True, max=255, pattern=URL),
        _description(),
        _enabled(),
        Text("relay_state_prefix", create=OPTIONAL, update=True, null=True, max=255, default=RELAY_STATE_PREFIX),
    ],
    path="OS-FEDERATION/service_providers",
    extra=REFUSE,
)
