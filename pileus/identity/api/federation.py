"""Who is trusted to vouch for users, and who trusts this cloud (OS-FEDERATION, "Identity providers" and so on)."""

from typing import Any

from pileus.core.errors import BadRequest
from pileus.core.fields import Text
from pileus.core.wire import Request
from pileus.identity.api.base import Target, api, here, listing, one, updating, viewer
from pileus.identity.api.plain import plain
from pileus.identity.api.tokens import list_domains, list_projects
from pileus.identity.federation import providers
from pileus.identity.federation.resources import IDENTITY_PROVIDER, MAPPING, PROTOCOL, SERVICE_PROVIDER
from pileus.identity.federation.store import IdentityProvider, Mapping, Protocol, ServiceProvider
from pileus.identity.resources import Entity

_AT = "/v3/OS-FEDERATION"
_IDP = f"{_AT}/identity_providers/{{idp_id}}"
_PROTOCOL = f"{_IDP}/protocols/{{protocol_id}}"
_ID = Text("id", min=1, max=64)

# their ids are the caller's to choose: each is made by PUT at its own place

mapping = plain(MAPPING, Mapping, get=providers.get_mapping, update=providers.update_mapping, but=["create"])
service_provider = plain(
    SERVICE_PROVIDER,
    ServiceProvider,
    get=providers.get_service_provider,
    update=providers.update_service_provider,
    delete=providers.delete_service_provider,
    but=["create"],
)

api.get(f"{_AT}/projects", policy="identity:get_auth_projects")(list_projects)
api.get(f"{_AT}/domains", policy="identity:get_auth_domains")(list_domains)


def _chosen(rq: Request, resource: Entity, name: str) -> tuple[str, dict[str, Any]]:
    """The id, and what else is given; a body may repeat the id."""
    chosen: str = _ID.check(rq.params[name])
    body = dict(rq.unwrap(resource.name)) if rq.body else {}
    if body.pop("id", chosen) != chosen:
        raise BadRequest("Invalid input for field 'id': it differs from the path's.")
    return chosen, resource.parse_create(rq, body)


@api.put(f"{_AT}/mappings/{{mapping_id}}", policy="identity:create_mapping", status=201)
def create_mapping(rq: Request) -> dict[str, Any]:
    """Create a mapping."""
    return one(rq, MAPPING, providers.create_mapping(rq.tx, *_chosen(rq, MAPPING, "mapping_id")))


@api.put(f"{_AT}/service_providers/{{service_provider_id}}", policy="identity:create_service_provider", status=201)
def create_service_provider(rq: Request) -> dict[str, Any]:
    """Create a service provider."""
    chosen = _chosen(rq, SERVICE_PROVIDER, "service_provider_id")
    return one(rq, SERVICE_PROVIDER, providers.create_service_provider(rq.tx, *chosen))


# -- identity providers and their protocols ------------------------------------------------------------------------------


def _with_protocols(body: dict[str, Any]) -> dict[str, Any]:
    body["links"]["protocols"] = f"{body['links']['self']}/protocols"
    return body


def _one(rq: Request, row: IdentityProvider) -> dict[str, Any]:
    return {"identity_provider": _with_protocols(viewer(rq, IDENTITY_PROVIDER)(row))}


def identity_provider(rq: Request, idp_id: str) -> Target[IdentityProvider]:
    found = providers.get_identity_provider(rq.tx, idp_id)
    return Target(found, identity_provider=found)


@api.get(f"{_AT}/identity_providers", policy="identity:list_identity_providers")
def list_identity_providers(rq: Request) -> dict[str, Any]:
    """List identity providers."""
    found = listing(rq, IDENTITY_PROVIDER, IdentityProvider)
    for body in found["identity_providers"]:
        _with_protocols(body)
    return found


@api.put(_IDP, policy="identity:create_identity_provider", status=201)
def create_identity_provider(rq: Request) -> dict[str, Any]:
    """Create an identity provider, with a domain for its users unless one is named."""
    return _one(rq, providers.create_identity_provider(rq.tx, *_chosen(rq, IDENTITY_PROVIDER, "idp_id")))


@api.get(_IDP, policy="identity:get_identity_provider", on=identity_provider)
def show_identity_provider(rq: Request, found: Target[IdentityProvider]) -> dict[str, Any]:
    """Show an identity provider."""
    return _one(rq, found.row)


@api.patch(_IDP, policy="identity:update_identity_provider", on=identity_provider)
def update_identity_provider(rq: Request, found: Target[IdentityProvider]) -> dict[str, Any]:
    """Change an identity provider."""
    values = updating(rq, IDENTITY_PROVIDER, found.row)
    return _one(rq, providers.update_identity_provider(rq.tx, found.row, values))


@api.delete(_IDP, policy="identity:delete_identity_provider", on=identity_provider)
def delete_identity_provider(rq: Request, found: Target[IdentityProvider]) -> None:
    """Delete an identity provider with the users only it vouched for."""
    providers.delete_identity_provider(rq.tx, found.row)


def protocol(rq: Request, idp_id: str, protocol_id: str) -> Target[Protocol]:
    found = providers.get_protocol(rq.tx, idp_id, protocol_id)
    return Target(found, protocol=found)


def _protocol(rq: Request, row: Protocol) -> dict[str, Any]:
    idp = f"{here(rq)}/v3/OS-FEDERATION/identity_providers/{row.idp_id}"
    return {**PROTOCOL.view(rq, row), "links": {"self": f"{idp}/protocols/{row.id}", "identity_provider": idp}}


@api.get(f"{_IDP}/protocols", policy="identity:list_protocols", on=identity_provider)
def list_protocols(rq: Request, found: Target[IdentityProvider]) -> dict[str, Any]:
    """List the protocols of an identity provider."""
    rows = rq.tx.select(Protocol, order="id", idp_id=found.row.id)
    links = {"next": None, "self": rq.link(), "previous": None}
    return {"protocols": [_protocol(rq, row) for row in rows], "links": links}


@api.put(_PROTOCOL, policy="identity:create_protocol", status=201)
def create_protocol(rq: Request) -> dict[str, Any]:
    """Let an identity provider's users come by a protocol, read through a mapping."""
    row = providers.create_protocol(rq.tx, rq.params["idp_id"], *_chosen(rq, PROTOCOL, "protocol_id"))
    return {"protocol": _protocol(rq, row)}


@api.get(_PROTOCOL, policy="identity:get_protocol", on=protocol)
def show_protocol(rq: Request, found: Target[Protocol]) -> dict[str, Any]:
    """Show a protocol of an identity provider."""
    return {"protocol": _protocol(rq, found.row)}


@api.patch(_PROTOCOL, policy="identity:update_protocol", on=protocol)
def update_protocol(rq: Request, found: Target[Protocol]) -> dict[str, Any]:
    """Change the mapping of a protocol."""
    return {"protocol": _protocol(rq, providers.update_protocol(rq.tx, found.row, PROTOCOL.parse_update(rq)))}


@api.delete(_PROTOCOL, policy="identity:delete_protocol", on=protocol)
def delete_protocol(rq: Request, found: Target[Protocol]) -> None:
    """Take a protocol from an identity provider, and the users that came only by it."""
    providers.delete_protocol(rq.tx, found.row)
