"""Federation's tables: who is trusted to vouch for users, how what they say is read, and whom they vouched for."""

from typing import Any

import msgspec

from pileus.core.tables import Key, table

RELAY_STATE_PREFIX = "ss:mem:"


@table("identity_providers", references={"domain_id": "projects.id"}, cascade=["domain_id"])
class IdentityProvider(msgspec.Struct):
    """Its users live in `domain_id`; groups they get by mapping last `authorization_ttl` minutes, or as their token."""

    id: Key
    domain_id: str
    description: str | None
    enabled: bool
    authorization_ttl: int | None
    remote_ids: list[str] = []


@table("remote_ids", index=[("idp_id",)], references={"idp_id": "identity_providers.id"}, cascade=["idp_id"])
class RemoteId(msgspec.Struct):
    """What an identity provider calls itself; no two share one."""

    remote_id: Key
    idp_id: str


@table("federation_protocols", index=[("mapping_id",)], references={"idp_id": "identity_providers.id"},
       cascade=["idp_id"])  # fmt: skip
class Protocol(msgspec.Struct):
    id: Key
    idp_id: Key
    mapping_id: str
    remote_id_attribute: str | None


@table("mappings")
class Mapping(msgspec.Struct):
    id: Key
    rules: list[dict[str, Any]]
    schema_version: str


@table("service_providers")
class ServiceProvider(msgspec.Struct):
    """Another cloud, which believes what this one says of its users."""

    id: Key
    auth_url: str
    sp_url: str
    description: str | None
    enabled: bool
    relay_state_prefix: str


@table("federated_users", index=[("user_id",)], references={
       "idp_id": "identity_providers.id", "user_id": "users.id"}, cascade=["idp_id", "user_id"])  # fmt: skip
class FederatedUser(msgspec.Struct):
    """The user that an identity provider means by `unique_id`."""

    idp_id: Key
    protocol_id: Key
    unique_id: Key
    user_id: str


@table("used_assertions")
class UsedAssertion(msgspec.Struct):
    """An assertion that somebody logged in with: it is good once. The row may go when the assertion would have ended."""

    id: Key
    expires_at: str
