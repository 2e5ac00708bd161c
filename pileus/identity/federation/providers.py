"""Identity providers with their protocols, mappings, and service providers: the verbs."""

from typing import Any

import sqlalchemy as sa

from pileus.core import clock
from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest, Conflict, NotFound
from pileus.core.tables import columns
from pileus.identity import projects
from pileus.identity.federation import mapping
from pileus.identity.federation.store import (
    RELAY_STATE_PREFIX,
    FederatedUser,
    IdentityProvider,
    Mapping,
    Protocol,
    RemoteId,
    ServiceProvider,
)
from pileus.identity.store import Assignment, User, changed


def _taken(what: str, id: str) -> Conflict:
    return Conflict(f"Conflict occurred attempting to store {what}: {id!r} is in use.")


# -- identity providers --------------------------------------------------------------------------------------------------


def get_identity_provider(tx: Tx, idp_id: str) -> IdentityProvider:
    """Raises NotFound."""
    found = tx.find(IdentityProvider, id=idp_id)
    if found is None:
        raise NotFound(f"Could not find identity provider: {idp_id}.")
    return found


def create_identity_provider(tx: Tx, idp_id: str, given: dict[str, Any]) -> IdentityProvider:
    """In a domain of its own when none is given. Raises Conflict for an id or remote id in use, NotFound."""
    if tx.find(IdentityProvider, id=idp_id):
        raise _taken("identity provider", idp_id)
    domain_id = given.get("domain_id")
    if domain_id:
        projects.get_domain(tx, domain_id)
    else:
        name = clock.new_hex_id()
        about = f"Made for the users of the identity provider {idp_id}"
        domain_id = projects.create_domain(tx, {"name": name, "description": about}).id
    remote_ids = given["remote_ids"] or []
    row = IdentityProvider(
        idp_id, domain_id, given["description"], given["enabled"], given["authorization_ttl"], remote_ids
    )
    tx.insert(row)
    _set_remote_ids(tx, idp_id, remote_ids)
    return row


def update_identity_provider(tx: Tx, row: IdentityProvider, values: dict[str, Any]) -> IdentityProvider:
    """Disabling it voids the tokens of its users until it is enabled again. Raises Conflict for a remote id in use."""
    if "remote_ids" in values:
        values["remote_ids"] = values["remote_ids"] or []
        _set_remote_ids(tx, row.id, values["remote_ids"])
    tx.update(IdentityProvider, row.id, **values)
    changed(tx)
    return get_identity_provider(tx, row.id)


def _set_remote_ids(tx: Tx, idp_id: str, remote_ids: list[str]) -> None:
    tx.delete(RemoteId, idp_id=idp_id)
    for remote_id in remote_ids:
        if tx.find(RemoteId, remote_id=remote_id):
            raise Conflict(f"Duplicate remote ID: {remote_id} belongs to another identity provider.")
        tx.insert(RemoteId(remote_id, idp_id))


_f, _u, _a = columns(FederatedUser), columns(User), columns(Assignment)


def _orphans(conditions: list[Any]) -> Any:
    """Those whom nobody else vouches for, and who have no password."""
    theirs = sa.select(_f.user_id).where(*conditions)
    others = sa.select(_f.user_id).where(sa.not_(sa.and_(*conditions)))
    return sa.select(_u.id).where(_u.id.in_(theirs), _u.id.not_in(others), _u.password_hash.is_(None))


_OF_IDP = [_f.idp_id == sa.bindparam("idp_id")]
_OF_PROTOCOL = [*_OF_IDP, _f.protocol_id == sa.bindparam("protocol_id")]
_FORGET_IDP, _FORGET_PROTOCOL = (
    [
        sql(sa.delete(_a.actor_id.table).where(_a.actor_id.in_(_orphans(conditions)))),
        sql(sa.delete(_u.id.table).where(_u.id.in_(_orphans(conditions)))),
    ]
    for conditions in (_OF_IDP, _OF_PROTOCOL)
)


def delete_identity_provider(tx: Tx, row: IdentityProvider) -> None:
    """With its protocols and the users only it vouched for."""
    for statement in _FORGET_IDP:
        tx.execute(statement, idp_id=row.id)
    tx.delete(IdentityProvider, id=row.id)
    changed(tx)


# -- protocols -----------------------------------------------------------------------------------------------------------


def get_protocol(tx: Tx, idp_id: str, protocol_id: str) -> Protocol:
    """Raises NotFound."""
    found = tx.find(Protocol, id=protocol_id, idp_id=idp_id)
    if found is None:
        raise NotFound(f"Could not find federated protocol {protocol_id} for identity provider {idp_id}.")
    return found


def create_protocol(tx: Tx, idp_id: str, protocol_id: str, given: dict[str, Any]) -> Protocol:
    """Raises NotFound, Conflict, BadRequest for a mapping that is missing."""
    get_identity_provider(tx, idp_id)
    if tx.find(Protocol, id=protocol_id, idp_id=idp_id):
        raise _taken("federation protocol", protocol_id)
    _mapping_exists(tx, given["mapping_id"])
    row = Protocol(protocol_id, idp_id, given["mapping_id"], given["remote_id_attribute"])
    tx.insert(row)
    return row


def update_protocol(tx: Tx, row: Protocol, values: dict[str, Any]) -> Protocol:
    """Raises BadRequest for a mapping that is missing."""
    if "mapping_id" in values:
        _mapping_exists(tx, values["mapping_id"])
    tx.update(Protocol, {"id": row.id, "idp_id": row.idp_id}, **values)
    return get_protocol(tx, row.idp_id, row.id)


def _mapping_exists(tx: Tx, mapping_id: str) -> None:
    if tx.find(Mapping, id=mapping_id) is None:
        raise BadRequest(f"Invalid input for field 'mapping_id': there is no mapping {mapping_id}.")


def delete_protocol(tx: Tx, row: Protocol) -> None:
    """With the users that came only by it."""
    for statement in _FORGET_PROTOCOL:
        tx.execute(statement, idp_id=row.idp_id, protocol_id=row.id)
    tx.delete(FederatedUser, idp_id=row.idp_id, protocol_id=row.id)
    tx.delete(Protocol, id=row.id, idp_id=row.idp_id)
    changed(tx)


# -- mappings ------------------------------------------------------------------------------------------------------------


def get_mapping(tx: Tx, mapping_id: str) -> Mapping:
    """Raises NotFound."""
    found = tx.find(Mapping, id=mapping_id)
    if found is None:
        raise NotFound(f"Could not find mapping: {mapping_id}.")
    return found


def create_mapping(tx: Tx, mapping_id: str, given: dict[str, Any]) -> Mapping:
    """Raises Conflict for an id in use, BadRequest for rules that could not work."""
    row = Mapping(mapping_id, *mapping.check(given["rules"], given["schema_version"]))
    if tx.find(Mapping, id=mapping_id):
        raise _taken("mapping", mapping_id)
    tx.insert(row)
    return row


def update_mapping(tx: Tx, row: Mapping, values: dict[str, Any]) -> Mapping:
    """Raises BadRequest for rules that could not work."""
    rules, version = mapping.check(values.get("rules", row.rules), values.get("schema_version") or row.schema_version)
    tx.update(Mapping, row.id, rules=rules, schema_version=version)
    return get_mapping(tx, row.id)


# -- service providers ---------------------------------------------------------------------------------------------------


def get_service_provider(tx: Tx, provider_id: str) -> ServiceProvider:
    """Raises NotFound."""
    found = tx.find(ServiceProvider, id=provider_id)
    if found is None:
        raise NotFound(f"Could not find service provider: {provider_id}.")
    return found


def create_service_provider(tx: Tx, provider_id: str, given: dict[str, Any]) -> ServiceProvider:
    """Raises Conflict for an id in use."""
    if tx.find(ServiceProvider, id=provider_id):
        raise _taken("service provider", provider_id)
    prefix = given.pop("relay_state_prefix") or RELAY_STATE_PREFIX
    row = ServiceProvider(id=provider_id, relay_state_prefix=prefix, **given)
    tx.insert(row)
    changed(tx)  # tokens tell of it
    return row


def update_service_provider(tx: Tx, row: ServiceProvider, values: dict[str, Any]) -> ServiceProvider:
    if "relay_state_prefix" in values:
        values["relay_state_prefix"] = values["relay_state_prefix"] or RELAY_STATE_PREFIX
    tx.update(ServiceProvider, row.id, **values)
    changed(tx)
    return get_service_provider(tx, row.id)


def delete_service_provider(tx: Tx, row: ServiceProvider) -> None:
    tx.delete(ServiceProvider, id=row.id)
    changed(tx)


def in_tokens(tx: Tx) -> list[dict[str, str]]:
    """The service providers that a token's body tells of."""
    rows = tx.select(ServiceProvider, order="id", enabled=True)
    return [{"id": row.id, "auth_url": row.auth_url, "sp_url": row.sp_url} for row in rows]
