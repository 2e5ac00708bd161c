"""What every method works with: the attempt it is part of, and the claim it makes of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from pileus.core.db import Tx, sql
from pileus.core.errors import BadRequest
from pileus.core.tables import columns, shape
from pileus.identity.store import AccessToken, ApplicationCredential, Project, User
from pileus.identity.tokens.provider import Payload, Tokens
from pileus.settings import Settings

WRONG = "The request you have made requires authentication."  # in the same words whatever was wrong


class DomainRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None


class UserRef(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class Attempt(NamedTuple):
    """One request for a token: what its methods may look at."""

    tx: Tx
    tokens: Tokens
    settings: Settings
    headers: dict[str, str]
    address: str = ""
    uri: str = ""  # of the request, as its sender wrote it
    connections: Any = None  # what identity reaches outside the database: `drivers`
    answer: dict[str, str] = {}  # headers of the answer, for a method that has something to say there
    scope: str = ""  # what kind is asked for: project, domain, system, trust, unscoped, or nothing


def taken_as_given() -> bool:
    return True


class Claim(msgspec.Struct):
    """Who somebody says they are. `prove` tells whether it is true; it may take long and has no transaction.

    `accepted` and `refused` write down what follows from a log-in that succeeded, or from a proof that failed.
    """

    method: str
    user: User | None
    prove: Callable[[], bool] = taken_as_given
    named: str = ""  # whom the client says it is, also when there is nobody of that name: failures are counted by it
    objection: str = ""  # why even what is proved does not do
    accepted: Callable[[Tx], None] | None = None
    refused: Callable[[Tx], None] | None = None
    parent: Payload | None = None  # the token it is made from
    credential: ApplicationCredential | None = None
    access_token: AccessToken | None = None
    expires_at: str | None = None  # no token made from it lives longer


class Method(NamedTuple):
    """`shape` is what a body has under the method's name; `claim` raises Unauthorized, Forbidden or BadRequest."""

    name: str
    shape: type[msgspec.Struct]
    claim: Callable[[Attempt, Any], Claim]


def find_user(tx: Tx, given: UserRef) -> User | None:
    """Raises BadRequest when nobody is named."""
    if given.id:
        return tx.find(User, id=given.id)
    if given.name and given.domain:
        domain = find_domain(tx, given.domain)
        return tx.find(User, domain_id=domain.id, name=given.name) if domain else None
    raise BadRequest("Expecting to find id, or name and domain, in user.")


def named(user: User | None, given: UserRef) -> str:
    """The user's id, or what was sent instead."""
    if user is not None:
        return user.id
    domain = given.domain.id or given.domain.name if given.domain else ""
    return given.id or f"{domain}/{given.name}"


def find_domain(tx: Tx, given: DomainRef) -> Project | None:
    """Raises BadRequest when none is named."""
    if given.id:
        domain = tx.find(Project, id=given.id)
    elif given.name:
        domain = tx.find(Project, domain_id=None, name=given.name) or _spelled_otherwise(tx, given.name)
    else:
        raise BadRequest("Expecting to find id or name in domain.")
    return domain if domain is not None and domain.is_domain else None


_SPELLED = sql(
    sa.select(shape(Project).table)
    .where(columns(Project).domain_id.is_(None), sa.func.lower(columns(Project).name) == sa.bindparam("name"))
    .limit(2)
)


def _spelled_otherwise(tx: Tx, name: str) -> Project | None:
    """Keystone on MySQL, which nearly all are, does not look at capitals: many a client's file says `default`."""
    found = list(tx.rows(Project, _SPELLED, name=name.lower()))
    return found[0] if len(found) == 1 else None
