"""Identity's tables. A domain is a project with `is_domain`, as in OpenStack's own model."""

from typing import Any

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, sql
from pileus.core.tables import Key, NumberKey, columns, table

DEFAULT_DOMAIN = "default"


@table("projects", unique=[("domain_id", "name")], index=[("parent_id",)])
class Project(msgspec.Struct):
    id: Key
    name: str
    domain_id: str | None  # None for a domain itself
    parent_id: str | None
    description: str
    enabled: bool
    is_domain: bool
    tags: list[str] = []
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    valid_after: str | None = None  # tokens for it issued before this are void: it was disabled


Domain = Project


@table("users", unique=[("domain_id", "name")])
class User(msgspec.Struct):
    id: Key
    name: str
    domain_id: str
    enabled: bool
    password_hash: str | None
    default_project_id: str | None
    description: str | None
    created_at: str
    password_expires_at: str | None = None
    valid_after: str | None = None  # tokens issued before this are void: the password changed, or the user was disabled
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    password_created_at: str | None = None


@table("past_passwords", index=[("user_id",)], references={"user_id": "users.id"}, cascade=["user_id"])
class PastPassword(msgspec.Struct):
    """One that a user had before; as many are kept as may not be used again."""

    id: Key
    user_id: str
    password_hash: str
    created_at: str


@table("log_in_states", references={"user_id": "users.id"}, cascade=["user_id"])
class LogInState(msgspec.Struct):
    """How log-ins of a user went: failures in a row, and the day of the last that succeeded."""

    user_id: Key
    failures: int
    failed_at: str | None
    active_on: str | None


@table("user_groups", unique=[("domain_id", "name")])
class Group(msgspec.Struct):
    id: Key
    name: str
    domain_id: str
    description: str
    extra: dict[str, Any] = {}


@table("memberships", index=[("user_id",)], references={"group_id": "user_groups.id", "user_id": "users.id"},
       cascade=["group_id", "user_id"])  # fmt: skip
class Membership(msgspec.Struct):
    """With an end where an identity provider gave it, which takes it back by not saying it again."""

    group_id: Key
    user_id: Key
    expires_at: str | None = None
    idp_id: str | None = None


@table("roles", unique=[("domain_id", "name")])
class Role(msgspec.Struct):
    id: Key
    name: str
    domain_id: str | None
    description: str | None
    options: dict[str, Any] = {}
    extra: dict[str, Any] = {}


@table("implied_roles", references={"prior_id": "roles.id", "implied_id": "roles.id"},
       cascade=["prior_id", "implied_id"])  # fmt: skip
class ImpliedRole(msgspec.Struct):
    prior_id: Key
    implied_id: Key


@table("assignments", index=[("target_id",), ("role_id",)], references={"role_id": "roles.id"}, cascade=["role_id"])
class Assignment(msgspec.Struct):
    """`actor_type` user or group, `target_type` project, domain or system (whose target is `system`)."""

    actor_id: Key
    target_id: Key
    role_id: Key
    inherited: NumberKey  # 0 or 1
    actor_type: str
    target_type: str


@table("regions")
class Region(msgspec.Struct):
    id: Key
    description: str
    parent_region_id: str | None
    extra: dict[str, Any] = {}


@table("services")
class CatalogService(msgspec.Struct):
    id: Key
    type: str
    name: str | None
    description: str | None
    enabled: bool
    extra: dict[str, Any] = {}


@table("endpoints", index=[("service_id",)], references={"service_id": "services.id", "region_id": "regions.id"},
       cascade=["service_id"])  # fmt: skip
class Endpoint(msgspec.Struct):
    id: Key
    service_id: str
    interface: str
    url: str
    region_id: str | None
    enabled: bool
    extra: dict[str, Any] = {}


@table("credentials", index=[("user_id",)], references={"user_id": "users.id"}, cascade=["user_id"])
class Credential(msgspec.Struct):
    """A secret kept for a user (EC2 keys, TOTP): `encrypted_blob` is under the key in `credentials.py`."""

    id: Key
    user_id: str
    project_id: str | None
    type: str
    encrypted_blob: str
    extra: dict[str, Any] = {}


@table("totp_uses", references={"credential_id": "credentials.id"}, cascade=["credential_id"])
class TotpUse(msgspec.Struct):
    """The newest code that was taken, by its number since 1970: this one and those before it never count again."""

    credential_id: Key
    step: int


@table("policies")
class PolicyDocument(msgspec.Struct):
    """A policy somebody keeps here (Identity API v3, "Policies"): stored and given back, used by nobody."""

    id: Key
    type: str
    blob: str
    extra: dict[str, Any] = {}


@table("trusts", index=[("trustor_user_id",), ("trustee_user_id",)], references={
       "trustor_user_id": "users.id", "trustee_user_id": "users.id", "project_id": "projects.id"},
       cascade=["trustor_user_id", "trustee_user_id", "project_id"])  # fmt: skip
class Trust(msgspec.Struct):
    """The trustor lets the trustee act with these roles on this project."""

    id: Key
    trustor_user_id: str
    trustee_user_id: str
    project_id: str | None
    impersonation: bool
    role_ids: list[str]
    expires_at: str | None
    remaining_uses: int | None
    redelegated_trust_id: str | None
    redelegation_count: int
    created_at: str
    extra: dict[str, Any] = {}


@table("application_credentials", unique=[("user_id", "name")], references={
       "user_id": "users.id", "project_id": "projects.id"}, cascade=["user_id", "project_id"])  # fmt: skip
class ApplicationCredential(msgspec.Struct):
    """A second password of a user, for one project and some of the roles there."""

    id: Key
    user_id: str
    name: str
    description: str | None
    project_id: str
    secret_hash: str
    role_ids: list[str]
    expires_at: str | None
    unrestricted: bool
    access_rule_ids: list[str]


@table("access_rules", index=[("user_id",)], references={"user_id": "users.id"}, cascade=["user_id"])
class AccessRule(msgspec.Struct):
    """One call an application credential may make: a service type, a method, a path with `*` and `**`."""

    id: Key
    user_id: str
    service: str
    method: str
    path: str


@table("revocation_events", index=[("revoked_at",), ("audit_id",)])
class RevocationEvent(msgspec.Struct):
    """What voided tokens: all that are of these and were issued before. One token alone is meant by its `audit_id`."""

    id: Key
    issued_before: str
    revoked_at: str
    user_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    audit_id: str | None = None
    trust_id: str | None = None
    consumer_id: str | None = None
    access_token_id: str | None = None


@table("oauth1_consumers")
class Consumer(msgspec.Struct):
    """A program that users may let act for them (OAuth 1.0)."""

    id: Key
    description: str | None
    encrypted_secret: str
    extra: dict[str, Any] = {}


@table("oauth1_request_tokens", index=[("consumer_id",)], references={
       "consumer_id": "oauth1_consumers.id", "project_id": "projects.id", "user_id": "users.id"},
       cascade=["consumer_id", "project_id", "user_id"])  # fmt: skip
class RequestToken(msgspec.Struct):
    """A consumer asks for access to a project; `user_id`, roles and verifier are there once a user has agreed."""

    id: Key
    consumer_id: str
    project_id: str
    encrypted_secret: str
    expires_at: str
    user_id: str | None = None
    role_ids: list[str] = []
    verifier: str | None = None


@table("oauth1_access_tokens", index=[("user_id",), ("consumer_id",)], references={
       "consumer_id": "oauth1_consumers.id", "project_id": "projects.id", "user_id": "users.id"},
       cascade=["consumer_id", "project_id", "user_id"])  # fmt: skip
class AccessToken(msgspec.Struct):
    """What a consumer may do for a user: these roles on this project."""

    id: Key
    consumer_id: str
    user_id: str
    project_id: str
    role_ids: list[str]
    encrypted_secret: str
    expires_at: str


@table("oauth1_nonces")
class Nonce(msgspec.Struct):
    """A signed request that was taken, so that it is not taken again; `id` is a hash of what made it unique."""

    id: Key
    expires_at: str


@table("identity_generation")
class Generation(msgspec.Struct):
    """Grows with every change that may alter what a token means, so that caches know in one compare."""

    id: NumberKey
    value: int


_BUMP = sql(sa.update(columns(Generation).value.table).values(value=columns(Generation).value + 1))


def changed(tx: Tx) -> None:
    """Call in every transaction that changes users, projects, roles, assignments, the catalog or revocations."""
    if not tx.execute(_BUMP):
        tx.insert(Generation(1, 1))
    tx.after_commit(_notice)


changes_here = 0  # how many this process has committed: it need not ask the database about its own


def _notice() -> None:
    global changes_here
    changes_here += 1


def generation(tx: Tx) -> int:
    row = tx.find(Generation, id=1)
    return row.value if row else 0


def find_project(tx: Tx, project_id: str) -> Project | None:
    """A project or domain, or None."""
    return tx.find(Project, id=project_id)


@table("registered_limits", index=[("service_id", "resource_name")], references={
       "service_id": "services.id", "region_id": "regions.id"}, cascade=["service_id"])  # fmt: skip
class RegisteredLimit(msgspec.Struct):
    """What a project or domain may have of a resource unless a limit of its own says otherwise; -1: as much as it likes."""

    id: Key
    service_id: str
    region_id: str | None
    resource_name: str
    default_limit: int
    description: str | None


@table("limits", index=[("project_id",), ("domain_id",), ("registered_limit_id",)], references={
       "registered_limit_id": "registered_limits.id", "service_id": "services.id", "region_id": "regions.id",
       "project_id": "projects.id", "domain_id": "projects.id"},
       cascade=["registered_limit_id", "service_id", "project_id", "domain_id"])  # fmt: skip
class Limit(msgspec.Struct):
    """What one project, or one domain, may have instead. Service, region and resource are its registered limit's."""

    id: Key
    registered_limit_id: str
    service_id: str
    region_id: str | None
    resource_name: str
    resource_limit: int
    description: str | None
    project_id: str | None
    domain_id: str | None


@table("domain_options", unique=[("domain_id", "section", "name")], references={"domain_id": "projects.id"},
       cascade=["domain_id"])  # fmt: skip
class DomainOption(msgspec.Struct):
    """An option that holds in one domain only; its value is JSON under the vault's key, as some are passwords."""

    id: Key
    domain_id: str
    section: str
    name: str
    encrypted_value: str


@table("policy_associations", index=[("policy_id",), ("endpoint_id",), ("service_id",)], references={
       "policy_id": "policies.id", "endpoint_id": "endpoints.id", "service_id": "services.id", "region_id": "regions.id"},
       cascade=["policy_id", "endpoint_id", "service_id", "region_id"])  # fmt: skip
class PolicyAssociation(msgspec.Struct):
    """Which policy document an endpoint shall use, or those of a service, in one region or everywhere."""

    id: Key
    policy_id: str
    endpoint_id: str | None
    service_id: str | None
    region_id: str | None


@table("endpoint_groups", unique=[("name",)])
class EndpointGroup(msgspec.Struct):
    """The endpoints that have all these properties: service_id, region_id, interface, enabled."""

    id: Key
    name: str
    description: str | None
    filters: dict[str, Any]


@table("project_endpoint_groups", index=[("project_id",)], references={
       "endpoint_group_id": "endpoint_groups.id", "project_id": "projects.id"},
       cascade=["endpoint_group_id", "project_id"])  # fmt: skip
class ProjectEndpointGroup(msgspec.Struct):
    """The project's catalog is limited to the endpoints of its groups, and those given to it one by one."""

    endpoint_group_id: Key
    project_id: Key


@table("project_endpoints", index=[("project_id",)], references={"endpoint_id": "endpoints.id", "project_id": "projects.id"},
       cascade=["endpoint_id", "project_id"])  # fmt: skip
class ProjectEndpoint(msgspec.Struct):
    endpoint_id: Key
    project_id: Key
