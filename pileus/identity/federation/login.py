"""From an assertion, already verified, to a token: the mapping is applied, the user's row brought up to date."""

import msgspec

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import Forbidden, NotFound
from pileus.identity.federation import providers, shadow
from pileus.identity.federation.mapping import Assertion, Unmappable, evaluate
from pileus.identity.federation.store import IdentityProvider, Mapping, Protocol
from pileus.identity.tokens.provider import Token, Tokens, resolve


class Vouched(msgspec.Struct):
    """What an identity provider says of a user: `issuer` says it, under names that mappings may use."""

    issuer: str
    attributes: Assertion
    remote_user: str = ""
    issuer_attribute: str = ""  # under which name its own remote id is looked for, when the protocol says nothing


def find(tx: Tx, idp_id: str, protocol_id: str) -> tuple[IdentityProvider, Protocol]:
    """Raises NotFound, and Forbidden for an identity provider that is disabled."""
    idp = providers.get_identity_provider(tx, idp_id)
    if not idp.enabled:
        raise Forbidden(f"Identity Provider {idp_id} is disabled.")
    return idp, providers.get_protocol(tx, idp_id, protocol_id)


def log_in(tx: Tx, tokens: Tokens, idp_id: str, protocol_id: str, vouched: Vouched) -> tuple[str, Token]:
    """An unscoped token. Raises Unauthorized, NotFound, Forbidden for an identity provider that is not the one meant."""
    idp, protocol = find(tx, idp_id, protocol_id)
    _check_issuer(idp, protocol, vouched)
    mapping = tx.find(Mapping, id=protocol.mapping_id)
    if mapping is None:
        raise shadow.refuse(f"protocol {protocol_id} of {idp_id} has mapping {protocol.mapping_id}, which is gone")
    until = clock.after(tokens.seconds)
    try:
        mapped = evaluate(mapping.rules, mapping.schema_version, vouched.attributes)
        user = shadow.arrive(tx, idp, protocol, mapped, vouched.remote_user, until)
    except (Unmappable, NotFound) as error:
        raise shadow.refuse(f"mapping {mapping.id}: {error}") from None
    came = None if mapped.user.get("type") == "local" else (idp.id, protocol.id)
    payload = tokens.payload(user.id, [protocol.id], expires_at=until, federation=came)
    return tokens.seal(payload), resolve(tx, payload)


def _check_issuer(idp: IdentityProvider, protocol: Protocol, vouched: Vouched) -> None:
    """With remote ids given, only these speak for this identity provider; without any, whoever it is connected to."""
    if not idp.remote_ids:
        return
    name = protocol.remote_id_attribute or vouched.issuer_attribute
    said = vouched.attributes.get(name) if name else [vouched.issuer]
    if not said or said[0] not in idp.remote_ids:
        raise Forbidden("The incoming identity provider identifier is not among the accepted identifiers.")
