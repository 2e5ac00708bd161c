"""Identity's wire shapes: what clients send and see. Members nobody declared are kept and shown, as this API promises."""

from collections.abc import Iterable
from typing import Any

from pileus.core import clock
from pileus.core.errors import BadRequest
from pileus.core.fields import FALSE, OPTIONAL, REQUIRED, TRUE, Boolean, Field, Integer, Items, Object, Text
from pileus.core.resources import IGNORE, KEEP, Resource

NAME = r"[\s\S]*\S[\s\S]*"  # not only blanks
ID = r"[a-zA-Z0-9-]+"
URL = r"[a-zA-Z0-9+.-]+:.+"
TAG = r"[^,/]*"
INTERFACES = ["public", "internal", "admin"]


class Entity(Resource):
    """A resource with links; `absent` names members left out while they are null, `path` where its `self` link leads."""

    def __init__(
        self,
        name: str,
        fields: Iterable[Field],
        *,
        plural: str | None = None,
        absent: Iterable[str] = (),
        path: str = "",
        extra: str = KEEP,
    ):
        super().__init__(name, [Text("id"), *fields], plural=plural, extra=extra)
        self.absent = tuple(absent)
        self.path = path or self.plural


class Enabled(Boolean):
    """`?enabled` alone means true, as does all that is not plainly false."""

    def query(self, text: str) -> Any:
        lowered = text.strip().lower()
        if lowered and lowered not in TRUE | FALSE:
            self.refuse(text)
        return lowered not in FALSE


class Blob(Text):
    """Any text, and nothing but: these are passed through to whoever reads them."""

    def convert(self, value: Any) -> Any:
        if isinstance(value, dict | list):
            self.refuse(value, "It must be a string; encode objects as JSON.")
        return super().convert(value)


class Expiry(Field):
    """A moment in the future."""

    wanted = "a time in ISO 8601"

    def convert(self, value: Any) -> Any:
        try:
            found = clock.canonical(value)
        except (ValueError, AttributeError, OverflowError, TypeError):
            self.refuse(value)
        if found <= clock.now():
            raise BadRequest(f"Invalid input for field {self.name}: it must lie in the future.")
        return found


def _name(length: int) -> Text:
    return Text(
        "name", create=REQUIRED, update=True, min=1, max=length, pattern=NAME, strip=True, filter=True, sort=True
    )


def _description(**options: Any) -> Text:
    return Text("description", create=OPTIONAL, update=True, null=True, max=65535, **options)


def _enabled() -> Enabled:
    return Enabled("enabled", create=OPTIONAL, update=True, default=True, filter=True)


def _options(*names: str) -> Object:
    return Object("options", [Boolean(name, null=True) for name in names], create=OPTIONAL, update=True, default=dict)


def _tags() -> Items:
    return Items("tags", tag_field(), create=OPTIONAL, update=True, default=list, max=80, unique=True)


def tag_field() -> Text:
    return Text("tag", min=1, max=255, pattern=TAG)


DOMAIN = Entity("domain", [_name(64), _description(), _enabled(), _tags(), _options("immutable")])

PROJECT = Entity(
    "project",
    [
        _name(64),
        Text("domain_id", create=OPTIONAL, update=True, null=True, max=64, pattern=ID, filter=True),
        Text("parent_id", create=OPTIONAL, update=True, null=True, max=64, pattern=ID, filter=True),
        Enabled("is_domain", create=OPTIONAL, update=True, default=False, filter=True),
        _description(),
        _enabled(),
        _tags(),
        _options("immutable"),
    ],
)

USER_OPTIONS = [
    Boolean(name, null=True)
    for name in (
        "ignore_change_password_upon_first_use",
        "ignore_password_expiry",
        "ignore_lockout_failure_attempts",
        "ignore_user_inactivity",
        "lock_password",
        "multi_factor_auth_enabled",
    )
]
_UNIQUE_ID = Object(
    "federated.protocols", [Text("protocol_id", create=REQUIRED), Text("unique_id", create=REQUIRED, min=1)]
)
# who the user is elsewhere; shown from rows of their own
_FEDERATED = Object(
    "federated",
    [Text("idp_id", create=REQUIRED), Items("protocols", _UNIQUE_ID, create=REQUIRED, max=100)],
)
USER = Entity(
    "user",
    [
        Items("federated", _FEDERATED, create=OPTIONAL, update=True, max=100, secret=True),
        _name(255),
        Text("domain_id", create=OPTIONAL, update=True, max=64, pattern=ID, filter=True),
        _enabled(),
        Text("default_project_id", create=OPTIONAL, update=True, null=True, max=64),
        _description(),
        Text("password", create=OPTIONAL, update=True, null=True, max=4096, secret=True),
        Text("password_expires_at"),
        Object(
            "options",
            [*USER_OPTIONS, Items("multi_factor_auth_rules", Items("rule", Text("method")), null=True)],
            create=OPTIONAL,
            update=True,
            default=dict,
        ),
    ],
    absent=["default_project_id", "description"],
)

GROUP = Entity(
    "group",
    [
        _name(64),
        Text("domain_id", create=OPTIONAL, update=True, max=64, pattern=ID, filter=True),
        _description(default=""),
    ],
)

ROLE = Entity(
    "role",
    [
        _name(255),
        Text("domain_id", create=OPTIONAL, update=True, null=True, max=64, pattern=ID, filter=True),
        _description(),
        _options("immutable"),
    ],
)

REGION = Entity(
    "region",
    [
        _description(default=""),
        Text("parent_region_id", create=OPTIONAL, update=True, null=True, max=255, filter=True),
    ],
)

SERVICE = Entity(
    "service",
    [
        Text("type", create=REQUIRED, update=True, min=1, max=255, filter=True, sort=True),
        Text("name", create=OPTIONAL, update=True, null=True, max=255, filter=True, sort=True, default=""),
        _description(),
        Boolean("enabled", create=OPTIONAL, update=True, default=True, strict=True, filter=True),
    ],
    absent=["description"],
)

ENDPOINT = Entity(
    "endpoint",
    [
        Text("service_id", create=REQUIRED, update=True, max=64, filter=True),
        Text("interface", create=REQUIRED, update=True, choices=INTERFACES, filter=True),
        Text("url", create=REQUIRED, update=True, min=1, max=65535, pattern=URL),
        Text("region_id", create=OPTIONAL, update=True, null=True, max=255, filter=True),
        # the name this had before regions were resources
        Text("region", source="region_id", create=OPTIONAL, update=True, null=True, max=255),
        Boolean("enabled", create=OPTIONAL, update=True, default=True, strict=True),
    ],
)

CREDENTIAL = Entity(
    "credential",
    [
        Text("type", create=REQUIRED, update=True, min=1, max=255, filter=True),
        Blob("blob", create=REQUIRED, update=True, max=65535, secret=True),
        Text("user_id", create=OPTIONAL, update=True, max=64, filter=True),
        Text("project_id", create=OPTIONAL, update=True, null=True, max=64),
    ],
)

# what requests name besides: roles by id or name, access rules by id or by what they say
ROLES = Items("roles", Object("role", [Text("id", max=64), Text("name")], open=True), max=1000)
ACCESS_RULES = Items(
    "access_rules",
    Object(
        "access_rule",
        [
            Text("id", max=64),
            Text("service", min=1),
            Text("method", choices=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            Text("path", max=128, pattern=r"/.*"),
        ],
    ),
    null=True,
    max=1000,
)

TRUST = Entity(
    "trust",
    [
        Text("trustor_user_id", create=REQUIRED, max=64),
        Text("trustee_user_id", create=REQUIRED, max=64),
        Boolean("impersonation", create=REQUIRED),
        Text("project_id", create=OPTIONAL, null=True, max=64),
        Expiry("expires_at", create=OPTIONAL, null=True),
        Integer("remaining_uses", create=OPTIONAL, null=True, min=1),
        Integer("redelegation_count", create=OPTIONAL, null=True, min=0),
        Text("redelegated_trust_id"),
        Text("deleted_at", show=lambda row: None),
    ],
    path="OS-TRUST/trusts",
)

ACCESS_RULE = Entity(
    "access_rule",
    [
        Text("service", filter=True),
        Text("method", filter=True),
        Text("path", filter=True),
    ],
    extra=IGNORE,
)

APPLICATION_CREDENTIAL = Entity(
    "application_credential",
    [
        _name(255),
        _description(),
        Text("project_id"),
        Text("user_id"),
        Expiry("expires_at", create=OPTIONAL, null=True),
        Boolean("unrestricted", create=OPTIONAL, default=False),
    ],
    extra=IGNORE,
)

CONSUMER = Entity(
    "consumer",
    [_description(), Text("secret", secret=True)],  # ours to choose, and shown once
    path="OS-OAUTH1/consumers",
)

ACCESS_TOKEN = Entity(
    "access_token",
    [
        Text("consumer_id", filter=True),
        Text("authorizing_user_id", source="user_id"),
        Text("project_id", filter=True),
        Text("expires_at"),
    ],
    extra=IGNORE,
)
