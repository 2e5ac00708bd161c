"""EC2 credentials, and tokens for what was signed in the manner of EC2 or S3 (Identity API v3, "OS-EC2", "s3tokens")."""

import json
from typing import Any

from pileus.core.errors import BadRequest, Unauthorized
from pileus.core.wire import Request, Response
from pileus.identity.api.base import Target, api, here, many, told
from pileus.identity.api.credentials import no_restricted_credential, vault, within_delegation
from pileus.identity.api.tokens import render
from pileus.identity.api.v2 import access, of_default_domain
from pileus.identity.delegation import ec2, signatures
from pileus.identity.login.methods.claims import WRONG
from pileus.identity.store import Credential
from pileus.identity.tokens.provider import Token
from pileus.identity.users import get_user

_AT = "/v3/users/{user_id}/credentials/OS-EC2"


def credential(rq: Request, user_id: str, access: str) -> Target[Credential]:
    """Its own user is whom the rules ask about, whatever the path says."""
    with told():
        found = ec2.get(rq.tx, access)
    return Target(found, credential=found, user_id=user_id)


def owner(rq: Request, user_id: str) -> Target[str]:
    """The path's user: what is below belongs to them."""
    return Target(user_id, credential={"user_id": user_id}, user_id=user_id)


def _view(rq: Request, row: Credential) -> dict[str, Any]:
    blob = json.loads(vault(rq).open(row))
    access = blob.get("access")
    return {
        "user_id": row.user_id,
        "tenant_id": row.project_id,
        "access": access,
        "secret": blob.get("secret"),
        "trust_id": blob.get("trust_id"),
        "links": {"self": f"{here(rq)}/v3/users/{row.user_id}/credentials/OS-EC2/{access}"},
    }


@api.get(_AT, policy="identity:ec2_list_credentials", on=owner)
def list_ec2_credentials(rq: Request, found: Target[str]) -> dict[str, Any]:
    """List a user's EC2 credentials."""
    user = get_user(rq.tx, found.row)
    only = {"project_id": rq.ctx.project_id} if rq.ctx.token is not None and rq.ctx.token.delegated else {}
    rows = rq.tx.select(Credential, order="id", user_id=user.id, type=ec2.TYPE, **only)
    return many(rq, "credentials", [_view(rq, row) for row in rows])


@api.post(_AT, policy="identity:ec2_create_credential", on=owner, status=201)
def create_ec2_credential(rq: Request, found: Target[str]) -> dict[str, Any]:
    """Make an EC2 credential for a user and a project."""
    no_restricted_credential(rq)
    project_id = rq.json.get("tenant_id")
    if not isinstance(project_id, str):
        raise BadRequest("Invalid input for field 'tenant_id': it names the project the credential is for.")
    within_delegation(rq, project_id)
    return {"credential": _view(rq, ec2.create(rq.tx, vault(rq), found.row, project_id, rq.ctx.token))}


@api.get(_AT + "/{access}", policy="identity:ec2_get_credential", on=credential)
def show_ec2_credential(rq: Request, found: Target[Credential]) -> dict[str, Any]:
    """Show an EC2 credential."""
    within_delegation(rq, found.row.project_id)
    return {"credential": _view(rq, found.row)}


@api.delete(_AT + "/{access}", policy="identity:ec2_delete_credential", on=credential)
def delete_ec2_credential(rq: Request, found: Target[Credential]) -> None:
    """Delete an EC2 credential."""
    within_delegation(rq, found.row.project_id)
    rq.tx.delete(Credential, id=found.row.id)


# -- tokens for what was signed ------------------------------------------------------------------------------------------


def _log_in(rq: Request, check: Any) -> tuple[str, Token]:
    """Who may ask is a service, which was sent the signed request: with one in hand anybody could. Raises as its parts."""
    signed = signatures.parse(rq.json)
    found, blob = ec2.found_by(rq.tx, vault(rq), signed.access)
    check(signed, blob["secret"])
    signatures.check_time(signed)
    return ec2.log_in(rq.tx, rq.cloud.tokens, found, blob)


@api.post("/v3/ec2tokens", policy="identity:ec2tokens_validate")
def issue_ec2_token(rq: Request) -> Response:
    """Issue a token to who signed a request with an EC2 credential."""
    secret, token = _log_in(rq, signatures.check_ec2)
    return Response(render(rq.tx, token, with_catalog=True), 200, {"x-subject-token": secret})


@api.post("/v3/s3tokens", policy="identity:s3tokens_validate")
def validate_s3_token(rq: Request) -> dict[str, Any]:
    """Say who signed a request to the object store."""
    _, token = _log_in(rq, signatures.check_s3)
    return render(rq.tx, token, with_catalog=True)


def _log_in_v2(rq: Request, check: Any) -> dict[str, Any]:
    secret, token = _log_in(rq, check)
    if not of_default_domain(token):
        raise Unauthorized(WRONG, detail="version 2.0 knows the default domain only")
    return access(rq.tx, secret, token)


@api.post("/v2.0/ec2tokens", policy="identity:ec2tokens_validate")
def issue_v2_ec2_token(rq: Request) -> dict[str, Any]:
    """Issue a token in the form of version 2.0 to who signed a request with an EC2 credential."""
    return _log_in_v2(rq, signatures.check_ec2)


@api.post("/v2.0/s3tokens", policy="identity:s3tokens_validate")
def validate_v2_s3_token(rq: Request) -> dict[str, Any]:
    """Say who signed a request to the object store, in the form of version 2.0."""
    return _log_in_v2(rq, signatures.check_s3)
