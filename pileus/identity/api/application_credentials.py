"""Application credentials and their access rules (Identity API v3, "Application Credentials")."""

from typing import Any

from pileus.core import clock
from pileus.core.errors import BadRequest, Forbidden
from pileus.core.fields import Text
from pileus.core.paging import Where
from pileus.core.wire import Request
from pileus.identity import users
from pileus.identity.access import grants
from pileus.identity.api.base import Target, View, api, creating, here, listing, many, viewer
from pileus.identity.api.roles import named_roles
from pileus.identity.delegation import access_rules, application_credentials
from pileus.identity.login import passwords
from pileus.identity.resources import ACCESS_RULE, ACCESS_RULES, APPLICATION_CREDENTIAL
from pileus.identity.store import AccessRule, ApplicationCredential, Role, User

_SECRET = Text("secret", min=1, max=255, secret=True)
_AT = "/v3/users/{user_id}/application_credentials"
_RULES_AT = "/v3/users/{user_id}/access_rules"


def owner(rq: Request, user_id: str, *_: str) -> Target[User]:
    """The path's user, about whom the rules ask: only who may do this to that user's learns what there is."""
    return _target(users.get_user(rq.tx, user_id))


def owner_before(rq: Request, user_id: str) -> Target[User]:
    with rq.cloud.db.read() as tx:
        return _target(users.get_user(tx, user_id))


def _target(found: User) -> Target[User]:
    return Target(found, user=found, user_id=found.id)


def credential(rq: Request, user_id: str, credential_id: str) -> Target[ApplicationCredential]:
    """Its own user is whom the rules ask about, whatever the path says; the path's user where it is not there."""
    found = application_credentials.get_credential(rq.tx, credential_id)
    return Target(found, user_id=found.user_id)


def _no_trust(rq: Request) -> None:
    token = rq.ctx.token
    if token is not None and (token.trust_id or token.access_token_id):
        raise Forbidden("A token got by a trust or an OAuth access token cannot manage application credentials.")


def _managing(rq: Request, tx: Any) -> None:
    """Only an unrestricted application credential may make or delete others. Raises Forbidden."""
    _no_trust(rq)
    used = rq.ctx.token.application_credential_id if rq.ctx.token is not None else None
    found = tx.find(ApplicationCredential, id=used) if used else None
    if found is not None and not found.unrestricted:
        raise Forbidden("A restricted application credential cannot manage application credentials.")


def _viewer(rq: Request, tx: Any) -> View:
    view = viewer(rq, APPLICATION_CREDENTIAL)
    roles = {role.id: role for role in tx.select(Role)}
    base = here(rq) + "/v3"

    def show(row: ApplicationCredential) -> dict[str, Any]:
        body = view(row)
        body["links"]["self"] = f"{base}/users/{row.user_id}/application_credentials/{row.id}"
        body["expires_at"] = clock.naive(row.expires_at)
        body["roles"] = [
            {"id": role.id, "name": role.name, "domain_id": role.domain_id}
            for role_id in row.role_ids
            if (role := roles.get(role_id))
        ]
        if row.access_rule_ids:
            body["access_rules"] = [
                {"id": found.id, "service": found.service, "method": found.method, "path": found.path}
                for found in access_rules.of(tx, row)
            ]
        return body

    return show


@api.get(_AT, policy="identity:list_application_credentials", on=owner)
def list_application_credentials(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List a user's application credentials."""
    _no_trust(rq)
    equal = {"name": rq.query.get("name") or ""} if "name" in rq.query else {}
    rows = rq.tx.select(ApplicationCredential, order="name", user_id=found.row.id, **equal)
    view = _viewer(rq, rq.tx)
    return many(rq, "application_credentials", [view(row) for row in rows])


@api.post(_AT, policy="identity:create_application_credential", on=owner_before, status=201, tx="", slow=True)
def create_application_credential(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Make an application credential for the project of the caller's token; its secret is shown this once."""
    if rq.ctx.project_id is None:
        raise BadRequest("An application credential is for a project: use a token with a project's scope.")
    body = dict(rq.unwrap("application_credential"))
    body.pop("project_id", None)
    secret = body.pop("secret", None)
    roles, rules = body.pop("roles", None), ACCESS_RULES.check(body.pop("access_rules", None))
    given = {**creating(rq, APPLICATION_CREDENTIAL, body), "access_rules": rules}
    secret = application_credentials.new_secret() if secret is None else _SECRET.check(secret)
    hashed = passwords.hash_password(secret)
    with rq.cloud.db.write() as rq.tx:
        _managing(rq, rq.tx)
        role_ids = _roles(rq, roles)
        row = application_credentials.create_credential(rq.tx, found.row.id, rq.ctx.project_id, given, role_ids, hashed)
        return {"application_credential": {**_viewer(rq, rq.tx)(row), "secret": secret}}


def _roles(rq: Request, given: Any) -> list[str]:
    """Those asked for, or all the caller has. Raises BadRequest for one the caller does not have."""
    if not given:
        return sorted(rq.ctx.role_ids)
    named = named_roles(rq, given)
    if not set(named) <= rq.ctx.role_ids:
        raise BadRequest("Invalid input for field 'roles': only roles that the token has can be given.")
    return sorted(grants.imply(rq.tx, set(named)))


@api.get(_AT + "/{application_credential_id}", policy="identity:get_application_credential", on=credential)
def show_application_credential(rq: Request, found: Target[ApplicationCredential]) -> dict[str, Any]:
    """Show an application credential, without its secret."""
    _no_trust(rq)
    return {"application_credential": _viewer(rq, rq.tx)(found.row)}


@api.delete(_AT + "/{application_credential_id}", policy="identity:delete_application_credential", on=credential)
def delete_application_credential(rq: Request, found: Target[ApplicationCredential]) -> None:
    """Delete an application credential; its tokens are void at once."""
    _managing(rq, rq.tx)
    application_credentials.delete_credential(rq.tx, found.row)


@api.get(_RULES_AT, policy="identity:list_access_rules", on=owner)
def list_access_rules(rq: Request, found: Target[User]) -> dict[str, Any]:
    """List a user's access rules."""
    _no_trust(rq)
    return listing(rq, ACCESS_RULE, AccessRule, [Where("user_id", "eq", found.row.id)])


@api.get(_RULES_AT + "/{access_rule_id}", policy="identity:get_access_rule", on=owner)
def show_access_rule(rq: Request, found: Target[User]) -> dict[str, Any]:
    """Show an access rule."""
    _no_trust(rq)
    return {"access_rule": viewer(rq, ACCESS_RULE)(_named_rule(rq, found))}


def _named_rule(rq: Request, found: Target[User]) -> AccessRule:
    return access_rules.get_rule(rq.tx, found.row.id, rq.params["access_rule_id"])


@api.delete(_RULES_AT + "/{access_rule_id}", policy="identity:delete_access_rule", on=owner)
def delete_access_rule(rq: Request, found: Target[User]) -> None:
    """Delete an access rule that no application credential uses."""
    _no_trust(rq)
    access_rules.delete_rule(rq.tx, _named_rule(rq, found))
